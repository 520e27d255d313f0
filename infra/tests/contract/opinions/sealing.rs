//! Blocks and what follows from them: what was tampered with is named; refusals that no implementation here gives, as AWS words them, are settled.
//!
//! AWS: "TransactWriteItems" (Amazon DynamoDB API Reference): the reasons of a cancelled transaction stand in the order of its items, and a transaction on
//! an item that another one is at work on is cancelled.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chartseal_events::Hash;
use chartseal_infra::aws::{DynamoStore, Tables};
use chartseal_infra::ports::{BlockStore as _, LeafPlace, PageChange, Race, SealedIndex as _, StoreError};
use chartseal_ledger::block::Block;
use chartseal_ledger::map::{Page, PageId};
use serde_json::{Value, json};

use super::refusals::{base64_of, cancelled, outcome, refusal};
use super::scripted::{Answer, Scripted};
use super::{Opinion, on};
use crate::blocks::block_after;
use crate::sealed::pages;
use crate::subject::{AT_MS, Subject as _};

on! {
    a_block_that_was_tampered_with_is_damaged: second, emulator;
    an_item_that_was_tampered_with_is_damaged: second, emulator;
}

/// Most calls of one put that meets others' transactions, the first one included.
const CALLS_WHEN_BUSY: usize = 9;

fn bytes(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

async fn replace(opinion: &Opinion, table: &str, item: &[(&str, AttributeValue)]) {
    let call = opinion.client().put_item().table_name(table);
    let call = item.iter().fold(call, |call, (name, value)| call.item(*name, value.clone()));
    call.send().await.expect("writes");
}

/// What it says was damaged.
fn damaged<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Damaged { what }) => what,
        other => panic!("{other:?}"),
    }
}

async fn a_block_that_was_tampered_with_is_damaged(opinion: &Opinion) {
    let table = opinion.tables.blocks.as_deref().expect("made");
    let store = opinion.store();
    let first = block_after(None, AT_MS, 3);
    let second = block_after(Some(&first), AT_MS, 3);
    let sound = second.to_bytes();
    let mut other_leaf = sound.clone();
    other_leaf[160] ^= 1;
    let place = [("log", text("log")), ("height", number(1))];
    let bad = [
        vec![("block", bytes(&sound[..sound.len() - 1]))],
        vec![("block", bytes(&[&sound[..], &[0]].concat()))],
        vec![("block", bytes(&other_leaf))],
        vec![("block", bytes(&first.to_bytes()))],
        vec![("block", bytes(&vec![1; 310_000]))],
        vec![("block", text("block"))],
        vec![("other", bytes(&sound))],
    ];
    store.put_block(&first).await.expect("writes");
    for attributes in bad {
        replace(opinion, table, &[&place[..], &attributes].concat()).await;
        let said = damaged(store.block(1).await);
        assert!(said.contains("block"), "{said}");
        damaged(store.newest_block().await);
        assert_eq!(store.block(0).await.expect("is sound").as_ref(), Some(&first));
    }
    replace(opinion, table, &[&place[..], &[("block", bytes(&sound))]].concat()).await;
    assert_eq!(store.newest_block().await.expect("is sound again").block, Some(second));
}

async fn an_item_that_was_tampered_with_is_damaged(opinion: &Opinion) {
    let table = opinion.tables.sealed.as_deref().expect("made");
    let store = opinion.store();
    let pages = pages(1);
    let page = pages[&PageId::ROOT].to_bytes();
    let place = [("item", text(&format!("page/{}", PageId::ROOT)))];
    let bad = [
        (vec![("height", number(3)), ("page", bytes(&page[..page.len() - 1]))], "page"),
        (vec![("height", number(3)), ("page", bytes(&[0]))], "page"),
        (vec![("height", text("3")), ("page", bytes(&page))], "page"),
        (vec![("page", bytes(&page))], "page"),
        (vec![("height", number(9)), ("page", bytes(&page)), ("before", bytes(&page))], "before"),
        (vec![("height", number(9)), ("page", bytes(&page)), ("before_height", number(2))], "before"),
        (
            vec![("height", number(9)), ("page", bytes(&page)), ("before_height", number(2)), ("before", bytes(&[7]))],
            "before",
        ),
    ];
    for (attributes, which) in bad {
        replace(opinion, table, &[&place[..], &attributes].concat()).await;
        let said = damaged(store.map_pages(&[PageId::ROOT], 3).await);
        assert!(said.contains(&format!("`{which}`")) && said.contains(&PageId::ROOT.to_string()), "{said}");
    }
    let leaf = Hash::of(&[b"leaf"]);
    let place = [("item", text(&format!("leaf/{leaf}")))];
    for attributes in [[("index", text("1")), ("height", number(1))], [("index", number(1)), ("other", number(1))]] {
        replace(opinion, table, &[&place[..], &attributes].concat()).await;
        let said = damaged(store.leaf_places(&[leaf]).await);
        assert!(said.contains(&leaf.to_string()), "{said}");
    }
    replace(opinion, table, &[("item", text("sealed-until")), ("at", text("soon"))]).await;
    damaged(store.sealed_until().await);
}

fn tables() -> Tables {
    let named = |name: &str| Some(name.to_owned());
    Tables { blocks: named("blocks"), sealed: named("sealed"), ..Tables::default() }
}

fn done() -> Answer {
    (200, "{}".to_owned())
}

/// A place that says this of puts, and where this block stands.
fn place_of(put: impl Fn(usize) -> Answer + Send + Sync + 'static, stands: Option<&Block>) -> Scripted {
    let item = stands.map(|block| {
        let height = block.seal().height().to_string();
        json!({"log": {"S": "log"}, "height": {"N": height}, "block": {"B": base64_of(&block.to_bytes())}})
    });
    let there = item.map_or_else(|| json!({}), |item| json!({"Item": item})).to_string();
    Scripted::start(move |operation, before| match operation {
        "GetItem" => (200, there.clone()),
        _ => put(before),
    })
}

#[tokio::test]
async fn who_won_a_height_is_what_stands_there() {
    let (ours, theirs) = (block_after(None, AT_MS, 2), block_after(None, AT_MS + 1, 2));
    for (status, code) in [
        (400, "ConditionalCheckFailedException"),
        (500, "InternalServerError"),
        (400, "ProvisionedThroughputExceededException"),
        (400, "AccessDeniedException"),
    ] {
        for (stands, race) in [(&ours, Race::Won), (&theirs, Race::Lost)] {
            let service = place_of(move |_| refusal(status, code), Some(stands));
            let store = DynamoStore::new(&service.config(), tables());
            assert_eq!(store.put_block(&ours).await.expect("settled"), race, "{code}");
        }
        let service = place_of(move |_| refusal(status, code), None);
        let nobody = outcome(DynamoStore::new(&service.config(), tables()).put_block(&ours).await);
        let refused = code == "ConditionalCheckFailedException";
        assert_eq!(nobody, if refused { "damaged" } else { code }, "taken, and nothing there");
    }
}

#[tokio::test]
async fn a_height_that_is_busy_is_waited_for() {
    let block = block_after(None, AT_MS, 2);
    let busy = || refusal(400, "TransactionConflictException");
    let service = place_of(move |before| if before < 3 { busy() } else { done() }, None);
    assert_eq!(DynamoStore::new(&service.config(), tables()).put_block(&block).await.expect("free"), Race::Won);
    let service = place_of(move |_| busy(), None);
    assert_eq!(outcome(DynamoStore::new(&service.config(), tables()).put_block(&block).await), "Unusable", "it ends");
}

fn changes(count: usize) -> Vec<PageChange> {
    let change = |(id, page): (PageId, Page)| PageChange { id, page, before: None };
    pages(1).into_iter().take(count).map(change).collect()
}

/// What each call put, by name.
fn put(service: &Scripted) -> Vec<Vec<String>> {
    let name = |put: &Value| put["Put"]["Item"]["item"]["S"].as_str().expect("a name").to_owned();
    let names = |question: &Value| question["TransactItems"].as_array().expect("items").iter().map(name).collect();
    service.asked().iter().map(|asked| names(&asked.question)).collect()
}

#[tokio::test]
async fn what_had_been_done_is_left_out_and_the_rest_is_written() {
    let changes = changes(5);
    let name = |n: usize| format!("page/{}", changes[n].id);
    let answers = [
        cancelled(&["None", "ConditionalCheckFailed", "None", "TransactionConflict", "None"]),
        cancelled(&["None", "None", "TransactionConflict", "None"]),
        cancelled(&["ConditionalCheckFailed", "None", "None", "ConditionalCheckFailed"]),
        done(),
    ];
    let service = Scripted::start(move |_, before| answers[before].clone());
    DynamoStore::new(&service.config(), tables()).put_map_pages(3, &changes).await.expect("writes");
    let asked: [&[usize]; 4] = [&[0, 1, 2, 3, 4], &[0, 2, 3, 4], &[0, 2, 3, 4], &[2, 3]];
    let asked = asked.map(|call| call.iter().map(|n| name(*n)).collect::<Vec<_>>());
    assert_eq!(put(&service), asked);

    let service = Scripted::start(move |_, _| cancelled(&["ConditionalCheckFailed"; 5]));
    DynamoStore::new(&service.config(), tables()).put_map_pages(3, &changes).await.expect("nothing is left");
    assert_eq!(service.count("TransactWriteItems"), 1);
}

#[tokio::test]
async fn sealers_in_each_others_way_wait_and_say_so_in_the_end() {
    let leaves = [(Hash::ZERO, LeafPlace { index: 1, height: 1 })];
    for busy in [cancelled(&["TransactionConflict"]), refusal(400, "TransactionInProgressException")] {
        let code =
            if busy.1.contains("Canceled") { "TransactionCanceledException" } else { "TransactionInProgressException" };
        let (once, always) = (busy.clone(), busy);
        let service = Scripted::start(move |_, before| if before < 4 { once.clone() } else { done() });
        DynamoStore::new(&service.config(), tables()).put_leaf_places(&leaves).await.expect("free in the end");
        let service = Scripted::start(move |_, _| always.clone());
        let result = DynamoStore::new(&service.config(), tables()).put_leaf_places(&leaves).await;
        assert_eq!(outcome(result), code);
        assert!(service.count("TransactWriteItems") >= CALLS_WHEN_BUSY, "{}", service.count("TransactWriteItems"));
    }
    for other in ["ThrottlingError", "ValidationError", "ProvisionedThroughputExceeded"] {
        let service = Scripted::start(move |_, _| cancelled(&[other]));
        let result = DynamoStore::new(&service.config(), tables()).put_leaf_places(&leaves).await;
        assert_eq!(outcome(result), "TransactionCanceledException", "{other}");
    }
}
