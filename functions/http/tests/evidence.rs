//! Evidence is complete: whoever holds the genesis leaf can check it, and a stream that is damaged is no evidence.

use chartseal_events::{EventRef, StreamId};
use chartseal_http::evidence_closure;
use chartseal_http::testing::Stage;

#[tokio::test]
async fn what_was_seen_comes_along_until_nothing_is_missing() {
    let stage = Stage::new().await;
    let (owner, requester) = (stage.hospital("St. Mary").await, stage.hospital("St. Elsewhere").await);
    let body = stage.uploaded(&owner, b"a record").await;
    let request = stage.granted(&requester, body.record, 3_600).await;
    let uninvolved = stage.hospital("Mercy").await;

    let evidence = evidence_closure(&stage.vault, [StreamId::Request(request)]).await.expect("loaded");
    let sound = evidence.verify(&stage.genesis).expect("sound");
    assert!(sound.view.record(body.record).is_some() && sound.view.request(request).is_some());
    assert!(sound.view.provider(owner.provider()).is_some(), "the record's owner");
    assert!(sound.view.staff(requester.person()).is_some(), "the person who asked");
    assert!(sound.view.provider(uninvolved.provider()).is_none(), "and nobody else");
}

#[tokio::test]
async fn a_damaged_stream_is_not_passed_on() {
    let stage = Stage::new().await;
    let owner = stage.hospital("St. Mary").await;
    let body = stage.uploaded(&owner, b"a record").await;
    stage.vault.tamper(EventRef { stream: StreamId::Staff(owner.person()), seq: 0 }, "not an event");
    assert!(evidence_closure(&stage.vault, [StreamId::Record(body.record)]).await.is_err());
}
