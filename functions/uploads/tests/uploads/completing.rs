//! Parts become the announced body, whatever answers are lost on the way.

use chartseal_infra::faulty::Fault;
use chartseal_infra::ports::Blobs as _;

use super::*;

#[tokio::test]
async fn an_upload_may_be_completed_again() {
    let story = Story::begin().await;
    let body = story.announced(digests(3)).await;
    let upload = story.with_parts(&body, 1..=3).await;
    stored(&story.finish(&body, &upload).await);
    story.calls([(Call::StoredParts, 1), (Call::CompleteUpload, 1)]);
    stored(&story.finish(&body, &upload).await);
    story.calls([(Call::StoredParts, 1), (Call::Head, 1)]);
    story.committed(&body).await;
    stored(&story.finish(&body, &upload).await);
    story.calls([]);
    story.stage.vault.advance(2 * WINDOW_MS);
    stored(&story.finish(&body, &upload).await);
    assert_eq!(story.stage.vault.blob_keys(), [body.key()]);
}

#[tokio::test]
async fn the_largest_body_is_listed_in_ten_pages() {
    let story = Story::begin().await;
    let body = story.announced(digests(10_000)).await;
    let upload = story.with_parts(&body, 1..=10_000).await;
    stored(&story.finish(&body, &upload).await);
    story.calls([(Call::StoredParts, 10), (Call::CompleteUpload, 1)]);
    let head = story.stage.vault.head(&body.key()).await.expect("memory").expect("it is there");
    assert_eq!(head.checksum, Some(Checksum::of_parts(&body.digests)));
}

#[tokio::test]
async fn parts_that_are_not_the_announced_ones_are_not_put_together() {
    let story = Story::begin().await;
    let body = story.announced(digests(1_500)).await;
    let upload = story.with_parts(&body, (1..=1_500).filter(|number| *number != 700)).await;
    let incomplete = async |what: &str| {
        assert_eq!(refused(&story.finish(&body, &upload).await), Code::UploadIncomplete, "{what}");
        assert!(!story.blobs.plan().take_calls().contains(&Call::CompleteUpload), "{what}");
        assert!(story.stage.vault.blob_keys().is_empty(), "{what}");
    };
    incomplete("one is missing").await;
    story.has(&body, &upload, Part { size_bytes: 5, ..body.part(700) });
    incomplete("one is too short").await;
    story.has(&body, &upload, Part { sha256: [9; 32], ..body.part(700) });
    incomplete("one has other bytes").await;
    story.has(&body, &upload, body.part(700));
    story.has(&body, &upload, Part { size_bytes: PART_BYTES, ..body.part(1_500) });
    incomplete("the last one is too long").await;
    story.has(&body, &upload, Part { number: 1, ..body.part(2) });
    story.has(&body, &upload, body.part(1_500));
    incomplete("one stands in another's place").await;
    story.has(&body, &upload, body.part(1));
    stored(&story.finish(&body, &upload).await);
}

#[tokio::test]
async fn a_part_that_nobody_announced_is_left_out() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, 1..=2).await;
    // Only by a call that was not made here.
    story.has(&body, &upload, Part { number: 3, size_bytes: 1, sha256: [3; 32] });
    stored(&story.finish(&body, &upload).await);
    let head = story.stage.vault.head(&body.key()).await.expect("memory").expect("it is there");
    assert_eq!(head.size_bytes, PART_BYTES + REST);
}

#[tokio::test]
async fn completing_whose_answer_is_lost_is_looked_for() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, 1..=2).await;
    story.blobs.plan().fail_next(Call::CompleteUpload, Fault::Before);
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::Unavailable, "it was not done");
    story.calls([(Call::StoredParts, 1), (Call::CompleteUpload, 1), (Call::Head, 1)]);
    story.blobs.plan().fail_next(Call::CompleteUpload, Fault::After);
    stored(&story.finish(&body, &upload).await);
    story.calls([(Call::StoredParts, 1), (Call::CompleteUpload, 1), (Call::Head, 1)]);
}

#[tokio::test]
async fn what_cannot_be_known_is_not_said() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, 1..=2).await;
    story.blobs.plan().fail_next(Call::StoredParts, Fault::After);
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::Unavailable);
    story.blobs.plan().fail_next(Call::CompleteUpload, Fault::After);
    story.blobs.plan().fail_next(Call::Head, Fault::Before);
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::Unavailable);
    stored(&story.finish(&body, &upload).await);
}

#[tokio::test]
async fn of_two_uploads_of_a_body_the_first_counts_for_both() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let (first, second) = (story.with_parts(&body, 1..=2).await, story.with_parts(&body, 1..=2).await);
    stored(&story.finish(&body, &second).await);
    story.blobs.plan().take_calls();
    stored(&story.finish(&body, &first).await);
    story.calls([(Call::StoredParts, 1), (Call::CompleteUpload, 1), (Call::Head, 1)]);
    assert_eq!(story.stage.vault.unfinished_uploads(), [(body.key(), first)]);
}

#[tokio::test]
async fn an_upload_that_was_aborted_is_begun_anew() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, 1..=2).await;
    story.stage.vault.abort_uploads(&body.key()).await.expect("memory");
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::UploadUnknown);
    story.calls([(Call::StoredParts, 1), (Call::Head, 1)]);
    assert_eq!(refused(&story.ask(&body, &body.ask([1], Some(&upload))).await), Code::UploadUnknown);
    let upload = story.with_parts(&body, 1..=2).await;
    stored(&story.finish(&body, &upload).await);
}

#[tokio::test]
async fn an_upload_belongs_to_its_body() {
    let story = Story::begin().await;
    let (body, other) = (story.announced(digests(2)).await, story.announced(digests(2)).await);
    let upload = story.with_parts(&other, 1..=2).await;
    assert_eq!(refused(&story.ask(&body, &body.ask([1], Some(&upload))).await), Code::UploadUnknown);
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::UploadUnknown);
    stored(&story.finish(&other, &upload).await);
}

#[tokio::test]
async fn an_object_that_was_not_announced_is_never_said_to_be_the_body() {
    let story = Story::begin().await;
    let body = story.announced(digests(2)).await;
    let upload = story.with_parts(&body, 1..=2).await;
    story.stage.vault.put_blob(&body.key(), b"something else");
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::UploadMismatch);
    story.stage.vault.abort_uploads(&body.key()).await.expect("memory");
    assert_eq!(refused(&story.finish(&body, &upload).await), Code::UploadMismatch);
    assert_eq!(refused(&story.ask(&body, &body.ask([1], Some(&upload))).await), Code::UploadMismatch);
}
