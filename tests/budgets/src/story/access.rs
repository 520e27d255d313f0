//! Another hospital's way to the record: search, request, approval, key, download; and what the workflow and the consumer do meanwhile.

use chartseal_events::command::{AccessApprove, AccessDeny, AccessRequest, KeyIssue, RequestDownload, SearchPerform};
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::{Accepted, IssuedKey, ReleasedDownload, RequestPage, RequestView, SearchResults};
use chartseal_events::{EventRef, Id, StreamId};
use serde_json::json;

use super::{People, token};
use crate::vault::{DEADLINE_S, Vault};

/// The requester searches.
pub async fn search(vault: &Vault, people: &People) {
    let query = json!({"any": [[token(1), token(2)]]}).to_string();
    let asked = vault.stage.post(&people.requester, "/search", SearchPerform {}, &[("query", &query)]);
    let name = ("POST /search", "2 terms, both needed; 1 record found, with 3 events");
    let found: SearchResults = vault.measure_call(name, &vault.search(), &asked, 201).await;
    assert_eq!(found.hits.len(), 1);
}

/// A request that is verified and approved, with all that follows. Measured.
pub async fn granted(vault: &Vault, people: &People, record: Id) -> Id {
    let name = ("POST /records/{id}/requests", "the record's stream has 3 events");
    let request = ask(vault, people, record, Some(name)).await;
    let stream = StreamId::Request(request);
    vault.measure_consumed(EventRef { stream, seq: 0 }).await;
    let task = json!({"task": "verify", "request": request.to_string()});
    vault.measure("workflow verify", "the requester is verified", async { (vault.task(task).await, 0) }).await;
    vault.measure_consumed(EventRef { stream, seq: 1 }).await;
    let task_token = vault.task_token(request).await;
    let task = json!({"task": "await", "request": request.to_string(), "token": task_token});
    vault.measure("workflow await", "nothing is decided yet", async { (vault.task(task).await, 0) }).await;

    let approve = AccessApprove { request, head: vault.head(stream).await };
    let path = format!("/requests/{request}/approve");
    let asked = vault.stage.post(&vault.stage.operator, &path, approve, &[("comment", "urgent")]);
    let name = ("POST /requests/{id}/approve", "with a comment; the request's stream has 2 events");
    let _: Accepted = vault.measure_call(name, &vault.decide(), &asked, 201).await;
    vault.measure_consumed(EventRef { stream, seq: 2 }).await;
    request
}

/// What the requester does under the grant.
pub async fn used(vault: &Vault, people: &People, record: Id, request: Id) {
    let (stage, requester, requests) = (&vault.stage, &people.requester, vault.requests());
    let stream = StreamId::Request(request);
    let asked = stage.get(requester, "/requests");
    let _: RequestPage = vault.measure_call(("GET /requests", "1 request, approved"), &requests, &asked, 200).await;
    let asked = stage.get(requester, &format!("/requests/{request}"));
    let name = ("GET /requests/{id}", "its requester looks, under a live grant; 3 events");
    let _: RequestView = vault.measure_call(name, &requests, &asked, 200).await;

    let action = KeyIssue { request, record };
    let asked = stage.post(requester, &format!("/requests/{request}/key"), action, &[]);
    let name = ("POST /requests/{id}/key", "the request's stream has 3 events");
    let issued: IssuedKey = vault.measure_call(name, &vault.issue_key(), &asked, 201).await;
    vault.measure_consumed(issued.event.stored().at).await;
    let action = RequestDownload { request, record };
    let asked = stage.post(requester, &format!("/requests/{request}/download"), action, &[]);
    let name = ("POST /requests/{id}/download", "the request's stream has 4 events, the record's 3");
    let released: ReleasedDownload = vault.measure_call(name, &vault.download(), &asked, 201).await;
    assert_eq!(released.event.stream, stream);
    vault.measure_consumed(released.event.stored().at).await;
}

/// The grant's end.
pub async fn over(vault: &Vault, request: Id) {
    vault.stage.vault.advance(DEADLINE_S * 1000);
    let task = json!({"task": "wait-over", "request": request.to_string()});
    let situation = "the grant is over; the request's stream has 5 events";
    vault.measure("workflow wait-over", situation, async { (vault.task(task).await, 0) }).await;
    vault.measure_consumed(EventRef { stream: StreamId::Request(request), seq: 5 }).await;
}

/// Another request, which is denied.
pub async fn denied(vault: &Vault, people: &People, record: Id) {
    let request = ask(vault, people, record, None).await;
    await_decision(vault, request).await;
    let stream = StreamId::Request(request);
    let deny = AccessDeny { request, head: vault.head(stream).await };
    let path = format!("/requests/{request}/deny");
    let asked = vault.stage.post(&vault.stage.operator, &path, deny, &[("reason", "not needed")]);
    let name = ("POST /requests/{id}/deny", "the request's stream has 2 events");
    let _: Accepted = vault.measure_call(name, &vault.decide(), &asked, 201).await;
    vault.measure_consumed(EventRef { stream, seq: 2 }).await;
}

/// A request for access to a record.
pub async fn ask(vault: &Vault, people: &People, record: Id, measured: Option<(&str, &str)>) -> Id {
    let ask = AccessRequest { record, version: 1, purpose: Purpose::Treatment, grant_seconds: DEADLINE_S };
    let private = [("justification", "the patient is being transferred to us")];
    let asked = vault.stage.post(&people.requester, &format!("/records/{record}/requests"), ask, &private);
    let accepted: Accepted = match measured {
        Some(name) => vault.measure_call(name, &vault.requests(), &asked, 201).await,
        None => vault.send(&vault.requests(), &asked, 201).await,
    };
    let StreamId::Request(request) = accepted.event.stream else { panic!("a request begins its own stream") };
    request
}

/// What follows from a request until its workflow waits for a decision; not measured.
pub async fn await_decision(vault: &Vault, request: Id) {
    vault.consume(&[EventRef { stream: StreamId::Request(request), seq: 0 }]).await;
    vault.task(json!({"task": "verify", "request": request.to_string()})).await;
    let task_token = vault.task_token(request).await;
    vault.task(json!({"task": "await", "request": request.to_string(), "token": task_token})).await;
}

/// A request that is approved, with all that follows; not measured.
pub async fn approved(vault: &Vault, people: &People, record: Id) -> Id {
    let request = ask(vault, people, record, None).await;
    await_decision(vault, request).await;
    let stream = StreamId::Request(request);
    let approve = AccessApprove { request, head: vault.head(stream).await };
    let asked = vault.stage.post(&vault.stage.operator, &format!("/requests/{request}/approve"), approve, &[]);
    let _: Accepted = vault.send(&vault.decide(), &asked, 201).await;
    vault.consume(&[EventRef { stream, seq: 2 }]).await;
    request
}
