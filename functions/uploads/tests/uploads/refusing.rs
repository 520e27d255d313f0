//! What is refused, and leaves nothing behind.

use chartseal_events::limits::{MAX_PARTS_ASKED, MAX_UPLOAD_ID_BYTES};
use serde_json::json;

use super::*;

/// Both calls about a body, as this person makes them.
fn calls(story: &Story, wallet: &Wallet, body: &Body) -> [Incoming; 2] {
    let parts = serde_json::to_vec(&body.ask([1], None)).expect("JSON");
    let complete = serde_json::to_vec(&body.complete("upload-1")).expect("JSON");
    [story.request(wallet, &body.path("parts"), parts), story.request(wallet, &body.path("complete"), complete)]
}

async fn both_refused(story: &Story, wallet: &Wallet, body: &Body, code: Code) {
    for incoming in calls(story, wallet, body) {
        assert_eq!(story.refused(&incoming).await, code, "{}", incoming.path);
    }
}

#[tokio::test]
async fn only_the_owner_sends() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let stranger = story.stage.hospital("Mercy").await;
    both_refused(&story, &stranger, &body, Code::NotFound).await;
    both_refused(&story, &story.stage.operator, &body, Code::NotMember).await;
    let pending = story.stage.registered("St. New").await;
    both_refused(&story, &pending, &body, Code::ProviderPending).await;
    story.stage.suspended(story.owner.provider()).await;
    both_refused(&story, &story.owner, &body, Code::ProviderSuspended).await;
    for incoming in calls(&story, &story.owner, &body) {
        let nobody = Incoming { authorization: None, ..incoming.clone() };
        assert_eq!(story.refused(&nobody).await, Code::MissingToken);
        let elsewhere = Incoming { path: incoming.path.replace(&body.record.to_string(), "x"), ..incoming };
        assert_eq!(story.refused(&elsewhere).await, Code::TokenTarget);
    }
    story.calls([]);
}

#[tokio::test]
async fn a_record_that_is_not_there_is_not_found() {
    let story = Story::begin().await;
    let body = Body { record: Id::from_parts(1, [1; 10]), ..story.announced(digests(2)).await };
    both_refused(&story, &story.owner, &body, Code::NotFound).await;
    let bad =
        story.request(&story.owner, "/records/x/upload/parts", serde_json::to_vec(&body.ask([1], None)).expect("JSON"));
    assert_eq!(story.refused(&bad).await, Code::BadId);
}

#[tokio::test]
async fn only_what_was_announced_is_sent() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    both_refused(&story, &story.owner, &Body { message_id: Bytes([9; 32]), ..body.clone() }, Code::NotAnnounced).await;
    for version in [0, 2, u32::MAX] {
        let asked = PartsRequest { version, ..body.ask([1], None) };
        assert_eq!(refused(&story.ask(&body, &asked).await), Code::NotAnnounced, "version {version}");
    }
    let (record, ..) = story.stage.created(&story.owner).await;
    let unannounced = Body { record, ..body };
    both_refused(&story, &story.owner, &unannounced, Code::NotAnnounced).await;
}

#[tokio::test]
async fn a_small_body_has_no_parts() {
    let story = Story::begin().await;
    let (record, ..) = story.stage.created(&story.owner).await;
    for (run, body_bytes) in [(1, 64), (2, PART_BYTES)] {
        let seq = story.announce(record, run, body_bytes, Hash([7; 32])).await;
        let body = Body { record, message_id: Bytes([run; 32]), digests: digests(1), seq };
        both_refused(&story, &story.owner, &body, Code::NotInParts).await;
    }
    story.calls([]);
}

#[tokio::test]
async fn parts_are_named_once_in_order_and_within_the_body() {
    let story = Story::begin().await;
    let body = story.announced(digests(200)).await;
    let refused_parts = async |what: &str, parts: Vec<u32>| {
        let parts: Vec<_> = parts.into_iter().map(|number| PartDigest { number, sha256: Hash([1; 32]) }).collect();
        let asked = PartsRequest { parts, ..body.ask([], None) };
        assert_eq!(refused(&story.ask(&body, &asked).await), Code::BadField, "{what}");
    };
    refused_parts("none", vec![]).await;
    refused_parts("number 0", vec![0, 1]).await;
    refused_parts("falling", vec![2, 1]).await;
    refused_parts("twice", vec![1, 1]).await;
    refused_parts("one beyond the body", vec![200, 201]).await;
    refused_parts("one beyond every body", vec![10_001]).await;
    let most = u32::try_from(MAX_PARTS_ASKED).expect("few");
    refused_parts("too many", (1..=most + 1).collect()).await;
    story.calls([]);
    assert_eq!(story.ask(&body, &body.ask(101..=200, None)).await.status, 200);
}

#[tokio::test]
async fn an_upload_id_is_short_and_plain() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let long = "x".repeat(MAX_UPLOAD_ID_BYTES + 1);
    for id in ["", "a b", "a\u{e9}", "a\n", "\u{7f}", &long] {
        assert_eq!(refused(&story.ask(&body, &body.ask([1], Some(id))).await), Code::BadField, "{id:?}");
        assert_eq!(refused(&story.finish(&body, id).await), Code::BadField, "{id:?}");
    }
    story.calls([]);
    for id in ["x", &long[1..], "2~Jk/_-.+="] {
        assert_eq!(refused(&story.finish(&body, id).await), Code::UploadUnknown, "{id:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let mut more = serde_json::to_value(body.ask([1], None)).expect("JSON");
    more["more"] = json!(1);
    for text in ["", "[]", "{}", r#"{"version":1,"version":1}"#, &more.to_string()] {
        for what in ["parts", "complete"] {
            let incoming = story.request(&story.owner, &body.path(what), text);
            assert_eq!(story.refused(&incoming).await, Code::MalformedJson, "{what}: {text}");
        }
    }
}

#[tokio::test]
async fn what_is_no_longer_waited_for_is_not_sent() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, 1..=2).await;
    story.stage.vault.advance(WINDOW_MS - 1000);
    assert_eq!(story.ask(&body, &body.ask([1], None)).await.status, 200, "to the last second");
    story.stage.vault.advance(1000);
    both_refused(&story, &story.owner, &body, Code::UploadExpired).await;
    story.stage.observed(Observation::ObjectMissing { record: body.record, announced: body.seq }).await;
    both_refused(&story, &story.owner, &body, Code::UploadExpired).await;
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::UploadExpired);

    // Announced again, the same run is another object, and the old upload is not good for it.
    let again = story.announced_of(body.record, 0, body.digests.clone()).await;
    assert_ne!(again.key(), body.key());
    assert_eq!(refused(&story.finish(&again, &upload).await), Code::UploadUnknown);
    let upload = story.with_parts(&again, 1..=2).await;
    stored(&story.finish(&again, &upload).await);
    assert_eq!(story.stage.vault.blob_keys(), [again.key()]);
}

#[tokio::test]
async fn an_uploaded_version_is_closed() {
    let story = Story::begin().await;
    let first = story.announced(digests(2)).await;
    let second = story.announced_of(first.record, 1, digests(3)).await;
    story.committed(&second).await;
    assert_eq!(refused(&story.ask(&second, &second.ask([1], None)).await), Code::VersionUploaded);
    both_refused(&story, &story.owner, &first, Code::VersionUploaded).await;
    story.calls([]);
}
