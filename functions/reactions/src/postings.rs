//! Postings: under each search token, the announcements of bodies that are there. Only a record's latest uploaded version is found.

use chartseal_events::event::EventRef;
use chartseal_events::{Bytes, Id, StreamId};
use chartseal_infra::ports::{EventStore, Index, IndexEntry, IndexList, StoreError};
use futures_util::future::try_join;

use crate::{fetch, look};

/// Makes the index right about a version that was uploaded as `announced` says. First this version's postings are written, then the record is
/// read, then what is not the latest is removed: of two versions that race, the older one's postings are removed by whoever comes last.
pub(crate) async fn post<E: EventStore, I: Index>(
    events: &E,
    index: &I,
    record: Id,
    version: u32,
    announced: u64,
) -> Result<(), StoreError> {
    let stream = StreamId::Record(record);
    index.add(&entries(events, EventRef { stream, seq: announced }, version).await?).await?;
    let view = look(events, stream).await?;
    let Some(record) = view.record(record) else { return Ok(()) };
    let latest = record.latest_uploaded().map_or(version, |(latest, _)| latest);
    // Each version that arrives removes itself where a later one is there, else the last one that arrived before it. (Versions between them can have been
    // given up.)
    let uploaded = |number| Some((number, record.version(number)?.uploaded.as_ref()?.announced));
    let stale = if latest > version { uploaded(version) } else { (1..version).rev().find_map(uploaded) };
    if let Some((number, seq)) = stale {
        index.remove(&entries(events, EventRef { stream, seq }, number).await?).await?;
    }
    Ok(())
}

/// The entries that an announcement's tokens make. None where its private part was erased.
async fn entries<E: EventStore>(
    events: &E,
    announced: EventRef,
    version: u32,
) -> Result<Vec<(IndexList, IndexEntry)>, StoreError> {
    let (event, private) = try_join(fetch(events, announced), events.private(&announced)).await?;
    let event = event.ok_or_else(|| StoreError::Damaged { what: format!("{announced} is gone") })?;
    let tokens = private.get("tokens").map_or("", |tokens| &tokens.value);
    let entry = IndexEntry { at_ms: event.at_ms, event: announced, version };
    // Announcements are checked when they are taken; whatever else is stored here is no token and can be found by nobody.
    let tokens = tokens.split(' ').filter_map(|token| token.parse::<Bytes<32>>().ok());
    Ok(tokens.map(|token| (IndexList::Token(token.to_string()), entry)).collect())
}
