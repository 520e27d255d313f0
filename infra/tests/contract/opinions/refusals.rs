//! Refusals that no implementation here gives, as AWS words them: what the adapters make of each, and how often they try.
//!
//! AWS: the errors of "Decrypt" and "GenerateDataKey" and "Common Errors" (AWS KMS API Reference); of "PutItem", "TransactWriteItems" and
//! "BatchGetItem" (Amazon DynamoDB API Reference); "Error handling with DynamoDB" and "Managing complex workflows with DynamoDB transactions" (Amazon
//! DynamoDB Developer Guide).

use chartseal_events::event::StoredEvent;
use chartseal_infra::aws::{DynamoStore, KmsDataKeyOpener, KmsDataKeys, ServiceFailure, Tables};
use chartseal_infra::ports::{Append, DataKeyOpener as _, DataKeys as _, EventStore as _, KeyContext, StoreError};
use serde_json::{Value, json};

use super::scripted::{Answer, Scripted};
use crate::subject::{AT_MS, event, id, place, private, record, single};

/// The attempts of one call (`infra/src/aws/config.rs`).
const ATTEMPTS: usize = 3;

pub fn refusal(status: u16, code: &str) -> Answer {
    (status, json!({"__type": code, "message": "as AWS says it"}).to_string())
}

/// What a result comes to: `ok`, `damaged`, `conflict`, or the code of the service's refusal.
pub fn outcome<T>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(StoreError::Damaged { .. }) => "damaged".to_owned(),
        Err(StoreError::Conflict(_)) => "conflict".to_owned(),
        Err(StoreError::Unavailable { source, .. }) => source.downcast::<ServiceFailure>().expect("a refusal").code,
    }
}

fn context() -> KeyContext {
    KeyContext { tenant: "vault.example".to_owned(), record: id(1), version: 1 }
}

/// Status, code, and whether it is worth another attempt.
const KMS_REFUSALS: [(u16, &str, bool); 16] = [
    (400, "InvalidCiphertextException", false),
    (400, "IncorrectKeyException", false),
    (400, "AccessDeniedException", false),
    (400, "DisabledException", false),
    (400, "InvalidGrantTokenException", false),
    (400, "InvalidKeyUsageException", false),
    (400, "KMSInvalidStateException", false),
    (400, "NotFoundException", false),
    (400, "ValidationException", false),
    (400, "UnrecognizedClientException", false),
    (400, "LimitExceededException", true),
    (400, "ThrottlingException", true),
    (500, "KMSInternalException", true),
    (500, "KeyUnavailableException", true),
    (503, "DependencyTimeoutException", true),
    (503, "ServiceUnavailable", true),
];

#[tokio::test]
async fn what_kms_cannot_open_is_damaged_and_every_other_refusal_is_its_own() {
    for (status, code, again) in KMS_REFUSALS {
        let kms = Scripted::start(move |_, _| refusal(status, code));
        let attempts = if again { ATTEMPTS } else { 1 };
        let opened = KmsDataKeyOpener::new(&kms.config(), "arn").unwrap(&context(), b"wrapped").await;
        let of_the_ciphertext = ["InvalidCiphertextException", "IncorrectKeyException"].contains(&code);
        assert_eq!(outcome(opened), if of_the_ciphertext { "damaged" } else { code });
        assert_eq!(kms.count("Decrypt"), attempts, "{code}");
        let made = KmsDataKeys::new(&kms.config(), "arn").generate(&context()).await;
        assert_eq!(outcome(made), code, "nothing was stored that could be damaged");
        assert_eq!(kms.count("GenerateDataKey"), attempts, "{code}");
    }
}

#[tokio::test]
async fn a_code_is_read_in_every_spelling() {
    for body in [
        r#"{"__type": "InvalidCiphertextException"}"#,
        r#"{"__type": "com.amazonaws.kms#InvalidCiphertextException", "message": null}"#,
        r#"{"__type": "InvalidCiphertextException:http://internal.amazon.com/coral/com.amazonaws.kms/", "Message": ""}"#,
    ] {
        let kms = Scripted::start(move |_, _| (400, body.to_owned()));
        let opened = KmsDataKeyOpener::new(&kms.config(), "arn").unwrap(&context(), b"wrapped").await;
        assert_eq!(outcome(opened), "damaged", "{body}");
    }
}

#[tokio::test]
async fn a_key_that_is_not_32_bytes_is_none_of_ours() {
    for bytes in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA=="] {
        let kms = Scripted::start(move |_, _| {
            (200, json!({"KeyId": "arn", "Plaintext": bytes, "CiphertextBlob": "AAAA"}).to_string())
        });
        let opened = KmsDataKeyOpener::new(&kms.config(), "arn").unwrap(&context(), b"wrapped").await;
        assert_eq!(outcome(opened), "damaged", "{bytes:?}");
        let made = KmsDataKeys::new(&kms.config(), "arn").generate(&context()).await;
        assert_eq!(outcome(made), "Unusable", "{bytes:?}");
    }
}

fn tables() -> Tables {
    let named = |name: &str| Some(name.to_owned());
    Tables { events: named("events"), private: named("private"), ..Tables::default() }
}

/// What stands in the table, as `BatchGetItem` answers it.
fn there(events: &[StoredEvent]) -> String {
    let item = |event: &StoredEvent| {
        let body = base64_of(event.body.as_bytes());
        json!({"stream": {"S": event.at.stream.to_string()}, "seq": {"N": event.at.seq.to_string()}, "body": {"B": body}})
    };
    json!({"Responses": {"events": events.iter().map(item).collect::<Vec<_>>()}, "UnprocessedKeys": {}}).to_string()
}

/// Standard base64, as the wire has it.
pub fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub fn cancelled(reasons: &[&str]) -> Answer {
    let reasons: Vec<Value> = reasons.iter().map(|code| json!({"Code": code})).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
        "CancellationReasons": reasons,
    });
    (400, body.to_string())
}

fn alone() -> Append {
    single(event(record(1), 0, "ours"), AT_MS)
}

fn together() -> Append {
    Append {
        events: vec![event(record(1), 0, "ours"), event(record(2), 0, "ours, too")],
        private: private("because"),
        ..alone()
    }
}

/// A table where writes are answered so, and where these events stand.
fn table(write: impl Fn(usize) -> Answer + Send + Sync + 'static, stands: Vec<StoredEvent>) -> Scripted {
    Scripted::start(move |operation, before| match operation {
        "BatchGetItem" => (200, there(&stands)),
        _ => write(before),
    })
}

#[tokio::test]
async fn a_refused_write_is_settled_by_what_stands_there() {
    let refusals: [(&Append, Answer, &str); 8] = [
        (&alone(), refusal(400, "ProvisionedThroughputExceededException"), "ProvisionedThroughputExceededException"),
        (&alone(), refusal(500, "InternalServerError"), "InternalServerError"),
        (&alone(), refusal(400, "AccessDeniedException"), "AccessDeniedException"),
        (&together(), refusal(400, "IdempotentParameterMismatchException"), "IdempotentParameterMismatchException"),
        (&together(), cancelled(&["None", "ThrottlingError", "None"]), "TransactionCanceledException"),
        (&together(), cancelled(&["ProvisionedThroughputExceeded", "None", "None"]), "TransactionCanceledException"),
        (&together(), cancelled(&["None", "ValidationError", "None"]), "TransactionCanceledException"),
        (&together(), refusal(400, "ValidationException"), "ValidationException"),
    ];
    for (append, answer, code) in refusals {
        let mut theirs = append.events.clone();
        theirs[0] = event(theirs[0].at.stream, 0, "theirs");
        for (stands, expected) in [(append.events.clone(), "ok"), (theirs, "conflict"), (Vec::new(), code)] {
            let answer = answer.clone();
            let service = table(move |_| answer.clone(), stands);
            let result = DynamoStore::new(&service.config(), tables()).append(append).await;
            assert_eq!(outcome(result), expected, "{code}");
        }
    }
}

#[tokio::test]
async fn a_place_that_is_busy_is_waited_for() {
    let conflict = || refusal(400, "TransactionConflictException");
    let in_progress = || refusal(400, "TransactionInProgressException");
    let reason = || cancelled(&["None", "TransactionConflict", "None"]);
    let busy: [(&Append, &dyn Fn() -> Answer); 3] =
        [(&alone(), &conflict), (&together(), &in_progress), (&together(), &reason)];
    for (append, answer) in busy {
        let refused = answer();
        let (once, always) = (refused.clone(), refused);
        let service = table(move |before| if before < 3 { once.clone() } else { (200, "{}".to_owned()) }, Vec::new());
        let result = DynamoStore::new(&service.config(), tables()).append(append).await;
        assert_eq!(outcome(result), "ok", "it is free in the end");
        let service = table(move |_| always.clone(), Vec::new());
        let result = DynamoStore::new(&service.config(), tables()).append(append).await;
        assert!(matches!(result, Err(StoreError::Conflict(at)) if at == place(record(1), 0)), "{result:?}");
    }
}

#[tokio::test]
async fn what_a_batch_leaves_is_asked_for_until_nothing_comes() {
    let events: Vec<StoredEvent> = (0..3).map(|n| event(record(n), 0, format!("event {n}"))).collect();
    let left = |events: &[StoredEvent]| {
        let key = |event: &StoredEvent| json!({"stream": {"S": event.at.stream.to_string()}, "seq": {"N": "0"}});
        json!({"events": {"Keys": events.iter().map(key).collect::<Vec<_>>(), "ConsistentRead": true}})
    };
    // One event at a time, with nothing now and then.
    let answers: Vec<String> = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 3)]
        .into_iter()
        .map(|(from, to)| {
            let mut answer: Value = serde_json::from_str(&there(&events[from..to])).expect("JSON");
            if to < events.len() {
                answer["UnprocessedKeys"] = left(&events[to..]);
            }
            answer.to_string()
        })
        .collect();
    let service = Scripted::start(move |_, before| (200, answers[before].clone()));
    let places: Vec<_> = events.iter().map(|event| event.at).collect();
    let found = DynamoStore::new(&service.config(), tables()).fetch(&places).await.expect("fetches");
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), events);
    let asked: Vec<usize> = service
        .asked()
        .iter()
        .map(|asked| asked.question["RequestItems"]["events"]["Keys"].as_array().expect("keys").len())
        .collect();
    assert_eq!(asked, [3, 3, 2, 2, 1]);

    let nothing = json!({"Responses": {}, "UnprocessedKeys": left(&events)}).to_string();
    let service = Scripted::start(move |_, _| (200, nothing.clone()));
    let result = DynamoStore::new(&service.config(), tables()).fetch(&places).await;
    assert_eq!(outcome(result), "Unusable", "it ends");
}
