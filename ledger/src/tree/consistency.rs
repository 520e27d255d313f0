//! That a tree begins with the leaves of an older one (RFC 6962 section 2.1.2, verified as in RFC 9162 section 2.1.4.2).

use chartseal_events::Hash;

use super::{EMPTY_ROOT, HashReader, MAX_TREE_SIZE, MissingNode, Proof, ProofError, Span, node_hash};

/// The subtrees whose hashes are the proof from `old_size` to `size`, in order. Empty where nothing needs a proof: from nothing, to the same, backwards.
pub fn spans(old_size: u64, size: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    if old_size == 0 || old_size >= size {
        return spans;
    }
    let mut span = Span { start: 0, end: size };
    while span.end != old_size {
        // Unwrap safety: the old tree ends inside this span, so the span has more than one leaf.
        let (left, right) = span.halves().unwrap();
        let (into, beside) = if old_size <= left.end { (left, right) } else { (right, left) };
        spans.push(beside);
        span = into;
    }
    // The old tree itself is known to whoever verifies; the last subtree of one that is not complete is not.
    if span.start > 0 {
        spans.push(span);
    }
    spans.reverse();
    spans
}

/// Makes the proof from nodes that are at hand.
pub fn prove(old_size: u64, size: u64, reader: &impl HashReader) -> Result<Proof, MissingNode> {
    Proof::collect(&spans(old_size, size), reader)
}

/// Whether the tree (`size`, `root`) begins with the leaves of the tree (`old_size`, `old_root`).
///
/// The empty tree begins every tree, with an empty proof; so does a tree itself.
pub fn verify(proof: &Proof, old_size: u64, old_root: Hash, size: u64, root: Hash) -> Result<(), ProofError> {
    if size > MAX_TREE_SIZE {
        return Err(ProofError::OutsideTree);
    }
    if old_size > size {
        return Err(ProofError::Shrunk);
    }
    let hashes = proof.exactly(length(old_size, size))?;
    if old_size == size {
        return if old_root == root { Ok(()) } else { Err(ProofError::RootMismatch) };
    }
    if old_size == 0 {
        return if old_root == EMPTY_ROOT { Ok(()) } else { Err(ProofError::OldRootMismatch) };
    }
    // The way goes up from the old tree's last complete subtree.
    let complete = old_size.trailing_zeros();
    let (mut at, mut last) = ((old_size - 1) >> complete, (size - 1) >> complete);
    let (start, rest) = if old_size.is_power_of_two() {
        (old_root, hashes)
    } else {
        // Unwrap safety: the length was checked, and is at least one here.
        let (&first, rest) = hashes.split_first().unwrap();
        (first, rest)
    };
    let (mut old_hash, mut hash) = (start, start);
    for &beside in rest {
        if at % 2 == 1 || at == last {
            old_hash = node_hash(beside, old_hash);
            hash = node_hash(beside, hash);
            let alone = if at % 2 == 0 { at.trailing_zeros() } else { 0 };
            (at, last) = (at >> alone, last >> alone);
        } else {
            hash = node_hash(hash, beside);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if old_hash != old_root {
        return Err(ProofError::OldRootMismatch);
    }
    if hash == root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// How many hashes the proof has.
fn length(old_size: u64, size: u64) -> usize {
    if old_size == 0 || old_size == size {
        return 0;
    }
    let complete = old_size.trailing_zeros();
    let (at, last) = ((old_size - 1) >> complete, (size - 1) >> complete);
    let inner = 64 - (at ^ last).leading_zeros();
    let border = at.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize + usize::from(!old_size.is_power_of_two())
}
