//! Batches that break off. On AWS three calls of the ports are several, or one that may take effect in part: `Index::add` and `Index::remove` (BatchWriteItem,
//! 25 at a time), and `Blobs::abort_uploads` (one call for each upload). Here a test says where the next of them breaks.
//!
//! Everything else on the ports that writes is one call, or a transaction.

use super::MemoryVault;
use crate::ports::StoreError;

/// The error of a batch that a test has cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a test cut the batch")]
pub struct CutOff;

/// Where the next batch breaks, and where those before did.
#[derive(Clone, Default)]
pub(super) struct Cut {
    next: Option<usize>,
    done: Vec<(usize, usize)>,
}

impl Cut {
    /// How many of a batch take effect, and whether it fails after them.
    pub(super) fn meet(&mut self, len: usize) -> (usize, Result<(), StoreError>) {
        let Some(most) = self.next.take() else { return (len, Ok(())) };
        let landing = most.min(len.saturating_sub(1));
        self.done.push((landing, len));
        (landing, Err(StoreError::Unavailable { service: "the twin in memory", source: Box::new(CutOff) }))
    }
}

impl MemoryVault {
    /// The next batch fails when its first `most` have taken effect; never the whole of it does.
    pub fn cut_next(&self, most: usize) {
        self.world().cut.next = Some(most);
    }

    /// Of each batch that was cut, how many took effect, and how many it had.
    pub fn cut_batches(&self) -> Vec<(usize, usize)> {
        self.world().cut.done.clone()
    }
}
