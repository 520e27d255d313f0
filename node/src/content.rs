//! What a full node judges beyond hashes: what the events say. The judge is given blocks that lead to a signed root, and bodies that hash to their leaves; so
//! whatever it finds, the log's key has signed it.
//!
//! The judge is the replay: every signature, every decision once more, the map's roots. It keeps a copy of its own, with the events, in the folder `events`.

use std::path::Path;

use chartseal_events::Hash;
use chartseal_ledger::note::{Note, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::Seal;
use chartseal_replay::{Copy, CopyError, Failure, PublicBlock, Replay, Rule, Source};

use crate::follower::LookError;

/// Hands a judge what it asks for: blocks that were followed, and their events.
pub trait Feed {
    /// A block under the checkpoint.
    fn block(&self, height: u64) -> Result<Option<(Seal, Vec<Hash>)>, LookError>;

    /// What its events say: as many as it has leaf hashes, and each hashes to its own.
    fn bodies(&self, height: u64) -> Result<Vec<String>, LookError>;
}

/// The content is not right, or could not be judged.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A rule is broken.
    #[error("{what}")]
    Unsound {
        /// The rule's stable name.
        code: String,
        /// What is wrong, with height, index and event.
        what: String,
        /// Another signed note that belongs to it.
        other: Option<String>,
    },
    /// What it asked for did not come.
    #[error(transparent)]
    Feed(#[from] LookError),
    /// The judge's own copy fails it.
    #[error("the copy of the events: {0}; take the folder `events` away, and it is fetched anew")]
    Storage(String),
}

/// Judges events, and remembers how far it came.
pub trait Content: Send {
    /// Judges everything under this signed checkpoint that was not judged yet.
    fn judge(&mut self, note: &Note, feed: &dyn Feed) -> Result<(), ContentError>;
}

/// The replay as a judge.
#[derive(Debug)]
pub struct Replayed(Replay);

impl Replayed {
    /// Goes on in a folder, or begins there. `genesis` is the leaf hash of the vault's first event, which is pinned.
    pub fn open(folder: &Path, log: &VerifierKey, genesis: Hash) -> Result<Self, CopyError> {
        // Unwrap safety: one key for plain signatures and nobody else is a policy.
        let policy = Policy::new(log.clone(), None, Vec::new(), 0).unwrap();
        Ok(Self(Replay::new(Copy::open(folder)?, log, policy)?.from_genesis(genesis)))
    }
}

impl Content for Replayed {
    fn judge(&mut self, note: &Note, feed: &dyn Feed) -> Result<(), ContentError> {
        let report = match self.0.advance(note.to_string().as_bytes(), &mut Fed(feed), &()) {
            Ok(report) => report,
            Err(Failure::Source(error)) => return Err(error.into()),
            Err(other) => return Err(ContentError::Storage(other.to_string())),
        };
        let Some(finding) = report.findings.first() else {
            let whole = report.sound.then_some(());
            return whole.ok_or_else(|| ContentError::Storage(format!("{} leaves were not judged", report.unjudged)));
        };
        let (code, what) = (finding.rule.code().to_owned(), finding.to_string());
        match finding.rule {
            // The blocks that it was given lead to what was signed: if its own do not, they are not what they were.
            Rule::Checkpoint
            | Rule::RolledBack
            | Rule::Withheld
            | Rule::Chain
            | Rule::Root
            | Rule::Bodies
            | Rule::Leaf => Err(ContentError::Storage(what)),
            Rule::Fork => {
                let other = self.0.copy().checkpoint().map(|note| String::from_utf8_lossy(note).into_owned());
                Err(ContentError::Unsound { code, what, other })
            }
            _ => Err(ContentError::Unsound { code, what, other: None }),
        }
    }
}

/// A feed as the replay's source.
struct Fed<'a>(&'a dyn Feed);

impl Source for Fed<'_> {
    type Error = LookError;

    /// It is not asked: the checkpoint is given.
    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, LookError> {
        Ok(None)
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, LookError> {
        let block = self.0.block(height)?;
        Ok(block.map(|(seal, leaves)| PublicBlock { seal: seal.to_bytes().to_vec(), leaves }))
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, LookError> {
        self.0.bodies(height).map(Some)
    }
}
