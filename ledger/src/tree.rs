//! RFC 6962's Merkle tree: hashes, roots, and proofs of inclusion, consistency and whole ranges.
//!
//! In scope: the tree over leaf *hashes*, whatever the leaves are; the event's leaf hash is `chartseal_events::event::leaf_hash`, a block's is
//! [`crate::seal::Seal::leaf_hash`]. Whoever makes a proof says first which nodes it takes (`spans`), fetches them in any way, and brings them as a
//! [`HashReader`]. Verifying takes nothing but the proof. Not in scope: how nodes are stored ([`crate::tile`]).
//!
//! Source: RFC 6962 section 2.1, RFC 9162 section 2.1. Every proof has exactly one form: a hash too many or too few is refused.

pub mod consistency;
mod frontier;
mod hashing;
pub mod inclusion;
mod node;
mod proof;
pub mod range;

pub use frontier::{Frontier, FrontierError};
pub use hashing::{EMPTY_ROOT, leaf_hash, node_hash};
pub use node::{HashReader, Leaves, MissingNode, Node, Span, root, subtree_hash};
pub use proof::{MAX_PROOF_HASHES, Proof, ProofError, ProofFormError};

/// Most leaves of a tree. C2SP's timestamps and many readers stop at 63 bits, so a size does too.
pub const MAX_TREE_SIZE: u64 = (1 << 63) - 1;

/// The size of a left subtree: the largest power of two below `leaves`, which is at least 2.
fn split(leaves: u64) -> u64 {
    1 << (leaves - 1).ilog2()
}
