//! Looking at requests.

use chartseal_events::evidence::Evidence;
use chartseal_events::private::PrivateValue;
use chartseal_events::state::{Registration, Request, RequestState};
use chartseal_events::wire::{Parties, Party, RequestPage, RequestView};
use chartseal_events::{Code, EventRef, Hash, Id, StreamId};
use chartseal_http::{
    Answer, Failure, Incoming, Paging, PathValues, Reader, evidence_closure, evidence_without_records, reader,
};
use chartseal_infra::ports::{Clock, EventStore, Index, IndexList};
use chartseal_infra::road;
use futures_util::future::{try_join, try_join_all, try_join3};

use crate::Requests;

/// List requests
///
/// Of a provider: those it made, and those for its records. Of an operator or auditor: all. Newest first; the index may be a moment behind.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/requests", tag = "requests",
    params(
        ("cursor" = Option<String>, Query, description = "`next` of the page before."),
        ("limit" = Option<u32>, Query, description = "1 to 100 requests; 20 where it is left out."),
    ),
    responses((status = 200, description = "A page of requests, without evidence.", body = RequestPage)),
))]
pub async fn list<E: EventStore, I: Index, C: Clock>(
    vault: &Requests<E, I, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let reader = reader(incoming, &vault.origin, &vault.events, now_ms).await?;
    let paging = Paging::of(incoming)?;
    let list = reader.provider().map_or(IndexList::Requests, IndexList::RequestsOf);
    let page = vault.index.page(&list, paging.cursor, paging.limit).await?;
    let ids = page.items.iter().filter_map(|entry| match entry.event.stream {
        StreamId::Request(id) => Some(id),
        _ => None,
    });
    let found = try_join_all(ids.map(|id| view(vault, reader, id, now_ms))).await?;
    let requests = found.into_iter().flatten().collect();
    Answer::ok(&RequestPage { requests, next: page.next })
}

/// Look at a request
///
/// For its parties, operators and auditors; auditors see no reasons and no person's name. Either party sees who the other one is: name, organisation, keys, and the events that vouch for them.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/requests/{id}", tag = "requests",
    params(("id" = String, Path, description = "The request.")),
    responses((status = 200, description = "The request, with the events behind it.", body = RequestView)),
))]
pub async fn show<E: EventStore, I: Index, C: Clock>(
    vault: &Requests<E, I, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let reader = reader(incoming, &vault.origin, &vault.events, now_ms).await?;
    let id = path.id("id")?;
    let request = view(vault, reader, id, now_ms).await?.ok_or(Code::NotFound)?;
    // Asking for a record does not open its history: that is for its owner, for operators and auditors, and for who has a live grant.
    let entitled = reader.provider().is_none_or(|provider| provider == request.owner)
        || request.until.is_some_and(|until_ms| now_ms < until_ms);
    let providers = [request.owner, request.requester].map(StreamId::Provider);
    let known = road::look(&vault.events, providers, now_ms).await?;
    let registration = |provider| known.provider(provider).and_then(|provider| provider.registration);
    let [owner, requester] = [request.owner, request.requester].map(|id| (id, registration(id)));
    let staff = [owner, requester].into_iter().filter_map(|(_, of)| of).map(|of| StreamId::Staff(of.staff));
    let streams: Vec<_> = [StreamId::Request(id)].into_iter().chain(providers).chain(staff).collect();
    let evidence = async {
        if entitled {
            evidence_closure(&vault.events, streams).await
        } else {
            evidence_without_records(&vault.events, streams).await
        }
    };
    let (evidence, owner, requester) =
        try_join3(evidence, party(vault, reader, owner), party(vault, reader, requester)).await?;
    Answer::ok(&with_evidence(RequestView { parties: Some(Parties { owner, requester }), ..request }, evidence)?)
}

/// A provider as the other party may know it.
async fn party<E: EventStore, I: Index, C: Clock>(
    vault: &Requests<E, I, C>,
    reader: Reader,
    (provider, registration): (Id, Option<Registration>),
) -> Result<Party, Failure> {
    let Registration { seq, .. } = registration.ok_or(Code::Internal)?;
    let mut private = vault.events.private(&EventRef { stream: StreamId::Provider(provider), seq }).await?;
    private.retain(|name, _| name == "organisation" || name == "name" && sees_private(reader));
    Ok(Party { provider, private })
}

/// The request with its evidence. They were read one after the other: the head is that of the evidence.
fn with_evidence(mut request: RequestView, evidence: Evidence) -> Result<RequestView, Failure> {
    let stream = StreamId::Request(request.request);
    let head = evidence.0.get(&stream).and_then(|bodies| bodies.last()).ok_or(Code::Internal)?;
    if chartseal_events::event::leaf_hash(head.as_bytes()) != request.head {
        // It was decided in between; the caller looks again and sees all of it.
        return Err(Code::Conflict.into());
    }
    request.evidence = Some(evidence);
    Ok(request)
}

/// A request as this reader sees it; none where there is none for them.
async fn view<E: EventStore, I: Index, C: Clock>(
    vault: &Requests<E, I, C>,
    reader: Reader,
    id: Id,
    now_ms: u64,
) -> Result<Option<RequestView>, Failure> {
    let stream = StreamId::Request(id);
    let view = road::look(&vault.events, [stream], now_ms).await?;
    let head = view.history(&stream).and_then(|history| history.head);
    let (Some(request), Some(head)) = (view.request(id).filter(|request| may_see(reader, request)), head) else {
        return Ok(None);
    };
    let justification = private(vault, EventRef { stream, seq: 0 }, &["justification"]);
    let reason = async {
        match request.decided_seq {
            Some(seq) => private(vault, EventRef { stream, seq }, &["comment", "reason"]).await,
            None => Ok(None),
        }
    };
    let (justification, reason) =
        if sees_private(reader) { try_join(justification, reason).await? } else { (None, None) };
    Ok(Some(RequestView { justification, reason, ..public(request, head.leaf) }))
}

/// Whether the reader may see what people wrote: parties and operators do.
const fn sees_private(reader: Reader) -> bool {
    !matches!(reader, Reader::Auditor(_))
}

fn may_see(reader: Reader, request: &Request) -> bool {
    reader.provider().is_none_or(|provider| provider == request.asked.requester || provider == request.asked.owner)
}

fn public(request: &Request, head: Hash) -> RequestView {
    let until = match request.state {
        RequestState::Approved { until_ms } => Some(until_ms),
        _ => None,
    };
    RequestView {
        request: request.id,
        state: request.state.name().to_owned(),
        record: request.asked.record,
        version: request.asked.version,
        owner: request.asked.owner,
        requester: request.asked.requester,
        by: request.by,
        purpose: request.asked.purpose.code().to_owned(),
        at: request.at_ms,
        expires_at: request.asked.expires_at,
        until,
        head,
        justification: None,
        reason: None,
        parties: None,
        evidence: None,
    }
}

/// The first of these private values that stands beside an event.
async fn private<E: EventStore, I: Index, C: Clock>(
    vault: &Requests<E, I, C>,
    place: EventRef,
    names: &[&str],
) -> Result<Option<PrivateValue>, Failure> {
    let mut part = vault.events.private(&place).await?;
    Ok(names.iter().find_map(|name| part.remove(*name)))
}
