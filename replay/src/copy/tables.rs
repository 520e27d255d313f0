//! The tables, and the bytes of their keys.

use chartseal_events::{EventRef, StreamId};
use redb::{Database, TableDefinition};

use super::CopyError;

/// `state`, `edge`, `seal`, `checkpoint`.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// By height: the seal, then the events' leaf hashes.
pub(super) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
/// By the first one's index in the log: the bytes of some events that stand together, each after its length in 4 bytes, big-endian.
pub(super) const BODIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("bodies");
/// By place: the index.
pub(super) const PLACES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("places");
/// By leaf hash: the index.
pub(super) const LEAVES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("leaves");
/// By level and index: the 256 hashes of a full tile.
pub(super) const TILES: TableDefinition<'_, (u8, u64), &[u8]> = TableDefinition::new("tiles");
/// By name: a page of the map.
pub(super) const PAGES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("pages");
/// By number: JSON.
pub(super) const FINDINGS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("findings");

/// Events that stand together are stored together, up to so many bytes: what fits a page of the database.
pub(super) const MAX_RUN_BYTES: usize = 14 << 10;

/// Makes those that are not there.
pub(super) fn create(db: &Database) -> Result<(), CopyError> {
    let transaction = db.begin_write()?;
    transaction.open_table(META)?;
    transaction.open_table(BLOCKS)?;
    transaction.open_table(BODIES)?;
    transaction.open_table(PLACES)?;
    transaction.open_table(LEAVES)?;
    transaction.open_table(TILES)?;
    transaction.open_table(PAGES)?;
    transaction.open_table(FINDINGS)?;
    Ok(transaction.commit()?)
}

/// A place's key: all of a stream stand together, in order.
pub(super) fn place_key(place: EventRef) -> Vec<u8> {
    let mut key = stream_key(place.stream);
    key.extend(place.seq.to_be_bytes());
    key
}

/// What the keys of a stream's places begin with.
pub(super) fn stream_key(stream: StreamId) -> Vec<u8> {
    let mut key = stream.to_string().into_bytes();
    key.push(0);
    key
}
