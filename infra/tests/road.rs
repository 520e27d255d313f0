//! The road of a command under faults: what a client sees when answers are lost and others are quicker, and that nothing happens twice.

use chartseal_events::command::{Claims, OperatorAdd};
use chartseal_events::event::{Genesis, StoredEvent};
use chartseal_events::private::PrivatePart;
use chartseal_events::{Action, Bytes, Code, Command, EventRef, Id, Kid, Observation, StreamId, Thumbprint};
use chartseal_infra::faulty::{Call, Fault, Faulty};
use chartseal_infra::memory::{MemoryVault, START_MS};
use chartseal_infra::ports::{Append, EventStore as _, StoreError};
use chartseal_infra::road::{Failure, Luggage, Taken, look, observe, take, take_seen};
use ed25519_dalek::SigningKey;

const ORIGIN: &str = "road.example";

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(number: u8) -> Bytes<32> {
    Bytes(key(number).verifying_key().to_bytes())
}

fn genesis() -> Observation {
    Observation::Deployed(Genesis {
        origin: ORIGIN.to_owned(),
        log_key: public(1),
        clock_key: public(4),
        search_key: public(2),
        operators: vec![public(3)],
        operator_threshold: 1,
    })
}

/// The first operator adds a key; `jti` tells commands apart.
fn add_operator(number: u8, jti: u8) -> Command {
    let claims =
        Claims { aud: ORIGIN.to_owned(), iat: START_MS / 1000, jti: Id::from_parts(START_MS, [jti; 10]), act: None };
    let action = Action::OperatorAdd(OperatorAdd { sign_key: public(number) });
    Command::sign(Kid::Key(Thumbprint::of(&public(3))), claims, action, &PrivatePart::new(), &key(3))
}

async fn begun() -> (MemoryVault, Faulty<MemoryVault>) {
    let vault = MemoryVault::new();
    let store = Faulty::new(vault.clone());
    observe(&store, &vault, &genesis()).await.expect("the vault begins");
    (vault, store)
}

async fn send(store: &Faulty<MemoryVault>, vault: &MemoryVault, command: &Command) -> Result<Taken, Failure> {
    take(store, vault, command, &Luggage::default()).await
}

/// The event that a command leads to in a vault without faults, at the next place.
async fn events_of(vault: &MemoryVault, command: &Command) -> Vec<StoredEvent> {
    let copy = MemoryVault::new();
    for event in vault.events() {
        copy.append(&Append { events: vec![event], at_ms: START_MS, ..Append::default() }).await.expect("a free place");
    }
    vec![take(&copy, vault, command, &Luggage::default()).await.expect("taken").event]
}

fn unavailable(result: &Result<Taken, Failure>) -> bool {
    matches!(result, Err(Failure::Store(StoreError::Unavailable { .. })))
}

#[tokio::test]
async fn a_lost_answer_is_met_again_by_the_same_command() {
    let (vault, store) = begun().await;
    let command = add_operator(4, 1);
    store.plan().fail(Call::Append, 1, Fault::After);
    assert!(unavailable(&send(&store, &vault, &command).await));
    vault.advance(1_000);
    let again = send(&store, &vault, &command).await.expect("met again");
    assert!(again.repeated);
    assert_eq!(again.event.at, EventRef { stream: StreamId::Vault, seq: 1 });
    assert_eq!(vault.types(StreamId::Vault), ["vault.genesis.v1", "operator.added.v1"]);
    assert_eq!(store.plan().count(Call::Append), 2, "the repetition appended nothing");
}

#[tokio::test]
async fn a_write_that_never_landed_is_made_by_the_same_command() {
    let (vault, store) = begun().await;
    let command = add_operator(4, 1);
    store.plan().fail(Call::Append, 1, Fault::Before);
    assert!(unavailable(&send(&store, &vault, &command).await));
    assert_eq!(vault.events().len(), 1, "nothing of it is left");
    let again = send(&store, &vault, &command).await.expect("taken now");
    assert!(!again.repeated);
    assert_eq!(vault.events().len(), 2);
}

#[tokio::test]
async fn who_is_overtaken_decides_again_behind_the_quicker() {
    let (vault, store) = begun().await;
    let quicker = Append { events: events_of(&vault, &add_operator(5, 2)).await, at_ms: START_MS, ..Append::default() };
    store.plan().fail(Call::Append, 1, Fault::overtaken_by(&vault, quicker));
    let taken = send(&store, &vault, &add_operator(4, 1)).await.expect("taken in the end");
    assert_eq!(taken.event.at.seq, 2, "behind the quicker one");
    assert_eq!(taken.view.operators().expect("operators").keys.len(), 3);
    assert_eq!(store.plan().count(Call::Append), 3);
}

#[tokio::test]
async fn who_looked_too_early_looks_again() {
    let (vault, store) = begun().await;
    let seen = || look(&store, [StreamId::Vault], START_MS);
    let (first, second, late) =
        (seen().await.expect("a look"), seen().await.expect("a look"), seen().await.expect("a look"));
    let command = add_operator(4, 1);
    let luggage = Luggage::default();
    let taken = take_seen(&store, &vault, &command, &luggage, first).await.expect("taken");
    assert_eq!((taken.event.at.seq, store.plan().count(Call::Append)), (1, 2), "by one append");
    // What the second one saw is no longer so: its append is a conflict, and a look of its own tells it more.
    let taken = take_seen(&store, &vault, &add_operator(5, 2), &luggage, second).await.expect("taken");
    assert_eq!((taken.event.at.seq, store.plan().count(Call::Append)), (2, 4), "by a second look");
    let again = take_seen(&store, &vault, &command, &luggage, late).await.expect("met again");
    assert!(again.repeated && vault.events().len() == 3);
}

#[tokio::test]
async fn who_is_overtaken_by_what_forbids_it_is_refused() {
    let (vault, store) = begun().await;
    let quicker = Append { events: events_of(&vault, &add_operator(4, 2)).await, at_ms: START_MS, ..Append::default() };
    store.plan().fail(Call::Append, 1, Fault::overtaken_by(&vault, quicker));
    let refused = send(&store, &vault, &add_operator(4, 1)).await;
    assert!(matches!(&refused, Err(Failure::Refused(refusal)) if refusal.code == Code::OperatorExists), "{refused:?}");
    assert_eq!(vault.events().len(), 2);
}

#[tokio::test]
async fn who_is_overtaken_by_their_own_command_meets_its_event() {
    let (vault, store) = begun().await;
    let command = add_operator(4, 1);
    let twin = Append { events: events_of(&vault, &command).await, at_ms: START_MS, ..Append::default() };
    store.plan().fail(Call::Append, 1, Fault::overtaken_by(&vault, twin.clone()));
    let taken = send(&store, &vault, &command).await.expect("met");
    assert!(taken.repeated);
    assert_eq!(taken.event, twin.events[0]);
    assert_eq!(vault.events().len(), 2);
}

#[tokio::test]
async fn a_jti_is_good_for_one_command() {
    let (vault, store) = begun().await;
    send(&store, &vault, &add_operator(4, 1)).await.expect("taken");
    let refused = send(&store, &vault, &add_operator(5, 1)).await;
    assert!(matches!(&refused, Err(Failure::Refused(refusal)) if refusal.code == Code::JtiReused), "{refused:?}");
}

#[tokio::test]
async fn a_changed_event_is_damage_not_a_decision() {
    let (vault, store) = begun().await;
    send(&store, &vault, &add_operator(4, 1)).await.expect("taken");
    let first = vault.events()[0].clone();
    vault.tamper(first.at, first.body.replace(ORIGIN, "road.example.org"));
    let result = send(&store, &vault, &add_operator(5, 2)).await;
    assert!(matches!(result, Err(Failure::Store(StoreError::Damaged { .. }))), "{result:?}");
    vault.delete_event(first.at);
    let result = send(&store, &vault, &add_operator(5, 2)).await;
    assert!(matches!(result, Err(Failure::Store(StoreError::Damaged { .. }))), "{result:?}");
    assert_eq!(vault.events().len(), 1);
}

#[tokio::test]
async fn whoever_always_loses_is_told() {
    let (vault, store) = begun().await;
    // Eight rivals, each behind the one before, as they would stand in a vault of their own.
    let scratch = MemoryVault::new();
    for event in vault.events() {
        scratch
            .append(&Append { events: vec![event], at_ms: START_MS, ..Append::default() })
            .await
            .expect("a free place");
    }
    for rival in 1..=8 {
        let taken =
            take(&scratch, &vault, &add_operator(10 + rival, 100 + rival), &Luggage::default()).await.expect("taken");
        let quicker = Append { events: vec![taken.event], at_ms: START_MS, ..Append::default() };
        store.plan().fail(Call::Append, rival.into(), Fault::overtaken_by(&vault, quicker));
    }
    let refused = send(&store, &vault, &add_operator(4, 1)).await;
    assert!(matches!(&refused, Err(Failure::Refused(refusal)) if refusal.code == Code::Conflict), "{refused:?}");
    assert_eq!(vault.events().len(), 9, "the rivals' events and none of ours");
    assert!(!send(&store, &vault, &add_operator(4, 1)).await.expect("taken when it is quiet").repeated);
}
