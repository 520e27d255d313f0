//! Where a node gets the log from: a vault. Nothing of what comes is believed here.

use chartseal_cli::{Client, Error, RawAnswer, Vault};
use chartseal_events::Code;
use chartseal_events::wire::{LedgerBlock, LedgerEvents};
use chartseal_ledger::tile::TileAddress;
use serde::de::DeserializeOwned;

/// A call that brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nobody answered, or not now.
    #[error("the vault does not answer: {0}")]
    Unavailable(String),
    /// It is not there.
    #[error("the vault has no {0}")]
    Missing(String),
    /// Not what such an answer must be.
    #[error("the vault's answer about {0} is none that it may give")]
    Form(String),
    /// The wallet may not read events.
    #[error("the vault does not let this wallet read events: {0}")]
    NotAllowed(String),
}

/// What a node asks for.
pub trait Source: Send + Sync {
    /// The newest checkpoint, a signed note; none before the first block.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError>;
    /// A block's seal and leaf hashes.
    fn block(&self, height: u64) -> Result<LedgerBlock, SourceError>;
    /// A tile's hashes.
    fn tile(&self, address: TileAddress) -> Result<Vec<u8>, SourceError>;
    /// What a block's events say, from this position on.
    fn events(&self, height: u64, first: u32) -> Result<LedgerEvents, SourceError>;
}

/// A vault, and the wallet of an auditor or operator where events are to be read.
#[derive(Debug)]
pub struct VaultSource {
    vault: Vault,
    reader: Option<Client>,
}

impl VaultSource {
    /// A vault whose events are not read.
    pub fn hashes(vault: Vault) -> Self {
        Self { vault, reader: None }
    }

    /// A vault with a wallet that may read events.
    pub fn full(reader: Client) -> Self {
        Self { vault: reader.vault.clone(), reader: Some(reader) }
    }

    /// One attempt: the follower has its own patience.
    fn get(&self, path: &str) -> Result<RawAnswer, SourceError> {
        let answer = self.vault.get_raw(path, None).map_err(|error| SourceError::Unavailable(error.to_string()))?;
        match answer.status {
            200 => Ok(answer),
            404 => Err(SourceError::Missing(path.to_owned())),
            429 | 500.. => Err(SourceError::Unavailable(format!("{path}: HTTP {}", answer.status))),
            _ => Err(SourceError::Form(path.to_owned())),
        }
    }

    fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, SourceError> {
        self.get(path)?.read().map_err(|_| SourceError::Form(path.to_owned()))
    }
}

impl Source for VaultSource {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        match self.get("/ledger/checkpoint") {
            Ok(answer) => Ok(Some(answer.body)),
            Err(SourceError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn block(&self, height: u64) -> Result<LedgerBlock, SourceError> {
        self.read(&format!("/ledger/blocks/{height}"))
    }

    fn tile(&self, address: TileAddress) -> Result<Vec<u8>, SourceError> {
        Ok(self.get(&format!("/ledger/{address}"))?.body)
    }

    fn events(&self, height: u64, first: u32) -> Result<LedgerEvents, SourceError> {
        let path = format!("/ledger/blocks/{height}/events/{first}");
        let reader = self.reader.as_ref().ok_or_else(|| SourceError::NotAllowed("there is no wallet".to_owned()))?;
        reader.read(&path).map_err(|error| match error {
            Error::Refused(problem) => match Code::from_name(&problem.code) {
                Some(Code::NotFound) => SourceError::Missing(path),
                Some(code) if code.status() >= 500 => SourceError::Unavailable(problem.title),
                _ => SourceError::NotAllowed(problem.title),
            },
            Error::Undocumented { .. } => SourceError::Form(path),
            other => SourceError::Unavailable(other.to_string()),
        })
    }
}
