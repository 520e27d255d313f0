//! One thing that cannot be done never stops the others, is said, and is done when it can be.

use chartseal_events::{EventRef, StreamId};
use chartseal_http::testing::Stage;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Clock, IndexList};
use chartseal_sweeper::{Report, Sweep};

use crate::workers::{
    DEADLINE_MS, MINUTE_MS, announce, batch, consume_everything, create, listed, react, sweep, try_sweep,
};

#[tokio::test]
async fn a_failed_record_is_reported_with_what_follows_in_its_stream() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let (broken, sound) = (create(&stage, &ann).await, create(&stage, &ann).await);
    stage.vault.tamper(EventRef { stream: StreamId::Record(broken), seq: 0 }, "{}");
    let stream = |record| StreamId::Record(record).to_string();
    let places = [(stream(broken), 0), (stream(sound), 0), (stream(broken), 1), (stream(broken), 0)];
    let answer = chartseal_consumer::handle(&react(&stage.vault), &batch(places)).await;
    let mut failed: Vec<String> =
        answer.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
    failed.sort();
    assert_eq!(failed, ["100", "102", "103"], "both records of the broken event, and the one after it");
    assert_eq!(listed(&stage, &IndexList::Records).await.len(), 1, "the other stream is not held up");
}

#[tokio::test]
async fn stream_records_that_concern_nobody_change_nothing() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let places = [
        ("vault".to_owned(), 0),
        (format!("provider/{}", ann.provider()), 0),
        (format!("staff/{}", ann.person()), 0),
        (format!("search/{}/20261123/7", ann.provider()), 0),
        ("not a stream".to_owned(), 0),
        (format!("record/{}", ann.provider()), 5),
    ];
    let answer = chartseal_consumer::handle(&react(&stage.vault), &batch(places)).await;
    assert!(answer.batch_item_failures.is_empty());
    assert!(listed(&stage, &IndexList::Records).await.is_empty());
}

#[tokio::test]
async fn the_answer_has_the_shape_that_lambda_reads() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    stage.vault.tamper(EventRef { stream: StreamId::Record(record), seq: 0 }, "{}");
    let answer = chartseal_consumer::handle(&react(&stage.vault), &batch([(format!("record/{record}"), 0)])).await;
    let json = serde_json::to_string(&answer).expect("JSON");
    assert_eq!(json, r#"{"batchItemFailures":[{"itemIdentifier":"100"}]}"#);
}

#[tokio::test]
async fn what_fails_in_a_sweep_is_put_off_and_the_rest_is_done() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let (broken, _sound) = (create(&stage, &ann).await, create(&stage, &ann).await);
    let place = EventRef { stream: StreamId::Record(broken), seq: 0 };
    let body = stage.vault.events().into_iter().find(|event| event.at == place).expect("there").body;
    stage.vault.tamper(place, "{}");

    stage.vault.advance(MINUTE_MS);
    let failed = try_sweep(&stage).await.expect_err("one item fails").0;
    assert_eq!(failed.failed, 1);
    assert_eq!(listed(&stage, &IndexList::Records).await.len(), 1, "the other one is done");
    stage.vault.advance(MINUTE_MS);
    assert_eq!(
        try_sweep(&stage).await.expect_err("it fails again, alone").0,
        Report { healed: 0, ended: 0, failed: 1 }
    );

    stage.vault.tamper(place, body);
    stage.vault.advance(MINUTE_MS);
    assert_eq!(sweep(&stage).await.ended, 1);
    assert_eq!(listed(&stage, &IndexList::Records).await.len(), 2);
    stage.vault.advance(MINUTE_MS);
    assert_eq!(sweep(&stage).await, Report::default(), "and nothing is left");
}

/// A clock that goes on by a quarter of a second each time it is looked at, as if everything were slow.
struct Slow(MemoryVault);

impl Clock for Slow {
    fn now_ms(&self) -> u64 {
        self.0.advance(250);
        self.0.now_ms()
    }
}

#[tokio::test]
async fn a_batch_that_takes_long_ends_in_time_and_goes_on_in_the_next_run() {
    const RECORDS: usize = 100;
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    for _ in 0..RECORDS {
        let record = create(&stage, &ann).await;
        announce(&stage, &ann, record, 1, "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA").await;
    }
    consume_everything(&stage).await;
    stage.vault.advance(DEADLINE_MS);
    let slow = Slow(stage.vault.clone());
    let expired =
        || stage.vault.events().iter().filter(|event| event.body.contains("record.upload-expired.v1")).count();
    let run =
        async || Sweep { react: react(&stage.vault), blobs: &stage.vault, clock: &slow }.run().await.expect("swept");
    let start_ms = stage.now_ms();
    run().await;
    assert!(stage.now_ms() - start_ms < 55_000, "a run ends before its limit");
    assert!((1..RECORDS).contains(&expired()), "what was begun is done: {}", expired());
    for _ in 0..RECORDS {
        run().await;
    }
    assert_eq!(expired(), RECORDS, "and the rest later");
}

#[test]
fn the_samples_are_read() {
    let sample = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    serde_json::from_value::<chartseal_consumer::Batch>(sample(include_str!(
        "../../../../events/samples/consumer.json"
    )))
    .expect("a batch");
    serde_json::from_value::<chartseal_commit::ObjectCreated>(sample(include_str!(
        "../../../../events/samples/commit.json"
    )))
    .expect("an object event");
    serde_json::from_value::<chartseal_sweeper::Scheduled>(sample(include_str!(
        "../../../../events/samples/sweeper.json"
    )))
    .expect("a schedule's event");
    for text in [
        include_str!("../../../../events/samples/workflow-verify.json"),
        include_str!("../../../../events/samples/workflow-await.json"),
        include_str!("../../../../events/samples/workflow-wait-over.json"),
    ] {
        serde_json::from_value::<chartseal_workflow::Task>(sample(text)).expect("a task");
    }
}
