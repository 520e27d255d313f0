//! The file that proves an event: that it is in the log, in which block, and since when, checked with nothing but the keys of a [`Policy`].
//!
//! It is a C2SP tlog-proof of the event's leaf, so that anybody's tool can check that part. Its extra data hold what makes the leaf (the event's body) and the
//! block's seal with an inclusion proof of its own. In scope: those, and the order of checks. Not in scope: what the event says, and whether it was right.

use chartseal_events::Hash;
use chartseal_events::event::leaf_hash;
use chartseal_events::limits::MAX_EVENT_BYTES;

use crate::policy::{Accepted, Policy, RefusedCheckpoint};
use crate::seal::{SEAL_BYTES, Seal, SealError};
use crate::tlog_proof::{MAX_INCLUSION_HASHES, TlogProof, TlogProofError};
use crate::tree::{Proof, ProofError, inclusion};

/// What the extra data begin with.
pub const EXTRA_HEADER: &[u8; 19] = b"chartseal/proof/v1\n";

/// An event with all that proves it. Nothing of it has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventProof {
    /// The event's exact bytes.
    pub body: Vec<u8>,
    /// Its place in the log.
    pub index: u64,
    /// That it stands there.
    pub inclusion: Proof,
    /// The header of its block.
    pub seal: Seal,
    /// That the header stands at its own place.
    pub seal_inclusion: Proof,
    /// The signed head of the log that both are proven against.
    pub checkpoint: String,
}

/// The file does not prove an event. Each case is one step of the check, in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventProofError {
    /// Not a tlog-proof.
    #[error(transparent)]
    File(#[from] TlogProofError),
    /// The extra data are not ours.
    #[error("the file's extra data are not a chartseal proof of a known version")]
    Extra,
    /// The block's header is not one.
    #[error("the block's header: {0}")]
    Seal(#[from] SealError),
    /// The event is empty or longer than events may be.
    #[error("an event has 1 to {MAX_EVENT_BYTES} bytes")]
    Body,
    /// The checkpoint is not to be believed.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] RefusedCheckpoint),
    /// The event's index is not one of the block's.
    #[error("the event is not of the block whose header is given")]
    OtherBlock,
    /// The event is not in the log.
    #[error("the event's inclusion: {0}")]
    EventInclusion(ProofError),
    /// The block's header is not in the log.
    #[error("the block header's inclusion: {0}")]
    SealInclusion(ProofError),
}

impl EventProofError {
    /// A stable name of the step that failed, as the vectors have it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::File(error) => error.code(),
            Self::Extra => "extra",
            Self::Seal(_) => "seal",
            Self::Body => "body",
            Self::Checkpoint(error) => error.code(),
            Self::OtherBlock => "other-block",
            Self::EventInclusion(_) => "event-inclusion",
            Self::SealInclusion(_) => "seal-inclusion",
        }
    }
}

/// What a file has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The event's leaf hash, which other events name it by.
    pub leaf: Hash,
    /// Its place in the log.
    pub index: u64,
    /// The header of its block: its height, and when it was sealed.
    pub seal: Seal,
    /// The head of the log, and who cosigned it when.
    pub accepted: Accepted,
}

impl EventProof {
    /// Reads a file. It is well formed then, and not more.
    pub fn parse(bytes: &[u8]) -> Result<Self, EventProofError> {
        let file = TlogProof::parse(bytes)?;
        let extra = file.extra.ok_or(EventProofError::Extra)?;
        let rest = extra.strip_prefix(EXTRA_HEADER).ok_or(EventProofError::Extra)?;
        let (seal, rest) = rest.split_first_chunk::<SEAL_BYTES>().ok_or(EventProofError::Extra)?;
        let (&hashes, rest) = rest.split_first().ok_or(EventProofError::Extra)?;
        if usize::from(hashes) > MAX_INCLUSION_HASHES {
            return Err(EventProofError::Extra);
        }
        let (path, body) = rest.split_at_checked(usize::from(hashes) * 32).ok_or(EventProofError::Extra)?;
        if !(1..=MAX_EVENT_BYTES).contains(&body.len()) {
            return Err(EventProofError::Body);
        }
        Ok(Self {
            body: body.to_vec(),
            index: file.index,
            inclusion: file.inclusion,
            seal: Seal::from_bytes(seal)?,
            seal_inclusion: Proof::from_bytes(path).map_err(|_| EventProofError::Extra)?,
            checkpoint: file.checkpoint,
        })
    }

    /// The file.
    pub fn to_file(&self) -> TlogProof {
        let mut extra = EXTRA_HEADER.to_vec();
        extra.extend(self.seal.to_bytes());
        // A proof that is longer than any can be read again by nobody; verifying it fails before.
        extra.push(u8::try_from(self.seal_inclusion.hashes().len()).unwrap_or(u8::MAX));
        extra.extend(self.seal_inclusion.to_bytes());
        extra.extend(&self.body);
        TlogProof {
            extra: Some(extra),
            index: self.index,
            inclusion: self.inclusion.clone(),
            checkpoint: self.checkpoint.clone(),
        }
    }

    /// Checks every step: the checkpoint, the event's place in its block, its inclusion, the block header's inclusion.
    pub fn verify(&self, policy: &Policy) -> Result<Proven, EventProofError> {
        let accepted = policy.accept(self.checkpoint.as_bytes())?;
        if !(self.seal.first_index()..self.seal.index()).contains(&self.index) {
            return Err(EventProofError::OtherBlock);
        }
        let (size, root) = (accepted.checkpoint.size(), accepted.checkpoint.root());
        let leaf = leaf_hash(&self.body);
        inclusion::verify(&self.inclusion, self.index, leaf, size, root).map_err(EventProofError::EventInclusion)?;
        inclusion::verify(&self.seal_inclusion, self.seal.index(), self.seal.leaf_hash(), size, root)
            .map_err(EventProofError::SealInclusion)?;
        Ok(Proven { leaf, index: self.index, seal: self.seal, accepted })
    }
}
