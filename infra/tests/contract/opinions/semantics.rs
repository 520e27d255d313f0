//! What the adapter of DynamoDB relies on beyond the ports' contract, asked of both implementations.
//!
//! AWS: "PutItem", "TransactWriteItems" and "BatchGetItem" (Amazon DynamoDB API Reference); "Quotas in Amazon DynamoDB", "Query" and "Attribute
//! projections" (Amazon DynamoDB Developer Guide).

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsOutput};
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use chartseal_events::{Bytes, EventRef};
use chartseal_infra::aws::DynamoStore;
use chartseal_infra::ports::{Append, EventStore as _, KeyItem, KeyTable as _, StoreError};
use futures_util::future::join_all;

use super::{Opinion, on};
use crate::subject::{AT_MS, Subject as _, event, id, place, private, record, single};

on! {
    a_refused_transaction_says_which_item_was_there: second, emulator;
    a_token_stands_for_one_content: second, emulator;
    a_token_that_is_met_with_other_content_is_settled_by_looking: second, emulator;
    the_most_that_is_appended_together_fits: second, emulator;
    a_race_of_single_writes_and_transactions_has_one_winner: second, emulator;
    an_event_that_is_too_large_is_refused_and_leaves_nothing: second, emulator;
    a_stream_is_paged_by_the_megabyte: second, emulator;
    more_than_a_batch_holds_is_fetched_whole: second, emulator;
    a_batch_of_16_mb_leaves_some_for_the_next: second;
    the_index_over_time_holds_keys_alone: second, emulator;
    places_are_numbers_up_to_the_last: second, emulator;
}

/// At 200 kB each: more than the 16 MB of one `BatchGetItem`.
const LARGE_EVENTS: u8 = 100;
const LARGE_BYTES: usize = 200_000;
/// An item's largest size, names of attributes included.
const MAX_ITEM_BYTES: usize = 400 * 1024;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A token that nobody else has.
fn unique() -> String {
    // At most 36 characters are one.
    crate::emulated::unique().trim_start_matches("chartseal-contract-").to_owned()
}

/// A put of `(stream, seq)` with a word in it, where nothing is yet; refused, it shows what is.
fn put_new(table: &str, seq: u64, word: &str) -> TransactWriteItem {
    let put =
        Put::builder().table_name(table).item("stream", text("s")).item("seq", AttributeValue::N(seq.to_string()));
    let put = put.item("word", text(word)).condition_expression("attribute_not_exists(#key)");
    let put = put.expression_attribute_names("#key", "stream");
    let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    TransactWriteItem::builder().put(put.build().expect("complete")).build()
}

/// The puts of some places, each with its word.
fn puts(opinion: &Opinion, items: &[(u64, &str)]) -> Vec<TransactWriteItem> {
    items.iter().map(|(seq, word)| put_new(opinion.events(), *seq, word)).collect()
}

async fn transact(
    opinion: &Opinion,
    items: Vec<TransactWriteItem>,
    token: &str,
) -> Result<TransactWriteItemsOutput, TransactWriteItemsError> {
    let call = opinion.client().transact_write_items().set_transact_items(Some(items)).client_request_token(token);
    call.send().await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error)
}

async fn a_refused_transaction_says_which_item_was_there(opinion: &Opinion) {
    transact(opinion, puts(opinion, &[(1, "first")]), &unique()).await.expect("a free place");
    let mine = puts(opinion, &[(0, "mine"), (1, "mine"), (2, "mine")]);
    let refused = transact(opinion, mine, &unique()).await.expect_err("taken");
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = refused else { panic!("{refused:?}") };
    let reasons = cancelled.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap_or("None")).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed", "None"]);
    assert_eq!(reasons[1].item().and_then(|item| item.get("word")), Some(&text("first")));
}

async fn a_token_stands_for_one_content(opinion: &Opinion) {
    let (token, next) = (unique(), unique());
    // A copy, because DynamoDB Local compares how a call is spelt, and the members of another one may come in another order.
    let mine = puts(opinion, &[(0, "mine"), (1, "mine")]);
    transact(opinion, mine.clone(), &token).await.expect("free places");
    transact(opinion, mine, &token).await.expect("the same call again, although the places are taken");
    let other = puts(opinion, &[(0, "other"), (1, "mine")]);
    let other = transact(opinion, other, &token).await.expect_err("another content");
    assert!(matches!(other, TransactWriteItemsError::IdempotentParameterMismatchException(_)), "{other:?}");
    // A call that was refused used nothing up.
    transact(opinion, puts(opinion, &[(0, "late"), (5, "late")]), &next).await.expect_err("taken");
    transact(opinion, puts(opinion, &[(5, "late")]), &next).await.expect("a free place");
}

async fn a_token_that_is_met_with_other_content_is_settled_by_looking(opinion: &Opinion) {
    let store = opinion.store();
    // The token is made of the events. Private values and keys follow from them, so other ones are somebody's mistake.
    let first = Append { private: private("because"), ..single(event(record(1), 0, "event"), AT_MS) };
    let again = Append { private: private("for another reason"), ..first.clone() };
    store.append(&first).await.expect("a free place");
    store.append(&again).await.expect("the event stands there");
    assert_eq!(store.private(&place(record(1), 0)).await.expect("loads"), first.private, "as it was");
}

async fn the_most_that_is_appended_together_fits(opinion: &Opinion) {
    let store = opinion.store();
    // Four events, private values and one key item are the most of any command; DynamoDB Local takes 10 items, AWS 100.
    let header = KeyItem::Header { record: id(1), version: 1, message_id: Bytes([5; 32]), header: vec![1; 1000] };
    let wrapped = KeyItem::Wrapped { record: id(1), version: 1, wrapped: vec![2; 200] };
    let append = Append {
        events: (0..4).map(|n| event(record(n), 0, format!("event {n}"))).collect(),
        at_ms: AT_MS,
        private: private("because"),
        keys: vec![wrapped, header],
    };
    store.append(&append).await.expect("free places");
    store.append(&append).await.expect("once more");
    let places: Vec<EventRef> = append.events.iter().map(|event| event.at).collect();
    let found = store.fetch(&places).await.expect("fetches");
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), append.events);
    assert_eq!(store.wrapped(id(1), 1).await.expect("loads"), Some(vec![2; 200]));
}

async fn a_race_of_single_writes_and_transactions_has_one_winner(opinion: &Opinion) {
    let store = opinion.store();
    for seq in 0..3 {
        let rivals: Vec<Append> = (0..16)
            .map(|n| {
                let mut append = single(event(record(1), seq, format!("rival {n}")), AT_MS);
                if n % 2 == 1 {
                    append.events.push(event(record(100 + n), seq, format!("own {n}")));
                }
                append
            })
            .collect();
        let results = join_all(rivals.iter().map(|append| store.append(append))).await;
        let winners = results.iter().filter(|result| result.is_ok()).count();
        let losers = results.iter().filter(|result| matches!(result, Err(StoreError::Conflict(_)))).count();
        assert_eq!((winners, losers), (1, 15), "{results:?}");
    }
    assert_eq!(store.load(&record(1)).await.expect("loads").len(), 3);
}

async fn an_event_that_is_too_large_is_refused_and_leaves_nothing(opinion: &Opinion) {
    let store = opinion.store();
    let largest = "x".repeat(MAX_ITEM_BYTES - 500);
    store.append(&single(event(record(1), 0, largest.clone()), AT_MS)).await.expect("it fits with its keys");
    assert_eq!(store.load(&record(1)).await.expect("loads")[0].body, largest);
    let too_large = event(record(2), 0, "x".repeat(MAX_ITEM_BYTES));
    let alone = single(too_large.clone(), AT_MS);
    let together = Append { events: vec![event(record(3), 0, "small"), too_large], at_ms: AT_MS, ..Append::default() };
    for append in [alone, together] {
        let refused = store.append(&append).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        for event in &append.events {
            assert!(store.load(&event.at.stream).await.expect("loads").is_empty());
        }
    }
}

/// Events of 200 kB, each of a stream of its own.
async fn large_events(opinion: &Opinion) -> Vec<EventRef> {
    let appends: Vec<Append> =
        (0..LARGE_EVENTS).map(|n| single(event(record(n), 0, n.to_string().repeat(LARGE_BYTES / 2)), AT_MS)).collect();
    for some in appends.chunks(8) {
        for result in join_all(some.iter().map(|append| opinion.store().append(append))).await {
            result.expect("a free place");
        }
    }
    appends.iter().map(|append| append.events[0].at).collect()
}

async fn more_than_a_batch_holds_is_fetched_whole(opinion: &Opinion) {
    let places = large_events(opinion).await;
    // An answer of 16 MB takes a debug build longer than the three seconds that a function gives it.
    let patient = TimeoutConfig::builder().operation_timeout(Duration::from_mins(1)).build();
    let config = opinion.config.to_builder().timeout_config(patient).build();
    let found = DynamoStore::new(&config, opinion.tables.clone()).fetch(&places).await.expect("fetches");
    assert_eq!(found.len(), places.len());
    for (place, found) in places.iter().zip(found) {
        let found = found.unwrap_or_else(|| panic!("{place} is missing"));
        assert_eq!((found.at, found.body.len() >= LARGE_BYTES / 2), (*place, true));
    }
}

async fn a_batch_of_16_mb_leaves_some_for_the_next(opinion: &Opinion) {
    let places = large_events(opinion).await;
    let keys = places.iter().map(|place| {
        [("stream".to_owned(), text(&place.stream.to_string())), ("seq".to_owned(), AttributeValue::N("0".to_owned()))]
            .into()
    });
    let keys = KeysAndAttributes::builder().set_keys(Some(keys.collect())).projection_expression("seq");
    let call = opinion.client().batch_get_item().request_items(opinion.events(), keys.build().expect("complete"));
    let answer = call.send().await.expect("a batch");
    let found = answer.responses.expect("some")[opinion.events()].len();
    let left = answer.unprocessed_keys.expect("some")[opinion.events()].clone();
    // Whole items count, even where little of them is asked for; and what is left is asked for in the same way.
    assert_eq!(found + left.keys().len(), places.len());
    assert!(!left.keys().is_empty() && found > 0);
    assert_eq!(left.projection_expression(), Some("seq"));
}

fn query(opinion: &Opinion, key: &str, value: &str) -> QueryFluentBuilder {
    let query = opinion.client().query().table_name(opinion.events()).key_condition_expression("#key = :value");
    query.expression_attribute_names("#key", key).expression_attribute_values(":value", text(value))
}

async fn a_stream_is_paged_by_the_megabyte(opinion: &Opinion) {
    let stream = record(1);
    for seq in 0..6 {
        opinion.store().append(&single(event(stream, seq, "x".repeat(300_000)), AT_MS)).await.expect("a free place");
    }
    let (mut pages, mut start) = (Vec::new(), None);
    loop {
        // The size of what is read counts, not of what is shown.
        let query = query(opinion, "stream", &stream.to_string()).projection_expression("seq");
        let page = query.set_exclusive_start_key(start).send().await.expect("a page");
        pages.push(page.items().len());
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().sum::<usize>(), 6, "{pages:?}");
    assert!(pages.len() >= 2 && pages.iter().all(|events| *events <= 4), "{pages:?}");
    assert_eq!(opinion.store().load(&stream).await.expect("loads").len(), 6);
}

async fn the_index_over_time_holds_keys_alone(opinion: &Opinion) {
    let append = Append { private: private("because"), ..single(event(record(1), 0, "body"), AT_MS) };
    opinion.store().append(&append).await.expect("a free place");
    let item = opinion.client().get_item().table_name(opinion.events()).key("stream", text(&record(1).to_string()));
    let item = item.key("seq", AttributeValue::N("0".to_owned())).send().await.expect("reads").item.expect("an item");
    let hour = item["hour"].as_s().expect("text");
    let found = query(opinion, "hour", hour).index_name("by_time").send().await.expect("a page").items.expect("some");
    let mut names: Vec<_> = found[0].keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!((found.len(), names), (1, vec!["hour", "moment", "seq", "stream"]));
    let strong = query(opinion, "hour", hour).index_name("by_time").consistent_read(true).send().await;
    assert_eq!(strong.expect_err("an index is behind").code(), Some("ValidationException"));
}

async fn places_are_numbers_up_to_the_last(opinion: &Opinion) {
    let store = opinion.store();
    let seqs = [0, 9, 10, 99, 100, 1 << 53, (1 << 53) + 1, u64::MAX - 1, u64::MAX];
    for seq in seqs.into_iter().rev() {
        store.append(&single(event(record(1), seq, seq.to_string()), AT_MS)).await.expect("a free place");
    }
    let loaded = store.load(&record(1)).await.expect("loads");
    assert_eq!(loaded.iter().map(|event| event.at.seq).collect::<Vec<_>>(), seqs, "as numbers, and to the last digit");
    let last = store.fetch(&[place(record(1), u64::MAX)]).await.expect("fetches");
    assert_eq!(last[0].as_ref().map(|event| event.body.as_str()), Some("18446744073709551615"));
}
