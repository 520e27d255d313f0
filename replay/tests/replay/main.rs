//! The replay: a sound log passes, whatever is altered is found under its name, and a replay that was killed goes on to the same end.
#![allow(clippy::missing_panics_doc, reason = "a test that cannot be set up ends here")]

mod copies;
mod decided;
mod handed_out;
mod kills;
mod scene;
mod written;

use chartseal_events::{Event, Hash, Outcome};
use chartseal_replay::testing::{Log, Served, log_verifier};
use chartseal_replay::{Copy, Replay, Report};

/// A replay into memory.
pub fn replay() -> Replay {
    Replay::new(Copy::in_memory().expect("memory"), &log_verifier(), Log::policy()).expect("an empty copy")
}

/// What a whole replay comes to.
pub fn report(served: &mut Served) -> Report {
    replay().run(served, &()).expect("a report")
}

/// An event's bytes, read.
pub fn read(body: &str) -> Event {
    Event::read(body, Hash::ZERO).expect("an event")
}

#[test]
fn a_history_of_every_type_is_sound_in_blocks_of_any_size() {
    let mut roots = Vec::new();
    for block_events in [1, 2, 7, 50, 1_000] {
        let mut served = Served::of_every_type(block_events);
        let report = report(&mut served);
        assert_eq!(report.findings, []);
        assert!(report.sound);
        assert_eq!(report.blocks, served.blocks.len() as u64);
        assert_eq!(report.events, served.blocks.iter().map(|(_, bodies)| bodies.len() as u64).sum::<u64>());
        assert_eq!(report.size, report.events + report.blocks);
        assert_eq!(report.waiting, Vec::<String>::new());
        let types: Vec<&str> = report.types.keys().map(String::as_str).collect();
        let mut all = Outcome::TYPES.to_vec();
        all.sort_unstable();
        assert_eq!(types, all, "the history has every type");
        roots.push((report.streams, report.events));
    }
    roots.dedup();
    assert_eq!(roots.len(), 1);
}

#[test]
fn a_log_that_grows_is_followed_from_checkpoint_to_checkpoint() {
    let whole = Served::of_every_type(20);
    let mut replay = replay();
    let empty = replay.run(&mut Served::default(), &()).expect("a report");
    assert!(empty.sound && empty.size == 0);
    for height in 0..whole.blocks.len() {
        let mut served = whole.clone();
        served.note = Some(whole.notes[height].clone());
        let report = replay.run(&mut served, &()).expect("a report");
        assert!(report.sound, "{:?}", report.findings);
        assert_eq!(report.blocks, height as u64 + 1);
        assert_eq!((replay.copy().judged_size().expect("size"), replay.copy().size()), (report.size, report.size));
    }
    assert_eq!(replay.run(&mut whole.clone(), &()).expect("a report"), report(&mut whole.clone()));
}
