//! What the sealer needs: blocks, what is derived from them, the log's files, and a signature.
//!
//! Only [`BlockStore::put_block`] and [`LogFiles::publish`] decide anything. All else follows from the blocks, may be written twice, and never goes back
//! when a slow writer comes late. All reads are strongly consistent.

use std::collections::BTreeMap;
use std::future::Future;

use chartseal_events::{Bytes, Hash};
use chartseal_ledger::block::{Block, FullTile};
use chartseal_ledger::map::{Page, PageId};
use chartseal_ledger::note::KeyId;
use chartseal_ledger::tile::TileAddress;

use super::StoreError;

/// What became of a write that only one can win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Race {
    /// It stands there, by this call or by an earlier one with the very same bytes.
    Won,
    /// Something else stands there.
    Lost,
}

/// The newest block, and the time by which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// None before the first one.
    pub block: Option<Block>,
    /// What the service's clock said when it answered, Unix milliseconds, to the second.
    pub service_ms: u64,
}

/// Blocks in DynamoDB: append-only.
pub trait BlockStore: Send + Sync {
    /// The newest block.
    fn newest_block(&self) -> impl Future<Output = Result<Newest, StoreError>> + Send;

    /// The block of this height.
    fn block(&self, height: u64) -> impl Future<Output = Result<Option<Block>, StoreError>> + Send;

    /// Puts a block at its height where there is none. A block is never replaced. That it follows the one before it is the caller's care.
    fn put_block(&self, block: &Block) -> impl Future<Output = Result<Race, StoreError>> + Send;
}

/// Where a leaf stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafPlace {
    /// Its index.
    pub index: u64,
    /// Its block's height.
    pub height: u64,
}

/// A page of the map as it was after some block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapPage {
    /// The block that changed it last.
    pub height: u64,
    /// What it holds.
    pub page: Page,
}

/// A page that a block has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageChange {
    /// Which.
    pub id: PageId,
    /// What it holds now.
    pub page: Page,
    /// What it was before the block; none where it was not there. It is kept beside the new one.
    pub before: Option<MapPage>,
}

/// What follows from the blocks, in DynamoDB: where leaves stand, and the map's pages.
pub trait SealedIndex: Send + Sync {
    /// Where leaves stand, in the order asked for, as far as that was written.
    fn leaf_places(&self, leaves: &[Hash]) -> impl Future<Output = Result<Vec<Option<LeafPlace>>, StoreError>> + Send;

    /// Notes where leaves stand.
    fn put_leaf_places(&self, leaves: &[(Hash, LeafPlace)]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The pages as they were after the block of this height. The newest two states of a page are kept: one that has changed twice since is not found, as one
    /// that was not there yet.
    fn map_pages(
        &self,
        ids: &[PageId],
        height: u64,
    ) -> impl Future<Output = Result<BTreeMap<PageId, MapPage>, StoreError>> + Send;

    /// Writes what the block of this height has changed. A page that has this height, or a newer one, already stays as it is.
    fn put_map_pages(&self, height: u64, changes: &[PageChange])
    -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Up to when every event is known to be sealed, Unix milliseconds; none before anybody said so.
    fn sealed_until(&self) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Moves that on; it never goes back.
    fn set_sealed_until(&self, at_ms: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A checkpoint as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The signed note.
    pub note: String,
    /// Names what is published now, and nothing that was before.
    pub version: String,
}

/// The log's files in S3: full tiles and the checkpoint, versioned and locked.
pub trait LogFiles: Send + Sync {
    /// A full tile's hashes; none where it is not there.
    fn tile(&self, address: &TileAddress) -> impl Future<Output = Result<Option<Vec<Hash>>, StoreError>> + Send;

    /// Keeps a full tile. Other hashes where one is kept are [`StoreError::Damaged`]: a full tile never changes.
    fn put_tile(&self, tile: &FullTile) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The published checkpoint.
    fn published(&self) -> impl Future<Output = Result<Option<Published>, StoreError>> + Send;

    /// Publishes a checkpoint in the place of this one; none: where there is none yet. Publishing the very note that is published is won.
    fn publish(
        &self,
        note: &str,
        instead_of: Option<&Published>,
    ) -> impl Future<Output = Result<Race, StoreError>> + Send;
}

/// What a witness said last: it has seen the log up to this size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The size.
    pub size: u64,
    /// Its signature line under the checkpoint of that size, as it came.
    pub line: String,
}

/// A checkpoint that enough witnesses have cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// How many leaves it is of.
    pub size: u64,
    /// How many witnesses have.
    pub witnesses: u64,
    /// The note, with their lines.
    pub note: String,
}

/// What witnesses have said, in DynamoDB, beside what follows from the blocks. All of it can be lost: witnesses are asked again.
pub trait Cosignatures: Send + Sync {
    /// The newest checkpoint that enough have cosigned, and what each of these witnesses said last. Strongly consistent.
    fn heard(
        &self,
        witnesses: &[KeyId],
    ) -> impl Future<Output = Result<(Option<Cosigned>, Vec<Option<Heard>>), StoreError>> + Send;

    /// Keeps what a witness said, unless it has said so, or more, before.
    fn put_heard(&self, witness: KeyId, heard: &Heard) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Keeps a checkpoint that enough have cosigned, unless a larger one is kept, or as many have cosigned this one.
    fn put_cosigned(&self, cosigned: &Cosigned) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A cosignature's signature, and the time by which it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    /// The Ed25519 signature.
    pub signature: Bytes<64>,
    /// What the service's clock said when it answered, Unix milliseconds, to the second.
    pub service_ms: u64,
}

/// The key of the log's clock. It says when a checkpoint was the log's head, and nothing else.
pub trait ClockKey: Send + Sync {
    /// Its Ed25519 public key.
    fn clock_key(&self) -> impl Future<Output = Result<Bytes<32>, StoreError>> + Send;

    /// The Ed25519 signature over these bytes.
    fn cosign(&self, message: &[u8]) -> impl Future<Output = Result<Timed, StoreError>> + Send;
}

/// Signs with the log's key. Whoever holds it asks only for what it would stand by for ever.
pub trait LogSigner: Send + Sync {
    /// The Ed25519 signature over these bytes.
    fn sign(&self, message: &[u8]) -> impl Future<Output = Result<Bytes<64>, StoreError>> + Send;
}
