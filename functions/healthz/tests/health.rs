//! What anybody is told about the vault.

use chartseal_events::wire::Health;
use chartseal_events::{Code, EventRef, StreamId};
use chartseal_healthz::Healthz;
use chartseal_http::testing::{ORIGIN, Stage, call, document, refused};
use chartseal_infra::memory::MemoryVault;

fn function(vault: &MemoryVault, origin: &str) -> Healthz<MemoryVault, MemoryVault> {
    Healthz { origin: origin.to_owned(), events: vault.clone(), clock: vault.clone() }
}

#[tokio::test]
async fn a_vault_that_has_begun_shows_where_trust_begins() {
    let stage = Stage::new().await;
    let answer = call(&function(&stage.vault, ORIGIN), &stage.send("GET", "/healthz", "")).await;
    let health: Health = document(&answer, 200);
    assert_eq!((health.status.as_str(), health.origin.as_str()), ("ok", ORIGIN));
    assert_eq!(health.genesis, Some(stage.genesis));
    let sound = health.evidence.verify(&stage.genesis).expect("sound");
    assert!(sound.view.operators().expect("begun").keys.contains_key(&stage.operator.thumbprint()));
}

#[tokio::test]
async fn an_empty_vault_says_so() {
    let stage = Stage::new().await;
    let answer = call(&function(&MemoryVault::new(), ORIGIN), &stage.send("GET", "/healthz", "")).await;
    let health: Health = document(&answer, 200);
    assert_eq!((health.status.as_str(), health.genesis), ("empty", None));
}

#[tokio::test]
async fn a_vault_that_is_not_what_it_says_is_not_well() {
    let stage = Stage::new().await;
    let get = stage.send("GET", "/healthz", "");
    assert_eq!(refused(&call(&function(&stage.vault, "another.example"), &get).await), Code::Internal);

    stage.vault.tamper(EventRef { stream: StreamId::Vault, seq: 0 }, "{}");
    let answer = call(&function(&stage.vault, ORIGIN), &get).await;
    assert_eq!(refused(&answer), Code::Internal);
    assert!(!answer.json.contains("vault#0"), "what is damaged is for the log");
}

#[tokio::test]
async fn nothing_else_is_answered() {
    let stage = Stage::new().await;
    let function = function(&stage.vault, ORIGIN);
    for (method, path) in [("POST", "/healthz"), ("GET", "/healthz/"), ("GET", "/"), ("GET", "")] {
        assert_eq!(refused(&call(&function, &stage.send(method, path, "")).await), Code::NoRoute, "{method} {path}");
    }
}
