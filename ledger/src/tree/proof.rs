//! A proof's hashes, and what can be wrong with them.

use chartseal_events::Hash;
use serde::{Deserialize, Serialize};

use super::{HashReader, MissingNode, Span};

/// Most hashes of a proof: a range inside a tree of 63 levels has two on each.
pub const MAX_PROOF_HASHES: usize = 126;

/// The hashes that lead from what is known to a root, in the order that the kind of proof lays down. In binary their concatenation, in JSON a list of hex.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Hash>", into = "Vec<Hash>")]
pub struct Proof(Vec<Hash>);

/// The bytes are not a proof of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFormError {
    /// Not a whole number of hashes.
    #[error("the proof's length is not a multiple of 32 bytes")]
    NotHashes,
    /// More hashes than any tree asks for.
    #[error("the proof has more than {MAX_PROOF_HASHES} hashes")]
    TooLong,
}

impl ProofFormError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotHashes => "not-hashes",
            Self::TooLong => "too-long",
        }
    }
}

/// The proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaves, or is larger than trees may be.
    #[error("the tree has no such place")]
    OutsideTree,
    /// The older tree is larger than the newer one.
    #[error("the older tree is larger than the newer one")]
    Shrunk,
    /// A range of no leaves shows nothing.
    #[error("the range is empty")]
    EmptyRange,
    /// Hashes too many or too few.
    #[error("the proof has {found} hashes where {expected} are due")]
    Length {
        /// As many as the sizes ask for.
        expected: usize,
        /// As many as there are.
        found: usize,
    },
    /// It leads to another root.
    #[error("the proof leads to another root")]
    RootMismatch,
    /// A consistency proof leads to another root of the older tree.
    #[error("the proof leads to another root of the older tree")]
    OldRootMismatch,
}

impl ProofError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::OutsideTree => "outside-tree",
            Self::Shrunk => "shrunk",
            Self::EmptyRange => "empty-range",
            Self::Length { .. } => "length",
            Self::RootMismatch => "root-mismatch",
            Self::OldRootMismatch => "old-root-mismatch",
        }
    }
}

impl Proof {
    /// The hashes, in order.
    pub fn hashes(&self) -> &[Hash] {
        &self.0
    }

    /// Reads the binary form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofFormError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(ProofFormError::NotHashes);
        }
        hashes.iter().copied().map(Hash).collect::<Vec<_>>().try_into()
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|hash| hash.0).collect()
    }

    /// The hashes of these subtrees.
    pub(super) fn collect(spans: &[Span], reader: &impl HashReader) -> Result<Self, MissingNode> {
        spans.iter().map(|span| span.hash(reader)).collect::<Result<_, _>>().map(Self)
    }

    /// The hashes, if there are exactly as many as the tree's shape asks for.
    pub(super) fn exactly(&self, expected: usize) -> Result<&[Hash], ProofError> {
        let found = self.0.len();
        if found == expected { Ok(&self.0) } else { Err(ProofError::Length { expected, found }) }
    }
}

impl TryFrom<Vec<Hash>> for Proof {
    type Error = ProofFormError;

    fn try_from(hashes: Vec<Hash>) -> Result<Self, ProofFormError> {
        if hashes.len() > MAX_PROOF_HASHES { Err(ProofFormError::TooLong) } else { Ok(Self(hashes)) }
    }
}

impl From<Proof> for Vec<Hash> {
    fn from(proof: Proof) -> Self {
        proof.0
    }
}
