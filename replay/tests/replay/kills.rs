//! Kills: a replay that ends before any of its writes to the disk, and goes on later, comes to the same copy and the same report.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Mutex};

use chartseal_replay::testing::{Log, Served, log_verifier};
use chartseal_replay::{Copy, Failure, Replay, Report, Stage, Watch};
use redb::StorageBackend;

/// A disk that is gone after so many writes. What was written since the last sync may be lost, or not.
#[derive(Debug, Clone)]
struct Disk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    writes: u64,
    last: Option<u64>,
}

impl Disk {
    fn new() -> Self {
        Self { state: Arc::default() }
    }

    /// The power is off after so many writes.
    fn ends_after(&self, last: Option<u64>) {
        let mut state = self.state.lock().expect("whole");
        (state.writes, state.last) = (0, last);
    }

    /// What the next process finds.
    fn found(&self, loses_unsynced: bool) -> Self {
        let state = self.state.lock().expect("whole");
        let bytes = if loses_unsynced { state.synced.clone() } else { state.bytes.clone() };
        let state = State { synced: bytes.clone(), bytes, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn writes(&self) -> u64 {
        self.state.lock().expect("whole").writes
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> Result<T, io::Error> {
        let mut state = self.state.lock().expect("whole");
        state.writes += 1;
        if state.last.is_some_and(|last| state.writes > last) {
            return Err(io::Error::other("the power is off"));
        }
        Ok(change(&mut state))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.state.lock().expect("whole").bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let start = usize::try_from(offset).expect("small");
        let state = self.state.lock().expect("whole");
        let from = state.bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.write(|state| state.bytes.resize(usize::try_from(len).expect("small"), 0))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.write(|state| state.synced.clone_from(&state.bytes))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let start = usize::try_from(offset).expect("small");
        self.write(|state| state.bytes[start..start + data.len()].copy_from_slice(data))
    }
}

/// A disk with an empty copy: a copy in a folder gets its name only when it is one.
fn made() -> Disk {
    let disk = Disk::new();
    drop(Copy::on(disk.clone()).expect("made"));
    disk.found(true)
}

/// What a process comes to that has this disk; none where the disk failed.
fn process(disk: &Disk, served: &Served) -> Option<Report> {
    let copy = Copy::on(disk.clone()).ok()?;
    let mut replay = Replay::new(copy, &log_verifier(), Log::policy()).ok()?.with_batch(20);
    match replay.run(&mut served.clone(), &()) {
        Ok(report) => Some(report),
        Err(Failure::Copy(error)) => {
            assert_eq!(error.code(), "copy-unreadable", "a kill is no damage: {error}");
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// Everything in the copy, in order.
fn contents(disk: &Disk) -> Vec<String> {
    let copy = Copy::on(disk.found(false)).expect("whole");
    let mut all = vec![format!("{} {} {} {}", copy.size(), copy.root(), copy.judged_height(), copy.map_root())];
    for height in 0..copy.judged_height() {
        all.push(format!("{:?}", copy.block(height).expect("read")));
        all.extend(copy.bodies(height).expect("read").expect("judged"));
    }
    all.push(format!("{:?}", copy.consistency(1, copy.size()).expect("read")));
    all.push(format!("{:?}", copy.findings().expect("read")));
    all
}

#[test]
fn a_kill_before_any_write_changes_nothing_about_the_end() {
    // One that has something to find, so that findings are kept over a kill, too.
    let mut served = Served::of_every_type(10);
    served.blocks.truncate(10);
    served.note = Some(served.notes[9].clone());
    let disk = made();
    let whole = process(&disk, &served).expect("a report");
    assert!(whole.sound);
    let all = contents(&disk);
    let writes = disk.writes();
    assert!(writes > 100, "{writes} writes are to be killed at");

    for loses_unsynced in [false, true] {
        for last in 0..writes {
            let disk = made();
            disk.ends_after(Some(last));
            process(&disk, &served);
            let found = disk.found(loses_unsynced);
            let again = process(&found, &served);
            assert_eq!(again.as_ref(), Some(&whole), "killed after write {last}");
            assert_eq!(contents(&found), all, "killed after write {last}");
        }
    }
}

#[test]
fn a_copy_that_was_killed_while_it_was_made_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("log.redb.new"), [0; 100]).expect("written");
    let mut served = Served::of_every_type(50);
    let open =
        || Replay::new(Copy::open(folder.path()).expect("a copy"), &log_verifier(), Log::policy()).expect("ours");
    let report = open().run(&mut served, &()).expect("a report");
    assert!(report.sound);
    assert_eq!(open().run(&mut served, &()).expect("a report"), report);
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).expect("read").map(|entry| entry.expect("read").file_name()).collect();
    assert_eq!(names, ["log.redb"]);
}

/// Stops when it was asked so often.
struct Stops(Cell<u32>);

impl Watch for Stops {
    fn stopped(&self) -> bool {
        self.0.set(self.0.get().wrapping_sub(1));
        self.0.get() == 0
    }
}

#[test]
fn a_replay_that_is_stopped_keeps_what_it_did() {
    let served = Served::of_every_type(10);
    let mut whole = super::replay();
    let expected = whole.run(&mut served.clone(), &()).expect("a report");
    let looks = 2 * u32::try_from(served.blocks.len()).expect("few") + 1;
    for look in 1..=looks {
        let mut replay = super::replay().with_batch(15);
        let stopped = replay.run(&mut served.clone(), &Stops(Cell::new(look)));
        assert!(matches!(stopped, Err(Failure::Stopped)), "at look {look}");
        let follows = look <= looks / 2;
        let judged = if follows { 0 } else { u64::from(look - looks / 2) - 1 };
        assert_eq!(replay.copy().judged_height(), judged, "at look {look}");
        assert_eq!(replay.copy().size() > 0, !follows, "at look {look}");
        assert_eq!(replay.run(&mut served.clone(), &()).expect("a report"), expected);
    }
}

/// Counts what it is told.
#[derive(Default)]
struct Counts(Mutex<Vec<(Stage, u64, u64)>>);

impl Watch for Counts {
    fn begin(&self, stage: Stage, total: u64, done: u64) {
        self.0.lock().expect("whole").push((stage, total, done));
    }

    fn advance(&self, leaves: u64) {
        self.0.lock().expect("whole").last_mut().expect("begun").2 += leaves;
    }
}

#[test]
fn progress_is_told_to_its_end() {
    let mut served = Served::of_every_type(10);
    let counts = Counts::default();
    let report = super::replay().run(&mut served, &counts).expect("a report");
    let size = report.size;
    assert_eq!(*counts.0.lock().expect("whole"), [(Stage::Follow, size, size), (Stage::Judge, size, size)]);
}
