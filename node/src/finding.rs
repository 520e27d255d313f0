//! What a node found to be wrong. A [`Finding`] follows from what the log's key (or the witness' own) has signed: nobody else can have caused it, it does
//! not go away, and nothing is cosigned any more. A [`Trouble`] is what somebody between could have caused as well: nothing is cosigned while it lasts.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clock;
use crate::durable::{self, FileError};

/// Longest file of a finding: two notes of 128 KiB, escaped.
const MAX_FINDING_BYTES: u64 = 1024 * 1024;
const FILE: &str = "finding.json";

/// Something that is signed and must not be. For ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// A stable name.
    pub code: String,
    /// What it is, for people.
    pub what: String,
    /// When it was found, Unix milliseconds.
    pub at_ms: u64,
    /// The signed notes that show it to anybody.
    pub evidence: Vec<String>,
}

/// Something that was answered and is not what it must be. As long as it is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// A stable name.
    pub code: String,
    /// What it is, for people.
    pub what: String,
    /// When it was met first, Unix milliseconds.
    pub since_ms: u64,
}

impl Finding {
    /// A finding of now.
    pub fn new(code: &str, what: impl Into<String>, evidence: Vec<String>) -> Self {
        Self { code: code.to_owned(), what: what.into(), at_ms: clock::now_ms(), evidence }
    }

    /// Two heads of one log that no tree has both of.
    pub fn fork(what: impl Into<String>, one: &str, other: &str) -> Self {
        Self::new("fork", what, vec![one.to_owned(), other.to_owned()])
    }

    /// The one that was kept, if there was one.
    pub fn load(folder: &Path) -> Result<Option<Self>, FileError> {
        let path = path(folder);
        let Some(bytes) = durable::read(&path, MAX_FINDING_BYTES)? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes).map_err(std::io::Error::other);
        read.map(Some).map_err(FileError::of(&path))
    }

    /// Keeps it. The first one stays.
    pub fn save(&self, folder: &Path) -> Result<(), FileError> {
        let bytes = serde_json::to_vec_pretty(self).map_err(std::io::Error::other);
        let path = path(folder);
        durable::replace(&path, &bytes.map_err(FileError::of(&path))?)
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
