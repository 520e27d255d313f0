//! Following a log block by block, with nothing kept but its last seal and its frontier: what an auditor and a witness do.
//!
//! In scope: that each block follows the one before, and that their leaves make the root which was signed. Not in scope: what the events say.

use chartseal_events::Hash;

use crate::checkpoint::Checkpoint;
use crate::seal::Seal;
use crate::tree::{Frontier, subtree_hash};

/// A log that has been followed up to some block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    last: Option<Seal>,
    frontier: Frontier,
}

/// A block does not follow the ones before it, or the log is another than the checkpoint's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Not the next height.
    #[error("height {found} where {expected} is due")]
    Height {
        /// The next height.
        expected: u64,
        /// The seal's.
        found: u64,
    },
    /// It names another block before it.
    #[error("the seal names another block before it")]
    Prev,
    /// Not the next index.
    #[error("the block begins at index {found} where {expected} is due")]
    FirstIndex {
        /// The next index.
        expected: u64,
        /// The seal's.
        found: u64,
    },
    /// Not later than the block before it.
    #[error("the block is not later than the one before it")]
    Timestamp,
    /// The map went back to an older version.
    #[error("the map went back to an older version")]
    MapVersion,
    /// Not as many events as the seal says.
    #[error("the seal says {expected} events, and there are {found}")]
    Events {
        /// As many as the seal says.
        expected: u32,
        /// As many as there are.
        found: usize,
    },
    /// Other events than those that were sealed.
    #[error("the events are not those that were sealed")]
    EventsRoot,
    /// A frontier or checkpoint of another size.
    #[error("{found} leaves where {expected} are due")]
    Size {
        /// After the last block.
        expected: u64,
        /// The other's.
        found: u64,
    },
    /// The checkpoint has another root.
    #[error("the log has another root than the checkpoint")]
    Root,
}

impl ChainError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Height { .. } => "height",
            Self::Prev => "prev",
            Self::FirstIndex { .. } => "first-index",
            Self::Timestamp => "timestamp",
            Self::MapVersion => "map-version",
            Self::Events { .. } => "events",
            Self::EventsRoot => "events-root",
            Self::Size { .. } => "size",
            Self::Root => "root",
        }
    }
}

impl Chain {
    /// A log without blocks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on after `last`. Both are believed; [`Chain::agrees`] with a checkpoint says whether the frontier was right, and an inclusion proof whether the seal
    /// was.
    pub fn resume(last: Seal, frontier: Frontier) -> Result<Self, ChainError> {
        let (expected, found) = (last.size(), frontier.size());
        if expected == found {
            Ok(Self { last: Some(last), frontier })
        } else {
            Err(ChainError::Size { expected, found })
        }
    }

    /// Takes the next block: its seal and its events' leaf hashes. Returns the root after it. A block that does not follow changes nothing.
    pub fn follow(&mut self, seal: &Seal, events: &[Hash]) -> Result<Hash, ChainError> {
        self.check_link(seal)?;
        if usize::try_from(seal.events()) != Ok(events.len()) {
            return Err(ChainError::Events { expected: seal.events(), found: events.len() });
        }
        if subtree_hash(events) != seal.events_root() {
            return Err(ChainError::EventsRoot);
        }
        for leaf in events.iter().copied().chain([seal.leaf_hash()]) {
            // Unwrap safety: a seal of a log that would be too large does not exist.
            self.frontier.push(leaf).unwrap();
        }
        self.last = Some(*seal);
        Ok(self.root())
    }

    /// A seal follows the last one.
    fn check_link(&self, seal: &Seal) -> Result<(), ChainError> {
        let last = self.last.as_ref();
        let expected = last.map_or(0, |last| last.height() + 1);
        if seal.height() != expected {
            return Err(ChainError::Height { expected, found: seal.height() });
        }
        if seal.first_index() != self.size() {
            return Err(ChainError::FirstIndex { expected: self.size(), found: seal.first_index() });
        }
        let Some(last) = last else { return Ok(()) };
        if seal.prev() != last.leaf_hash() {
            return Err(ChainError::Prev);
        }
        if seal.timestamp_ms() <= last.timestamp_ms() {
            return Err(ChainError::Timestamp);
        }
        if seal.map().version < last.map().version {
            return Err(ChainError::MapVersion);
        }
        Ok(())
    }

    /// Whether the log is the checkpoint's.
    pub fn agrees(&self, checkpoint: &Checkpoint) -> Result<(), ChainError> {
        if checkpoint.size() != self.size() {
            return Err(ChainError::Size { expected: self.size(), found: checkpoint.size() });
        }
        if checkpoint.root() == self.root() { Ok(()) } else { Err(ChainError::Root) }
    }

    /// The last block's seal.
    pub fn last(&self) -> Option<&Seal> {
        self.last.as_ref()
    }

    /// How many leaves the log has.
    pub fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// The log's root.
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// What has to be kept to go on later.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}
