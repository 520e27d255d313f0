//! That a leaf stands at an index (RFC 6962 section 2.1.1, verified as in RFC 9162 section 2.1.3.2).
//!
//! The proof's hashes go from the leaf's sibling upwards.

use chartseal_events::Hash;

use super::{HashReader, MAX_TREE_SIZE, MissingNode, Proof, ProofError, Span, node_hash};

/// The subtrees whose hashes are the proof that leaf `index` is in the tree of `size` leaves, in order. Empty if there is no such leaf.
pub fn spans(index: u64, size: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    if index >= size {
        return spans;
    }
    let mut span = Span { start: 0, end: size };
    while let Some((left, right)) = span.halves() {
        let (into, beside) = if index < left.end { (left, right) } else { (right, left) };
        spans.push(beside);
        span = into;
    }
    spans.reverse();
    spans
}

/// Makes the proof from nodes that are at hand.
pub fn prove(index: u64, size: u64, reader: &impl HashReader) -> Result<Proof, MissingNode> {
    Proof::collect(&spans(index, size), reader)
}

/// Whether the tree of `size` leaves with this root has this leaf hash at `index`.
pub fn verify(proof: &Proof, index: u64, leaf: Hash, size: u64, root: Hash) -> Result<(), ProofError> {
    if index >= size || size > MAX_TREE_SIZE {
        return Err(ProofError::OutsideTree);
    }
    let hashes = proof.exactly(length(index, size))?;
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for &beside in hashes {
        if at % 2 == 1 || at == last {
            hash = node_hash(beside, hash);
            // At the right edge a subtree without sibling is its own parent.
            let alone = if at % 2 == 0 { at.trailing_zeros() } else { 0 };
            (at, last) = (at >> alone, last >> alone);
        } else {
            hash = node_hash(hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if hash == root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// How many hashes the proof has: one for each level below the place where the ways to the leaf and to the last leaf part, and then one for each
/// subtree to the left.
fn length(index: u64, size: u64) -> usize {
    let inner = 64 - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}
