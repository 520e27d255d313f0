//! Checkpoints: what the log signs, and that one goes on from another.
//!
//! In scope: the three lines (origin, size, root). Extension lines are refused, because nobody who audits a log can say whether they are right. Who signed is
//! [`crate::policy`]'s.
//!
//! Source: c2sp.org/tlog-checkpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartseal_events::Hash;

use crate::note::{MAX_KEY_NAME_BYTES, Note};
use crate::tree::{EMPTY_ROOT, MAX_TREE_SIZE, Proof, ProofError, consistency};

/// A log's size and root at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

/// The text is not a checkpoint of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not three lines.
    #[error("a checkpoint has three lines: origin, size, root")]
    Lines,
    /// Empty, too long, or with control characters.
    #[error("the checkpoint's origin cannot be one")]
    Origin,
    /// Not a decimal number in its one spelling, or more than trees may have.
    #[error("the checkpoint's size cannot be one")]
    Size,
    /// Not the base64 of 32 bytes; or an empty tree with leaves' root.
    #[error("the checkpoint's root cannot be one")]
    Root,
}

impl CheckpointError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Lines => "checkpoint-lines",
            Self::Origin => "checkpoint-origin",
            Self::Size => "checkpoint-size",
            Self::Root => "checkpoint-root",
        }
    }
}

/// A checkpoint does not go on from an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionError {
    /// Of another log.
    #[error("the checkpoints are of different logs")]
    OtherLog,
    /// Not shown, or not so.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl ExtensionError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::OtherLog => "other-log",
            Self::Proof(error) => error.code(),
        }
    }
}

impl Checkpoint {
    /// A checkpoint of a log.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if !(1..=MAX_KEY_NAME_BYTES).contains(&origin.len()) || origin.contains(char::is_control) {
            return Err(CheckpointError::Origin);
        }
        if size > MAX_TREE_SIZE {
            return Err(CheckpointError::Size);
        }
        if size == 0 && root != EMPTY_ROOT {
            return Err(CheckpointError::Root);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// Reads a note's text, in its one spelling.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n').collect();
        let [origin, digits, base64] = lines[..] else { return Err(CheckpointError::Lines) };
        let size = digits.parse::<u64>().ok().filter(|size| size.to_string() == digits).ok_or(CheckpointError::Size)?;
        let root = STANDARD.decode(base64).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(CheckpointError::Root)?;
        Self::new(origin, size, Hash(root))
    }

    /// What the log signs, with its last newline.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// A note to be signed.
    pub fn to_note(&self) -> Note {
        Note::new(self.text())
    }

    /// The log's name, and its key's.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Whether the log only grew since `older`: nothing was changed, taken out, or put in between.
    pub fn extends(&self, older: &Self, proof: &Proof) -> Result<(), ExtensionError> {
        if self.origin != older.origin {
            return Err(ExtensionError::OtherLog);
        }
        Ok(consistency::verify(proof, older.size, older.root, self.size, self.root)?)
    }
}
