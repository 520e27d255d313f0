//! The dark: S3 tells nobody, the clock wakes nobody, and stream records are lost for good, in holes between others that arrive. Functions are killed
//! as before. What follows from what was lost is missing, although the stream is read again: only sweeps find it, and they are killed, too.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use chartseal_tests::killer::{Chance, Orders};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hands, Killer, audit, impatient};
use serde_json::{Value, json};

use super::{KILL_PAUSE, Storm, in_words};

/// Who is told by S3 and the clock.
pub const TOLD: [&str; 2] = ["commit", "sweeper"];
/// Whom the killer is after while commands are taken, and how often at most.
const PREY: [(&str, u64); 5] = [("consumer", 4), ("issue-key", 10), ("records", 10), ("request", 10), ("workflow", 2)];
/// How often the sweeper is hit at most, and how often it must have been at work.
const SWEEPER: [(&str, u64); 1] = [("sweeper", 6)];
const LEAST_SWEEPER: [(&str, u64); 1] = [("sweeper", 2)];
/// Holes in what the consumer hears.
const HOLES: usize = 3;
/// How many events must have been lost on their way to it.
const LEAST_LOST: usize = 16;

pub fn in_the_dark<'scope, 'env>(storm: &'env Storm, uploads: &'scope Scope<'scope, 'env>) {
    let hands = Hands(storm.stack);
    hands.hints(&TOLD, false);
    let before = storm.places();
    let mut chance = Chance(storm.seed ^ 1);
    for _ in 0..4 {
        let bytes = 1_000 + usize::try_from(chance.below(90_000)).expect("small");
        uploads.spawn(move || storm.keep(bytes, "body:hand"));
    }
    let hits = thread::scope(|scope| {
        let orders = Orders { functions: &PREY, pause: KILL_PAUSE, seed: storm.seed ^ 2 };
        let killer = Killer::begin(scope, storm.stack, orders);
        for hole in 0..HOLES {
            let forgotten = hands.forget_stream("consumer");
            storm.ask(hole);
            storm.owner_keys(6);
            hands.recall_stream(&forgotten);
            storm.owner_keys(2);
        }
        killer.end()
    });
    storm.tells(&format!("without sweeps and notifications, {}", in_words(&hits)));

    let heard = heard(storm);
    let (arrived, lost): (Vec<_>, Vec<_>) =
        storm.places().difference(&before).copied().partition(|place| heard.contains(&place.to_string()));
    storm.tells(&format!("{} events never came to the consumer, {} did", lost.len(), arrived.len()));
    assert!(lost.len() >= LEAST_LOST && !arrived.is_empty(), "lost: {lost:?}, arrived: {arrived:?}");
    // What follows from them is not there.
    let report = audit(storm.stack, impatient(storm.stack), Duration::ZERO);
    let missing = |code: &str| report.findings.iter().any(|finding| finding.code == code);
    assert!(missing("posting-missing") && missing("grant-overdue"), "{}", report.in_words());

    sweeps(storm);
}

/// Sweeps until all uploads are found, and are broken off on the way.
fn sweeps(storm: &Storm) {
    let begun = Instant::now();
    let hits = thread::scope(|scope| {
        let orders = Orders { functions: &SWEEPER, pause: KILL_PAUSE, seed: storm.seed ^ 3 };
        let killer = Killer::begin(scope, storm.stack, orders);
        let unfound = || storm.unfound.load(Ordering::Relaxed);
        while unfound() > 0 || storm.spared(&killer.hits(), &LEAST_SWEEPER).is_some() {
            // One that is killed fails.
            Hands(storm.stack).invoke_all(&[("sweeper", json!({}))]);
            let unfound = unfound();
            assert!(begun.elapsed() < 4 * PATIENCE, "{unfound} uploads are not found; {}", in_words(&killer.hits()));
        }
        killer.end()
    });
    storm.tells(&format!("uploads found by sweeps, {}", in_words(&hits)));
    assert_eq!(storm.spared(&hits, &LEAST_SWEEPER), None);
}

/// Every event that the consumer was told of, up to one that is made now.
fn heard(storm: &Storm) -> BTreeSet<String> {
    let canary = storm.owner().create_record().expect("created").event;
    storm.note(&canary);
    let begun = Instant::now();
    loop {
        let invocations = Hands(storm.stack).invocations_of("consumer");
        let lines = invocations.iter().flat_map(|invocation| &invocation.lines);
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let heard: BTreeSet<String> = lines.flat_map(|line| seen(&line)).collect();
        if heard.contains(&canary.place.to_string()) {
            return heard;
        }
        assert!(begun.elapsed() < PATIENCE, "the stream was recalled and brings nothing");
    }
}

/// The places that a line of the consumer names. A batch has no more events than a line has room for.
fn seen(line: &Value) -> Vec<String> {
    assert!(line.get("events.seen.more").is_none(), "{line}");
    line.get("events.seen").map_or_else(Vec::new, |seen| serde_json::from_value(seen.clone()).expect("places"))
}
