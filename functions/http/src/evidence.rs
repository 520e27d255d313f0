//! Evidence for an answer: the streams it rests on, the streams those saw, and so on until nothing is missing.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::StoredEvent;
use chartseal_events::evidence::Evidence;
use chartseal_events::{Code, StreamId};
use chartseal_infra::ports::{EventStore, StoreError};
use futures_util::future::try_join_all;

use crate::Failure;

/// Most streams of one answer's evidence.
pub const MAX_EVIDENCE_STREAMS: usize = 512;
/// Most bytes of event bodies in one answer's evidence. Lambda answers with 6 MB at most, and JSON escapes quotes.
pub const MAX_EVIDENCE_BYTES: usize = 4 * 1024 * 1024;

/// The exact bytes of these streams and of all that their events say they have seen. Whoever holds the genesis leaf can check it.
pub async fn evidence_closure<E: EventStore>(
    events: &E,
    streams: impl IntoIterator<Item = StreamId>,
) -> Result<Evidence, Failure> {
    closure(events, streams, |_| true).await
}

/// The same without the records that were seen, and without what only they lead to: for somebody who may know of a request, but not what happens to
/// its record. `Evidence::verify` says which events could not be decided again for want of it.
pub async fn evidence_without_records<E: EventStore>(
    events: &E,
    streams: impl IntoIterator<Item = StreamId>,
) -> Result<Evidence, Failure> {
    closure(events, streams, |stream| !matches!(stream, StreamId::Record(_))).await
}

async fn closure<E: EventStore>(
    events: &E,
    streams: impl IntoIterator<Item = StreamId>,
    shown: impl Fn(&StreamId) -> bool,
) -> Result<Evidence, Failure> {
    let mut found = BTreeMap::new();
    let mut wanted: BTreeSet<StreamId> = streams.into_iter().collect();
    let mut size_bytes = 0;
    while !wanted.is_empty() {
        let loads = wanted.iter().map(|stream| async { events.load(stream).await.map(|events| (*stream, events)) });
        let loaded = try_join_all(loads).await?;
        wanted.clear();
        for (stream, stored) in loaded {
            size_bytes += stored.iter().map(|event| event.body.len()).sum::<usize>();
            wanted.extend(seen_by(&stored)?.into_iter().filter(&shown));
            found.insert(stream, stored.into_iter().map(|event| event.body).collect());
        }
        wanted.retain(|stream| !found.contains_key(stream));
        if found.len() + wanted.len() > MAX_EVIDENCE_STREAMS || size_bytes > MAX_EVIDENCE_BYTES {
            return Err(Code::TooMuchEvidence.into());
        }
    }
    Ok(Evidence(found))
}

fn seen_by(stored: &[StoredEvent]) -> Result<BTreeSet<StreamId>, StoreError> {
    let mut streams = BTreeSet::new();
    for event in stored {
        let opened = event.open().map_err(|error| StoreError::Damaged { what: format!("{}: {error}", event.at) })?;
        streams.extend(opened.seen.iter().map(|seen| seen.0));
    }
    Ok(streams)
}
