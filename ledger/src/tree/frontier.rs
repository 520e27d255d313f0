//! A tree that only grows, as the few hashes that further leaves need: those of its largest complete subtrees.

use chartseal_events::Hash;

use super::{EMPTY_ROOT, MAX_TREE_SIZE, node_hash};

/// The complete subtrees of a tree, largest first: one for each bit of its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

/// A frontier cannot be this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// Another number of hashes than the size has bits.
    #[error("a frontier of this size has another number of hashes")]
    Length,
    /// The tree would be larger than trees may be.
    #[error("the tree is full")]
    Full,
}

impl Frontier {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one up again. Its hashes are believed: compare [`Frontier::root`] with a root that is known.
    pub fn from_hashes(size: u64, hashes: Vec<Hash>) -> Result<Self, FrontierError> {
        if size > MAX_TREE_SIZE {
            return Err(FrontierError::Full);
        }
        if hashes.len() != size.count_ones() as usize {
            return Err(FrontierError::Length);
        }
        Ok(Self { size, hashes })
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The subtrees' hashes, largest first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) -> Result<(), FrontierError> {
        if self.size == MAX_TREE_SIZE {
            return Err(FrontierError::Full);
        }
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // Unwrap safety: there is a subtree for each bit of the size.
            hash = node_hash(self.hashes.pop().unwrap(), hash);
        }
        self.hashes.push(hash);
        self.size += 1;
        Ok(())
    }

    /// The root as of now.
    pub fn root(&self) -> Hash {
        self.hashes.iter().rev().copied().reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_ROOT)
    }
}
