//! Why a run ends early, and why an event is not sealed.

use chartseal_events::EventRef;
use chartseal_events::event::EventError;
use chartseal_infra::clocks::ClockOff;
use chartseal_infra::ports::StoreError;
use chartseal_ledger::block::BlockError;
use chartseal_ledger::checkpoint::CheckpointError;
use chartseal_ledger::map::PageId;
use chartseal_ledger::note::SignatureError;
use chartseal_ledger::policy::RefusedCheckpoint;

/// Why a run seals nothing (more). Nothing of it goes away by itself, but a service that does not answer and other sealers' work.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A block's time would be wrong.
    #[error(transparent)]
    Clock(#[from] ClockOff),
    /// The blocks are fewer than were signed: their table was restored from an older backup. Going on would fork the log.
    #[error("a log of {published} leaves was signed, and the blocks have {found}: their table was restored?")]
    Restored {
        /// The published checkpoint's size.
        published: u64,
        /// The newest block's.
        found: u64,
    },
    /// The blocks are not those that were signed.
    #[error("the signed log of {published} leaves is not the blocks'")]
    Forked {
        /// The published checkpoint's size.
        published: u64,
    },
    /// Nothing is published, although something must have been before the newest block was sealed.
    #[error("there are {blocks} blocks and no published checkpoint")]
    Unpublished {
        /// How many blocks there are.
        blocks: u64,
    },
    /// What is published is no checkpoint of this log.
    #[error("the published checkpoint is not to be believed: {0}")]
    Checkpoint(#[from] RefusedCheckpoint),
    /// The vault's first event names another log than this one.
    #[error("the vault's first event names another origin, log key or clock key")]
    OtherLog,
    /// What is stored is not what can be there.
    #[error("stored data is damaged: {what}")]
    Damaged {
        /// What was looked at; never what it holds.
        what: String,
    },
    /// A block that follows cannot be made.
    #[error("no block can be made: {0}")]
    Block(#[from] BlockError),
    /// No checkpoint can be made.
    #[error("no checkpoint can be made: {0}")]
    Head(#[from] CheckpointError),
    /// What came from the signer is not the log key's signature.
    #[error("the signature is not the log key's: {0}")]
    Signature(#[from] SignatureError),
    /// Other sealers were quicker, every time.
    #[error("other sealers were quicker {0} times")]
    Overtaken(u32),
    /// A service failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refused {
    pub(crate) fn damaged(what: String) -> Self {
        Self::Damaged { what }
    }
}

/// Why a turn ends without its block.
pub(crate) enum Stop {
    /// Somebody else was quicker: look again.
    Overtaken,
    /// A page is not there as it was after the block, or is another: somebody sealed on, or it is damaged.
    Page(PageId),
    /// There is no going on.
    Refused(Refused),
}

impl<E: Into<Refused>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Why an event, and whatever comes after it in its stream, is not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It cannot be read, or says that it stands elsewhere.
    #[error(transparent)]
    Event(#[from] EventError),
    /// There is another one at the next place, or none.
    #[error("it does not stand next to the one before it")]
    Gap,
    /// It does not name the event before it.
    #[error("it does not name the event before it")]
    Link,
    /// The last sealed event of the stream is another one now, or gone.
    #[error("the sealed event is not there as it was sealed")]
    Rewritten,
    /// It has seen an event that is not there.
    #[error("it has seen {0}, which is not there")]
    SeenNothing(EventRef),
    /// It has seen another event than the one that is there.
    #[error("it has seen another event at {0} than the one that is there")]
    SeenOther(EventRef),
}
