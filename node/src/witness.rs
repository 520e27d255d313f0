//! What the witness has signed last, and what it may sign next. The heart of the node: whatever else fails, two cosignatures of one key never contradict
//! each other.
//!
//! In scope: the state on disk, and the checks of c2sp.org/tlog-witness that rest on it. Whether a checkpoint's content is sound is the copy's to say
//! ([`crate::node`] asks both).
//!
//! The state is the last cosigned note itself, with the log's line and the witness' own, so a changed byte is noticed when it is read. It is on the disk
//! before a cosignature leaves. A missing file is a lost state, not an empty one: `init` writes one that says "nothing yet".

use std::path::{Path, PathBuf};

use chartseal_ledger::checkpoint::{Checkpoint, ExtensionError};
use chartseal_ledger::note::{Note, Signed, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::tree::{EMPTY_ROOT, Proof, ProofError};
use serde::{Deserialize, Serialize};

use crate::durable::{self, FileError};
use crate::key::WitnessKey;

/// Longest state file: a note, escaped.
const MAX_STATE_BYTES: u64 = 512 * 1024;
const FILE: &str = "cosigned.json";

/// How far the clock may be behind the last cosignature: that far its time is used again. A clock further behind is wrong, or was.
pub const MAX_CLOCK_BEHIND_S: u64 = 5;

/// The state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Not readable.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not there.
    #[error("{} is lost: this key must not cosign any more; see docs/WITNESS.md, \"After a loss\"", .0.display())]
    Lost(PathBuf),
    /// Damaged, or of another key or log.
    #[error("{} is damaged, or of another key or log: this key must not cosign any more", .0.display())]
    Damaged(PathBuf),
}

/// A checkpoint is not cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The old size is larger than the checkpoint's.
    #[error("the old size is larger than the checkpoint's")]
    OldSize,
    /// Another size was cosigned last.
    #[error("the size that was cosigned last is {size}")]
    Size {
        /// The one that was.
        size: u64,
    },
    /// The same size, another root: the log has forked.
    #[error("another root of {size} leaves was cosigned")]
    Root {
        /// The size of both.
        size: u64,
    },
    /// The proof does not show that the log only grew.
    #[error("the consistency proof: {0}")]
    Proof(ProofError),
}

/// A cosignature could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// It may not be made.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The clock went back.
    #[error("the clock is {behind_s} s behind the last cosignature")]
    Clock {
        /// By so much.
        behind_s: u64,
    },
    /// It could not be kept, so it does not leave.
    #[error("the state cannot be kept: {0}")]
    State(#[from] StateError),
}

/// A witness: its key and what it signed last.
#[derive(Debug)]
pub struct Witness {
    key: WitnessKey,
    log: VerifierKey,
    path: PathBuf,
    last: Option<Last>,
}

/// The last cosigned note.
#[derive(Clone, Debug)]
struct Last {
    note: Note,
    checkpoint: Checkpoint,
    timestamp_s: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateFile {
    v: u32,
    key: String,
    log: String,
    note: Option<String>,
}

impl Witness {
    /// The state of a key that has never signed. A key has that once in its life.
    pub fn create(folder: &Path, key: &VerifierKey, log: &VerifierKey) -> Result<(), FileError> {
        durable::create(&folder.join(FILE), &state_bytes(key, log, None))
    }

    /// Goes on where it was.
    pub fn open(folder: &Path, key: WitnessKey, log: VerifierKey) -> Result<Self, StateError> {
        let path = folder.join(FILE);
        let last = load(&path, key.verifier(), &log)?;
        Ok(Self { key, log, path, last })
    }

    /// Its public key.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// The checkpoint that was cosigned last.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.last.as_ref().map(|last| &last.checkpoint)
    }

    /// The note that was cosigned last, with the log's line and the witness'.
    pub fn note(&self) -> Option<&Note> {
        self.last.as_ref().map(|last| &last.note)
    }

    /// How many leaves it had; 0 before the first one.
    pub fn size(&self) -> u64 {
        self.checkpoint().map_or(0, Checkpoint::size)
    }

    /// When that was, Unix seconds; 0 before the first one.
    pub fn timestamp_s(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.timestamp_s)
    }

    /// Whether a cosignature of this key over that checkpoint is one that the state knows nothing of: then an older state was put in its place, or the
    /// key is used elsewhere.
    pub fn has_forgotten(&self, checkpoint: &Checkpoint, signed: Signed) -> bool {
        signed.timestamp_s.unwrap_or(0) > self.timestamp_s() || checkpoint.size() > self.size()
    }

    /// The checks of c2sp.org/tlog-witness that come after the signature's, in its order.
    pub fn check(&self, old_size: u64, checkpoint: &Checkpoint, proof: &Proof) -> Result<(), Refusal> {
        if old_size > checkpoint.size() {
            return Err(Refusal::OldSize);
        }
        let (size, root) = self.checkpoint().map_or((0, EMPTY_ROOT), |last| (last.size(), last.root()));
        if old_size != size {
            return Err(Refusal::Size { size });
        }
        if checkpoint.size() == size && checkpoint.root() != root {
            return Err(Refusal::Root { size });
        }
        // Unwrap safety: the origin and size were a checkpoint's; none yet is the empty tree.
        let last = Checkpoint::new(checkpoint.origin(), size, root).unwrap();
        checkpoint.extends(&last, proof).map_err(|error| match error {
            ExtensionError::Proof(error) => Refusal::Proof(error),
            ExtensionError::OtherLog => Refusal::Proof(ProofError::OldRootMismatch),
        })
    }

    /// Checks once more, signs, keeps, and only then hands out the line. `note` bears the log's signature, which was verified.
    pub fn cosign(
        &mut self,
        old_size: u64,
        note: &Note,
        checkpoint: &Checkpoint,
        proof: &Proof,
        now_s: u64,
    ) -> Result<String, CosignError> {
        self.check(old_size, checkpoint, proof)?;
        let behind_s = self.timestamp_s().saturating_sub(now_s);
        if behind_s > MAX_CLOCK_BEHIND_S {
            return Err(CosignError::Clock { behind_s });
        }
        let timestamp_s = now_s.max(self.timestamp_s());
        // The same second: the same line, which is on the disk already.
        if self.checkpoint() != Some(checkpoint) || self.timestamp_s() != timestamp_s {
            let mut last = Last { note: self.of_two(note), checkpoint: checkpoint.clone(), timestamp_s };
            // Unwrap safety: the key's own signature over what it has signed.
            self.key.cosign(&mut last.note, timestamp_s).unwrap();
            self.keep(last)?;
        }
        // Unwrap safety: what is kept bears the witness' line.
        Ok(format!("{}\n", own_line(self.note().unwrap(), self.verifier()).unwrap()))
    }

    /// The note with the log's line alone: strangers' lines are not kept.
    fn of_two(&self, note: &Note) -> Note {
        let lines =
            note.signatures().iter().filter(|line| line.name() == self.log.name() && line.id() == self.log.id());
        let text = lines.fold(format!("{}\n", note.text()), |text, line| format!("{text}{line}\n"));
        // Unwrap safety: a part of what was a note, with the log's line in it.
        Note::parse(text.as_bytes()).unwrap()
    }

    fn keep(&mut self, last: Last) -> Result<(), StateError> {
        let bytes = state_bytes(self.key.verifier(), &self.log, Some(&last.note));
        match durable::replace(&self.path, &bytes) {
            Ok(()) => {
                self.last = Some(last);
                Ok(())
            }
            Err(error) => {
                // Old or new, whichever stands there: nothing has left, and the next one that is kept syncs the folder.
                self.last = load(&self.path, self.key.verifier(), &self.log)?;
                Err(error.into())
            }
        }
    }
}

/// This key's line of a note.
pub fn own_line(note: &Note, key: &VerifierKey) -> Option<String> {
    let mut lines = note.signatures().iter();
    lines.find(|line| line.name() == key.name() && line.id() == key.id()).map(ToString::to_string)
}

fn state_bytes(key: &VerifierKey, log: &VerifierKey, note: Option<&Note>) -> Vec<u8> {
    let file = StateFile { v: 1, key: key.to_string(), log: log.to_string(), note: note.map(ToString::to_string) };
    // A struct of strings always serialises.
    serde_json::to_vec_pretty(&file).unwrap_or_default()
}

fn load(path: &Path, key: &VerifierKey, log: &VerifierKey) -> Result<Option<Last>, StateError> {
    let bytes = durable::read(path, MAX_STATE_BYTES)?.ok_or_else(|| StateError::Lost(path.to_owned()))?;
    let read = || -> Option<Option<Last>> {
        let file: StateFile = serde_json::from_slice(&bytes).ok()?;
        if file.v != 1 || file.key != key.to_string() || file.log != log.to_string() {
            return None;
        }
        let Some(text) = file.note else { return Some(None) };
        let policy = Policy::new(log.clone(), None, vec![key.clone()], 1).ok()?;
        let accepted = policy.accept(text.as_bytes()).ok()?;
        let note = Note::parse(text.as_bytes()).ok()?;
        let timestamp_s = *accepted.cosigned_s.first()?;
        Some(Some(Last { note, checkpoint: accepted.checkpoint, timestamp_s }))
    };
    read().ok_or_else(|| StateError::Damaged(path.to_owned()))
}
