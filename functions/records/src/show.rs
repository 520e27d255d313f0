//! Records as their parties see them: owners their own, operators and auditors all, a requester one that it holds a live grant on. The index gives hints
//! where to look; what is shown comes from the streams alone.

use chartseal_events::limits::{MAX_DECISION_MS, MAX_GRANT_S};
use chartseal_events::state::{Record, RequestState};
use chartseal_events::wire::{RecordPage, RecordSummary, RecordView};
use chartseal_events::{Code, EventRef, Id, Outcome, StreamId};
use chartseal_http::{Answer, Failure, Incoming, MAX_PAGE, Paging, PathValues, Reader, evidence_closure, reader};
use chartseal_infra::ports::{Blobs, Clock, DataKeys, IndexList, StoreError};
use chartseal_infra::road;
use futures_util::future::{try_join, try_join_all};

use crate::view::versions;
use crate::{Records, Store};

/// Most versions of one record that are shown with their labels.
const MAX_LABELS: usize = 50;
/// Most pages of a provider's requests that a live grant is looked for in; with whole pages, 5,000 requests.
const MAX_GRANT_PAGES: usize = 50;

/// List records, newest first
///
/// A provider's own; for operators and auditors all.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/records", tag = "records",
    params(
        ("cursor" = Option<String>, Query, description = "The `next` of the page before."),
        ("limit" = Option<u32>, Query, description = "Records of a page, 1 to 100; 20 where it is left out."),
    ),
    responses((status = 200, description = "A page of records.", body = RecordPage)),
))]
pub async fn list<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let reader = reader(incoming, &vault.origin, &vault.store, now_ms).await?;
    let paging = Paging::of(incoming)?;
    let (list, owner) = match reader {
        Reader::Operator(_) | Reader::Auditor(_) => (IndexList::Records, None),
        Reader::Member { provider, .. } => (IndexList::RecordsOf(provider), Some(provider)),
    };
    let page = vault.store.page(&list, paging.cursor, paging.limit).await?;
    let ids = page.items.iter().filter_map(|entry| match entry.event.stream {
        StreamId::Record(id) => Some(id),
        _ => None,
    });
    let found = try_join_all(ids.map(|id| summary(vault, id, owner, now_ms))).await?;
    Answer::ok(&RecordPage { records: found.into_iter().flatten().collect(), next: page.next })
}

/// A record of a list; none where the stream does not say what the index says.
async fn summary<S: Store, B, D, C>(
    vault: &Records<S, B, D, C>,
    id: Id,
    owner: Option<Id>,
    now_ms: u64,
) -> Result<Option<RecordSummary>, Failure> {
    let view = road::look(&vault.store, [StreamId::Record(id)], now_ms).await?;
    let Some(record) = view.record(id).filter(|record| owner.is_none_or(|owner| owner == record.owner)) else {
        return Ok(None);
    };
    let labels = usize::from(owner.is_some());
    let versions = versions(&vault.store, record, labels, now_ms).await?;
    Ok(Some(RecordSummary { record: id, owner: record.owner, versions }))
}

/// Look at a record
///
/// For its owner, operators, auditors, and a provider with a live grant on it.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/records/{id}", tag = "records",
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 200, description = "The record, with the events behind it.", body = RecordView)),
))]
pub async fn show<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let reader = reader(incoming, &vault.origin, &vault.store, now_ms).await?;
    let id = path.id("id")?;
    let stream = StreamId::Record(id);
    let view = road::look(&vault.store, [stream], now_ms).await?;
    let record = view.record(id).ok_or(Code::NotFound)?;
    let labels = match reader {
        Reader::Operator(_) | Reader::Auditor(_) => 0,
        Reader::Member { provider, .. } if provider == record.owner => MAX_LABELS,
        Reader::Member { provider, .. } if has_live_grant(vault, provider, record, now_ms).await? => 0,
        Reader::Member { .. } => return Err(Code::NotFound.into()),
    };
    let shown = versions(&vault.store, record, labels, now_ms);
    let (versions, evidence) = try_join(shown, evidence_closure(&vault.store, [stream])).await?;
    Answer::ok(&RecordView { record: id, owner: record.owner, versions, evidence })
}

/// Whether one of the provider's requests for this record was approved and its time is not over.
async fn has_live_grant<S: Store, B, D, C>(
    vault: &Records<S, B, D, C>,
    provider: Id,
    record: &Record,
    now_ms: u64,
) -> Result<bool, Failure> {
    // What was asked for before then is over, whatever was decided.
    let horizon_ms = now_ms.saturating_sub(MAX_DECISION_MS + MAX_GRANT_S * 1000);
    let mut cursor = None;
    for _ in 0..MAX_GRANT_PAGES {
        let list = IndexList::RequestsOf(provider);
        let page = vault.store.page(&list, cursor.as_deref(), MAX_PAGE).await?;
        let recent = page.items.iter().filter(|entry| entry.at_ms >= horizon_ms);
        let places: Vec<EventRef> = recent.map(|entry| EventRef { seq: 0, ..entry.event }).collect();
        let requests = asked_for(vault, &places, provider, record.id).await?;
        let view = road::look(&vault.store, requests.iter().map(|id| StreamId::Request(*id)), now_ms).await?;
        let live = |id: &Id| matches!(view.request(*id).map(|r| r.state), Some(RequestState::Approved { until_ms }) if now_ms < until_ms);
        if requests.iter().any(live) {
            return Ok(true);
        }
        cursor = page.next;
        if cursor.is_none() || places.len() < page.items.len() {
            break;
        }
    }
    Ok(false)
}

/// Those of the requests that begin at these places which the provider made for this record.
async fn asked_for<S: Store, B, D, C>(
    vault: &Records<S, B, D, C>,
    places: &[EventRef],
    provider: Id,
    record: Id,
) -> Result<Vec<Id>, Failure> {
    let mut requests = Vec::new();
    for stored in vault.store.fetch(places).await?.into_iter().flatten() {
        let event = stored.open().map_err(|error| StoreError::Damaged { what: format!("{}: {error}", stored.at) })?;
        if let (Outcome::AccessRequested(asked), StreamId::Request(id)) = (&event.outcome, event.place.stream)
            && (asked.requester, asked.record) == (provider, record)
        {
            requests.push(id);
        }
    }
    Ok(requests)
}
