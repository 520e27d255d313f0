//! A storm: 32 clients at one record, every command sent three times, functions killed at work, stream records and notifications lost. Then the
//! sweeper heals, and an audit that accounts for every item says that nothing was lost, nothing happened twice, and nothing is left over.
//!
//! All of it is one story, because healing leaves the last half minute to the consumer: that is waited for once.

mod crowd;
mod dark;
mod repeats;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_cli::Call;
use chartseal_events::command::RecordKey;
use chartseal_events::event::{EventRef, leaf_hash};
use chartseal_events::wire::IssuedKey;
use chartseal_events::{Event, Hash, Id};
use chartseal_tests::killer::Hits;
use chartseal_tests::{Hands, Hospital, Stack, audited, sample};
use serde_json::json;

/// How far apart functions are killed, at most.
const KILL_PAUSE: Duration = Duration::from_millis(150);

/// A vault in a storm.
struct Storm {
    stack: &'static Stack,
    hospitals: [Hospital; 3],
    /// The record that everybody is at; the first hospital's.
    record: Id,
    /// What the vault acknowledged: every event that an answer told of.
    acknowledged: Mutex<BTreeMap<EventRef, Hash>>,
    /// Uploads that wait to be found.
    unfound: AtomicUsize,
    seed: u64,
    begun: Instant,
}

#[test]
fn a_storm_leaves_every_item_accounted_for() {
    let seed = std::env::var("CHARTSEAL_SEED").ok().and_then(|seed| seed.parse().ok());
    let storm = Storm::gathers(seed.unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5eed));
    thread::scope(|uploads| {
        crowd::many_at_one_record(&storm, uploads);
        repeats::three_times_each(&storm);
        dark::in_the_dark(&storm, uploads);
    });
    let report = audited(storm.stack, Duration::from_mins(2), || {
        for sweeper in ["sweeper", "seal"] {
            Hands(storm.stack).invoke(sweeper, &json!({}));
        }
    });
    storm.tells("healed by sweeps alone, and audited");
    Hands(storm.stack).hints(&dark::TOLD, true);
    eprintln!("{}", report.in_words());
    storm.lost_nothing(&report);
}

impl Storm {
    fn gathers(seed: u64) -> Self {
        let stack = Stack::stormy();
        say(&format!("storm: CHARTSEAL_SEED={seed}"));
        let begun = Instant::now();
        let hospitals = ["St. Anna", "St. Benedikt", "St. Clara"].map(|name| Hospital::verified(stack, name));
        let record = hospitals[0].keep(sample(20_000).path(), &["body:brain"]).record;
        let (acknowledged, unfound) = Default::default();
        let storm = Self { stack, hospitals, record, acknowledged, unfound, seed, begun };
        storm.tells("prepared");
        storm
    }

    fn tells(&self, what: &str) {
        say(&format!("storm: {:.1} s: {what}", self.begun.elapsed().as_secs_f64()));
    }

    fn owner(&self) -> &Hospital {
        &self.hospitals[0]
    }

    /// One of the two who want the record.
    fn requester(&self, number: usize) -> &Hospital {
        &self.hospitals[1 + number % 2]
    }

    fn note(&self, event: &Event) {
        self.note_place(event.place, event.leaf);
    }

    fn note_place(&self, place: EventRef, leaf: Hash) {
        let before = self.acknowledged.lock().expect("no panic holds it").insert(place, leaf);
        assert!(before.is_none_or(|before| before == leaf), "{place} was acknowledged as two different events");
    }

    /// The places of everything that was acknowledged so far.
    fn places(&self) -> BTreeSet<EventRef> {
        self.acknowledged.lock().expect("no panic holds it").keys().copied().collect()
    }

    /// Asks for the record, and remembers that the vault said yes.
    fn ask(&self, number: usize) -> Id {
        let (request, event) = self.requester(number).asked(self.record);
        self.note(&event);
        request
    }

    fn owner_keys(&self, count: usize) {
        let path = format!("/records/{}/key", self.record);
        for _ in 0..count {
            let call = Call::new(&path, RecordKey { record: self.record, version: 1 });
            self.note(&self.owner().send::<IssuedKey>(&call).expect("a key").event);
        }
    }

    /// Uploads a new record. Where nobody tells the vault, this waits for a sweep.
    fn keep(&self, bytes: usize, term: &str) {
        self.unfound.fetch_add(1, Ordering::Relaxed);
        self.note(&self.owner().keep(sample(bytes).path(), &[term]).event);
        self.unfound.fetch_sub(1, Ordering::Relaxed);
    }

    /// Names a function that was not hit so often in the middle of an invocation. Two must say so: the killer, who saw it run, and the log, which has an
    /// invocation's beginning and no line of it.
    fn spared(&self, hits: &BTreeMap<String, Hits>, least: &[(&str, u64)]) -> Option<String> {
        let cut_short = Hands(self.stack).cut_short();
        least.iter().find_map(|(function, least)| {
            let (seen, logged) = (hits.get(*function).copied().unwrap_or_default(), cut_short[*function]);
            let words = || format!("{function}: {logged} invocations without a line; {}", in_words(hits));
            (seen.at_work.min(logged) < *least).then(words)
        })
    }

    /// How many invocations of each of these functions began, and have no line.
    fn without_a_line(&self, functions: &[(&str, u64)]) -> String {
        let cut_short = Hands(self.stack).cut_short();
        functions.iter().map(|(name, _)| format!("{name} {}", cut_short[*name])).collect::<Vec<_>>().join(", ")
    }

    /// Every event that was acknowledged is there as it was told, and everything was read.
    fn lost_nothing(&self, report: &chartseal_audit::Report) {
        let stored: BTreeMap<(String, String), Hash> = Hands(self.stack)
            .items("EventsTable")
            .iter()
            .map(|item| {
                let body = hex::decode(item["body"]["B"].as_str().expect("a body")).expect("hex");
                let text = |name: &str, kind: &str| item[name][kind].as_str().expect("a key").to_owned();
                ((text("stream", "S"), text("seq", "N")), leaf_hash(&body))
            })
            .collect();
        let acknowledged = self.acknowledged.lock().expect("no panic holds it");
        assert!(acknowledged.len() > repeats::COMMANDS, "{} events were acknowledged", acknowledged.len());
        for (place, leaf) in acknowledged.iter() {
            let found = stored.get(&(place.stream.to_string(), place.seq.to_string()));
            assert_eq!(found, Some(leaf), "{place} was acknowledged");
        }
        let events = report.things["event"];
        assert_eq!((events.read, events.accounted), (stored.len() as u64, stored.len() as u64));
        for (thing, tally) in &report.things {
            assert_eq!(tally.read, tally.accounted, "{thing}: {tally:?}");
        }
    }
}

/// `12 functions killed, at work: consumer 2 of 3, ...`
fn in_words(hits: &BTreeMap<String, Hits>) -> String {
    let killed: u64 = hits.values().map(|hits| hits.killed).sum();
    let each = hits.iter().map(|(name, hits)| format!("{name} {} of {}", hits.at_work, hits.killed));
    format!("{killed} functions killed, at work: {}", each.collect::<Vec<_>>().join(", "))
}

/// Past the test harness, which keeps what passing tests print: a seed must be known afterwards.
fn say(line: &str) {
    // Nobody to tell is no failure.
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}
