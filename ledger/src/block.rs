//! The stored block: what the vault keeps of a block, so that everything derived from it can be made again from it and the block before.
//!
//! In scope: its bytes, its limits, what must hold for one by itself, and that it follows the block before it. Not in scope: where it is kept, which events
//! come into it, and what the map's operations mean: they are opaque bytes here. The layout is in `docs/LEDGER.md`.

use std::collections::BTreeMap;

use chartseal_events::{EventRef, Hash, StreamId};

use crate::chain::{Chain, ChainError};
use crate::seal::{MapState, SEAL_BYTES, Seal, SealError};
use crate::tile::{Edge, EdgeError, TileAddress};
use crate::tree::subtree_hash;

/// The version of the layout.
pub const BLOCK_VERSION: u8 = 1;

/// Most bytes of a stored block.
pub const MAX_BLOCK_BYTES: usize = 300 * 1024;

/// Most map operations of a block.
pub const MAX_BLOCK_OPERATIONS: usize = 4_000;

/// An event as a block has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedEvent {
    /// Its place.
    pub place: EventRef,
    /// Its leaf hash.
    pub leaf: Hash,
}

/// A tile that became full, with its 256 hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullTile {
    /// Which.
    pub address: TileAddress,
    /// From the left.
    pub hashes: Vec<Hash>,
}

/// A block as it is stored. One that exists is consistent in itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    seal: Seal,
    events: Vec<SealedEvent>,
    operations: Vec<Vec<u8>>,
    edge: Edge,
}

/// What is wrong with a stored block, or with what one is to be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It ends too early, or goes on after its end.
    #[error("the block has another length than it says")]
    Length,
    /// More bytes than a block may have.
    #[error("a block has at most {MAX_BLOCK_BYTES} bytes")]
    TooLong,
    /// A version that is not known here.
    #[error("the block has a version that is not known here")]
    Version,
    /// A place that is none, or is written otherwise.
    #[error("the block has a place that is none")]
    Place,
    /// A stream's events are not one after the other.
    #[error("the events of {0} are not one after the other")]
    Order(StreamId),
    /// The first block does not begin with the vault's first event.
    #[error("the first block does not begin with the vault's first event")]
    Genesis,
    /// Too many map operations, an empty or too long one, or some without a map.
    #[error("the block has map operations that it cannot have")]
    Operations,
    /// Its edge is that of another log.
    #[error("the block's edge is not the log's after it")]
    Edge,
    /// Its seal is none.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// Its edge is none.
    #[error(transparent)]
    EdgeForm(#[from] EdgeError),
    /// It does not follow.
    #[error(transparent)]
    Chain(#[from] ChainError),
}

impl BlockError {
    /// A stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::TooLong => "too-long",
            Self::Version => "version",
            Self::Place => "place",
            Self::Order(_) => "order",
            Self::Genesis => "genesis",
            Self::Operations => "operations",
            Self::Edge => "edge",
            Self::Seal(error) => error.code(),
            Self::EdgeForm(error) => error.code(),
            Self::Chain(error) => error.code(),
        }
    }
}

impl Block {
    /// The block of these events after `previous` (none for the first one).
    pub fn next(
        previous: Option<&Self>,
        now_ms: u64,
        events: Vec<SealedEvent>,
        map: MapState,
        operations: Vec<Vec<u8>>,
    ) -> Result<Self, BlockError> {
        let leaves: Vec<_> = events.iter().map(|event| event.leaf).collect();
        let seal = Seal::next(previous.map(Self::seal), now_ms, &leaves, map)?;
        let (edge, _) = grow(previous, &seal, &leaves)?;
        let block = Self { seal, events, operations, edge }.checked()?;
        block.follow(previous)?;
        Ok(block)
    }

    /// Reads a stored block; it has one spelling. Whether it follows the block before it is [`Block::follow`]'s.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BlockError> {
        if bytes.len() > MAX_BLOCK_BYTES {
            return Err(BlockError::TooLong);
        }
        let mut rest = Rest(bytes);
        if rest.array::<1>()? != [BLOCK_VERSION] {
            return Err(BlockError::Version);
        }
        let seal = Seal::from_bytes(rest.take(SEAL_BYTES)?)?;
        let mut events = Vec::new();
        for _ in 0..seal.events() {
            let place = rest.place()?;
            events.push(SealedEvent { place, leaf: Hash(rest.array()?) });
        }
        let mut operations = Vec::new();
        for _ in 0..u16::from_be_bytes(rest.array()?) {
            let length = u16::from_be_bytes(rest.array()?);
            operations.push(rest.take(length.into())?.to_vec());
        }
        Self { seal, events, operations, edge: Edge::from_bytes(rest.0)? }.checked()
    }

    /// The stored bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![BLOCK_VERSION];
        bytes.extend(self.seal.to_bytes());
        for SealedEvent { place, leaf } in &self.events {
            let stream = place.stream.to_string();
            bytes.push(small(stream.len()));
            bytes.extend(stream.as_bytes());
            bytes.extend(place.seq.to_be_bytes());
            bytes.extend(leaf.0);
        }
        bytes.extend(small::<u16>(self.operations.len()).to_be_bytes());
        for operation in &self.operations {
            bytes.extend(small::<u16>(operation.len()).to_be_bytes());
            bytes.extend(operation);
        }
        bytes.extend(self.edge.to_bytes());
        bytes
    }

    /// What must hold for a block by itself.
    fn checked(self) -> Result<Self, BlockError> {
        let leaves: Vec<_> = self.events.iter().map(|event| event.leaf).collect();
        if subtree_hash(&leaves) != self.seal.events_root() {
            return Err(ChainError::EventsRoot.into());
        }
        let genesis = EventRef { stream: StreamId::Vault, seq: 0 };
        if (self.seal.height() == 0) != (self.events.first().map(|event| event.place) == Some(genesis)) {
            return Err(BlockError::Genesis);
        }
        let mut last = BTreeMap::new();
        for EventRef { stream, seq } in self.events.iter().map(|event| event.place) {
            let before = last.insert(stream, seq);
            let begins = before.is_none() && (self.seal.height() > 0 || seq == 0);
            if !begins && (before.is_none() || seq.checked_sub(1) != before) {
                return Err(BlockError::Order(stream));
            }
        }
        let fits = |operation: &Vec<u8>| (1..=usize::from(u16::MAX)).contains(&operation.len());
        let has_map = self.seal.map().version != 0 || self.operations.is_empty();
        if !has_map || self.operations.len() > MAX_BLOCK_OPERATIONS || !self.operations.iter().all(fits) {
            return Err(BlockError::Operations);
        }
        if self.edge.size() != self.seal.size() {
            return Err(BlockError::Edge);
        }
        if self.to_bytes().len() > MAX_BLOCK_BYTES {
            return Err(BlockError::TooLong);
        }
        Ok(self)
    }

    /// Checks that the block follows `previous`, which is believed, and that its edge is the one after it. Gives the tiles that became full by it.
    pub fn follow(&self, previous: Option<&Self>) -> Result<Vec<FullTile>, BlockError> {
        let mut chain = match previous {
            Some(previous) => Chain::resume(previous.seal, previous.edge.frontier())?,
            None => Chain::new(),
        };
        let leaves: Vec<_> = self.events.iter().map(|event| event.leaf).collect();
        chain.follow(&self.seal, &leaves)?;
        let (edge, full) = grow(previous, &self.seal, &leaves)?;
        if edge == self.edge { Ok(full) } else { Err(BlockError::Edge) }
    }

    /// Its header.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Its events, in the log's order: the first has the index `seal().first_index()`.
    pub fn events(&self) -> &[SealedEvent] {
        &self.events
    }

    /// The map's operations, in order.
    pub fn operations(&self) -> &[Vec<u8>] {
        &self.operations
    }

    /// The log's edge after the block.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }
}

/// The edge after a block, and the tiles that became full.
fn grow(previous: Option<&Block>, seal: &Seal, leaves: &[Hash]) -> Result<(Edge, Vec<FullTile>), BlockError> {
    let mut edge = previous.map_or_else(Edge::new, |block| block.edge.clone());
    let mut full = Vec::new();
    for leaf in leaves.iter().copied().chain([seal.leaf_hash()]) {
        edge.push(leaf, |address, hashes| full.push(FullTile { address, hashes: hashes.to_vec() }))?;
    }
    Ok((edge, full))
}

/// A length in its field.
fn small<N: TryFrom<usize>>(length: usize) -> N
where
    N::Error: std::fmt::Debug,
{
    // Unwrap safety: streams have short names, and `checked` has looked at the operations' number and lengths before bytes are made.
    N::try_from(length).unwrap()
}

/// The bytes that have not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], BlockError> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(BlockError::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BlockError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(BlockError::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn place(&mut self) -> Result<EventRef, BlockError> {
        let [length] = self.array()?;
        let text = std::str::from_utf8(self.take(length.into())?).map_err(|_| BlockError::Place)?;
        let stream: StreamId = text.parse().map_err(|_| BlockError::Place)?;
        Ok(EventRef { stream, seq: u64::from_be_bytes(self.array()?) })
    }
}
