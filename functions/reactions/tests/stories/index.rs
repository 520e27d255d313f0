//! The index: what is found, and what is found no more.

use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, Observation, StreamId};
use chartseal_http::testing::{Stage, Wallet};
use chartseal_infra::ports::IndexList;

use crate::workers::{announce, batch, consume_everything, create, listed, next_version, react, world};

fn token(number: u8) -> String {
    Bytes([number; 32]).to_string()
}

fn list(number: u8) -> IndexList {
    IndexList::Token(token(number))
}

async fn upload(stage: &Stage, owner: &Wallet, record: Id, version: u32, tokens: &[u8]) -> u64 {
    let tokens: Vec<String> = tokens.iter().map(|number| token(*number)).collect();
    let (_, announced) = announce(stage, owner, record, version, &tokens.join(" ")).await;
    stage.observed(Observation::ObjectFound { record, announced, version_id: "v".to_owned() }).await;
    announced
}

async fn redeliver(stage: &Stage, place: EventRef) {
    chartseal_consumer::handle(&react(&stage.vault), &batch([(place.stream.to_string(), place.seq)])).await;
}

#[tokio::test]
async fn a_record_is_listed_and_found_by_its_latest_version_alone() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let stream = StreamId::Record(record);
    let first = upload(&stage, &ann, record, 1, &[1, 2]).await;
    consume_everything(&stage).await;
    for list in [list(1), list(2)] {
        let found = listed(&stage, &list).await;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].event, found[0].version), (EventRef { stream, seq: first }, 1));
    }
    for list in [IndexList::Records, IndexList::RecordsOf(ann.provider())] {
        assert_eq!(listed(&stage, &list).await.len(), 1);
    }

    stage.vault.advance(1000);
    next_version(&stage, &ann, record).await;
    let second = upload(&stage, &ann, record, 2, &[2, 3]).await;
    consume_everything(&stage).await;
    assert!(listed(&stage, &list(1)).await.is_empty());
    for list in [list(2), list(3)] {
        let found = listed(&stage, &list).await;
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].event, found[0].version), (EventRef { stream, seq: second }, 2));
    }
    assert_eq!(listed(&stage, &IndexList::Records).await.len(), 1, "a record is listed once");

    // The first upload's event again, alone and together with everything: nothing comes back.
    let lists = [list(1), list(2), list(3), IndexList::Records];
    let before = world(&stage, &lists).await;
    redeliver(&stage, EventRef { stream, seq: first + 1 }).await;
    assert_eq!(world(&stage, &lists).await, before);
    for _ in 0..3 {
        consume_everything(&stage).await;
        assert_eq!(world(&stage, &lists).await, before);
    }
}

#[tokio::test]
async fn versions_may_be_indexed_in_any_order() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let mut uploads = Vec::new();
    for version in 1..=3u8 {
        if version > 1 {
            next_version(&stage, &ann, record).await;
        }
        uploads.push(upload(&stage, &ann, record, version.into(), &[version, 9]).await + 1);
    }
    for order in [[2, 1, 0], [1, 2, 0], [0, 2, 1], [1, 0, 2]] {
        for upload in order {
            redeliver(&stage, EventRef { stream: StreamId::Record(record), seq: uploads[upload] }).await;
        }
        assert!(listed(&stage, &list(1)).await.is_empty());
        assert!(listed(&stage, &list(2)).await.is_empty());
        assert_eq!(listed(&stage, &list(3)).await.len(), 1);
        assert_eq!(listed(&stage, &list(9)).await.len(), 1);
    }
}

#[tokio::test]
async fn erased_terms_are_not_found() {
    let stage = Stage::new().await;
    let ann = stage.hospital("St. Mary").await;
    let record = create(&stage, &ann).await;
    let announced = upload(&stage, &ann, record, 1, &[1]).await;
    let place = EventRef { stream: StreamId::Record(record), seq: announced };
    stage.vault.set_private(place, PrivatePart::new());
    assert!(consume_everything(&stage).await.batch_item_failures.is_empty());
    assert!(listed(&stage, &list(1)).await.is_empty());
}
