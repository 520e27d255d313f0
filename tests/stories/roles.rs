//! What the functions' roles may not do, tried with their own credentials.

use chartseal_tests::{Hands, Hospital, Stack, sample};
use serde_json::json;

#[test]
fn no_role_can_both_open_keys_and_read_bodies() {
    let stack = Stack::usual();
    let hands = Hands(stack);
    let anna = Hospital::verified(stack, "St. Anna");
    let record = anna.keep(sample(10).path(), &[]).record;
    let object = hands.objects(&format!("records/{record}/")).remove(0);
    let read = json!(["s3", "get_object", {"Bucket": stack.output("BlobBucket"), "Key": object}]);
    let wrapped = hands.try_do(&json!({
        "do": "binary", "table": stack.output("KeysTable"), "prefix": format!("{record}/1"), "attribute": "wrapped"
    }));
    let wrapped = wrapped.expect("the wrapped key").as_str().expect("hex").to_owned();
    let context = json!({"tenant": stack.vault().origin(), "record": record.to_string(), "version": "1"});
    let decrypt = json!(["kms", "decrypt", {"CiphertextBlob": wrapped, "EncryptionContext": context, "KeyId": stack.output("RecordKey")}]);
    let mut opens = Vec::new();
    for function in stack.outputs.functions.keys() {
        let may = hands.may(function, &json!([read, decrypt]));
        assert!(may != [true, true], "{function} can read bodies and open their keys");
        if may[1] {
            opens.push(function.as_str());
        }
    }
    assert_eq!(opens, ["issue-key"], "exactly one function opens data keys");
}

#[test]
fn roles_cannot_write_what_is_not_theirs() {
    let stack = Stack::usual();
    let hands = Hands(stack);
    let delete = json!(["dynamodb", "delete_item", {
        "TableName": stack.output("EventsTable"), "Key": {"stream": {"S": "vault"}, "seq": {"N": "99"}}
    }]);
    let update = json!(["dynamodb", "update_item", {
        "TableName": stack.output("EventsTable"), "Key": {"stream": {"S": "vault"}, "seq": {"N": "99"}}
    }]);
    let sign = json!(["kms", "schedule_key_deletion", {"KeyId": stack.output("RecordKey")}]);
    for function in stack.outputs.functions.keys() {
        let may = hands.may(function, &json!([delete, update, sign]));
        assert_eq!(may, [false; 3], "{function} can change or delete events, or end a key");
    }
}
