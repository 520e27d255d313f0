//! Where a log comes from: the vault's API, a mirror, a copy. Nothing of it is believed.

use chartseal_events::Hash;

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
