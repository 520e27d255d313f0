//! Records above 64 MiB: sent in parts, several at a time, and gone on with after a crash.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use chartseal_cli::{Client, DownloadOf, NewRecord, Patience, Transfers, Uploaded};
use chartseal_envelope::PART_BYTES;
use chartseal_events::Hash;
use sha2::{Digest as _, Sha256};

use crate::fake::{EXPIRED, FakeVault, Fault};
use crate::usage::Desk;
use crate::watch::Watch;

const QUICK: Patience = Patience {
    total: Duration::from_secs(20),
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(20),
};

/// A file of zeros with an end, so that it has this many parts when it is encrypted.
fn file_of(parts: u64, folder: &Path) -> PathBuf {
    let path = folder.join("large.bin");
    let mut file = File::create(&path).expect("made");
    file.set_len((parts - 1) * PART_BYTES + 5_000).expect("sparse");
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0))
        .and_then(|_| file.write_all(b"the end"))
        .expect("written");
    path
}

fn digest(path: &Path) -> Hash {
    let mut digest = Sha256::new();
    std::io::copy(&mut File::open(path).expect("there"), &mut digest).expect("read");
    Hash(digest.finalize().into())
}

struct Story {
    vault: FakeVault,
    ann: Client,
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Story {
    fn new(parts: u64) -> Self {
        let vault = FakeVault::start();
        let mut ann = vault.hospital("St. Anna");
        ann.vault = ann.vault.with_patience(QUICK);
        let folder = tempfile::tempdir().expect("a folder");
        let path = file_of(parts, folder.path());
        Self { vault, ann, folder, path }
    }

    fn upload(&self, watch: &Watch) -> Result<Uploaded, chartseal_cli::Error> {
        let new = NewRecord { path: &self.path, media_type: "application/zip", label: None, terms: &[] };
        self.ann.upload(&new, watch)
    }

    fn download(&self, uploaded: &Uploaded, watch: &Watch) {
        let out = self.folder.path().join("out");
        let done = self.ann.download(DownloadOf::Record(uploaded.record, None), &out, true, watch).expect("downloaded");
        assert_eq!((done.sha256, digest(&out)), (uploaded.sha256, digest(&self.path)));
    }
}

#[test]
fn parts_get_through_a_bad_network_and_come_back() {
    let mut story = Story::new(3);
    story.ann.transfers.parallel = Transfers::MAX_PARALLEL;
    let cut = 10 * 1024 * 1024;
    story.vault.fail_at("PUT", "/1/", &[Fault::Cut(cut), Fault::Status(503), Fault::AnswerLost]);
    story.vault.fail_at("PUT", "/2/", &EXPIRED);
    story.vault.fail_at("POST", "/upload/parts", &[Fault::AnswerLost]);
    story.vault.fail_at("POST", "/upload/complete", &[Fault::Unavailable, Fault::AnswerLost]);
    let watch = Watch::default();
    let uploaded = story.upload(&watch).expect("uploaded");
    watch.assert_exact();
    assert_eq!(story.vault.count("PUT", "/3/"), 1, "what got through is not sent again");
    assert_eq!(story.vault.count("PUT", "/1/"), 1, "nor what got through and was not answered");
    assert_eq!(fs::read_dir(story.vault.state.path().join("chartseal-uploads")).expect("made").count(), 0);

    let watch = Watch::default();
    story.vault.fail_at("GET", "/s3/", &[Fault::Cut(cut), Fault::Cut(cut), Fault::Status(503), Fault::Status(403)]);
    story.download(&uploaded, &watch);
    watch.assert_exact();
    let stored = story.vault.store().blobs[&(uploaded.record, 1)].len() as u64;
    assert_eq!(watch.advanced.load(std::sync::atomic::Ordering::Relaxed), stored, "each byte came once");
}

#[test]
fn a_multipart_upload_that_is_gone_is_begun_anew() {
    let mut story = Story::new(2);
    story.ann.vault = story.ann.vault.with_patience(Patience::NONE);
    story.ann.transfers.parallel = 1;
    story.vault.fail_at("PUT", "/2/", &[Fault::Dropped]);
    story.upload(&Watch::default()).expect_err("broken off");
    story.vault.store().multiparts.clear();
    let watch = Watch::default();
    let uploaded = story.upload(&watch).expect("uploaded");
    watch.assert_exact();
    assert!(uploaded.resumed && !watch.has_noted("parts are there"));
    assert_eq!(story.vault.count("PUT", "/1/"), 2);
    assert_eq!(story.vault.store().begun_multiparts, 2);
    story.download(&uploaded, &Watch::default());
}

#[test]
fn what_was_put_together_is_not_sent_again() {
    let mut story = Story::new(2);
    story.ann.vault = story.ann.vault.with_patience(Patience::NONE);
    // The answer is lost, and so is that of the first look whether it has arrived.
    story.vault.fail_at("POST", "/upload/complete", &[Fault::AnswerLost]);
    story.upload(&Watch::default()).expect_err("broken off");
    assert_eq!(story.vault.store().blobs.len(), 1);
    let uploaded = story.upload(&Watch::default()).expect("it had arrived");
    assert!(uploaded.resumed && story.vault.count("PUT", "/s3/") == 2);

    // A part that S3 lost in between is found and sent.
    let mut story = Story::new(2);
    story.ann.vault = story.ann.vault.with_patience(Patience::NONE);
    story.vault.fail_at("POST", "/upload/complete", &[Fault::Dropped]);
    story.upload(&Watch::default()).expect_err("broken off");
    story.vault.store().multiparts.values_mut().for_each(|multipart| drop(multipart.parts.remove(&1)));
    let watch = Watch::default();
    let uploaded = story.upload(&watch).expect("uploaded");
    watch.assert_exact();
    assert!(uploaded.resumed && watch.has_noted("resuming: 1 of 2 parts are there"));
    assert_eq!((story.vault.count("PUT", "/1/"), story.vault.count("PUT", "/2/")), (2, 1));
}

#[test]
fn a_killed_program_goes_on_with_the_parts_that_are_there() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    file_of(2, desk.folder.path());
    // The second part waits in vain for its answers, so that there is something to kill.
    vault.fail_at("PUT", "/2/", &[Fault::Status(503); 100]);
    let upload = ["--wallet", "anna", "--passphrase-file", "passphrase", "record", "upload", "large.bin"];
    let upload = [&upload[..], &["--parallel", "1", "--progress", "plain"]].concat();
    let mut child = desk.program(&upload).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("started");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let has_part = || {
        let store = vault.store();
        store.multiparts.values().any(|multipart| multipart.parts.contains_key(&1))
            && store.faults.iter().any(|(_, path, left)| path == "/2/" && left.len() < 100)
    };
    while !has_part() {
        assert!(child.try_wait().expect("looked").is_none(), "it ended too early");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let mut line = String::new();
    let _ = said.read_line(&mut line);
    vault.store().faults.clear();

    let listed = desk.bare(&["--json", "record", "uploads"]).json();
    assert_eq!(
        (listed["uploads"][0]["stage"].as_str(), listed["uploads"].as_array().map(Vec::len)),
        (Some("sending"), Some(1))
    );
    let ended = desk.bare(&[&["--json"][..], &upload].concat());
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stderr.contains("resuming: 1 of 2 parts are there"), "{}", ended.stderr);
    assert_eq!(ended.json()["records"][0]["resumed"], true);
    assert_eq!((vault.count("PUT", "/1/"), vault.count("PUT", "/2/")), (1, 1));
    assert_eq!(desk.bare(&["--json", "record", "uploads"]).json()["uploads"].as_array().map(Vec::len), Some(0));
    let record = ended.json()["records"][0]["record"].as_str().expect("an id").to_owned();
    desk.done("anna", &["record", "download", &record, "--out", "out.bin", "--progress", "none"]);
    assert_eq!(digest(&desk.path("out.bin")), digest(&desk.path("large.bin")));
}

#[test]
fn an_upload_that_is_discarded_is_gone() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    fs::write(desk.path("small.txt"), b"x").expect("written");
    vault.fail_at("PUT", "/s3/", &[Fault::Status(404)]);
    let failed = desk.run("anna", &["record", "upload", "small.txt"]);
    assert_eq!(failed.code, 1, "{}", failed.stdout);
    let listed = desk.bare(&["--json", "record", "uploads"]).json();
    assert_eq!(listed["uploads"][0]["stage"], "announced");
    assert!(desk.bare(&["record", "uploads"]).stdout.contains("awaited until"));
    let other = desk.bare(&["--json", "record", "uploads", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--discard"]).json();
    assert_eq!(other["uploads"].as_array().map(Vec::len), Some(0));
    let gone = desk.bare(&["--json", "record", "uploads", "--discard"]).json();
    assert_eq!((gone["uploads"].as_array().map(Vec::len), &gone["discarded"]), (Some(1), &true.into()));
    assert_eq!(fs::read_dir(desk.path("state/chartseal-uploads")).expect("there").count(), 0);
    assert!(desk.bare(&["record", "uploads"]).stdout.contains("no unfinished uploads"));
    vault.fail_at("PUT", "/s3/", &[Fault::Status(404)]);
    desk.run("anna", &["record", "upload", "small.txt"]);
    let said = desk.bare(&["record", "uploads", "--discard"]).stdout;
    assert!(said.contains("removed: ") && said.contains("without a body"), "what stays at the vault: {said}");
}

/// Runs the program where no file can grow beyond 64 blocks, as if the disk were full then.
fn on_a_full_disk(desk: &Desk, arguments: &[&str]) -> (i32, serde_json::Value, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"trap '' XFSZ; ulimit -f 64; exec "$0" "$@""#, env!("CARGO_BIN_EXE_chartseal")]);
    shell.args(["--wallet", "anna", "--passphrase-file", "passphrase", "--json"]).args(arguments);
    let ended = shell.env("CHARTSEAL_STATE", desk.path("state")).current_dir(&desk.folder).output().expect("it runs");
    let document = serde_json::from_slice(&ended.stdout).expect("JSON");
    (ended.status.code().expect("no signal"), document, String::from_utf8_lossy(&ended.stderr).into_owned())
}

#[test]
fn a_full_disk_is_said_so_and_loses_nothing() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    fs::write(desk.path("scan.bin"), vec![7; 600_000]).expect("written");
    let (code, document, said) = on_a_full_disk(&desk, &["record", "upload", "scan.bin"]);
    assert_eq!((code, &document["error"]["code"]), (1, &"spool".into()), "{said}");
    assert!(said.contains("CHARTSEAL_STATE") && said.contains("body"), "where, and what to do: {said}");
    let listed = desk.bare(&["--json", "record", "uploads"]).json();
    assert_eq!((&listed["uploads"][0]["stage"], &listed["uploads"][0]["kept_bytes"]), (&"created".into(), &0.into()));
    let done = desk.done("anna", &["record", "upload", "scan.bin"]).json();
    assert_eq!(done["records"][0]["resumed"], true);

    let record = done["records"][0]["record"].as_str().expect("an id").to_owned();
    let download = ["record", "download", &record, "--out", "out.bin"];
    let (code, document, said) = on_a_full_disk(&desk, &download);
    assert_eq!((code, &document["error"]["code"]), (1, &"file".into()), "{said}");
    assert!(!desk.path("out.bin").exists());
    desk.done("anna", &download);
    assert_eq!(digest(&desk.path("out.bin")), digest(&desk.path("scan.bin")));
}

#[test]
fn how_many_parts_go_at_once_has_bounds() {
    let desk = Desk::new();
    for parallel in ["0", "17", "x"] {
        let ended = desk.bare(&["--json", "record", "upload", "scan.bin", "--parallel", parallel]);
        assert_eq!((ended.code, ended.json()["error"]["code"].as_str()), (2, Some("usage")), "{parallel}");
    }
}
