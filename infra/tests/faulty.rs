//! The failing twin does what its plan says: each fault, in its time, once.

use chartseal_events::event::StoredEvent;
use chartseal_events::{EventRef, StreamId};
use chartseal_infra::faulty::{Call, Fault, Faulty, Plan};
use chartseal_infra::memory::{MemoryVault, START_MS};
use chartseal_infra::ports::{Append, Blobs as _, EventStore as _, StoreError, WorkList as _};

fn append(seq: u64, body: &str) -> Append {
    let event = StoredEvent::new(EventRef { stream: StreamId::Vault, seq }, body.to_owned());
    Append { events: vec![event], at_ms: START_MS, ..Append::default() }
}

fn twin() -> (MemoryVault, Faulty<MemoryVault>) {
    let vault = MemoryVault::new();
    (vault.clone(), Faulty::new(vault))
}

fn bodies(vault: &MemoryVault) -> Vec<String> {
    vault.events().into_iter().map(|event| event.body).collect()
}

fn lost<T>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Unavailable { service: "the failing twin", .. })));
}

#[tokio::test]
async fn a_call_that_is_lost_before_it_lands_does_nothing() {
    let (vault, twin) = twin();
    twin.plan().fail_next(Call::Append, Fault::Before);
    lost(&twin.append(&append(0, "a")).await);
    assert!(bodies(&vault).is_empty());
    twin.append(&append(0, "a")).await.expect("the next one is not lost");
    assert_eq!(bodies(&vault), ["a"]);
}

#[tokio::test]
async fn a_call_whose_answer_is_lost_is_done_whatever_the_answer_was() {
    let (vault, twin) = twin();
    for body in ["a", "b"] {
        twin.plan().fail_next(Call::Append, Fault::After);
        lost(&twin.append(&append(0, body)).await);
    }
    assert_eq!(bodies(&vault), ["a"], "the second was a conflict, and nobody heard of it");
}

#[tokio::test]
async fn a_late_call_lands_after_so_many_others() {
    let (vault, twin) = twin();
    twin.plan().fail_next(Call::Append, Fault::Late(1));
    lost(&twin.append(&append(0, "late")).await);
    assert_eq!(twin.sweep_cursor().await.expect("reads"), None);
    assert!(bodies(&vault).is_empty(), "one call, and it is still under way");
    assert!(matches!(twin.append(&append(0, "quick")).await, Err(StoreError::Conflict(_))), "it lands before this one");
    assert_eq!(bodies(&vault), ["late"]);

    twin.plan().fail_next(Call::Append, Fault::Late(usize::MAX));
    lost(&twin.append(&append(1, "later")).await);
    twin.append(&append(1, "now")).await.expect("nothing stands there yet");
    twin.plan().land().await;
    assert_eq!(bodies(&vault), ["late", "now"], "what lands late meets a place that is taken");
}

#[tokio::test]
async fn a_doubled_call_has_the_second_answer() {
    let (vault, twin) = twin();
    twin.plan().fail_next(Call::BeginUpload, Fault::Twice);
    let second = twin.begin_upload("key").await.expect("begun");
    let unfinished = vault.unfinished_uploads();
    assert_eq!((unfinished.len(), &unfinished[1].1), (2, &second));
}

#[tokio::test]
async fn who_is_overtaken_comes_second() {
    let (vault, twin) = twin();
    twin.plan().fail_next(Call::Append, Fault::overtaken_by(&vault, append(0, "quicker")));
    assert!(matches!(twin.append(&append(0, "slower")).await, Err(StoreError::Conflict(_))));
    assert_eq!(bodies(&vault), ["quicker"]);
}

#[tokio::test]
async fn faults_are_given_by_kind_and_number_or_chosen() {
    let (_, twin) = twin();
    let plan: &Plan = twin.plan();
    plan.fail(Call::Load, 1, Fault::Before);
    assert!(twin.load(&StreamId::Vault).await.is_ok());
    assert!(twin.sweep_cursor().await.is_ok(), "another kind");
    lost(&twin.load(&StreamId::Vault).await);
    plan.choose(|call| (call == Call::SweepCursor).then_some(Fault::Before));
    lost(&twin.sweep_cursor().await);
    assert!(twin.load(&StreamId::Vault).await.is_ok());
    plan.relent();
    assert!(twin.sweep_cursor().await.is_ok());
    let calls = [Call::Load, Call::SweepCursor, Call::Load, Call::SweepCursor, Call::Load, Call::SweepCursor];
    assert_eq!(plan.take_calls(), calls);
    assert_eq!(plan.take_struck(), [(Call::Load, "before"), (Call::SweepCursor, "before")]);
    assert_eq!((plan.count(Call::Load), plan.take_calls()), (3, vec![]));
}
