//! A provider's day through the library: everything that must work before anything hostile is worth testing.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use chartseal_cli::{Client, DownloadOf, Error, NewRecord, NewRequest, Progress, Silent, Stage, Uploaded};
use chartseal_events::purpose::Purpose;
use chartseal_events::{Code, Hash, Id};
use chartseal_ledger::terms::Term;

use crate::fake::FakeVault;

/// A file of several frames that ends within one.
pub const PLAINTEXT_BYTES: usize = 600_001;

/// Two hospitals, a record of the first, and a request of the second for it that was approved.
pub struct Shared {
    pub vault: FakeVault,
    pub ann: Client,
    pub bob: Client,
    pub uploaded: Uploaded,
    pub request: Id,
    pub plaintext: Vec<u8>,
    pub folder: tempfile::TempDir,
}

pub fn plaintext() -> Vec<u8> {
    (0..PLAINTEXT_BYTES).map(|index| u8::try_from(index % 251).expect("small")).collect()
}

pub fn upload(client: &Client, folder: &Path, bytes: &[u8]) -> Result<Uploaded, Error> {
    let path = folder.join("original.txt");
    std::fs::write(&path, bytes).expect("written");
    let terms = ["modality:MRI", "body:brain", "date:2026-03-14"].map(|term| term.parse::<Term>().expect("a term"));
    let new = NewRecord { path: &path, media_type: "text/plain", label: Some("Head"), terms: &terms };
    client.upload(&new, &Silent)
}

pub fn ask(client: &Client, record: Id) -> Result<Id, Error> {
    let new = NewRequest {
        record,
        version: 1,
        purpose: Purpose::Treatment,
        grant_seconds: 3_600,
        justification: "admitted after a fall",
    };
    client.request_access(&new).map(|(request, _)| request)
}

impl Shared {
    pub fn new() -> Self {
        let vault = FakeVault::start();
        let (ann, bob) = (vault.hospital("St. Anna"), vault.hospital("Riverside"));
        let folder = tempfile::tempdir().expect("a folder");
        let plaintext = plaintext();
        let uploaded = upload(&ann, folder.path(), &plaintext).expect("uploaded");
        let request = ask(&bob, uploaded.record).expect("asked");
        let looked_at = vault.operator.wait_request(request, "verified", Duration::from_secs(5)).expect("verified");
        vault.operator.approve(&looked_at, None).expect("approved");
        Self { vault, ann, bob, uploaded, request, plaintext, folder }
    }

    pub fn download(&self) -> Result<chartseal_cli::Download, Error> {
        self.bob.download(DownloadOf::Request(self.request), &self.folder.path().join("out"), false, &Silent)
    }
}

#[test]
fn what_was_uploaded_is_found_requested_and_decrypted() {
    let day = Shared::new();
    assert_eq!(day.uploaded.sha256, Hash::of(&[&day.plaintext]));
    for (query, hits) in [("modality:mri AND date:2026-03", 1), ("modality:ct OR body:Brain", 1), ("modality:ct", 0)] {
        let found = day.bob.search(query).expect("searched");
        assert_eq!(found.hits.len(), hits, "{query}");
    }
    let done = day.download().expect("downloaded");
    assert_eq!(std::fs::read(day.folder.path().join("out")).expect("there"), day.plaintext);
    assert_eq!((done.sha256, done.bytes), (day.uploaded.sha256, PLAINTEXT_BYTES as u64));
    let expected = [
        "receipt",
        "evidence",
        "grant",
        "announcement",
        "header",
        "key-release",
        "key-commitment",
        "header-tag",
        "frames",
        "frames-root",
        "body-checksum",
    ];
    assert_eq!(done.checks, expected);
    let leftover: Vec<_> = std::fs::read_dir(day.folder.path()).expect("there").flatten().collect();
    assert_eq!(leftover.len(), 2, "no temporary file stays: {leftover:?}");
}

#[test]
fn an_owner_downloads_each_version_of_its_own_record() {
    let day = Shared::new();
    let path = day.folder.path().join("second.txt");
    std::fs::write(&path, b"second").expect("written");
    let new = NewRecord { path: &path, media_type: "text/plain", label: None, terms: &[] };
    let second = day.ann.upload_version(day.uploaded.record, &new, &Silent).expect("uploaded");
    assert_eq!(second.version, 2);
    for (version, bytes) in [(None, &b"second"[..]), (Some(1), &day.plaintext), (Some(2), b"second")] {
        let out = day.folder.path().join("own");
        day.ann.download(DownloadOf::Record(day.uploaded.record, version), &out, true, &Silent).expect("downloaded");
        assert_eq!(std::fs::read(&out).expect("there"), bytes, "{version:?}");
    }
}

#[test]
fn an_empty_file_is_a_record_too() {
    let day = Shared::new();
    let uploaded = upload(&day.ann, day.folder.path(), b"").expect("uploaded");
    let out = day.folder.path().join("empty");
    day.ann.download(DownloadOf::Record(uploaded.record, None), &out, false, &Silent).expect("downloaded");
    assert_eq!(std::fs::read(&out).expect("there"), b"");
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let day = Shared::new();
    std::fs::write(day.folder.path().join("out"), b"mine").expect("written");
    assert!(matches!(day.download(), Err(Error::OutExists(_))));
    assert_eq!(std::fs::read(day.folder.path().join("out")).expect("there"), b"mine");
}

/// Looks into a folder whenever something moves.
struct Watched<'a>(&'a Path, Mutex<Vec<OsString>>);

impl Progress for Watched<'_> {
    fn begin(&self, _: Stage, _: u64, _: u64) {}
    fn rewind(&self, _: u64) {}
    fn end(&self) {}
    fn passed(&self, _: &'static str) {}
    fn note(&self, _: &str) {}

    fn advance(&self, _: u64) {
        let entries = std::fs::read_dir(self.0).expect("there").flatten();
        self.1.lock().expect("no panic").extend(entries.map(|entry| entry.file_name()));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_download_that_is_killed_leaves_nothing_behind() {
    let day = Shared::new();
    let folder = day.folder.path().join("desk");
    std::fs::create_dir(&folder).expect("made");
    let watched = Watched(&folder, Mutex::default());
    day.bob.download(DownloadOf::Request(day.request), &folder.join("out"), false, &watched).expect("downloaded");
    assert!(folder.join("out").exists());
    // Whatever has a name while it is written keeps it when the program is killed.
    assert_eq!(*watched.1.lock().expect("no panic"), Vec::<OsString>::new());
}

#[test]
fn a_download_that_cannot_be_written_is_not_asked_for() {
    let day = Shared::new();
    let calls = day.vault.store().calls.len();
    for out in ["", "no-such-folder/out", "new/"] {
        let out = day.folder.path().join(out);
        let refused = day.bob.download(DownloadOf::Request(day.request), &out, true, &Silent);
        assert!(matches!(refused, Err(Error::NotAFile { .. } | Error::File { .. })), "{refused:?}");
    }
    assert_eq!(day.vault.store().calls.len(), calls, "no download is in the log that could not be written");
}

#[test]
fn a_denied_request_ends_the_waiting_and_releases_nothing() {
    let day = Shared::new();
    let request = ask(&day.bob, day.uploaded.record).expect("asked");
    let looked_at = day.vault.operator.request(request).expect("shown");
    day.vault.operator.deny(&looked_at, "no").expect("denied");
    let waited = day.bob.wait_request(request, "approved", Duration::from_mins(1));
    assert!(matches!(waited, Err(Error::Settled { state: "denied" })), "{waited:?}");
    let refused = day.bob.download(DownloadOf::Request(request), &day.folder.path().join("out"), false, &Silent);
    assert_eq!(refused.expect_err("denied").code(), Code::RequestDenied.name());
}

#[test]
fn a_decision_names_what_was_looked_at() {
    let day = Shared::new();
    let request = ask(&day.bob, day.uploaded.record).expect("asked");
    let looked_at = day.vault.operator.request(request).expect("shown");
    let mut earlier = looked_at.clone();
    earlier.last_event.leaf = Hash([1; 32]);
    assert_eq!(day.vault.operator.approve(&earlier, None).expect_err("moved").code(), Code::HeadMoved.name());
    day.vault.operator.approve(&looked_at, Some("ok")).expect("approved");
}

#[test]
fn operators_come_and_go() {
    let vault = FakeVault::start();
    let second = chartseal_cli::Wallet::generate_operator().expect("a wallet");
    vault.operator.add_operator(second.sign_key()).expect("added");
    let second = Client::new(vault.operator.vault.clone(), second);
    second.connect_operator().expect("an operator now");
    second.remove_operator(vault.operator.wallet.thumbprint(), "left").expect("removed");
    assert!(matches!(vault.operator.connect_operator(), Err(Error::WrongWallet(_))));
}
