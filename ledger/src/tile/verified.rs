//! Tiles that anybody may have brought, and that are checked against a size and a root before a hash of them is believed.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::Hash;

use super::{TILE_HEIGHT, TileAddress, partial_tiles};
use crate::tree::{EMPTY_ROOT, HashReader, Node, Span, node_hash, subtree_hash};

/// What is wrong with a set of tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// Not as long as its width says.
    #[error("{0} has another length than its width says")]
    Length(TileAddress),
    /// The tree of this size has another tile there, or none.
    #[error("{0} is no tile of a tree of this size")]
    Foreign(TileAddress),
    /// A tile that leads up to the root is not among them.
    #[error("{0} is missing")]
    Missing(TileAddress),
    /// The right edge does not lead to the root.
    #[error("the partial tiles lead to another root")]
    RootMismatch,
    /// It does not hash to what its parent has for it.
    #[error("{0} is not what the tile above it has a hash of")]
    Mismatch(TileAddress),
}

impl TileError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length(_) => "length",
            Self::Foreign(_) => "foreign",
            Self::Missing(_) => "missing",
            Self::RootMismatch => "root-mismatch",
            Self::Mismatch(_) => "mismatch",
        }
    }
}

/// Tiles of one tree, each of which has been followed up to the tree's root.
#[derive(Clone, Debug)]
pub struct VerifiedTiles {
    size: u64,
    tiles: BTreeMap<TileAddress, Vec<Hash>>,
}

/// The tiles that must be at hand to read and check these subtrees of a tree of `size` leaves: theirs, those above them, and the right edge.
pub fn tiles_for(spans: &[Span], size: u64) -> BTreeSet<TileAddress> {
    let mut tiles: BTreeSet<TileAddress> = partial_tiles(size).into_iter().collect();
    for node in spans.iter().flat_map(|span| span.nodes()) {
        let mut next = place(node).and_then(|(level, first, _)| TileAddress::holding(level, first, size));
        while let Some(tile) = next.filter(|&tile| tiles.insert(tile)) {
            next = parent(tile, size).map(|(parent, _)| parent);
        }
    }
    tiles
}

impl VerifiedTiles {
    /// Checks tiles against the tree of `size` leaves with this root. All partial tiles must be there, and for each full one the tile above it.
    pub fn new<T: AsRef<[u8]>>(
        size: u64,
        root: Hash,
        tiles: impl IntoIterator<Item = (TileAddress, T)>,
    ) -> Result<Self, TileError> {
        let mut read = BTreeMap::new();
        for (address, bytes) in tiles {
            let (hashes, rest) = bytes.as_ref().as_chunks::<32>();
            if !rest.is_empty() || hashes.len() != usize::from(address.width()) {
                return Err(TileError::Length(address));
            }
            if TileAddress::holding(address.level(), address.index() << TILE_HEIGHT, size) != Some(address) {
                return Err(TileError::Foreign(address));
            }
            read.insert(address, hashes.iter().copied().map(Hash).collect::<Vec<_>>());
        }
        let verified = Self { size, tiles: read };
        verified.check_edge(root)?;
        for (&address, hashes) in verified.tiles.iter().filter(|(address, _)| address.is_full()) {
            verified.check_full(address, hashes)?;
        }
        Ok(verified)
    }

    /// The partial tiles lead to the root: the tree's largest complete subtrees are all in them.
    fn check_edge(&self, root: Hash) -> Result<(), TileError> {
        if let Some(missing) = partial_tiles(self.size).into_iter().find(|tile| !self.tiles.contains_key(tile)) {
            return Err(TileError::Missing(missing));
        }
        let whole = Span { start: 0, end: self.size };
        // Each of these nodes is in a partial tile, for a full tile would have its hash in the tile above.
        let peaks: Option<Vec<Hash>> = whole.nodes().map(|node| self.read(node)).collect();
        let computed = peaks
            .map(|peaks| peaks.into_iter().rev().reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_ROOT));
        if computed == Some(root) { Ok(()) } else { Err(TileError::RootMismatch) }
    }

    /// A full tile hashes to its place in the tile above.
    fn check_full(&self, address: TileAddress, hashes: &[Hash]) -> Result<(), TileError> {
        // A tree has a tile above each full one; the topmost of all is partial.
        let (above, position) = parent(address, self.size).ok_or(TileError::Foreign(address))?;
        let above = self.tiles.get(&above).ok_or(TileError::Missing(above))?;
        if above.get(position) == Some(&subtree_hash(hashes)) { Ok(()) } else { Err(TileError::Mismatch(address)) }
    }

    /// The size of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl HashReader for VerifiedTiles {
    fn read(&self, node: Node) -> Option<Hash> {
        let (level, first, hashes) = place(node)?;
        let tile = self.tiles.get(&TileAddress::holding(level, first, self.size)?)?;
        let position = usize::try_from(first % (1 << TILE_HEIGHT)).ok()?;
        tile.get(position..position + hashes).map(subtree_hash)
    }
}

/// A node's tile level, the first of the hashes of that level that it is over, and how many they are.
fn place(node: Node) -> Option<(u8, u64, usize)> {
    let below = node.level % TILE_HEIGHT;
    Some((node.level / TILE_HEIGHT, node.index.checked_mul(1 << below)?, 1 << below))
}

/// The tile above a full tile and the place of its hash there. The tile above a partial one is not over it.
fn parent(address: TileAddress, size: u64) -> Option<(TileAddress, usize)> {
    let above = TileAddress::holding(address.level() + 1, address.index(), size).filter(|_| address.is_full())?;
    let position = usize::try_from(address.index() % (1 << TILE_HEIGHT)).ok()?;
    Some((above, position))
}
