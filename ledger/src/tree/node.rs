//! Addresses in the tree, and how hashes at them are read.

use chartseal_events::Hash;

use super::{EMPTY_ROOT, node_hash, split};

/// A complete subtree: the leaves from `index << level` to `(index + 1) << level`. Its hash never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// 0 for a leaf.
    pub level: u8,
    /// Which one of its level, from the left.
    pub index: u64,
}

/// Where the hashes of complete subtrees come from: tiles ([`crate::tile::VerifiedTiles`]), or [`Leaves`] in memory.
pub trait HashReader {
    /// The node's hash, if it is at hand.
    fn read(&self, node: Node) -> Option<Hash>;
}

/// A proof cannot be made because this node is not at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {index} of level {level} is not at hand", level = .0.level, index = .0.index)]
pub struct MissingNode(pub Node);

/// Leaves in memory, for lists that are small enough to be hashed again: a block's events, a page of postings.
#[derive(Clone, Copy, Debug)]
pub struct Leaves<'a>(pub &'a [Hash]);

impl HashReader for Leaves<'_> {
    fn read(&self, node: Node) -> Option<Hash> {
        let leaves = 1_usize.checked_shl(node.level.into())?;
        let first = leaves.checked_mul(usize::try_from(node.index).ok()?)?;
        let end = first.checked_add(leaves)?;
        self.0.get(first..end).map(subtree_hash)
    }
}

/// The root over leaf hashes that are all at hand.
pub fn subtree_hash(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let mut hashes = leaves.to_vec();
            while hashes.len() > 1 {
                let odd = (hashes.len() % 2 == 1).then(|| hashes[hashes.len() - 1]);
                let pairs = hashes.len() / 2;
                for pair in 0..pairs {
                    hashes[pair] = node_hash(hashes[2 * pair], hashes[2 * pair + 1]);
                }
                hashes.truncate(pairs);
                hashes.extend(odd);
            }
            hashes[0]
        }
    }
}

/// A subtree of some tree: the leaves from `start` to before `end`. It may be the ragged one at the right edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first leaf.
    pub start: u64,
    /// The leaf after its last.
    pub end: u64,
}

impl Span {
    /// The complete subtrees it consists of, from the left.
    pub fn nodes(self) -> impl Iterator<Item = Node> {
        let mut at = self.start;
        std::iter::from_fn(move || {
            let left = (self.end - at).checked_ilog2()?;
            // Unwrap safety: a logarithm of 64 bits is below 64.
            let node = Node { level: u8::try_from(left).unwrap(), index: at >> left };
            at += 1 << left;
            Some(node)
        })
    }

    /// Its hash, from its nodes.
    pub fn hash(self, reader: &impl HashReader) -> Result<Hash, MissingNode> {
        let read: Result<Vec<Hash>, MissingNode> =
            self.nodes().map(|node| reader.read(node).ok_or(MissingNode(node))).collect();
        let hash = read?.into_iter().rev().reduce(|right, left| node_hash(left, right));
        Ok(hash.unwrap_or(EMPTY_ROOT))
    }

    /// Its two halves as the tree has them, if it is not a leaf.
    pub(super) fn halves(self) -> Option<(Self, Self)> {
        (self.end - self.start > 1).then(|| {
            let middle = self.start + split(self.end - self.start);
            (Self { start: self.start, end: middle }, Self { start: middle, end: self.end })
        })
    }
}

/// The root of the tree of the first `size` leaves.
pub fn root(size: u64, reader: &impl HashReader) -> Result<Hash, MissingNode> {
    Span { start: 0, end: size }.hash(reader)
}
