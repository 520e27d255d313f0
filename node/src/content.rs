//! What a full node judges beyond hashes: what the events say. The judge is given blocks whose leaf hashes lead to a signed root, and bodies that hash to
//! them; so whatever it finds, the log's key has signed it.

use chartseal_events::Hash;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_ledger::seal::Seal;

/// A block that is not right, or could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A rule is broken.
    #[error("{what}")]
    Unsound {
        /// The rule's stable name.
        code: String,
        /// What is wrong, with height, index and event.
        what: String,
    },
    /// The judge's own copy fails it.
    #[error("the copy of the events: {0}")]
    Storage(String),
}

/// Judges events, block by block, and remembers how far it came.
pub trait Content: Send {
    /// How many blocks were judged.
    fn blocks(&self) -> u64;

    /// Judges the next block. What it learns may be on the disk before [`Content::confirm`].
    fn judge(&mut self, seal: &Seal, leaves: &[Hash], bodies: Vec<String>) -> Result<(), ContentError>;

    /// Everything that was judged is under this signed checkpoint.
    fn confirm(&mut self, checkpoint: &Checkpoint, note: &Note) -> Result<(), ContentError>;
}
