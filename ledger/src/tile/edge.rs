//! The right edge of a log: its partial tiles. Whoever has it can append and knows the root; nothing else of the log is read for that.

use chartseal_events::Hash;

use super::{TILE_BYTES, TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TileAddress};
use crate::tree::{Frontier, MAX_TREE_SIZE, subtree_hash};

/// The longest binary form of an edge.
pub const MAX_EDGE_BYTES: usize = 8 + TILE_LEVELS as usize * (TILE_BYTES - 32);

/// The partial tiles of a log, by level, and its size, which says how wide they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Below 256 hashes each.
    levels: [Vec<Hash>; TILE_LEVELS as usize],
}

/// An edge cannot be this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// Another number of bytes than the size asks for.
    #[error("an edge of this size has another length")]
    Length,
    /// The log would be larger than trees may be.
    #[error("the log is full")]
    Full,
}

impl EdgeError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Full => "full",
        }
    }
}

impl Edge {
    /// The edge of a log without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf by its hash, and hands out each tile that becomes full by it.
    pub fn push(&mut self, leaf: Hash, mut full: impl FnMut(TileAddress, &[Hash])) -> Result<(), EdgeError> {
        if self.size == MAX_TREE_SIZE {
            return Err(EdgeError::Full);
        }
        let mut hash = leaf;
        for (level, tile) in (0..TILE_LEVELS).zip(&mut self.levels) {
            tile.push(hash);
            if tile.len() < TILE_WIDTH.into() {
                break;
            }
            let position = self.size >> (u32::from(level) * u32::from(TILE_HEIGHT));
            // Unwrap safety: a tree of at most MAX_TREE_SIZE leaves has this tile.
            full(TileAddress::new(level, position >> TILE_HEIGHT, TILE_WIDTH).unwrap(), tile);
            hash = subtree_hash(tile);
            tile.clear();
        }
        self.size += 1;
        Ok(())
    }

    /// The root as of now.
    pub fn root(&self) -> Hash {
        self.frontier().root()
    }

    /// The same tree for whoever needs no tiles.
    pub fn frontier(&self) -> Frontier {
        let hashes = self.levels.iter().rev().flat_map(|tile| peaks(tile)).collect();
        // Unwrap safety: a partial tile has a peak for each bit of its width, and the widths are the size's digits to the base 256.
        Frontier::from_hashes(self.size, hashes).unwrap()
    }

    /// The partial tiles with their hashes, by level. None where a tile is empty.
    pub fn tiles(&self) -> impl Iterator<Item = (TileAddress, &[Hash])> {
        (0..TILE_LEVELS).zip(&self.levels).filter_map(|(level, tile)| {
            let hashes = self.size >> (u32::from(level) * u32::from(TILE_HEIGHT));
            let last = hashes.checked_sub(1).filter(|_| !tile.is_empty())?;
            TileAddress::holding(level, last, self.size).map(|address| (address, &tile[..]))
        })
    }

    /// The binary form: size (8 bytes, big-endian), then the partial tiles, by level.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.levels.iter().flatten().flat_map(|hash| hash.0));
        bytes
    }

    /// Reads the binary form. Its hashes are believed: compare [`Edge::root`] with a root that is known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EdgeError> {
        let (size, hashes) = bytes.split_first_chunk().ok_or(EdgeError::Length)?;
        let size = u64::from_be_bytes(*size);
        if size > MAX_TREE_SIZE {
            return Err(EdgeError::Full);
        }
        let (hashes, rest) = hashes.as_chunks::<32>();
        let mut hashes = hashes.iter().copied().map(Hash);
        let levels = size.to_le_bytes().map(|width| hashes.by_ref().take(width.into()).collect::<Vec<_>>());
        let wide = levels.iter().zip(size.to_le_bytes()).all(|(tile, width)| tile.len() == usize::from(width));
        if !rest.is_empty() || !wide || hashes.next().is_some() {
            return Err(EdgeError::Length);
        }
        Ok(Self { size, levels })
    }
}

/// The hashes of a partial tile's largest complete subtrees, largest first.
fn peaks(tile: &[Hash]) -> Vec<Hash> {
    let mut rest = tile;
    let mut peaks = Vec::new();
    while let Some(height) = rest.len().checked_ilog2() {
        let (subtree, after) = rest.split_at(1 << height);
        peaks.push(subtree_hash(subtree));
        rest = after;
    }
    peaks
}
