//! From a query to records: postings, AND, OR, and what the records' streams say of each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::StoredEvent;
use chartseal_events::state::{Announced, History};
use chartseal_events::wire::{Receipt, SearchHit};
use chartseal_events::{Code, Id, StreamId, View};
use chartseal_http::Failure;
use chartseal_infra::ports::{EventStore, Index, IndexEntry, IndexList, StoreError};
use chartseal_ledger::terms::{Token, TokenQuery};
use futures_util::future::try_join_all;

/// Most records of an answer.
pub const MAX_HITS: usize = 100;
/// Most postings that are read of a token.
pub const MAX_POSTINGS: usize = 5_000;
/// Postings that are read at once.
const PAGE: u32 = 1_000;
/// Records that are looked at at the same time.
const CHUNK: usize = 25;

/// The records that a query finds, newest first.
pub async fn find<E: EventStore, I: Index>(
    events: &E,
    index: &I,
    query: &TokenQuery,
) -> Result<Vec<SearchHit>, Failure> {
    let lists = query.distinct_tokens().into_iter().map(|token| async move {
        let found = postings(index, token).await?;
        Ok::<_, Failure>((token, found))
    });
    let lists: BTreeMap<Token, BTreeSet<IndexEntry>> = try_join_all(lists).await?.into_iter().collect();
    let mut hits = Vec::new();
    for chunk in candidates(query, &lists).chunks(CHUNK) {
        let looked = try_join_all(chunk.iter().map(|(record, entry)| confirm(events, *record, *entry))).await?;
        hits.extend(looked.into_iter().flatten());
        if hits.len() >= MAX_HITS {
            hits.truncate(MAX_HITS);
            break;
        }
    }
    Ok(hits)
}

/// Every posting of a token.
async fn postings<I: Index>(index: &I, token: Token) -> Result<BTreeSet<IndexEntry>, Failure> {
    let list = IndexList::Token(token.to_string());
    let (mut found, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = index.page(&list, cursor.as_deref(), PAGE).await?;
        found.extend(page.items);
        if found.len() > MAX_POSTINGS {
            return Err(Code::QueryTooBroad.into());
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

/// The records whose postings match, each with its newest version's, newest first.
fn candidates(query: &TokenQuery, lists: &BTreeMap<Token, BTreeSet<IndexEntry>>) -> Vec<(Id, IndexEntry)> {
    let has = |entry: &IndexEntry, token: &Token| lists.get(token).is_some_and(|list| list.contains(entry));
    let entries: BTreeSet<&IndexEntry> = lists.values().flatten().collect();
    let mut newest: BTreeMap<Id, IndexEntry> = BTreeMap::new();
    for entry in entries.into_iter().filter(|entry| query.matches(|token| has(entry, token))) {
        let StreamId::Record(record) = entry.event.stream else { continue };
        let kept = newest.entry(record).or_insert(*entry);
        if entry.version > kept.version {
            *kept = *entry;
        }
    }
    let mut records: Vec<(Id, IndexEntry)> = newest.into_iter().collect();
    records.sort_by_key(|(_, entry)| Reverse(*entry));
    records
}

/// The hit that a posting stands for, if its record's stream says so: the posting must be of the body that is the record's latest.
async fn confirm<E: EventStore>(events: &E, id: Id, entry: IndexEntry) -> Result<Option<SearchHit>, StoreError> {
    let stream = StreamId::Record(id);
    let stored = events.load(&stream).await?;
    let history = History::fold(stream, &stored).map_err(|error| StoreError::Damaged { what: error.to_string() })?;
    let view = View::new([history]);
    let Some(record) = view.record(id) else { return Ok(None) };
    let latest = record.latest_uploaded().filter(|(version, _)| *version == entry.version);
    let current = latest.and_then(|(_, version)| version.current());
    let Some((announced, _)) = current.filter(|(_, uploaded)| uploaded.announced == entry.event.seq) else {
        return Ok(None);
    };
    let event = stored.iter().find(|event| event.at == entry.event);
    Ok(event.map(|event| hit(record.owner, announced, event)))
}

fn hit(owner: Id, announced: &Announced, event: &StoredEvent) -> SearchHit {
    SearchHit {
        record: announced.announcement.record,
        version: announced.announcement.version,
        owner,
        media_type: announced.announcement.media_type.clone(),
        body_bytes: announced.announcement.body_bytes,
        at: announced.at_ms,
        event: Receipt::from(event),
    }
}
