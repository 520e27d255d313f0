//! Where a tile is: `tile/<level>/<index>[.p/<width>]`.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::{TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH};
use crate::tree::MAX_TREE_SIZE;

/// A tile's place and width. It is printed and read as its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileAddress {
    level: u8,
    index: u64,
    width: u16,
}

/// The text is not a tile's path, or not its one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile")]
pub struct TilePathError;

impl TileAddress {
    /// The tile at this place with so many hashes, if a tree can have it.
    pub fn new(level: u8, index: u64, width: u16) -> Option<Self> {
        let possible = level < TILE_LEVELS && (1..=TILE_WIDTH).contains(&width);
        let last_hash = index.checked_mul(TILE_WIDTH.into())?.checked_add(u64::from(width))?;
        let in_tree = last_hash <= MAX_TREE_SIZE.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        (possible && in_tree).then_some(Self { level, index, width })
    }

    /// The tile that has the `position`-th hash of this level, in a tree of `size` leaves: full if the tree has all of it.
    pub(super) fn holding(level: u8, position: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let index = position >> TILE_HEIGHT;
        let width = hashes.saturating_sub(index << TILE_HEIGHT).min(TILE_WIDTH.into());
        let address = Self::new(level, index, u16::try_from(width).ok()?)?;
        (position < hashes).then_some(address)
    }

    /// 0 for the tiles of leaf hashes; a hash of the next level is the root over a full tile of this one.
    pub fn level(self) -> u8 {
        self.level
    }

    /// Which one of its level, from the left.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes it has: 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it has all its hashes and will never change.
    pub fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }
}

impl fmt::Display for TileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.level)?;
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (place, group) in groups.iter().enumerate().rev() {
            write!(f, "{}{group:03}", if place > 0 { "x" } else { "" })?;
            if place > 0 {
                f.write_char('/')?;
            }
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TileAddress {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let read = || {
            let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let (index, width) = match rest.split_once(".p/") {
                Some((index, width)) => (index, width.parse().ok()?),
                None => (rest, TILE_WIDTH),
            };
            let mut number = 0_u64;
            for group in index.split('/') {
                let digits = group.strip_prefix('x').unwrap_or(group);
                number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
            }
            Self::new(level.parse().ok()?, number, width)
        };
        // Numbers have many spellings; the one that we print is the one that is meant.
        read().filter(|address| address.to_string() == path).ok_or(TilePathError)
    }
}

/// The tiles that a log which has grown from `old_size` to `size` leaves writes: full ones, and the partial ones of the new size. By level, from the left.
pub fn new_tiles(old_size: u64, size: u64) -> Vec<TileAddress> {
    let mut tiles = Vec::new();
    for level in 0..TILE_LEVELS {
        let hashes = |size: u64| size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
        let (old, new) = (hashes(old_size), hashes(size));
        let mut position = old;
        while position < new {
            tiles.extend(TileAddress::holding(level, position, size));
            position = ((position >> TILE_HEIGHT) + 1) << TILE_HEIGHT;
        }
    }
    tiles
}

/// The partial tiles of a tree of `size` leaves: its right edge, by level.
pub fn partial_tiles(size: u64) -> Vec<TileAddress> {
    let width = |level: u8| size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
    let ragged = (0..TILE_LEVELS).filter(|&level| width(level) % u64::from(TILE_WIDTH) > 0);
    ragged.filter_map(|level| TileAddress::holding(level, width(level) - 1, size)).collect()
}
