//! Uploads that are broken off: at each point where a program can die, the next run goes on, and nothing is done twice.

use std::fs;
use std::path::{Path, PathBuf};

use chartseal_cli::{Client, DownloadOf, Error, Exit, NewRecord, Patience, Silent, Stage, State, Unfinished, Uploaded};
use chartseal_events::event::leaf_hash;
use chartseal_events::{Hash, Id, Outcome, StreamId};
use chartseal_ledger::terms::Term;
use serde_json::{Value, json};

use crate::fake::{EXPIRED, FakeVault, Fault};
use crate::watch::{Watch, die};

/// A hospital with a file to upload.
pub struct Story {
    pub vault: FakeVault,
    pub ann: Client,
    pub folder: tempfile::TempDir,
    pub path: PathBuf,
}

const LABEL: &str = "MRI of the head";

impl Story {
    pub fn new() -> Self {
        let vault = FakeVault::start();
        let mut ann = vault.hospital("St. Anna");
        // The first failure ends a run of the program.
        ann.vault = ann.vault.with_patience(Patience::NONE);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jane-doe.txt");
        fs::write(&path, b"as it was first").expect("written");
        Self { vault, ann, folder, path }
    }

    pub fn upload(&self, watch: &Watch) -> Result<Uploaded, Error> {
        let terms: [Term; 1] = ["patient:Q-4471".parse().expect("a term")];
        let new = NewRecord { path: &self.path, media_type: "text/plain", label: Some(LABEL), terms: &terms };
        self.ann.upload(&new, watch)
    }

    /// Uploads, with this going wrong: the run ends.
    pub fn broken_off(&self, method: &'static str, path: &str, fault: Fault) {
        self.vault.fail_at(method, path, &[fault]);
        let error = self.upload(&Watch::default()).expect_err("broken off");
        assert_eq!(error.exit(), Exit::TryAgain, "{error}");
    }

    /// How many events of a kind there are.
    pub fn events(&self, typ: &str) -> usize {
        let store = self.vault.store();
        let events = store.streams.values().flatten().map(|event| event.open().expect("ours"));
        events.filter(|event| event.outcome.typ() == typ).count()
    }

    pub fn slots(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.vault.state.path().join("chartseal-uploads")).expect("made");
        entries.map(|entry| entry.expect("read").path()).collect()
    }

    pub fn slot(&self) -> PathBuf {
        let slots = self.slots();
        assert_eq!(slots.len(), 1, "{slots:?}");
        slots[0].clone()
    }

    pub fn journal(&self) -> Value {
        serde_json::from_slice(&fs::read(self.slot().join("journal.json")).expect("there")).expect("JSON")
    }

    pub fn change_journal(&self, change: impl FnOnce(&mut Value)) {
        let mut journal = self.journal();
        change(&mut journal);
        fs::write(self.slot().join("journal.json"), journal.to_string()).expect("written");
    }

    /// The next run ends well: with one record, its content, and nothing left on this machine.
    pub fn assert_goes_on(&self, resumed: bool) -> Uploaded {
        let done = self.upload(&Watch::default()).expect("uploaded");
        assert_eq!(done.resumed, resumed);
        assert_eq!((self.events("record.created.v1"), done.version), (1, 1));
        assert!(self.slots().is_empty(), "{:?}", self.slots());
        self.assert_holds(done.record);
        done
    }

    pub fn assert_uploads_another(&self) {
        let other = self.folder.path().join("other.txt");
        fs::write(&other, b"another file").expect("written");
        let new = NewRecord { path: &other, media_type: "text/plain", label: None, terms: &[] };
        self.ann.upload(&new, &Silent).expect("uploaded");
    }

    pub fn assert_holds(&self, record: Id) {
        let out = self.folder.path().join("out");
        self.ann.download(DownloadOf::Record(record, None), &out, true, &Silent).expect("downloaded");
        assert_eq!(fs::read(out).expect("there"), fs::read(&self.path).expect("there"));
    }
}

#[test]
fn a_program_that_dies_goes_on_wherever_it_died() {
    // After the record was created.
    let story = Story::new();
    die(Stage::Encrypt, |watch| story.upload(watch));
    assert!(story.journal().get("run").is_none());
    story.assert_goes_on(true);
    assert_eq!(story.events("record.announced.v1"), 1);

    // After the file was encrypted.
    let story = Story::new();
    story.broken_off("POST", "/upload", Fault::Dropped);
    let encrypted = story.journal()["run"]["announcement"]["message_id"].clone();
    let done = story.assert_goes_on(true);
    assert_eq!(story.events("record.announced.v1"), 1);
    let announced = story.vault.store().view();
    let run = announced.record(done.record).and_then(|record| record.version(1)?.current().map(|(run, _)| run.clone()));
    assert_eq!(json!(run.expect("uploaded").announcement.message_id), encrypted, "that very run");

    // After the announcement, before its answer was seen, and after.
    for (method, path, fault) in [("POST", "/upload", Fault::AnswerLost), ("PUT", "/s3/", Fault::Dropped)] {
        let story = Story::new();
        story.broken_off(method, path, fault);
        story.assert_goes_on(true);
        assert_eq!(story.events("record.announced.v1"), 1, "the first announcement is taken");
    }

    // After the body was sent.
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::AnswerLost);
    let announced = story.vault.count("POST", "/upload");
    story.assert_goes_on(true);
    assert_eq!(story.vault.count("POST", "/upload"), announced, "it had arrived: nothing is announced or sent again");
}

#[test]
fn a_file_that_was_edited_is_a_new_run_of_the_same_version() {
    for edited in [&b"as it was later"[..], b"longer than it was before"] {
        let story = Story::new();
        story.broken_off("PUT", "/s3/", Fault::Dropped);
        let first = story.journal()["run"]["announcement"]["message_id"].clone();
        fs::write(&story.path, edited).expect("written");
        story.broken_off("PUT", "/s3/", Fault::Dropped);
        assert_ne!(story.journal()["run"]["announcement"]["message_id"], first, "a fresh message id");
        let done = story.assert_goes_on(true);
        assert_eq!(done.sha256, Hash::of(&[edited]));
        assert_eq!(story.events("record.announced.v1"), 2);
    }
}

#[test]
fn a_file_that_was_edited_after_it_had_arrived_is_another_record() {
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::AnswerLost);
    fs::write(&story.path, b"as it was later").expect("written");
    let watch = Watch::default();
    let done = story.upload(&watch).expect("uploaded");
    assert!(!done.resumed && watch.has_noted("arrived as the file was before"));
    assert_eq!(story.events("record.created.v1"), 2);
    story.assert_holds(done.record);
}

#[test]
fn a_body_that_is_found_late_is_no_tampering() {
    // When the file as it is now is announced, and when it is sent.
    for (commits_at, edited) in [(("POST", "/upload"), true), (("PUT", "/s3/"), true), (("POST", "/upload"), false)] {
        let story = Story::new();
        story.vault.store().commits_at = Some(commits_at);
        story.broken_off("PUT", "/s3/", Fault::AnswerLost);
        assert_eq!(story.events("record.uploaded.v1"), 0);
        if edited {
            fs::write(&story.path, b"as it was later").expect("written");
        }
        let watch = Watch::default();
        let done = story.upload(&watch).expect("uploaded");
        assert_eq!((done.resumed, watch.has_noted("arrived as the file was before")), (!edited, edited));
        assert_eq!(story.events("record.created.v1"), if edited { 2 } else { 1 });
        story.assert_holds(done.record);
    }
}

#[test]
fn what_is_said_about_a_file_is_part_of_what_is_resumed() {
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let new = NewRecord { path: &story.path, media_type: "text/plain", label: Some("another"), terms: &[] };
    assert!(!story.ann.upload(&new, &Silent).expect("uploaded").resumed);
    assert_eq!(story.slots().len(), 1, "the other one waits on");
}

#[test]
fn a_version_is_resumed_like_a_record() {
    let story = Story::new();
    let record = story.upload(&Watch::default()).expect("uploaded").record;
    fs::write(&story.path, b"the second version").expect("written");
    let new = NewRecord { path: &story.path, media_type: "text/plain", label: None, terms: &[] };
    story.vault.fail_at("PUT", "/s3/", &[Fault::Dropped]);
    story.ann.upload_version(record, &new, &Silent).expect_err("broken off");
    let done = story.ann.upload_version(record, &new, &Silent).expect("uploaded");
    assert_eq!((done.record, done.version, done.resumed), (record, 2, true));
    story.assert_holds(record);
}

#[test]
fn a_version_that_was_put_aside_is_taken_over_with_another_file() {
    let mut story = Story::new();
    let record = story.upload(&Watch::default()).expect("uploaded").record;
    let new = NewRecord { path: &story.path, media_type: "text/plain", label: None, terms: &[] };
    story.vault.fail_at("PUT", "/s3/", &[Fault::Dropped]);
    story.ann.upload_version(record, &new, &Silent).expect_err("broken off");
    Unfinished::discard(&State::Kept(story.vault.state.path().to_owned()), None).expect("discarded");
    fs::write(&story.path, b"what was meant").expect("written");
    let barred = story.ann.upload_version(record, &new, &Silent).expect_err("it may still arrive");
    assert_eq!(barred.code(), "version-open");
    assert!(barred.advice().contains("--take-over"), "{}", barred.advice());

    story.ann.transfers.take_over = true;
    story.vault.fail_at("PUT", "/s3/", &[Fault::Dropped]);
    story.ann.upload_version(record, &new, &Silent).expect_err("broken off once more");
    let done = story.ann.upload_version(record, &new, &Silent).expect("uploaded");
    assert_eq!((done.record, done.version, done.resumed), (record, 2, true));
    assert_eq!(
        (story.events("record.created.v1"), story.events("record.announced.v1")),
        (2, 3),
        "two runs of version 2"
    );
    story.assert_holds(record);
    // Where nothing bars it, it is a new version as ever.
    let done = story.ann.upload_version(record, &new, &Silent).expect("uploaded");
    assert_eq!((done.version, done.resumed), (3, false));
}

#[test]
fn a_body_that_is_damaged_on_its_way_is_sent_again() {
    let mut story = Story::new();
    let quick = Patience {
        total: std::time::Duration::from_nanos(1),
        first_wait: std::time::Duration::ZERO,
        longest_wait: std::time::Duration::ZERO,
    };
    story.ann.vault = story.ann.vault.with_patience(quick);
    let damaged = Fault::Refused(400, "BadDigest", "The SHA256 you specified did not match what we received.");
    story.vault.fail_at("PUT", "/s3/", &[Fault::Status(400), damaged, damaged]);
    let done = story.upload(&Watch::default()).expect("uploaded");
    story.assert_holds(done.record);
    assert_eq!(story.events("record.announced.v1"), 1, "the same run");
    assert_eq!(story.vault.count("POST", "/upload"), 1, "at the same address");

    fs::write(&story.path, b"another").expect("written");
    story.vault.fail_at("PUT", "/s3/", &[Fault::Status(400); 5]);
    let error = story.upload(&Watch::default()).expect_err("again and again");
    assert_eq!((&*error.code(), error.exit()), ("damaged-on-the-way", Exit::TryAgain));
    assert!(error.advice().contains("is whole"), "{}", error.advice());
    assert!(story.upload(&Watch::default()).expect("uploaded").resumed);
}

#[test]
fn a_run_is_put_aside_when_that_was_said() {
    let mut story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let first = story.journal()["run"]["announcement"]["message_id"].clone();
    story.ann.transfers.fresh = true;
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    assert_ne!(story.journal()["run"]["announcement"]["message_id"], first);
    story.assert_goes_on(true);
}

#[test]
fn two_programs_do_not_send_the_same() {
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let lock = fs::File::open(story.slot().join("lock")).expect("there");
    lock.lock().expect("as another process");
    let error = story.upload(&Watch::default()).expect_err("busy");
    assert_eq!((&*error.code(), error.exit()), ("upload-busy", Exit::TryAgain));
    let state = State::Kept(story.vault.state.path().to_owned());
    assert!(Unfinished::discard(&state, None).expect("looked").is_empty(), "what is being sent stays");
    drop(lock);
    story.assert_goes_on(true);
}

#[test]
fn an_announcement_that_has_expired_is_made_again_for_the_same_run() {
    const HOUR_MS: i64 = 3_600_000;
    let story = Story::new();
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let run = story.journal()["run"]["announcement"]["message_id"].clone();
    story.vault.store().clock_ms = 2 * HOUR_MS;
    story.assert_uploads_another();
    story.vault.store().clock_ms = 30 * HOUR_MS;
    let done = story.upload(&Watch::default()).expect("uploaded");
    assert!(done.resumed && story.slots().is_empty());
    let record = story.vault.store().view().record(done.record).expect("there").clone();
    let version = record.version(1).expect("there");
    assert_eq!(version.announced.len(), 2);
    assert!(version.announced.values().all(|one| json!(one.announcement.message_id) == run), "one encryption run");
    assert_eq!(story.events("record.created.v1"), 2, "one of them for the other file");
    story.assert_holds(done.record);
}

#[test]
fn an_address_that_has_expired_is_asked_for_again() {
    let story = Story::new();
    story.vault.fail_at("PUT", "/s3/", &[Fault::Status(403), Fault::Status(403)]);
    story.assert_goes_on(false);
    assert_eq!((story.events("record.announced.v1"), story.vault.count("POST", "/upload")), (1, 3));
    // Once, however S3 says it.
    for expired in EXPIRED {
        let story = Story::new();
        story.vault.fail_at("PUT", "/s3/", &[expired]);
        story.assert_goes_on(false);
        let announced = (story.events("record.announced.v1"), story.vault.count("POST", "/upload"));
        assert_eq!(announced, (1, 2), "{expired:?}");
    }
    let story = Story::new();
    story.vault.fail_at("PUT", "/s3/", &[EXPIRED[0]; 9]);
    let error = story.upload(&Watch::default()).expect_err("always refused");
    assert_eq!((&*error.code(), error.exit()), ("upload-expired", Exit::TryAgain), "not for ever");
    assert_eq!((story.events("record.announced.v1"), story.vault.count("POST", "/upload")), (1, 4));
}

#[test]
fn a_file_that_is_written_to_is_not_uploaded() {
    struct Writing<'a>(&'a Path);

    impl chartseal_cli::Progress for Writing<'_> {
        fn begin(&self, _: Stage, _: u64, _: u64) {}
        fn advance(&self, _: u64) {
            fs::write(self.0, b"in the middle of it").expect("written");
        }
        fn rewind(&self, _: u64) {}
        fn end(&self) {}
        fn passed(&self, _: &'static str) {}
        fn note(&self, _: &str) {}
    }

    let story = Story::new();
    let new = NewRecord { path: &story.path, media_type: "text/plain", label: None, terms: &[] };
    let error = story.ann.upload(&new, &Writing(&story.path)).expect_err("changed");
    assert_eq!(&*error.code(), "file-changed", "{error}");
    assert_eq!(story.events("record.announced.v1"), 0);
}

#[test]
fn only_the_very_same_run_is_taken_for_an_earlier_announcement() {
    let story = Story::new();
    let other = story.upload(&Watch::default()).expect("uploaded");
    story.broken_off("PUT", "/s3/", Fault::Dropped);
    let announced = |record: Id| {
        let held = story.vault.store();
        let events = held.streams[&StreamId::Record(record)].iter();
        let found = events.rev().find(|event| event.open().expect("ours").outcome.typ() == "record.announced.v1");
        let event = found.expect("announced");
        json!({ "stream": event.at.stream, "seq": event.at.seq, "leaf": event.leaf, "body": event.body })
    };
    let record: Id = story.journal()["record"].as_str().expect("text").parse().expect("an id");
    let genuine = announced(record);
    let of_other = announced(other.record);
    // Sound to look at, but no event of the record's stream: it has another nonce.
    let body = genuine["body"].as_str().expect("text");
    let (before, nonce) = body.split_once(r#""nonce":""#).expect("a nonce");
    let other_first = if nonce.starts_with('A') { 'B' } else { 'A' };
    let body = format!(r#"{before}"nonce":"{other_first}{}"#, &nonce[1..]);
    let mut forked = genuine.clone();
    forked["leaf"] = json!(leaf_hash(body.as_bytes()));
    forked["body"] = json!(body);
    let mut moved = genuine.clone();
    moved["seq"] = json!(9);
    for (code, lie) in [("receipt-command", of_other), ("evidence-missing", forked), ("receipt-event", moved)] {
        story.vault.twist(move |path, answer| {
            if path.ends_with("/upload") {
                answer["event"].clone_from(&lie);
            }
        });
        let error = story.upload(&Watch::default()).expect_err(code);
        assert_eq!((&*error.code(), error.exit()), (code, Exit::Tampering), "{error}");
    }
    story.vault.twist(|_, _| {});
    let done = story.upload(&Watch::default()).expect("uploaded");
    assert!(done.resumed && matches!(done.event.outcome, Outcome::RecordUploaded(_)));
}
