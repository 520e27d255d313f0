//! Batches that land in part. On AWS three calls of the ports are several: `Index::add` and `Index::remove` write their entries 16 at a time, each by itself and
//! in any order; `Blobs::abort_uploads` aborts one upload after the other. Here a test says what of the next one lands.
//!
//! Whatever else writes is one call, or a transaction; the sealer's ports are not here yet.

use std::ops::Range;

use super::MemoryVault;
use crate::ports::StoreError;

/// The error of a batch that a test has cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a test cut the batch")]
pub struct CutOff;

/// What of a batch lands; never the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// The first.
    First,
    /// All but the first.
    Rest,
}

/// What lands of the next batch, and how it was with those before.
#[derive(Clone, Default)]
pub(super) struct Cut {
    next: Option<Landing>,
    done: Vec<(usize, usize)>,
}

impl Cut {
    /// Which of a batch take effect, and whether it fails after them.
    pub(super) fn meet(&mut self, len: usize) -> (Range<usize>, Result<(), StoreError>) {
        let lands = match self.next.take() {
            None => return (0..len, Ok(())),
            // Of one, none: it would be the whole.
            Some(_) if len < 2 => 0..0,
            Some(Landing::First) => 0..1,
            Some(Landing::Rest) => 1..len,
        };
        self.done.push((lands.len(), len));
        (lands, Err(StoreError::Unavailable { service: "the twin in memory", source: Box::new(CutOff) }))
    }
}

impl MemoryVault {
    /// The next batch fails when this much of it has taken effect.
    pub fn cut_next(&self, landing: Landing) {
        self.world().cut.next = Some(landing);
    }

    /// Of each batch that was cut, how many took effect, and how many it had.
    pub fn cut_batches(&self) -> Vec<(usize, usize)> {
        self.world().cut.done.clone()
    }
}
