//! A vault's log as an auditor replays it: checkpoint, blocks, and what their events say.
//!
//! In scope: asking for them. Not in scope: whether they are right ([`chartseal_replay`]).

use chartseal_events::Code;
use chartseal_replay::{PublicBlock, Source};

use crate::blocks::SealedBlock;
use crate::client::Client;
use crate::error::Error;

/// The log of the vault that an operator's or auditor's wallet is connected to.
#[derive(Debug, Clone, Copy)]
pub struct AuditedLog<'a> {
    client: &'a Client,
}

impl<'a> AuditedLog<'a> {
    /// Read with this wallet.
    pub fn new(client: &'a Client) -> Self {
        Self { client }
    }
}

impl Source for AuditedLog<'_> {
    type Error = Error;

    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.client.vault.checkpoint_note()
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, Error> {
        let block = self.client.vault.block(height)?;
        Ok(block.map(|SealedBlock { seal, leaves }| PublicBlock { seal: seal.to_bytes().to_vec(), leaves }))
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, Error> {
        match self.client.block_events(height) {
            Ok(found) => Ok(found.map(|(_, bodies)| bodies)),
            Err(Error::Refused(problem)) if problem.code == Code::NotFound.name() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
