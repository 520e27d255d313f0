//! What becomes of announced uploads.

use chartseal_events::StreamId;
use chartseal_http::testing::Stage;
use chartseal_infra::BlobKey;
use chartseal_infra::ports::WorkList as _;
use chartseal_reactions::Settled;

use crate::workers::{
    DEADLINE_MS, HOUR_MS, MINUTE_MS, announce, consume_everything, create, next_version, object_created, sweep,
    sweep_for, world,
};

const TOKEN: &str = "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA";

fn key(record: chartseal_events::Id, announced: u64) -> String {
    BlobKey { record, version: 1, announced }.to_string()
}

#[tokio::test]
async fn an_object_that_arrives_is_recorded_once() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let (body, announced) = announce(&stage, &ann, record, 1, TOKEN).await;
    let key = key(record, announced);
    assert_eq!(object_created(&stage, &key).await, Some(Settled::Waiting), "the event came before the object");

    stage.vault.put_blob(&key, &body);
    assert!(matches!(object_created(&stage, &key).await, Some(Settled::Uploaded(_))));
    for _ in 0..3 {
        assert_eq!(object_created(&stage, &key).await, Some(Settled::Already { at_ms: stage.now_ms() }));
    }
    let types = stage.vault.types(StreamId::Record(record));
    assert_eq!(types, ["record.created.v1", "record.announced.v1", "record.uploaded.v1"]);
}

#[tokio::test]
async fn an_object_other_than_announced_is_never_recorded() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    for other in [b"another length".to_vec(), vec![0xFF; 64]] {
        let record = create(&stage, &ann).await;
        let (_, announced) = announce(&stage, &ann, record, 1, TOKEN).await;
        let key = key(record, announced);
        stage.vault.put_blob(&key, &other);
        assert_eq!(object_created(&stage, &key).await, Some(Settled::Mismatch));
        sweep_for(&stage, 5 * MINUTE_MS).await;
        assert_eq!(stage.vault.types(StreamId::Record(record)), ["record.created.v1", "record.announced.v1"]);

        sweep_for(&stage, DEADLINE_MS).await;
        assert_eq!(stage.vault.types(StreamId::Record(record))[2..], ["record.upload-expired.v1"]);
        assert_eq!(stage.vault.blob(&key), None, "and it is not kept");
    }
}

#[tokio::test]
async fn an_object_with_a_key_that_is_not_ours_is_left_alone() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    for strange in ["backup.tar".to_owned(), format!("records/{record}/1"), format!("records/{record}/01/1")] {
        stage.vault.put_blob(&strange, b"x");
        assert_eq!(object_created(&stage, &strange).await, None, "{strange}");
        assert!(stage.vault.blob(&strange).is_some());
    }
    assert_eq!(object_created(&stage, &key(record, 7)).await, Some(Settled::Unknown), "nobody announced that");
}

#[tokio::test]
async fn an_object_for_which_no_event_came_is_found_by_the_sweeper() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let (body, announced) = announce(&stage, &ann, record, 1, TOKEN).await;
    stage.vault.put_blob(&key(record, announced), &body);
    stage.vault.advance(31_000);
    sweep(&stage).await;
    assert_eq!(stage.vault.types(StreamId::Record(record))[2..], ["record.uploaded.v1"]);
}

#[tokio::test]
async fn a_slow_upload_for_which_no_event_came_is_found_within_the_time_it_took() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let (body, announced) = announce(&stage, &ann, record, 1, TOKEN).await;
    sweep_for(&stage, 10 * MINUTE_MS).await;
    stage.vault.put_blob(&key(record, announced), &body);
    sweep_for(&stage, 11 * MINUTE_MS).await;
    assert_eq!(stage.vault.types(StreamId::Record(record))[2..], ["record.uploaded.v1"]);
}

#[tokio::test]
async fn an_upload_that_never_arrives_expires_once() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let (_, announced) = announce(&stage, &ann, record, 1, TOKEN).await;
    consume_everything(&stage).await;
    sweep_for(&stage, DEADLINE_MS - MINUTE_MS).await;
    assert_eq!(stage.vault.types(StreamId::Record(record)).len(), 2, "not before its time");
    sweep_for(&stage, MINUTE_MS).await;
    assert_eq!(stage.vault.types(StreamId::Record(record))[2..], ["record.upload-expired.v1"]);

    // A PUT that was under way.
    let late = key(record, announced);
    stage.vault.put_blob(&late, b"late");
    assert_eq!(object_created(&stage, &late).await, Some(Settled::Expired));
    sweep_for(&stage, HOUR_MS).await;
    assert_eq!(stage.vault.blob(&late), None, "what came late is not kept");
    assert_eq!(stage.vault.types(StreamId::Record(record)).len(), 3);
    assert!(stage.vault.due(stage.now_ms() + 24 * HOUR_MS, 10).await.expect("memory").is_empty(), "all is dealt with");

    let before = world(&stage, &[]).await;
    for _ in 0..3 {
        consume_everything(&stage).await;
        sweep_for(&stage, 2 * MINUTE_MS).await;
    }
    assert_eq!(world(&stage, &[]).await, before);
}

#[tokio::test]
async fn of_two_runs_the_first_object_counts_and_the_other_is_not_kept() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let (body, first) = announce(&stage, &ann, record, 1, TOKEN).await;
    stage.vault.advance(1);
    let (_, second) = announce(&stage, &ann, record, 1, TOKEN).await;
    stage.vault.put_blob(&key(record, second), &body);
    stage.vault.put_blob(&key(record, first), &body);
    assert!(matches!(object_created(&stage, &key(record, second)).await, Some(Settled::Uploaded(_))));
    assert_eq!(object_created(&stage, &key(record, first)).await, Some(Settled::Expired));
    sweep_for(&stage, DEADLINE_MS + HOUR_MS).await;
    let types = stage.vault.types(StreamId::Record(record));
    assert_eq!(types[3..], ["record.uploaded.v1", "record.upload-expired.v1"]);
    assert_eq!(stage.vault.blob_keys(), [key(record, second)]);

    next_version(&stage, &ann, record).await;
}
