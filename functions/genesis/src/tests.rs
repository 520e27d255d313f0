use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use chartseal_events::Hash;
use chartseal_http::testing::Wallet;
use chartseal_infra::faulty::{Call, Fault, Faulty};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::SearchKeyVault as _;
use chartseal_ledger::terms::SearchKey;
use serde_json::{Value, json};

use super::*;

type Twin = Vault<MemoryVault, MemoryVault, MemoryVault, MemoryVault, MemoryVault>;

fn vault(world: &MemoryVault, origin: &str, operator_keys: &str) -> Twin {
    Vault {
        events: world.clone(),
        search_keys: world.clone(),
        log_key: world.clone(),
        clock_key: world.clone(),
        clock: world.clone(),
        origin: origin.to_owned(),
        operator_keys: operator_keys.to_owned(),
    }
}

fn keys() -> String {
    format!("{}, {}", Wallet::operator(1).sign_key(), Wallet::operator(2).sign_key())
}

fn request(kind: &str) -> Request {
    let sample = include_str!("../../../events/samples/genesis-create.json");
    let mut sample: Value = serde_json::from_str(sample).expect("JSON");
    sample["RequestType"] = kind.into();
    serde_json::from_value(sample).expect("a request")
}

async fn genesis(vault: &Twin, kind: &str) -> Result<Option<Hash>, GenesisError> {
    vault.handle(&request(kind)).await
}

#[tokio::test]
async fn a_vault_begins_once() {
    let world = MemoryVault::new();
    let leaf = genesis(&vault(&world, "v.example", &keys()), "Create").await.expect("begun").expect("a leaf");
    let operators = vault(&world, "v.example", "").operators().await.expect("memory").expect("begun");
    assert_eq!((operators.genesis_leaf, operators.keys.len()), (leaf, 2));
    let kept = world.open(1).await.expect("memory").expect("kept");
    assert_eq!(operators.genesis.search_key.0, SearchKey::from_bytes(&kept).expect("a key").public_key());

    for (kind, keys) in [("Create", keys()), ("Update", keys()), ("Update", Wallet::operator(3).sign_key().to_string())]
    {
        let again = genesis(&vault(&world, "v.example", &keys), kind).await.expect("as it is");
        assert_eq!(again, Some(leaf), "the parameter seeds the vault and nothing else");
    }
    assert_eq!(genesis(&vault(&world, "v.example", &keys()), "Delete").await.expect("nothing to do"), None);
    assert_eq!(world.events().len(), 1);
}

#[tokio::test]
async fn an_origin_never_changes() {
    let world = MemoryVault::new();
    genesis(&vault(&world, "v.example", &keys()), "Create").await.expect("begun");
    let other = genesis(&vault(&world, "w.example", &keys()), "Update").await;
    assert!(matches!(other, Err(GenesisError::OriginChanged(origin)) if origin == "v.example"));
}

#[tokio::test]
async fn bad_operator_keys_begin_nothing_and_the_reason_says_which() {
    let world = MemoryVault::new();
    let good = Wallet::operator(1).sign_key().to_string();
    let of = |keys: String| {
        let world = world.clone();
        async move { genesis(&vault(&world, "v.example", &keys), "Create").await.expect_err("refused").to_string() }
    };
    assert!(of(format!("{good},none")).await.contains("key 2"));
    assert!(of(String::new()).await.contains("key 1"));
    assert!(of(format!("{good},{good}")).await.contains("distinct"));
    let zero = Bytes([0; 32]).to_string();
    assert!(of(zero).await.contains("OperatorKeys"), "a key that anybody could sign for");
    assert!(world.events().is_empty());
}

#[tokio::test]
async fn of_two_runs_one_begins_the_vault_and_both_say_the_same() {
    let first = MemoryVault::new();
    let leaf = genesis(&vault(&first, "v.example", &keys()), "Create").await.expect("begun");
    let overtaking = first.events().remove(0);

    // Another world in which the same event takes effect between the look and the append.
    let world = MemoryVault::new();
    let faulty = Faulty::new(world.clone());
    let at_ms = first.events()[0].open().expect("sound").at_ms;
    let append = chartseal_infra::ports::Append { events: vec![overtaking], at_ms, ..Default::default() };
    faulty.plan().fail(Call::Append, 0, Fault::overtaken_by(&world, append));
    let late = Vault {
        events: faulty,
        search_keys: world.clone(),
        log_key: world.clone(),
        clock_key: world.clone(),
        clock: world.clone(),
        origin: "v.example".to_owned(),
        operator_keys: keys(),
    };
    assert_eq!(late.handle(&request("Create")).await.expect("begun by the other"), leaf);
    assert_eq!(world.events().len(), 1);
}

#[tokio::test]
async fn a_run_that_died_after_making_the_search_key_is_taken_up() {
    let world = MemoryVault::new();
    let faulty = Faulty::new(world.clone());
    faulty.plan().fail(Call::Append, 0, Fault::Before);
    let dying = Vault {
        events: faulty,
        search_keys: world.clone(),
        log_key: world.clone(),
        clock_key: world.clone(),
        clock: world.clone(),
        origin: "v.example".to_owned(),
        operator_keys: keys(),
    };
    dying.handle(&request("Create")).await.expect_err("the store failed");
    let kept = world.open(1).await.expect("memory").expect("kept");
    genesis(&vault(&world, "v.example", &keys()), "Create").await.expect("begun");
    let operators = vault(&world, "v.example", "").operators().await.expect("memory").expect("begun");
    assert_eq!(
        operators.genesis.search_key.0,
        SearchKey::from_bytes(&kept).expect("a key").public_key(),
        "the key that is kept"
    );
}

#[tokio::test]
async fn cloudformation_gets_its_answer_also_when_nothing_worked() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/response?signature=x", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("a call");
        let mut heard = Vec::new();
        let mut room = [0; 4096];
        // The answer is one JSON object: it is complete with its last brace.
        while !heard.ends_with(b"}") {
            let count = connection.read(&mut room).expect("bytes");
            assert!(count > 0, "the call ended early");
            heard.extend_from_slice(&room[..count]);
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").expect("answered");
        String::from_utf8(heard).expect("text")
    });
    let mut request = request("Create");
    request.response_url = Some(url);
    let answer = Answer::new(&request, Err(GenesisError::BadOperatorKey(1)));
    deliver(&request, &answer).await.expect("delivered");
    let received = server.join().expect("a server");
    let (head, body) = received.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("PUT /response?signature=x HTTP/1.1\r\n"), "{head}");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["Status"], "FAILED");
    assert!(body["Reason"].as_str().is_some_and(|reason| reason.contains("key 1")));
    assert_eq!(body["RequestId"], "5478764a-7a2b-4b3c-9f0e-2f2b6d5b0a11");
    assert_eq!((&body["LogicalResourceId"], &body["PhysicalResourceId"]), (&json!("Genesis"), &json!("vault")));
}

#[tokio::test]
async fn without_an_address_the_answer_is_the_result() {
    let mut request = request("Create");
    request.response_url = None;
    let answer = Answer::new(&request, Ok(Some(Hash([1; 32]))));
    deliver(&request, &answer).await.expect("nothing to send");
    let json = serde_json::to_value(&answer).expect("JSON");
    assert_eq!(json["Status"], "SUCCESS");
    assert_eq!(json["Data"]["Genesis"], Hash([1; 32]).to_string());
    assert_eq!(json.get("Reason"), None);
}
