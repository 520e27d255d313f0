use chartseal_events::command::RequestDownload;
use chartseal_events::encoding::from_base64url;
use chartseal_events::wire::ReleasedDownload;
use chartseal_events::{Id, StreamId};
use chartseal_http::testing::{Body, Call as Sent, ORIGIN, Slow, Stage, Wallet, call, document, refused};
use chartseal_infra::memory::MemoryVault;

use super::*;

type Twin = Download<MemoryVault, MemoryVault, MemoryVault, MemoryVault>;

fn service(stage: &Stage) -> Twin {
    let vault = &stage.vault;
    Download {
        origin: ORIGIN.to_owned(),
        events: vault.clone(),
        keys: vault.clone(),
        blobs: vault.clone(),
        clock: vault.clone(),
    }
}

async fn cast() -> (Stage, Wallet, Wallet, Body) {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let bob = stage.hospital("St. Paul").await;
    let scan = stage.uploaded(&ann, b"a scan").await;
    (stage, ann, bob, scan)
}

fn post(stage: &Stage, wallet: &Wallet, request: Id, record: Id) -> Sent {
    stage.post(wallet, &format!("/requests/{request}/download"), RequestDownload { request, record }, &[])
}

#[tokio::test]
async fn a_grant_releases_the_pinned_body_its_header_and_evidence() {
    let (stage, _, bob, scan) = cast().await;
    let request = stage.granted(&bob, scan.record, 3600).await;
    let sent = post(&stage, &bob, request, scan.record);
    let released: ReleasedDownload = document(&call(&service(&stage), &sent).await, 201);
    assert_eq!(from_base64url(&released.header).expect("base64url"), scan.header);
    let got = stage.vault.http("GET", &released.download.url, &released.download.headers, &[]);
    assert_eq!((got.status, got.body), (200, scan.bytes.clone()));

    let sound = released.evidence.verify(&stage.genesis).expect("it proves itself");
    let event = sound.event(&StreamId::Request(request), released.event.seq).expect("the release is in it");
    assert_eq!(event.leaf, released.event.leaf);
    let record = sound.view.record(scan.record).expect("the record is in it");
    assert_eq!(
        record.version(1).and_then(|version| version.current()).expect("uploaded").0.announcement,
        scan.announcement
    );

    let again: ReleasedDownload = document(&call(&service(&stage), &sent).await, 200);
    assert_eq!(again.event, released.event, "one release is one event");
}

#[tokio::test]
async fn nothing_is_released_without_a_live_grant() {
    let (stage, ann, bob, scan) = cast().await;
    let request = stage.requested(&bob, scan.record, 3600).await;
    let sent = post(&stage, &bob, request, scan.record);
    assert_eq!(refused(&call(&service(&stage), &sent).await), Code::NotApproved);

    let granted = stage.granted(&bob, scan.record, 3600).await;
    let eve = stage.hospital("St. Eve").await;
    for stranger in [&eve, &ann] {
        let sent = post(&stage, stranger, granted, scan.record);
        assert_eq!(refused(&call(&service(&stage), &sent).await), Code::NotFound);
    }
    let other = stage.uploaded(&ann, b"another").await;
    let sent = post(&stage, &bob, granted, other.record);
    assert_eq!(refused(&call(&service(&stage), &sent).await), Code::NotFound, "a grant is for one record");

    let taken = post(&stage, &bob, granted, scan.record);
    document::<ReleasedDownload>(&call(&service(&stage), &taken).await, 201);
    stage.suspended(bob.provider()).await;
    assert_eq!(
        refused(&call(&service(&stage), &taken).await),
        Code::ProviderSuspended,
        "a repeated command is looked at anew"
    );
    stage.verified(bob.provider()).await;

    stage.vault.advance(3_600_000);
    let late = post(&stage, &bob, granted, scan.record);
    assert_eq!(refused(&call(&service(&stage), &late).await), Code::GrantOver);
}

#[tokio::test]
async fn a_shredded_record_is_not_released() {
    let (stage, _, bob, scan) = cast().await;
    let request = stage.granted(&bob, scan.record, 3600).await;
    stage.vault.shred(scan.record);
    let sent = post(&stage, &bob, request, scan.record);
    assert_eq!(refused(&call(&service(&stage), &sent).await), Code::Internal);
}

#[tokio::test]
async fn a_grant_that_ends_while_it_is_looked_at_releases_nothing_and_no_address_outlives_one() {
    let (stage, _, bob, scan) = cast().await;
    let slow = |by_ms| {
        let Download { origin, events, keys, blobs, .. } = service(&stage);
        Download { origin, events, keys, blobs, clock: Slow(stage.vault.clone(), by_ms) }
    };
    let request = stage.granted(&bob, scan.record, 100).await;
    let sent = post(&stage, &bob, request, scan.record);
    let released: ReleasedDownload = document(&call(&slow(10_000), &sent).await, 201);
    let until_ms = stage.vault.now_ms() + 70_000;
    assert!(released.download.expires_at <= until_ms, "{} {until_ms}", released.download.expires_at);
    assert_eq!(refused(&call(&slow(60_000), &sent).await), Code::GrantOver, "it was live when it was decided");
}
