//! Where a log comes from: the vault's API, a mirror, a copy. Nothing of it is believed.

use std::sync::Arc;

use chartseal_events::Hash;

use crate::copy::{CopyError, Snapshot};

/// A block as anybody may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicBlock {
    /// The seal leaf's bytes.
    pub seal: Vec<u8>,
    /// The events' leaf hashes, in the log's order.
    pub leaves: Vec<Hash>,
}

/// Hands out a log.
pub trait Source {
    /// Why it cannot.
    type Error: std::error::Error;

    /// The newest signed checkpoint; none before the first block.
    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, Self::Error>;

    /// A block's public part; none where there is no such block.
    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, Self::Error>;

    /// The bodies of all of a block's events, in the log's order; none where there is no such block.
    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, Self::Error>;
}

impl<S: Source> Source for &mut S {
    type Error = S::Error;

    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, S::Error> {
        (**self).checkpoint()
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, S::Error> {
        (**self).block(height)
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, S::Error> {
        (**self).bodies(height)
    }
}

/// A copy, to be replayed from: with no network, and with nothing believed because it is in the copy.
#[derive(Debug)]
pub struct CopySource(Arc<Snapshot>);

impl CopySource {
    /// The copy as of this snapshot.
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        Self(snapshot)
    }
}

impl Source for CopySource {
    type Error = CopyError;

    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, CopyError> {
        Ok(self.0.checkpoint().map(<[u8]>::to_vec))
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, CopyError> {
        self.0.public_block(height)
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, CopyError> {
        self.0.bodies(height)
    }
}
