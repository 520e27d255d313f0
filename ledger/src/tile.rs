//! The tree as files: C2SP tlog-tiles, each the 256 hashes of one level that share a parent eight levels up.
//!
//! In scope: addresses, which tiles a growing log writes, the ragged right edge, and reading tiles that a stranger brought, checked against a
//! checkpoint's size and root. Not in scope: fetching and storing them, and entry bundles: what an event says is not public, so the vault serves none.
//!
//! Source: c2sp.org/tlog-tiles.

mod address;
mod edge;
mod verified;

pub use address::{TileAddress, TilePathError, new_tiles, partial_tiles};
pub use edge::{Edge, EdgeError, MAX_EDGE_BYTES};
pub use verified::{TileError, VerifiedTiles, tiles_for};

/// Levels of the tree in one tile.
pub const TILE_HEIGHT: u8 = 8;

/// Hashes of a full tile.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;

/// Bytes of a full tile.
pub const TILE_BYTES: usize = TILE_WIDTH as usize * 32;

/// Levels of tiles that a tree of [`crate::tree::MAX_TREE_SIZE`] leaves has.
pub const TILE_LEVELS: u8 = 8;
