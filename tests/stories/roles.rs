//! What the functions' roles may and may not do, tried with their own credentials.

use std::collections::BTreeSet;

use chartseal_tests::hands::Attempt;
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
fn every_role_can_do_what_the_template_grants_and_nothing_else() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(10).path(), &[]).record;
    benedikt.granted(stack, record);
    let attempts = Hands(stack).rights();

    let tried: BTreeSet<&str> = attempts.iter().map(|one| one.function.as_str()).collect();
    assert_eq!(tried, stack.outputs.functions.keys().map(String::as_str).collect());
    // The emulator weighs rights on a table's stream against a policy for everything, so here the consumer has none of them.
    let beyond_the_emulator = |one: &&Attempt| one.granted && !one.allowed && one.place == "EventsTable/stream";
    let wrong: Vec<_> = attempts.iter().filter(|one| one.granted != one.allowed && !beyond_the_emulator(one)).collect();
    assert!(wrong.is_empty(), "{} of {} attempts: {wrong:#?}", wrong.len(), attempts.len());
    eprintln!("{} attempts by {} roles, {} of them allowed", attempts.len(), tried.len(), allowed(&attempts).count());
    no_harm_in_any_role(&attempts);
}

fn allowed(attempts: &[Attempt]) -> impl Iterator<Item = &Attempt> {
    attempts.iter().filter(|one| one.allowed)
}

/// What must not be granted to anybody, or not together, whatever the template says.
fn no_harm_in_any_role(attempts: &[Attempt]) {
    let who = |may: &dyn Fn(&Attempt) -> bool| -> BTreeSet<String> {
        allowed(attempts).filter(|one| may(one)).map(|one| one.function.clone()).collect()
    };
    let of = |service: &'static str, place: &'static str| {
        move |one: &Attempt| one.action.starts_with(service) && one.place.starts_with(place)
    };
    let opens = who(&|one| one.action == "kms:Decrypt" && one.place == "RecordKey");
    assert_eq!(opens, BTreeSet::from(["issue-key".to_owned()]));
    let reaches_bodies = who(&of("s3:", "BlobBucket"));
    assert!(opens.is_disjoint(&reaches_bodies), "{opens:?} open data keys, {reaches_bodies:?} have the bucket");
    let changes = ["dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem"];
    for table in ["EventsTable", "BlocksTable"] {
        assert_eq!(who(&|one| changes.contains(&&*one.action) && one.place == table), BTreeSet::new(), "{table}");
    }
    let unlocks =
        |one: &Attempt| ["Delete", "Bypass", "Retention", "ObjectLock"].iter().any(|word| one.action.contains(word));
    assert_eq!(who(&|one| one.place.starts_with("LedgerBucket") && unlocks(one)), BTreeSet::new());
    assert_eq!(who(&|one| one.action == "dynamodb:Scan"), BTreeSet::new(), "nobody reads a whole table");
    for service in ["iam:", "sts:", "lambda:", "logs:", "events:", "cloudformation:"] {
        assert_eq!(who(&of(service, "")), BTreeSet::new(), "{service}");
    }
    let seal = BTreeSet::from(["seal".to_owned()]);
    assert_eq!(who(&|one| one.action == "kms:Sign" && one.place == "LogKey"), seal);
    let shows = BTreeSet::from(["ledger-api".to_owned()]);
    assert_eq!(who(&|one| one.action == "kms:Sign" && one.place != "LogKey"), shows, "the clock's key");
    assert!(!who(&of("kms:", "")).contains("cosign"), "whoever calls strangers holds no key");
    assert_eq!(who(&|one| one.action == "dynamodb:PutItem" && one.place == "BlocksTable"), seal);
    assert_eq!(who(&|one| one.action == "s3:PutObject" && one.place.starts_with("LedgerBucket")), seal);
    let governing_keys = ["kms:PutKeyPolicy", "kms:CreateGrant", "kms:ScheduleKeyDeletion", "kms:DisableKey"];
    assert_eq!(who(&|one| governing_keys.contains(&&*one.action)), BTreeSet::new());
}
