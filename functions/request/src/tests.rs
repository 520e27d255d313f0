use chartseal_events::command::{AccessDeny, AccessRequest};
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::{Accepted, RequestPage, RequestView};
use chartseal_events::{EventRef, Id, StreamId};
use chartseal_http::testing::{Call as Sent, ORIGIN, Stage, Wallet, call, document, refused};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{IndexEntry, IndexList};

use super::*;

fn service(stage: &Stage) -> Requests<MemoryVault, MemoryVault, MemoryVault> {
    let vault = &stage.vault;
    Requests {
        origin: ORIGIN.to_owned(),
        events: vault.clone(),
        index: vault.clone(),
        clock: vault.clone(),
        decision_seconds: 600,
    }
}

async fn cast() -> (Stage, Wallet, Wallet, Id) {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let bob = stage.hospital("St. Paul").await;
    let scan = stage.uploaded(&ann, b"a scan").await.record;
    (stage, ann, bob, scan)
}

fn fields(record: Id, version: u32) -> AccessRequest {
    AccessRequest { record, version, purpose: Purpose::Treatment, grant_seconds: 3600 }
}

fn post(stage: &Stage, wallet: &Wallet, fields: AccessRequest) -> Sent {
    stage.post(wallet, &format!("/records/{}/requests", fields.record), fields, &[("justification", "a transfer")])
}

/// What the consumer does.
async fn index(stage: &Stage, request: Id, parties: [&Wallet; 2]) {
    let entry = IndexEntry {
        at_ms: stage.now_ms(),
        event: EventRef { stream: StreamId::Request(request), seq: 0 },
        version: 0,
    };
    let of = |wallet: &Wallet| (IndexList::RequestsOf(wallet.provider()), entry);
    stage.vault.add(&[(IndexList::Requests, entry), of(parties[0]), of(parties[1])]).await.expect("memory");
}

async fn shown(stage: &Stage, wallet: &Wallet, request: Id) -> RequestView {
    document(&call(&service(stage), &stage.get(wallet, &format!("/requests/{request}"))).await, 200)
}

#[tokio::test]
async fn a_request_is_made_once_and_shown_to_its_parties() {
    let (stage, ann, bob, scan) = cast().await;
    let sent = post(&stage, &bob, fields(scan, 1));
    let accepted: Accepted = document(&call(&service(&stage), &sent).await, 201);
    assert_eq!(document::<Accepted>(&call(&service(&stage), &sent).await, 200), accepted);
    let StreamId::Request(request) = accepted.event.stream else { panic!("a request begins its own stream") };

    for wallet in [&ann, &bob, &stage.operator] {
        let view = shown(&stage, wallet, request).await;
        assert_eq!((view.state.as_str(), view.record, view.requester), ("requested", scan, bob.provider()));
        assert_eq!((view.owner, view.by, view.purpose.as_str()), (ann.provider(), bob.kid, "TREAT"));
        assert_eq!(view.expires_at, stage.now_ms() + 600_000);
        assert_eq!(view.justification.map(|why| why.value).as_deref(), Some("a transfer"));
        assert_eq!(view.head, accepted.event.leaf);
        let parties = view.parties.expect("who they are");
        for (party, of, organisation) in [(&parties.owner, &ann, "St. Mary"), (&parties.requester, &bob, "St. Paul")] {
            let shown: Vec<_> = party.private.iter().map(|(name, of)| (name.as_str(), of.value.as_str())).collect();
            assert_eq!(party.provider, of.provider());
            assert_eq!(shown, [("name", "Ann Example"), ("organisation", organisation)], "no phone");
        }
        let sound = view.evidence.expect("evidence").verify(&stage.genesis).expect("it proves itself");
        // Asking does not open the record's history.
        assert_eq!(sound.view.record(scan).is_some(), wallet.kid != bob.kid);
        assert_eq!(sound.undecided.is_empty(), wallet.kid != bob.kid);
        assert!(sound.view.staff(ann.person()).is_some() && sound.view.staff(bob.person()).is_some(), "their keys");
    }
    let eve = stage.hospital("St. Eve").await;
    let get = stage.get(&eve, &format!("/requests/{request}"));
    assert_eq!(refused(&call(&service(&stage), &get).await), Code::NotFound);
    let get = stage.get(&ann, &format!("/requests/{}", Id::from_parts(1, [1; 10])));
    assert_eq!(refused(&call(&service(&stage), &get).await), Code::NotFound);
    let get = stage.get(&ann, "/requests/x");
    assert_eq!(refused(&call(&service(&stage), &get).await), Code::BadId);
    let unsigned = stage.send("GET", &format!("/requests/{request}"), Vec::new());
    assert_eq!(refused(&call(&service(&stage), &unsigned).await), Code::MissingToken);
}

#[tokio::test]
async fn a_decision_shows_with_its_reason() {
    let (stage, _, bob, scan) = cast().await;
    let denied = stage.requested(&bob, scan, 3600).await;
    assert_eq!(shown(&stage, &bob, denied).await.state, "verified");
    let head = stage.head(StreamId::Request(denied)).await;
    stage.taken(&stage.operator, AccessDeny { request: denied, head }, &[("reason", "no relation")]).await;
    let view = shown(&stage, &bob, denied).await;
    assert_eq!(
        (view.state.as_str(), view.reason.map(|why| why.value).as_deref(), view.until),
        ("denied", Some("no relation"), None)
    );

    let granted = stage.granted(&bob, scan, 3600).await;
    let view = shown(&stage, &bob, granted).await;
    assert_eq!((view.state.as_str(), view.until), ("approved", Some(stage.now_ms() + 3_600_000)));
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_refused_and_nothing_is_written() {
    let (stage, ann, bob, scan) = cast().await;
    let pending = stage.registered("St. New").await;
    let announced = stage.sealed(&ann, b"never uploaded").await.record;
    let before = stage.vault.events().len();
    for (wallet, asked, code) in [
        (&ann, fields(scan, 1), Code::OwnRecord),
        (&bob, fields(scan, 2), Code::NotFound),
        (&bob, fields(announced, 1), Code::NotFound),
        (&bob, fields(Id::from_parts(1, [1; 10]), 1), Code::NotFound),
        (&bob, AccessRequest { grant_seconds: 1, ..fields(scan, 1) }, Code::BadField),
        (&pending, fields(scan, 1), Code::ProviderPending),
        (&stage.operator, fields(scan, 1), Code::NotMember),
    ] {
        assert_eq!(refused(&call(&service(&stage), &post(&stage, wallet, asked)).await), code);
    }
    let elsewhere =
        stage.post(&bob, &format!("/records/{announced}/requests"), fields(scan, 1), &[("justification", "x")]);
    assert_eq!(refused(&call(&service(&stage), &elsewhere).await), Code::PathMismatch);
    assert_eq!(stage.vault.events().len(), before);
}

#[tokio::test]
async fn lists_are_of_ones_own_requests_newest_first_in_pages() {
    let (stage, ann, bob, scan) = cast().await;
    let mut requests = Vec::new();
    for _ in 0..5 {
        stage.vault.advance(1000);
        let request = stage.requested(&bob, scan, 3600).await;
        index(&stage, request, [&ann, &bob]).await;
        requests.insert(0, request);
    }
    for wallet in [&ann, &bob, &stage.operator] {
        let (mut found, mut path) = (Vec::new(), "/requests?limit=2".to_owned());
        loop {
            let page: RequestPage = document(&call(&service(&stage), &stage.get(wallet, &path)).await, 200);
            assert!(page.requests.len() <= 2 && page.requests.iter().all(|view| view.evidence.is_none()));
            found.extend(page.requests.into_iter().map(|view| view.request));
            let Some(next) = page.next else { break };
            path = format!("/requests?limit=2&cursor={next}");
        }
        assert_eq!(found, requests);
    }
    let eve = stage.hospital("St. Eve").await;
    let page: RequestPage = document(&call(&service(&stage), &stage.get(&eve, "/requests")).await, 200);
    assert_eq!(page, RequestPage { requests: Vec::new(), next: None });

    // An entry of the index is a hint: what is not the reader's is not shown.
    index(&stage, requests[0], [&eve, &eve]).await;
    let page: RequestPage = document(&call(&service(&stage), &stage.get(&eve, "/requests")).await, 200);
    assert!(page.requests.is_empty());
    for bad in ["/requests?limit=0", "/requests?limit=101", "/requests?limit=x"] {
        assert_eq!(refused(&call(&service(&stage), &stage.get(&bob, bad)).await), Code::BadField, "{bad}");
    }
}
