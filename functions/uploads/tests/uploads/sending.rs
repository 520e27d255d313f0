//! Where parts are sent.

use chartseal_events::limits::MAX_PARTS_ASKED;
use chartseal_events::wire::PresignedCall;
use chartseal_infra::faulty::Fault;
use chartseal_infra::ports::Blobs as _;

use super::*;

fn put(story: &Story, call: &PresignedCall, bytes: &[u8]) -> u16 {
    story.stage.vault.http(&call.method, &call.url, &call.headers, bytes).status
}

fn given(response: &PartsResponse) -> Vec<(u32, bool)> {
    response.parts.iter().map(|part| (part.number, part.call.is_some())).collect()
}

#[tokio::test]
async fn a_body_is_sent_in_parts_and_put_together() {
    let story = Story::begin().await;
    let bytes =
        [vec![b'a'; usize::try_from(PART_BYTES).expect("fits")], vec![b'b'; usize::try_from(REST).expect("fits")]];
    let body = story.announced(bytes.iter().map(|part| Hash::of(&[part]).0).collect()).await;

    let begun: PartsResponse = document(&story.ask(&body, &body.ask([1, 2], None)).await, 200);
    story.calls([(Call::CountUploads, 1), (Call::BeginUpload, 1)]);
    assert_eq!(given(&begun), [(1, true), (2, true)]);
    let calls: Vec<&PresignedCall> = begun.parts.iter().filter_map(|part| part.call.as_ref()).collect();
    for (call, part) in calls.iter().zip(&bytes) {
        assert_eq!((call.method.as_str(), &call.headers["content-length"]), ("PUT", &part.len().to_string()));
        assert_eq!(call.expires_at, story.stage.now_ms() + 900_000, "15 minutes");
    }
    let mut flipped = bytes[1].clone();
    flipped[0] ^= 1;
    assert_eq!(put(&story, calls[1], &flipped), 400, "other bytes");
    assert_eq!(put(&story, calls[1], &bytes[1][1..]), 403, "fewer");
    for (call, part) in calls.iter().zip(&bytes).rev() {
        assert_eq!(put(&story, call, part), 200);
    }
    assert!(story.stage.vault.blob_keys().is_empty(), "parts are no object");

    stored(&story.finish(&body, &begun.upload_id).await);
    story.calls([(Call::StoredParts, 1), (Call::CompleteUpload, 1)]);
    let head = story.stage.vault.head(&body.key()).await.expect("memory").expect("it is there");
    assert_eq!((head.size_bytes, head.checksum), (PART_BYTES + REST, Some(Checksum::of_parts(&body.digests))));
    assert!(story.stage.vault.blob(&body.key()).is_some_and(|stored| stored == bytes.concat()));
}

#[tokio::test]
async fn only_parts_that_are_not_there_get_an_address() {
    let story = Story::begin().await;
    let body = story.announced(digests(4)).await;
    let upload = story.with_parts(&body, [1, 3]).await;
    let answer: PartsResponse = document(&story.ask(&body, &body.ask(1..=4, Some(&upload))).await, 200);
    story.calls([(Call::StoredParts, 1)]);
    assert_eq!(answer.upload_id, upload);
    assert_eq!(given(&answer), [(1, false), (2, true), (3, false), (4, true)]);

    // What is there is not what is about to be sent: other bytes, or another size.
    let mut other = body.ask(1..=4, Some(&upload));
    other.parts[0].sha256 = Hash([9; 32]);
    story.has(&body, &upload, Part { size_bytes: 5, ..body.part(3) });
    let answer: PartsResponse = document(&story.ask(&body, &other).await, 200);
    assert_eq!(given(&answer), [(1, true), (2, true), (3, true), (4, true)]);
}

#[tokio::test]
async fn as_many_parts_as_one_call_takes_cost_one_call_of_s3() {
    let story = Story::begin().await;
    let body = story.announced(digests(10_000)).await;
    let upload = story.with_parts(&body, 1..=50).await;
    let all = u32::try_from(MAX_PARTS_ASKED).expect("few");
    let answer: PartsResponse = document(&story.ask(&body, &body.ask(1..=all, Some(&upload))).await, 200);
    story.calls([(Call::StoredParts, 1)]);
    assert_eq!(answer.parts.iter().filter(|part| part.call.is_none()).count(), 50);
    let answer: PartsResponse = document(&story.ask(&body, &body.ask([1, 50, 10_000], Some(&upload))).await, 200);
    story.calls([(Call::StoredParts, 1)]);
    assert_eq!(given(&answer), [(1, false), (50, false), (10_000, true)]);
}

#[tokio::test]
async fn an_address_is_given_again_but_never_beyond_the_announcement() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let first: PartsResponse = document(&story.ask(&body, &body.ask([1], None)).await, 200);
    let expires = |answer: &PartsResponse| answer.parts[0].call.as_ref().expect("a call").expires_at;
    story.stage.vault.advance(16 * 60_000);
    assert!(expires(&first) <= story.stage.now_ms());
    let ask = body.ask([1], Some(&first.upload_id));
    let second: PartsResponse = document(&story.ask(&body, &ask).await, 200);
    assert_eq!((&second.upload_id, expires(&second)), (&first.upload_id, story.stage.now_ms() + 900_000));
    story.stage.vault.advance(40 * 60_000);
    let third: PartsResponse = document(&story.ask(&body, &ask).await, 200);
    assert_eq!(expires(&third), story.stage.now_ms() + 4 * 60_000, "no longer than the body is waited for");
}

#[tokio::test]
async fn a_beginning_whose_answer_is_lost_is_made_once_more() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    story.blobs.plan().fail_next(Call::BeginUpload, Fault::Before);
    assert_eq!(refused(&story.ask(&body, &body.ask([1], None)).await), Code::Unavailable);
    assert!(story.stage.vault.unfinished_uploads().is_empty());
    story.blobs.plan().fail_next(Call::BeginUpload, Fault::After);
    assert_eq!(refused(&story.ask(&body, &body.ask([1], None)).await), Code::Unavailable);
    let upload = story.with_parts(&body, [1, 2]).await;
    stored(&story.finish(&body, &upload).await);
    // The one that nobody knows is the sweeper's.
    assert_eq!(story.stage.vault.unfinished_uploads(), [(body.key(), "upload-1".to_owned())]);
}

#[tokio::test]
async fn so_many_uploads_of_one_body_are_begun_and_no_more() {
    let story = Story::begin().await;
    let [body, other] = [story.announced(digests(2)).await, story.announced(digests(2)).await];
    let mut upload = String::new();
    for _ in 0..16 {
        upload = story.with_parts(&body, []).await;
    }
    let ask = serde_json::to_vec(&body.ask([1], None)).expect("JSON");
    let incoming = story.request(&story.owner, &body.path("parts"), ask);
    assert_eq!(story.refused(&incoming).await, Code::TooManyUploads);
    story.calls([(Call::CountUploads, 1)]);
    // One that was begun goes on, and other bodies are not touched.
    story.with_parts(&other, [1]).await;
    let answer: PartsResponse = document(&story.ask(&body, &body.ask([1, 2], Some(&upload))).await, 200);
    assert_eq!(given(&answer), [(1, true), (2, true)]);
    story.has(&body, &upload, body.part(1));
    story.has(&body, &upload, body.part(2));
    stored(&story.finish(&body, &upload).await);
}

#[tokio::test]
async fn a_count_that_fails_begins_nothing() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    story.blobs.plan().fail_next(Call::CountUploads, Fault::Before);
    assert_eq!(refused(&story.ask(&body, &body.ask([1], None)).await), Code::Unavailable);
    assert!(story.stage.vault.unfinished_uploads().is_empty());
}

#[tokio::test]
async fn of_a_body_that_is_there_no_part_is_sent_again() {
    let story = Story::begin().await;
    let body = story.announced(digests(3)).await;
    let upload = story.with_parts(&body, 1..=3).await;
    stored(&story.finish(&body, &upload).await);
    story.blobs.plan().take_calls();
    // The answer was lost, and the client asks what is missing.
    let answer: PartsResponse = document(&story.ask(&body, &body.ask(1..=3, Some(&upload))).await, 200);
    story.calls([(Call::StoredParts, 1), (Call::Head, 1)]);
    assert_eq!(given(&answer), [(1, false), (2, false), (3, false)]);
    stored(&story.finish(&body, &upload).await);
}

#[tokio::test]
async fn a_listing_that_fails_begins_nothing() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, [1]).await;
    story.blobs.plan().fail_next(Call::StoredParts, Fault::Before);
    assert_eq!(refused(&story.ask(&body, &body.ask([1, 2], Some(&upload))).await), Code::Unavailable);
    assert_eq!(story.stage.vault.unfinished_uploads().len(), 1);
}
