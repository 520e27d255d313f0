//! Whose signatures a checkpoint must bear before it is believed: the log's, k of n witnesses', and, where the answer must be fresh, a recent cosignature.
//!
//! In scope: one note. That a checkpoint goes on from the last one seen is [`Checkpoint::extends`]'s.

use std::collections::BTreeSet;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{Note, NoteError, SignatureError, SignatureType, VerifierKey};

/// Most witnesses of a policy: a note has room for their signatures beside the log's and its clock's.
pub const MAX_WITNESSES: usize = 62;

/// The keys a verifier was given, by a way it trusts.
#[derive(Clone, Debug)]
pub struct Policy {
    log: VerifierKey,
    clock: Option<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
}

/// How old and how far ahead of the verifier's clock the newest cosignature may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Seconds before now.
    pub max_age_s: u64,
    /// Seconds after now.
    pub max_ahead_s: u64,
}

impl Freshness {
    /// An idle log is cosigned every 60 seconds.
    pub const DEFAULT: Self = Self { max_age_s: 150, max_ahead_s: 5 };
}

/// The keys do not make a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The log's key is not for plain signatures, or another is not for cosignatures.
    #[error("the log's key signs notes (0x01), its clock's and witnesses' keys cosign (0x04)")]
    KeyType,
    /// One key in two places would count twice.
    #[error("a key, or a name with its id, stands twice in the policy")]
    Twice,
    /// More witnesses are to agree than there are, or more are named than a note has room for.
    #[error("the quorum is of at most {MAX_WITNESSES} witnesses, and of those that are named")]
    Quorum,
}

impl PolicyError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::KeyType => "policy-key-type",
            Self::Twice => "policy-twice",
            Self::Quorum => "policy-quorum",
        }
    }
}

/// A checkpoint that the policy does not let anybody believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedCheckpoint {
    /// Not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note about something else.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Of another log.
    #[error("the checkpoint is of another log than {expected}")]
    Origin {
        /// The policy's log.
        expected: String,
    },
    /// The log has not signed.
    #[error("the log's own signature is missing")]
    NotSigned,
    /// A line that bears a known key's name and id is not its signature.
    #[error("{name}: {reason}")]
    Signature {
        /// The key's name.
        name: String,
        /// What is wrong with it.
        reason: SignatureError,
    },
    /// Too few witnesses.
    #[error("{found} witnesses have cosigned, and {required} must")]
    Quorum {
        /// As many as must have.
        required: usize,
        /// As many as have.
        found: usize,
    },
    /// Nobody has said when this was the log's head.
    #[error("no known key says when this was the log's head")]
    NoTimestamp,
    /// The newest cosignature is too old.
    #[error("the newest cosignature is {age_s} seconds old")]
    Stale {
        /// Its age in seconds.
        age_s: u64,
    },
    /// All cosignatures are of a later time than the verifier's.
    #[error("the cosignatures are of a later time than this clock's: is it right?")]
    Ahead,
}

impl RefusedCheckpoint {
    /// A stable name, as the vectors have it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Note(error) => error.code(),
            Self::Checkpoint(error) => error.code(),
            Self::Origin { .. } => "origin",
            Self::NotSigned => "not-signed",
            Self::Signature { reason, .. } => reason.code(),
            Self::Quorum { .. } => "quorum",
            Self::NoTimestamp => "no-timestamp",
            Self::Stale { .. } => "stale",
            Self::Ahead => "ahead",
        }
    }
}

/// A checkpoint that may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The names of the witnesses that cosigned it, in the policy's order.
    pub witnesses: Vec<String>,
    /// When known keys, the log's clock's among them, cosigned it: Unix seconds, ascending.
    pub cosigned_s: Vec<u64>,
}

impl Policy {
    /// Believe what `log` signed and `quorum` of the `witnesses` cosigned. `clock` is the log's own cosigner, which counts for freshness alone.
    pub fn new(
        log: VerifierKey,
        clock: Option<VerifierKey>,
        witnesses: Vec<VerifierKey>,
        quorum: usize,
    ) -> Result<Self, PolicyError> {
        let cosigners = || clock.iter().chain(&witnesses);
        if log.signature_type() != SignatureType::Ed25519
            || cosigners().any(|key| key.signature_type() != SignatureType::Cosignature)
        {
            return Err(PolicyError::KeyType);
        }
        let everybody = || cosigners().chain([&log]);
        let keys: BTreeSet<_> = everybody().map(VerifierKey::public_key).collect();
        let lines: BTreeSet<_> = everybody().map(|key| (key.name(), key.id())).collect();
        if keys.len().min(lines.len()) < everybody().count() {
            return Err(PolicyError::Twice);
        }
        if quorum > witnesses.len() || witnesses.len() > MAX_WITNESSES {
            return Err(PolicyError::Quorum);
        }
        Ok(Self { log, clock, witnesses, quorum })
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.log.name()
    }

    /// Checks everything but the age: a proof that is kept for years was fresh once.
    pub fn accept(&self, note: &[u8]) -> Result<Accepted, RefusedCheckpoint> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin() != self.origin() {
            return Err(RefusedCheckpoint::Origin { expected: self.origin().to_owned() });
        }
        let signed = |key: &VerifierKey| {
            note.signed_by(key).map_err(|reason| RefusedCheckpoint::Signature { name: key.name().to_owned(), reason })
        };
        signed(&self.log)?.ok_or(RefusedCheckpoint::NotSigned)?;
        let mut cosigned_s = Vec::new();
        if let Some(clock) = &self.clock {
            cosigned_s.extend(signed(clock)?.and_then(|signed| signed.timestamp_s));
        }
        let mut witnesses = Vec::new();
        for witness in &self.witnesses {
            if let Some(signed) = signed(witness)? {
                witnesses.push(witness.name().to_owned());
                cosigned_s.extend(signed.timestamp_s);
            }
        }
        if witnesses.len() < self.quorum {
            return Err(RefusedCheckpoint::Quorum { required: self.quorum, found: witnesses.len() });
        }
        cosigned_s.sort_unstable();
        Ok(Accepted { checkpoint, witnesses, cosigned_s })
    }

    /// Checks everything, the age included.
    pub fn accept_fresh(&self, note: &[u8], now_s: u64, bounds: Freshness) -> Result<Accepted, RefusedCheckpoint> {
        let accepted = self.accept(note)?;
        if accepted.cosigned_s.is_empty() {
            return Err(RefusedCheckpoint::NoTimestamp);
        }
        // One cosigner whose clock is ahead neither helps nor harms.
        let latest = now_s.saturating_add(bounds.max_ahead_s);
        let newest = accepted.cosigned_s.iter().rev().find(|&&at| at <= latest).ok_or(RefusedCheckpoint::Ahead)?;
        let age_s = now_s.saturating_sub(*newest);
        if age_s > bounds.max_age_s { Err(RefusedCheckpoint::Stale { age_s }) } else { Ok(accepted) }
    }
}
