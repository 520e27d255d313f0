//! That leaves stand one after the other in a tree, from an index on, with none left out: what completeness of a page rests on.
//!
//! The proof is the hashes of the largest subtrees that have none of the leaves, from left to right. A suffix needs none on its right, and says by
//! that that it is one. RFC 6962 has no such proof; this one is a compact range's (transparency-dev/merkle, docs/compact_ranges.md).

use std::ops::Range;

use chartseal_events::Hash;

use super::{HashReader, MAX_TREE_SIZE, MissingNode, Proof, ProofError, Span, node_hash};

/// The subtrees whose hashes are the proof for these leaves of the tree of `size` leaves, in order. Empty if there are no such leaves.
pub fn spans(range: Range<u64>, size: u64) -> Vec<Span> {
    let mut spans = Vec::new();
    if range.is_empty() || range.end > size {
        return spans;
    }
    let mut open = vec![Span { start: 0, end: size }];
    while let Some(span) = open.pop() {
        if span.end <= range.start || span.start >= range.end {
            spans.push(span);
        } else if span.start < range.start || span.end > range.end {
            // Unwrap safety: it is partly inside the range, so it has more than one leaf.
            let (left, right) = span.halves().unwrap();
            open.extend([right, left]);
        }
    }
    spans
}

/// Makes the proof from nodes that are at hand.
pub fn prove(range: Range<u64>, size: u64, reader: &impl HashReader) -> Result<Proof, MissingNode> {
    Proof::collect(&spans(range, size), reader)
}

/// Whether the tree of `size` leaves with this root has exactly these leaf hashes from `first` on.
pub fn verify(proof: &Proof, first: u64, leaves: &[Hash], size: u64, root: Hash) -> Result<(), ProofError> {
    if leaves.is_empty() {
        return Err(ProofError::EmptyRange);
    }
    let end = first.checked_add(leaves.len() as u64).filter(|&end| end <= size && size <= MAX_TREE_SIZE);
    let end = end.ok_or(ProofError::OutsideTree)?;
    let hashes = proof.exactly(spans(first..end, size).len())?;
    let mut climb = Climb { range: first..end, leaves, hashes: hashes.iter() };
    if climb.hash(Span { start: 0, end: size }) == root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// The way through the tree, from left to right.
struct Climb<'a> {
    range: Range<u64>,
    leaves: &'a [Hash],
    hashes: std::slice::Iter<'a, Hash>,
}

impl Climb<'_> {
    fn hash(&mut self, span: Span) -> Hash {
        if span.end <= self.range.start || span.start >= self.range.end {
            // Unwrap safety: the proof has a hash for each such subtree, which was counted.
            return *self.hashes.next().unwrap();
        }
        match span.halves() {
            Some((left, right)) => {
                let left = self.hash(left);
                node_hash(left, self.hash(right))
            }
            // Unwrap safety: a leaf inside the range, which is as long as the slice.
            None => self.leaves[usize::try_from(span.start - self.range.start).unwrap()],
        }
    }
}
