//! What becomes of announced uploads in parts.

use chartseal_events::{Hash, Id, StreamId};
use chartseal_http::testing::Stage;
use chartseal_infra::BlobKey;
use chartseal_infra::faulty::{Call, Fault, Faulty};
use chartseal_infra::ports::{Blobs as _, Completion, Part, PartsUpload, WorkList as _};
use chartseal_reactions::Settled;
use chartseal_sweeper::Sweep;

use crate::workers::{
    DEADLINE_MS, HOUR_MS, MINUTE_MS, announce, announce_of, announce_parts, consume_everything, create, object_created,
    react, sweep, sweep_for,
};

const TOKEN: &str = "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA";

/// A record, and what was announced to be uploaded.
struct Story {
    stage: Stage,
    record: Id,
    parts: [Part; 2],
    key: String,
}

impl Story {
    async fn begin() -> Self {
        let stage = Stage::new().await;
        let ann = stage.hospital("St. Mary").await;
        let record = create(&stage, &ann).await;
        let (parts, announced) = announce_parts(&stage, &ann, record, TOKEN).await;
        let key = BlobKey { record, version: 1, announced }.to_string();
        Self { stage, record, parts, key }
    }

    /// An upload of these parts that is not completed.
    async fn sent(&self, parts: &[Part]) -> String {
        let id = self.stage.vault.begin_upload(&self.key).await.expect("memory");
        for part in parts {
            self.stage.vault.say_part(PartsUpload { key: &self.key, id: &id }, *part);
        }
        id
    }

    /// Puts an upload together past the function that would look at its parts.
    async fn completed(&self, id: &str) {
        let upload = PartsUpload { key: &self.key, id };
        let stored = self.stage.vault.stored_parts(upload, 1..=10).await.expect("memory").expect("an upload");
        assert_eq!(self.stage.vault.complete_upload(upload, &stored).await.expect("memory"), Completion::Done);
    }

    fn types(&self) -> Vec<&'static str> {
        self.stage.vault.types(StreamId::Record(self.record)).split_off(2)
    }

    fn unfinished(&self) -> usize {
        self.stage.vault.unfinished_uploads().len()
    }
}

#[tokio::test]
async fn the_announced_parts_are_the_announced_body() {
    let story = Story::begin().await;
    let id = story.sent(&story.parts).await;
    assert_eq!(object_created(&story.stage, &story.key).await, Some(Settled::Waiting), "parts are no object");
    story.completed(&id).await;
    assert!(matches!(object_created(&story.stage, &story.key).await, Some(Settled::Uploaded(_))));
    assert_eq!(object_created(&story.stage, &story.key).await, Some(Settled::Already { at_ms: story.stage.now_ms() }));
    assert_eq!(story.types(), ["record.uploaded.v1"]);
}

#[tokio::test]
async fn an_object_of_other_parts_is_never_recorded() {
    let story = Story::begin().await;
    let [first, second] = story.parts;
    let merged = Part { number: 1, size_bytes: first.size_bytes + second.size_bytes, sha256: first.sha256 };
    for (what, parts) in [
        ("other bytes", vec![first, Part { sha256: [3; 32], ..second }]),
        ("another size", vec![first, Part { size_bytes: 65, ..second }]),
        (
            "the same bytes in another order",
            vec![Part { sha256: second.sha256, ..first }, Part { sha256: first.sha256, ..second }],
        ),
        ("one part", vec![merged]),
        ("a part more", vec![first, second, Part { number: 3, size_bytes: 0, sha256: Hash::of(&[]).0 }]),
    ] {
        let id = story.sent(&parts).await;
        story.completed(&id).await;
        assert_eq!(object_created(&story.stage, &story.key).await, Some(Settled::Mismatch), "{what}");
        let head = story.stage.vault.head(&story.key).await.expect("memory").expect("it is there");
        story.stage.vault.delete(&story.key, &head.version_id).await.expect("memory");
    }
    assert_eq!(story.types(), [""; 0]);
}

#[tokio::test]
async fn one_part_is_not_one_put() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    // Announced for one PUT, with the value that S3 states of one part.
    let part = Part { number: 1, size_bytes: 64, sha256: [1; 32] };
    let announced = announce_of(&stage, &ann, (record, 1), TOKEN, (64, Hash::of(&[&part.sha256]))).await;
    let key = BlobKey { record, version: 1, announced }.to_string();
    let story = Story { stage, record, parts: [part; 2], key };
    let id = story.sent(&story.parts[..1]).await;
    story.completed(&id).await;
    assert_eq!(object_created(&story.stage, &story.key).await, Some(Settled::Mismatch));
    assert_eq!(story.types(), [""; 0]);
}

#[tokio::test]
async fn unfinished_uploads_end_with_their_announcement() {
    let story = Story::begin().await;
    story.sent(&story.parts[..1]).await;
    story.sent(&[]).await;
    consume_everything(&story.stage).await;
    sweep_for(&story.stage, DEADLINE_MS - MINUTE_MS).await;
    assert_eq!((story.types().len(), story.unfinished()), (0, 2), "not before its time");
    sweep_for(&story.stage, MINUTE_MS).await;
    assert_eq!((story.types(), story.unfinished()), (vec!["record.upload-expired.v1"], 0));

    // An upload that was begun in the last second, and an object that was put together in it.
    let id = story.sent(&story.parts).await;
    story.completed(&id).await;
    story.sent(&story.parts).await;
    assert_eq!(object_created(&story.stage, &story.key).await, Some(Settled::Expired));
    assert_eq!(story.unfinished(), 1, "commit aborts nothing");
    sweep_for(&story.stage, HOUR_MS).await;
    assert_eq!((story.unfinished(), story.stage.vault.blob(&story.key)), (0, None), "what came late is not kept");
    assert_eq!(story.types().len(), 1);
}

#[tokio::test]
async fn uploads_that_were_lost_end_when_the_body_is_there() {
    let story = Story::begin().await;
    consume_everything(&story.stage).await;
    // The answer to the first beginning was lost.
    story.sent(&[]).await;
    let id = story.sent(&story.parts).await;
    story.completed(&id).await;
    assert!(matches!(object_created(&story.stage, &story.key).await, Some(Settled::Uploaded(_))));
    assert_eq!(story.unfinished(), 1);
    sweep_for(&story.stage, 3 * MINUTE_MS).await;
    assert_eq!(story.unfinished(), 0);
    assert!(story.stage.vault.head(&story.key).await.expect("memory").is_some(), "the body stays");
}

#[tokio::test]
async fn uploads_begun_while_the_body_arrived_end_half_an_hour_later_and_then_it_is_over() {
    let story = Story::begin().await;
    consume_everything(&story.stage).await;
    let id = story.sent(&story.parts).await;
    story.completed(&id).await;
    object_created(&story.stage, &story.key).await;
    sweep_for(&story.stage, 3 * MINUTE_MS).await;
    // A part that was under way kept its upload.
    story.sent(&story.parts[..1]).await;
    sweep_for(&story.stage, 28 * MINUTE_MS).await;
    assert_eq!(story.unfinished(), 0);
    sweep_for(&story.stage, DEADLINE_MS).await;
    assert_eq!(story.stage.vault.due(u64::MAX / 2, 10).await.expect("memory"), [], "nothing is looked for any more");
    assert_eq!(story.types(), ["record.uploaded.v1"]);
}

#[tokio::test]
async fn uploads_without_end_of_one_body_hold_up_nobody_elses_deadline() {
    let story = Story::begin().await;
    let ben = story.stage.hospital("Mercy").await;
    let other = create(&story.stage, &ben).await;
    announce(&story.stage, &ben, other, 1, TOKEN).await;
    for _ in 0..2_000 {
        story.sent(&[]).await;
    }
    consume_everything(&story.stage).await;
    story.stage.vault.advance(DEADLINE_MS);
    let report = sweep(&story.stage).await;
    assert_eq!(report.failed, 0, "so many are no failure");
    assert_eq!(story.stage.vault.types(StreamId::Record(other)).last(), Some(&"record.upload-expired.v1"));
    let aborted = 2_000 - story.unfinished();
    assert!((1..=200).contains(&aborted), "a run aborts some of a key: {aborted}");
    sweep_for(&story.stage, 20 * MINUTE_MS).await;
    assert_eq!((story.types(), story.unfinished()), (vec!["record.upload-expired.v1"], 0));
    sweep_for(&story.stage, HOUR_MS).await;
    assert_eq!(story.stage.vault.due(u64::MAX / 2, 10).await.expect("memory"), []);
}

#[tokio::test]
async fn an_object_of_parts_for_which_no_event_came_is_found_by_the_sweeper() {
    let story = Story::begin().await;
    let id = story.sent(&story.parts).await;
    story.sent(&[]).await;
    story.completed(&id).await;
    story.stage.vault.advance(31_000);
    sweep(&story.stage).await;
    assert_eq!((story.types(), story.unfinished()), (vec!["record.uploaded.v1"], 0));
}

#[tokio::test]
async fn an_abort_that_fails_is_tried_again() {
    let story = Story::begin().await;
    consume_everything(&story.stage).await;
    story.sent(&story.parts[..1]).await;
    story.stage.vault.advance(DEADLINE_MS);
    let blobs = Faulty::new(story.stage.vault.clone());
    let vault = &story.stage.vault;
    let run = async || Sweep { react: react(vault), blobs: &blobs, clock: vault }.run().await;
    blobs.plan().fail_next(Call::AbortUploads, Fault::Before);
    run().await.expect_err("the abort fails");
    assert_eq!((story.types(), story.unfinished()), (vec!["record.upload-expired.v1"], 1));
    vault.advance(2 * MINUTE_MS);
    run().await.expect("all is well again");
    assert_eq!(story.unfinished(), 0);
}

#[tokio::test]
async fn of_a_small_body_no_uploads_are_looked_for() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    announce(&stage, &ann, record, 1, TOKEN).await;
    consume_everything(&stage).await;
    let blobs = Faulty::new(stage.vault.clone());
    for _ in 0..(DEADLINE_MS + HOUR_MS) / MINUTE_MS {
        stage.vault.advance(MINUTE_MS);
        Sweep { react: react(&stage.vault), blobs: &blobs, clock: &stage.vault }.run().await.expect("swept");
    }
    let calls = blobs.plan().take_calls();
    assert!(calls.contains(&Call::Head) && !calls.contains(&Call::AbortUploads), "{calls:?}");
}
