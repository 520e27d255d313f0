//! The seal leaf: a block's header, and the last leaf of the block that it closes.
//!
//! In scope: its bytes, what any of them must be, and how the next one follows. Whether a block fits to its log is [`crate::chain`]'s. The layout is in
//! `docs/LEDGER.md`.

use chartseal_events::Hash;

use crate::tree::{MAX_TREE_SIZE, leaf_hash, subtree_hash};

/// Bytes of a seal leaf.
pub const SEAL_BYTES: usize = 130;

/// The first byte of a seal leaf; an event's leaf begins with 0x01.
pub const SEAL_PREFIX: u8 = 0x02;

/// The version of the layout.
pub const SEAL_VERSION: u8 = 1;

/// Most events of a block. It has one at least.
pub const MAX_BLOCK_EVENTS: u32 = 2_000;

/// Latest timestamp: what JSON's numbers carry exactly, in the year 287396.
pub const MAX_TIMESTAMP_MS: u64 = (1 << 53) - 1;

/// The authenticated map as of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapState {
    /// Its root; zeros while there is no map.
    pub root: Hash,
    /// Which keys and values it has, and how they are encoded; 0 while there is no map. It never goes back.
    pub version: u32,
}

impl MapState {
    /// No map yet.
    pub const NONE: Self = Self { root: Hash::ZERO, version: 0 };
}

/// A block's header. One that exists is well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    height: u64,
    prev: Hash,
    timestamp_ms: u64,
    first_index: u64,
    events: u32,
    events_root: Hash,
    map: MapState,
}

/// What is wrong with a seal leaf, or with what one is to be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not as long as a seal leaf.
    #[error("a seal leaf has {SEAL_BYTES} bytes")]
    Length,
    /// Another kind of leaf.
    #[error("the leaf does not begin as a seal does")]
    Prefix,
    /// A version that is not known here.
    #[error("the seal has a version that is not known here")]
    Version,
    /// No event, or more than a block may have.
    #[error("a block has 1 to {MAX_BLOCK_EVENTS} events")]
    Events,
    /// The first block has something before it, or a later one nothing.
    #[error("the first block, and only that, has no block before it")]
    Genesis,
    /// So many blocks cannot have so many leaves.
    #[error("so many blocks cannot have so many leaves")]
    FirstIndex,
    /// The log would be larger than trees may be.
    #[error("the log is full")]
    Full,
    /// Later than timestamps go.
    #[error("the timestamp is later than timestamps go")]
    Timestamp,
    /// There is no map, but a root of it.
    #[error("there is a map's root without a map")]
    Map,
}

impl SealError {
    /// A stable name, as the vectors have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Prefix => "prefix",
            Self::Version => "version",
            Self::Events => "events",
            Self::Genesis => "genesis",
            Self::FirstIndex => "first-index",
            Self::Full => "full",
            Self::Timestamp => "timestamp",
            Self::Map => "map",
        }
    }
}

impl Seal {
    /// The seal of the block with these events, after `previous` (none for the first block). Its time is `now_ms`, or a millisecond after the previous
    /// one's where the clock is not past that.
    pub fn next(previous: Option<&Self>, now_ms: u64, events: &[Hash], map: MapState) -> Result<Self, SealError> {
        let seal = Self {
            height: previous.map_or(0, |seal| seal.height + 1),
            prev: previous.map_or(Hash::ZERO, Self::leaf_hash),
            timestamp_ms: previous.map_or(now_ms, |seal| now_ms.max(seal.timestamp_ms + 1)),
            first_index: previous.map_or(0, Self::size),
            events: u32::try_from(events.len()).map_err(|_| SealError::Events)?,
            events_root: subtree_hash(events),
            map,
        };
        seal.checked()
    }

    /// Reads a seal leaf; it has one spelling.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes: &[u8; SEAL_BYTES] = bytes.try_into().map_err(|_| SealError::Length)?;
        let mut fields = Fields(bytes);
        let [prefix, version] = fields.take();
        if prefix != SEAL_PREFIX {
            return Err(SealError::Prefix);
        }
        if version != SEAL_VERSION {
            return Err(SealError::Version);
        }
        let seal = Self {
            height: u64::from_be_bytes(fields.take()),
            prev: Hash(fields.take()),
            timestamp_ms: u64::from_be_bytes(fields.take()),
            first_index: u64::from_be_bytes(fields.take()),
            events: u32::from_be_bytes(fields.take()),
            events_root: Hash(fields.take()),
            map: MapState { root: Hash(fields.take()), version: u32::from_be_bytes(fields.take()) },
        };
        seal.checked()
    }

    /// The leaf's bytes.
    pub fn to_bytes(&self) -> [u8; SEAL_BYTES] {
        let mut bytes = Vec::with_capacity(SEAL_BYTES);
        bytes.extend([SEAL_PREFIX, SEAL_VERSION]);
        bytes.extend(self.height.to_be_bytes());
        bytes.extend(self.prev.0);
        bytes.extend(self.timestamp_ms.to_be_bytes());
        bytes.extend(self.first_index.to_be_bytes());
        bytes.extend(self.events.to_be_bytes());
        bytes.extend(self.events_root.0);
        bytes.extend(self.map.root.0);
        bytes.extend(self.map.version.to_be_bytes());
        // Unwrap safety: the fields are of fixed lengths, SEAL_BYTES together.
        bytes.try_into().unwrap()
    }

    /// What must hold for a seal by itself.
    fn checked(self) -> Result<Self, SealError> {
        if !(1..=MAX_BLOCK_EVENTS).contains(&self.events) {
            return Err(SealError::Events);
        }
        let first = self.height == 0;
        if first != (self.first_index == 0) || first != (self.prev == Hash::ZERO) {
            return Err(SealError::Genesis);
        }
        let leaves = u128::from(self.first_index);
        let blocks = u128::from(self.height);
        if leaves < blocks * 2 || leaves > blocks * u128::from(MAX_BLOCK_EVENTS + 1) {
            return Err(SealError::FirstIndex);
        }
        if self.first_index > MAX_TREE_SIZE - u64::from(self.events) - 1 {
            return Err(SealError::Full);
        }
        if self.timestamp_ms > MAX_TIMESTAMP_MS {
            return Err(SealError::Timestamp);
        }
        if self.map.version == 0 && self.map.root != Hash::ZERO {
            return Err(SealError::Map);
        }
        Ok(self)
    }

    /// Its hash as a leaf of the log, which the next block's seal names.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.to_bytes())
    }

    /// How many blocks are before this one.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The previous block's seal's leaf hash; zeros for the first block.
    pub fn prev(&self) -> Hash {
        self.prev
    }

    /// When the block was sealed, Unix milliseconds; later than every block before it.
    pub fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// The log's index of the block's first event.
    pub fn first_index(&self) -> u64 {
        self.first_index
    }

    /// How many events the block has.
    pub fn events(&self) -> u32 {
        self.events
    }

    /// The RFC 6962 root over the block's events' leaf hashes.
    pub fn events_root(&self) -> Hash {
        self.events_root
    }

    /// The map after the block's events.
    pub fn map(&self) -> MapState {
        self.map
    }

    /// The log's index of this seal: after the block's events.
    pub fn index(&self) -> u64 {
        self.first_index + u64::from(self.events)
    }

    /// How many leaves the log has with this block.
    pub fn size(&self) -> u64 {
        self.index() + 1
    }
}

/// The bytes that have not been read yet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        // Unwrap safety: the lengths taken add up to SEAL_BYTES, the length there is.
        let (field, rest) = self.0.split_first_chunk().unwrap();
        self.0 = rest;
        *field
    }
}
