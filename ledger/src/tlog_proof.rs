//! C2SP's file for a proof of inclusion that needs no network: the index, the hashes, the checkpoint, and extra data that nobody has vouched for.
//!
//! In scope: the text form. What the leaf is and what the extra data mean is [`crate::event_proof`]'s.
//!
//! Source: c2sp.org/tlog-proof, version 1.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Hash;

use crate::note::MAX_NOTE_BYTES;
use crate::tree::{MAX_TREE_SIZE, Proof};

/// The first line.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Most bytes of extra data.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;

/// Most hashes of an inclusion proof: one for each level.
pub const MAX_INCLUSION_HASHES: usize = 63;

/// Longest file: the bounds of its parts, in base64 where they are.
pub const MAX_TLOG_PROOF_BYTES: usize = MAX_NOTE_BYTES + MAX_EXTRA_BYTES / 3 * 4 + MAX_INCLUSION_HASHES * 45 + 128;

/// A proof as it stands in the file. Nothing of it has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// What the application adds; not empty where it is there.
    pub extra: Option<Vec<u8>>,
    /// The leaf's place.
    pub index: u64,
    /// From the leaf's sibling upwards.
    pub inclusion: Proof,
    /// A signed note, as it came from the log.
    pub checkpoint: String,
}

/// The bytes are not such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// Longer than such a file may be.
    #[error("the file is longer than {MAX_TLOG_PROOF_BYTES} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the file is not text")]
    Characters,
    /// Another kind of file, or another version.
    #[error("the file does not begin with the line {HEADER}")]
    Header,
    /// The extra line is not `extra <base64>`, or too long.
    #[error("the extra line is not well formed")]
    Extra,
    /// The index line is not `index <decimal>`.
    #[error("the index line is not well formed")]
    Index,
    /// A line that is not the base64 of a hash, or too many of them.
    #[error("a line of the inclusion proof is not a hash, or there are too many")]
    Inclusion,
    /// No empty line, or nothing after it.
    #[error("the checkpoint is missing")]
    Checkpoint,
}

impl TlogProofError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "file-too-long",
            Self::Characters => "file-characters",
            Self::Header => "file-header",
            Self::Extra => "file-extra",
            Self::Index => "file-index",
            Self::Inclusion => "file-inclusion",
            Self::Checkpoint => "file-checkpoint",
        }
    }
}

impl TlogProof {
    /// Reads a file, in its one spelling.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > MAX_TLOG_PROOF_BYTES {
            return Err(TlogProofError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| TlogProofError::Characters)?;
        let text = text.strip_prefix(HEADER).and_then(|text| text.strip_prefix('\n')).ok_or(TlogProofError::Header)?;
        // What comes before the first empty line has none of its own, so the checkpoint may.
        let (head, checkpoint) = text.split_once("\n\n").ok_or(TlogProofError::Checkpoint)?;
        if checkpoint.is_empty() {
            return Err(TlogProofError::Checkpoint);
        }
        let mut lines = head.split('\n').peekable();
        let extra = match lines.next_if(|line| line.starts_with("extra")) {
            Some(line) => Some(extra(line).ok_or(TlogProofError::Extra)?),
            None => None,
        };
        let index = lines.next().and_then(index).ok_or(TlogProofError::Index)?;
        let hashes: Option<Vec<Hash>> = lines.map(hash).collect();
        let hashes = hashes.filter(|hashes| hashes.len() <= MAX_INCLUSION_HASHES).ok_or(TlogProofError::Inclusion)?;
        let inclusion = Proof::try_from(hashes).map_err(|_| TlogProofError::Inclusion)?;
        Ok(Self { extra, index, inclusion, checkpoint: checkpoint.to_owned() })
    }
}

fn extra(line: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(line.strip_prefix("extra ")?).ok()?;
    (1..=MAX_EXTRA_BYTES).contains(&bytes.len()).then_some(bytes)
}

fn index(line: &str) -> Option<u64> {
    let digits = line.strip_prefix("index ")?;
    digits.parse().ok().filter(|index: &u64| *index < MAX_TREE_SIZE && index.to_string() == digits)
}

fn hash(line: &str) -> Option<Hash> {
    STANDARD.decode(line).ok()?.try_into().ok().map(Hash)
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in self.inclusion.hashes() {
            writeln!(f, "{}", STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
