//! Which reads are strongly consistent. No implementation here ever gives an old answer, so what is asked for is read.
//!
//! AWS: "Read consistency" (Amazon DynamoDB Developer Guide): reads are eventually consistent unless `ConsistentRead` is asked for, and indexes
//! never give another.

use chartseal_events::{Bytes, Hash};
use chartseal_infra::aws::{DynamoStore, KmsSearchKeys, Tables};
use chartseal_infra::ports::{
    BlockStore as _, EventStore as _, Index as _, IndexList, KeyTable as _, SealedIndex as _, SearchKeyVault as _,
    StoreError, WorkList as _,
};
use chartseal_ledger::map::PageId;
use serde_json::Value;

use super::ORIGIN;
use super::scripted::{Asked, Scripted};
use crate::subject::{AT_MS, id, place, record};

fn nothing_there() -> Scripted {
    Scripted::start(|operation, _| {
        let body = match operation {
            "Query" => r#"{"Items": [], "Count": 0, "ScannedCount": 0}"#,
            "GetItem" => "{}",
            "BatchGetItem" => r#"{"Responses": {}, "UnprocessedKeys": {}}"#,
            other => panic!("{other} is no read"),
        };
        (200, body.to_owned())
    })
}

fn tables() -> Tables {
    let named = |name: &str| Some(name.to_owned());
    Tables {
        events: named("events"),
        private: named("private"),
        keys: named("keys"),
        index: named("index"),
        work: named("work"),
        blocks: named("blocks"),
        sealed: named("sealed"),
    }
}

/// Whether each call asked for a strongly consistent read.
fn consistent(asked: &[Asked]) -> Vec<bool> {
    let of_batch = |question: &Value| {
        ["events", "sealed"].iter().any(|table| question["RequestItems"][table]["ConsistentRead"] == true)
    };
    asked.iter().map(|asked| asked.question["ConsistentRead"] == true || of_batch(&asked.question)).collect()
}

#[tokio::test]
async fn whatever_a_decision_relies_on_is_read_strongly() {
    let service = nothing_there();
    let store = DynamoStore::new(&service.config(), tables());
    store.load(&record(1)).await.expect("reads");
    store.load_tail(&record(1), AT_MS).await.expect("reads");
    store.load_from(&record(1), 3, 10).await.expect("reads");
    store.fetch(&[place(record(1), 0)]).await.expect("reads");
    store.private(&place(record(1), 0)).await.expect("reads");
    store.wrapped(id(1), 1).await.expect("reads");
    store.header(id(1), 1, &Bytes([1; 32])).await.expect("reads");
    store.task_token(id(1)).await.expect("reads");
    store.sweep_cursor().await.expect("reads");
    store.due(AT_MS, 10).await.expect("reads");
    store.block(3).await.expect("reads");
    store.leaf_places(&[Hash::ZERO]).await.expect("reads");
    store.map_pages(&[PageId::ROOT], 3).await.expect("reads");
    store.sealed_until().await.expect("reads");
    // This service does not say what time it is, and without that nobody may seal.
    let timeless = store.newest_block().await;
    assert!(matches!(&timeless, Err(StoreError::Unavailable { source, .. }) if source.to_string().contains("Date")));
    KmsSearchKeys::new(&service.config(), "arn", "search-keys", ORIGIN).open(1).await.expect("reads");
    let asked = service.asked();
    assert!(asked.len() >= 16);
    for (asked, consistent) in asked.iter().zip(consistent(&asked)) {
        assert!(consistent, "{asked:?}");
    }
}

#[tokio::test]
async fn hints_are_read_as_they_come() {
    let service = nothing_there();
    let store = DynamoStore::new(&service.config(), tables());
    store.page(&IndexList::Records, None, 10).await.expect("reads");
    // An index refuses any other read.
    store.by_time(AT_MS, AT_MS + 1).await.expect("reads");
    let asked = service.asked();
    assert!(asked.iter().any(|asked| asked.question["IndexName"] == "by_time"));
    assert_eq!(consistent(&asked), vec![false; asked.len()]);
}
