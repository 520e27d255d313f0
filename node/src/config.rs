//! What a node is: written once, by `init`, and never changed. A witness that is to be another one gets another folder and another key.

use std::path::Path;

use chartseal_cli::VaultPin;
use chartseal_ledger::note::VerifierKey;
use serde::{Deserialize, Serialize};

use crate::durable::{self, FileError};

/// Longest `node.json`.
const MAX_CONFIG_BYTES: u64 = 64 * 1024;
const FILE: &str = "node.json";

/// Whether it cosigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It does.
    Witness,
    /// It keeps a copy and serves it.
    Mirror,
}

/// What it checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Hashes, and what the events say; an auditor's or operator's wallet reads them.
    Full,
    /// Hashes alone: that the log only grew and its blocks follow one another.
    HashesOnly,
}

/// A node's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Whether it cosigns.
    pub kind: Kind,
    /// What it checks.
    pub mode: Mode,
    /// The vault that it follows.
    pub vault: VaultPin,
    /// The key of that vault's log. It is pinned: what the vault says later changes nothing.
    pub log: VerifierKey,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    v: u32,
    kind: Kind,
    mode: Mode,
    vault: VaultPin,
    log: String,
}

impl Config {
    /// Writes it into a folder that has none.
    pub fn create(&self, folder: &Path) -> Result<(), FileError> {
        let Self { kind, mode, vault, log } = self.clone();
        let file = ConfigFile { v: 1, kind, mode, vault, log: log.to_string() };
        // A struct of strings always serialises.
        let bytes = serde_json::to_vec_pretty(&file).unwrap_or_default();
        durable::create(&folder.join(FILE), &bytes)
    }

    /// Reads a folder's.
    pub fn load(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join(FILE);
        let failed = |what: &'static str| FileError::of(&path)(std::io::Error::other(what));
        let bytes =
            durable::read(&path, MAX_CONFIG_BYTES)?.ok_or_else(|| failed("there is no node here: `init` makes one"))?;
        let file: ConfigFile = serde_json::from_slice(&bytes).map_err(|_| failed("not a node's configuration"))?;
        let log: VerifierKey = file.log.parse().map_err(|_| failed("the log's key is none"))?;
        let of_vault = log.name() == file.vault.origin;
        if file.v != 1 || !of_vault {
            return Err(failed("of a later version, or the log's key is another vault's"));
        }
        Ok(Self { kind: file.kind, mode: file.mode, vault: file.vault, log })
    }
}
