//! Large records by the client library, as a provider uses it: machines that stop in the middle, files that are edited in between, and another
//! hospital that reads the record in the end.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use chartseal_cli::{Download, DownloadOf, Error, NewRecord, Progress, Stage, State, Unfinished, Uploaded};
use chartseal_events::limits::PART_BYTES;
use chartseal_tests::{Hospital, Stack, sample};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// A machine that stops after so many bytes of a stage; and what it said until then.
struct Machine {
    stops: Option<(Stage, u64)>,
    now: Mutex<(Option<Stage>, u64)>,
    notes: Mutex<Vec<String>>,
}

impl Machine {
    fn new(stops: Option<(Stage, u64)>) -> Self {
        Self { stops, now: Mutex::new((None, 0)), notes: Mutex::new(Vec::new()) }
    }

    fn notes(self) -> Vec<String> {
        self.notes.into_inner().expect("not poisoned")
    }
}

impl Progress for Machine {
    fn begin(&self, stage: Stage, _: u64, _: u64) {
        *self.now.lock().expect("not poisoned") = (Some(stage), 0);
    }

    fn advance(&self, bytes: u64) {
        let (stage, done) = {
            let mut now = self.now.lock().expect("not poisoned");
            now.1 += bytes;
            *now
        };
        let stops = self.stops.is_some_and(|(at, after)| stage == Some(at) && done >= after);
        assert!(!stops, "the machine stops here");
    }

    fn rewind(&self, _: u64) {}

    fn end(&self) {}

    fn passed(&self, _: &'static str) {}

    fn note(&self, note: &str) {
        self.notes.lock().expect("not poisoned").push(note.to_owned());
    }
}

/// The same person at the same machine after it was started again: nothing is left but the files.
fn restarted(hospital: &Hospital, state: &Path) -> Hospital {
    let mut again = hospital.by_way_of(hospital.client.vault.clone());
    again.client.transfers.state = State::Kept(state.to_owned());
    again
}

fn upload(hospital: &Hospital, path: &Path, machine: &Machine) -> Result<Uploaded, Error> {
    let new = NewRecord { path, media_type: "application/dicom", label: None, terms: &[] };
    hospital.client.upload(&new, machine)
}

/// Works until the machine stops.
fn stops<T>(work: impl FnOnce() -> T) {
    assert!(catch_unwind(AssertUnwindSafe(work)).is_err(), "the machine did not stop");
}

#[test]
fn an_upload_that_was_broken_off_goes_on_and_another_hospital_reads_it() {
    let stack = Stack::usual();
    let folder = TempDir::new().expect("a folder");
    let anna = restarted(&Hospital::verified(stack, "St. Anna"), folder.path());
    let file = sample(usize::try_from(2 * PART_BYTES).expect("fits"));

    // While it encrypts: nothing was announced, and the record that was created is used again.
    stops(|| upload(&anna, file.path(), &Machine::new(Some((Stage::Encrypt, 1 << 20)))));
    // In the middle of the second part.
    let anna = restarted(&anna, folder.path());
    stops(|| upload(&anna, file.path(), &Machine::new(Some((Stage::Upload, PART_BYTES + (PART_BYTES >> 1))))));
    let State::Kept(kept) = &anna.client.transfers.state else { panic!("the state is kept") };
    let state = State::Kept(kept.clone());
    let unfinished = Unfinished::list(&state).expect("listed");
    assert_eq!(unfinished.len(), 1, "{unfinished:?}");

    let machine = Machine::new(None);
    let uploaded = upload(&restarted(&anna, folder.path()), file.path(), &machine).expect("uploaded");
    assert!(uploaded.resumed);
    assert_eq!(uploaded.record, unfinished[0].record);
    let notes = machine.notes();
    assert!(notes.iter().any(|note| note.contains("resuming")), "{notes:?}");
    assert!(Unfinished::list(&state).expect("listed").is_empty(), "the spool is gone");

    let expected = Sha256::digest(std::fs::read(file.path()).expect("read"));
    assert_eq!(uploaded.sha256.0, expected[..]);
    read_by_another(stack, &uploaded);
}

/// Another hospital's download stops in the middle, goes on from what is there, and comes to the same bytes.
fn read_by_another(stack: &Stack, uploaded: &Uploaded) {
    let folder = TempDir::new().expect("a folder");
    let benedikt = restarted(&Hospital::verified(stack, "St. Benedikt"), folder.path());
    let of = DownloadOf::Request(benedikt.granted(stack, uploaded.record));
    let out = folder.path().join("out");
    let fetch = |machine: &Machine| -> Result<Download, Error> {
        restarted(&benedikt, folder.path()).client.download(of, &out, false, machine)
    };
    stops(|| fetch(&Machine::new(Some((Stage::Download, PART_BYTES)))));
    assert!(!out.exists(), "nothing has the name before it is whole");
    let downloaded = fetch(&Machine::new(None)).expect("downloaded");
    assert_eq!(downloaded.sha256, uploaded.sha256);
    assert_eq!(Sha256::digest(std::fs::read(&out).expect("read"))[..], uploaded.sha256.0);
}

#[test]
fn a_file_that_was_edited_in_between_is_a_new_run_of_the_same_version() {
    let stack = Stack::usual();
    let folder = TempDir::new().expect("a folder");
    let anna = restarted(&Hospital::verified(stack, "St. Anna"), folder.path());
    let mut file = sample(usize::try_from(PART_BYTES).expect("fits"));
    stops(|| upload(&anna, file.path(), &Machine::new(Some((Stage::Upload, 1 << 20)))));
    let before = Unfinished::list(&State::Kept(folder.path().to_owned())).expect("listed");
    file.write_all(b"an afterthought").expect("written");

    let uploaded = upload(&restarted(&anna, folder.path()), file.path(), &Machine::new(None)).expect("uploaded");
    assert_eq!((uploaded.record, uploaded.version), (before[0].record, 1));
    let checked = anna.record(uploaded.record).expect("shown");
    let version = checked.record().expect("a record").version(1).expect("a version");
    assert_eq!(version.announced.len(), 2, "two runs were announced");
    let ids: Vec<_> = version.announced.values().map(|run| run.announcement.message_id).collect();
    assert_ne!(ids[0], ids[1], "each with a message id of its own");
    let (downloaded, out) = anna.fetch(DownloadOf::Record(uploaded.record, None));
    assert_eq!(downloaded.expect("downloaded").sha256, uploaded.sha256);
    let bytes = std::fs::read(out.path().join("out")).expect("read");
    assert!(bytes.ends_with(b"an afterthought"));
}
