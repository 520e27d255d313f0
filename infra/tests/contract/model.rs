//! Appends and loads against a reference model: a map from place to bytes.

use std::collections::BTreeMap;

use chartseal_events::EventRef;
use chartseal_infra::ports::{Append, EventStore, StoreError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::emulated::Emulated;
use crate::opinions::Opinion;
use crate::subject::{AT_MS, Memory, Subject, event, place, private, record};

/// Appends to few places, with few bodies, so that they often meet.
#[derive(Debug, Clone)]
struct Step {
    /// (stream, seq, body); distinct places.
    events: BTreeMap<(u8, u64), u8>,
    private: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let events = prop::collection::btree_map((0..3_u8, 0..4_u64), 0..2_u8, 1..4);
    let step = (events, any::<bool>()).prop_map(|(events, private)| Step { events, private });
    prop::collection::vec(step, 1..12)
}

fn append_of(step: &Step) -> Append {
    let events =
        step.events.iter().map(|((stream, seq), body)| event(record(*stream), *seq, format!("body {body}"))).collect();
    Append {
        events,
        at_ms: AT_MS,
        private: if step.private { private("because") } else { BTreeMap::new() },
        keys: Vec::new(),
    }
}

async fn follow(store: &impl EventStore, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut model: BTreeMap<EventRef, String> = BTreeMap::new();
    for step in steps {
        let append = append_of(step);
        let stands = |place: &EventRef| model.get(place).cloned();
        let all_ours = append.events.iter().all(|event| stands(&event.at).as_ref() == Some(&event.body));
        let all_free = append.events.iter().all(|event| stands(&event.at).is_none());
        match store.append(&append).await {
            Ok(()) => prop_assert!(all_ours || all_free, "taken although a place was"),
            // Half ours: never of one append of the real road, whose events carry nonces. It must be refused; how does not matter.
            Err(StoreError::Conflict(_) | StoreError::Damaged { .. }) => {
                prop_assert!(!all_ours && !all_free, "refused without cause");
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        if all_free {
            model.extend(append.events.iter().map(|event| (event.at, event.body.clone())));
        }
    }
    for stream in (0..3).map(record) {
        let loaded = store.load(&stream).await.map_err(|error| TestCaseError::fail(error.to_string()))?;
        let expected: Vec<_> = model.range(place(stream, 0)..=place(stream, u64::MAX)).collect();
        prop_assert_eq!(loaded.iter().map(|event| (&event.at, &event.body)).collect::<Vec<_>>(), expected);
    }
    Ok(())
}

fn run<S: Subject>(cases: u32, subject: impl Fn() -> S, runtime: &tokio::runtime::Runtime) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&steps(), |steps| {
        let subject = subject();
        runtime.block_on(follow(subject.store(), &steps))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn memory_keeps_to_the_model() {
    run(256, Memory::new, &runtime());
}

#[test]
fn the_emulator_keeps_to_the_model() {
    let runtime = runtime();
    run(12, || runtime.block_on(Emulated::new()), &runtime);
}

#[test]
fn dynamodb_local_keeps_to_the_model() {
    let runtime = runtime();
    run(12, || runtime.block_on(Opinion::second()), &runtime);
}
