use serde_json::json;

use super::*;

fn mirror() -> Mirror {
    let mut mirror = Mirror::default();
    let schema = |names: &[&str]| -> Value { names.iter().map(|name| json!({"AttributeName": name})).collect() };
    let index =
        json!({"IndexName": "by_time", "KeySchema": schema(&["hour"]), "Projection": {"ProjectionType": "KEYS_ONLY"}});
    for (name, indexes) in [("events", json!([index])), ("plain", json!([]))] {
        let asked =
            json!({"TableName": name, "KeySchema": schema(&["stream", "seq"]), "GlobalSecondaryIndexes": indexes});
        mirror.observe("CreateTable", &asked, 200, &json!({}));
    }
    mirror
}

/// An item of so many bytes.
fn event(seq: u64, bytes: usize) -> Value {
    let mut item =
        json!({"stream": {"S": "vault"}, "seq": {"N": seq.to_string()}, "hour": {"S": "h"}, "body": {"S": ""}});
    let rest = bytes - item_bytes(item.as_object().expect("an item"));
    item["body"]["S"] = "x".repeat(rest).into();
    item
}

fn put(mirror: &mut Mirror, table: &str, item: &Value) -> f64 {
    mirror.observe("PutItem", &json!({"TableName": table, "Item": item}), 200, &json!({})).write
}

#[test]
fn units_are_counted_in_blocks() {
    // Developer Guide, "DynamoDB read and write operations": 15 KB take 4 strongly consistent reads, 2 eventually consistent; 3.5 KB take 4 writes.
    assert_eq!((read_units(15 * 1024, true), read_units(15 * 1024, false)), (4.0, 2.0));
    assert_eq!(write_units(3_584), 4.0);
    assert_eq!((read_units(0, true), read_units(0, false), write_units(0)), (1.0, 0.5, 1.0));
    assert_eq!((write_units(1024), write_units(1025)), (1.0, 2.0));
}

#[test]
fn a_write_pays_for_the_larger_item_and_for_the_index() {
    let mut mirror = mirror();
    assert_eq!(put(&mut mirror, "plain", &event(1, 1500)), 2.0);
    assert_eq!(put(&mut mirror, "plain", &event(1, 100)), 2.0, "the item before was larger");
    assert_eq!(put(&mut mirror, "plain", &event(1, 100)), 1.0);
    assert_eq!(put(&mut mirror, "events", &event(1, 1500)), 3.0, "and an entry of the index");
    assert_eq!(put(&mut mirror, "events", &event(1, 1400)), 2.0, "whose keys stay as they are");
    let key = json!({"stream": {"S": "vault"}, "seq": {"N": "1"}});
    let gone = json!({"TableName": "events", "Key": key});
    assert_eq!(mirror.observe("DeleteItem", &gone, 200, &json!({})).write, 3.0);
    assert_eq!(mirror.observe("DeleteItem", &gone, 200, &json!({})).write, 1.0, "there is nothing any more");
}

#[test]
fn a_refused_write_is_paid_and_not_done() {
    let mut mirror = mirror();
    put(&mut mirror, "events", &event(1, 2500));
    let asked = json!({"TableName": "events", "Item": event(1, 100)});
    let refused = json!({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"});
    assert_eq!(mirror.observe("PutItem", &asked, 400, &refused).write, 3.0);
    assert_eq!(mirror.observe("PutItem", &asked, 500, &json!({})).write, 0.0);
    let get =
        json!({"TableName": "events", "ConsistentRead": true, "Key": {"stream": {"S": "vault"}, "seq": {"N": "1"}}});
    assert_eq!(mirror.observe("GetItem", &get, 200, &json!({})).read, 1.0);
    assert_eq!(mirror.tables["events"].items.values().map(item_bytes).sum::<usize>(), 2500);
}

#[test]
fn a_transaction_doubles_the_tables_and_not_the_index() {
    let mut mirror = mirror();
    let write = |table: &str, item: Value| json!({"Put": {"TableName": table, "Item": item}});
    let asked = json!({"TransactItems": [write("events", event(1, 1500)), write("plain", event(1, 100))]});
    assert_eq!(mirror.observe("TransactWriteItems", &asked, 200, &json!({})).write, 2.0 * 2.0 + 1.0 + 2.0);
    let cancelled = json!({"__type": "TransactionCanceledException"});
    assert_eq!(mirror.observe("TransactWriteItems", &asked, 400, &cancelled).write, 6.0);
}

#[test]
fn a_query_sums_before_it_rounds_and_a_batch_rounds_each() {
    let mut mirror = mirror();
    for seq in 1..=3 {
        put(&mut mirror, "events", &event(seq, 1500));
    }
    let query = json!({"TableName": "events", "ConsistentRead": true, "KeyConditionExpression": "#s = :s",
        "ExpressionAttributeNames": {"#s": "stream"}, "ExpressionAttributeValues": {":s": {"S": "vault"}}});
    let found = json!({"Items": [{"seq": {"N": "1"}}, {"seq": {"N": "2"}}, {"seq": {"N": "3"}}]});
    assert_eq!(mirror.observe("Query", &query, 200, &found).read, 2.0, "4,500 bytes");
    assert_eq!(mirror.observe("Query", &query, 200, &json!({"Items": []})).read, 1.0);
    let key = |seq: &str| json!({"stream": {"S": "vault"}, "seq": {"N": seq}});
    let batch = json!({"RequestItems": {"events": {"Keys": [key("1"), key("2"), key("9")]}}});
    assert_eq!(mirror.observe("BatchGetItem", &batch, 200, &json!({})).read, 1.5);
}

#[test]
fn an_update_knows_what_it_made() {
    let mut mirror = mirror();
    let asked = json!({"TableName": "plain", "Key": {"stream": {"S": "rate"}, "seq": {"N": "1"}},
        "UpdateExpression": "ADD #count :amount SET expires = :expires", "ExpressionAttributeNames": {"#count": "count"},
        "ExpressionAttributeValues": {":amount": {"N": "8"}, ":expires": {"N": "12"}}});
    for _ in 0..2 {
        assert_eq!(mirror.observe("UpdateItem", &asked, 200, &json!({})).write, 1.0);
    }
    let item = mirror.tables["plain"].items.values().next().expect("an item");
    assert_eq!((&item["count"]["N"], &item["expires"]["N"]), (&json!("16"), &json!("12")));
}
