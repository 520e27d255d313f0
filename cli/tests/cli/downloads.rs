//! Downloads over bad networks and after crashes: they go on where they stopped, and what is wrong is noticed and not kept.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use chartseal_cli::{DownloadOf, Error, Exit, Patience, State, UnfinishedDownload};

use crate::day::Shared;
use crate::fake::{EXPIRED, Fault};
use crate::watch::Watch;

const QUICK: Patience = Patience {
    total: Duration::from_secs(10),
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(10),
};

fn day(patience: Patience) -> Shared {
    let mut day = Shared::new();
    day.bob.vault = day.bob.vault.with_patience(patience);
    day
}

fn download(day: &Shared, watch: &Watch) -> Result<(), Error> {
    let out = day.folder.path().join("out");
    day.bob.download(DownloadOf::Request(day.request), &out, true, watch)?;
    assert_eq!(fs::read(out).expect("there"), day.plaintext);
    Ok(())
}

fn slots(day: &Shared) -> Vec<PathBuf> {
    let entries = fs::read_dir(day.vault.state.path().join("chartseal-downloads")).expect("made");
    entries.map(|entry| entry.expect("read").path()).collect()
}

fn partial(day: &Shared) -> PathBuf {
    let slots = slots(day);
    assert_eq!(slots.len(), 1, "{slots:?}");
    slots[0].join("body")
}

/// A download that ended after so many bytes.
fn broken_off(day: &Shared, bytes: usize) {
    day.vault.fail_at("GET", "/s3/", &[Fault::Cut(bytes)]);
    let error = download(day, &Watch::default()).expect_err("broken off");
    assert_eq!(error.exit(), Exit::TryAgain, "{error}");
    assert!(!day.folder.path().join("out").exists());
    assert_eq!(fs::metadata(partial(day)).expect("kept").len(), bytes as u64);
}

#[test]
fn what_is_kept_of_a_download_is_listed_discarded_and_swept() {
    let day = day(Patience::NONE);
    let state = State::Kept(day.vault.state.path().to_owned());
    assert_eq!(UnfinishedDownload::list(&state).expect("listed"), []);
    broken_off(&day, 1000);
    let listed = UnfinishedDownload::list(&state).expect("listed");
    let [UnfinishedDownload { of: Some(of), kept_bytes: 1000, received_at_ms: Some(_) }] = &listed[..] else {
        panic!("{listed:?}")
    };
    assert_eq!((of.record, of.version), (day.uploaded.record, 1));
    assert!(of.body_bytes > 1000);
    assert_eq!(UnfinishedDownload::discard(&state).expect("discarded"), listed);
    assert_eq!(slots(&day).len(), 0);

    // Nobody may ever download again: looking removes it too.
    broken_off(&day, 1000);
    let then = SystemTime::now() - Duration::from_hours(25);
    let body = fs::File::options().append(true).open(partial(&day)).expect("there");
    body.set_modified(then).expect("set");
    assert_eq!(UnfinishedDownload::list(&state).expect("listed"), []);
    assert_eq!(slots(&day).len(), 0);
}

#[test]
fn a_connection_that_is_lost_goes_on_where_it_stopped() {
    let day = day(QUICK);
    let faults = [0, 1, 5, 100_000].map(Fault::Cut);
    day.vault.fail_at(
        "GET",
        "/s3/",
        &[&faults[..], &[Fault::Dropped, Fault::Status(503), Fault::Cut(300_000)]].concat(),
    );
    let watch = Watch::default();
    download(&day, &watch).expect("downloaded");
    watch.assert_exact();
    assert_eq!(watch.advanced.load(Ordering::Relaxed), day.vault.store().blobs[&(day.uploaded.record, 1)].len() as u64);
    assert_eq!(day.vault.count("POST", "/download"), 1, "asked for once");
    assert!(slots(&day).is_empty());
}

#[test]
fn a_store_that_ignores_ranges_is_skipped_through() {
    let day = day(QUICK);
    day.vault.fail_at("GET", "/s3/", &[Fault::Cut(300_000), Fault::RangeIgnored]);
    let watch = Watch::default();
    download(&day, &watch).expect("downloaded");
    watch.assert_exact();
}

#[test]
fn an_address_that_has_expired_is_asked_for_again() {
    let day = day(QUICK);
    day.vault.fail_at("GET", "/s3/", &[Fault::Cut(300_000), Fault::Status(403)]);
    download(&day, &Watch::default()).expect("downloaded");
    assert_eq!(day.vault.count("POST", "/download"), 2);
    day.vault.fail_at("GET", "/s3/", &[Fault::Status(403); 9]);
    let refused = download(&day, &Watch::default()).expect_err("always refused");
    assert!(matches!(refused, Error::StorageRefused { status: 403 }), "{refused}");
    assert_eq!(day.vault.count("POST", "/download"), 2 + 4);
    // Once, however S3 says it.
    for expired in EXPIRED {
        let day = self::day(QUICK);
        day.vault.fail_at("GET", "/s3/", &[Fault::Cut(300_000), expired]);
        download(&day, &Watch::default()).expect("downloaded");
        assert_eq!(day.vault.count("POST", "/download"), 2, "{expired:?}");
    }
    // What is no such thing is not asked for again.
    day.vault.store().faults.clear();
    day.vault.fail_at("GET", "/s3/", &[Fault::Refused(400, "InvalidRequest", "Request has expired")]);
    let refused = download(&day, &Watch::default()).expect_err("refused");
    assert!(matches!(refused, Error::StorageRefused { status: 400 }), "{refused}");
    assert_eq!(day.vault.count("POST", "/download"), 2 + 4 + 1);
}

#[test]
fn a_program_that_died_goes_on_with_what_it_had() {
    for bytes in [1, 300_000] {
        let day = day(Patience::NONE);
        broken_off(&day, bytes);
        let watch = Watch::default();
        download(&day, &watch).expect("downloaded");
        assert!(watch.has_noted(&format!("resuming: {bytes} of")));
        watch.assert_exact();
        let stored = day.vault.store().blobs[&(day.uploaded.record, 1)].len();
        assert_eq!(watch.advanced.load(Ordering::Relaxed), (stored - bytes) as u64, "only the rest is fetched");
        assert!(slots(&day).is_empty(), "nothing stays");
    }
    // All had come in, but the file had no name yet.
    let day = day(Patience::NONE);
    broken_off(&day, 9);
    let body = day.vault.store().blobs[&(day.uploaded.record, 1)].clone();
    fs::write(partial(&day), body).expect("written");
    let before = day.vault.count("GET", "/s3/");
    download(&day, &Watch::default()).expect("downloaded");
    assert_eq!(day.vault.count("GET", "/s3/"), before, "nothing is fetched");
}

#[test]
fn what_was_kept_wrongly_does_not_stand_in_the_way() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 4] = [
        |kept| kept[100] ^= 1,
        |kept| *kept.last_mut().expect("bytes") ^= 1,
        |kept| kept.extend([0; 100]),
        |kept| kept.resize(900_000, 0),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let day = day(Patience::NONE);
        broken_off(&day, 300_000);
        let mut kept = fs::read(partial(&day)).expect("there");
        change(&mut kept);
        fs::write(partial(&day), kept).expect("written");
        let watch = Watch::default();
        download(&day, &watch).expect("downloaded");
        watch.assert_exact();
        assert!(slots(&day).is_empty(), "{index}");
    }
}

#[test]
fn a_body_that_is_wrong_is_not_kept() {
    let day = day(Patience::NONE);
    let place = (day.uploaded.record, 1);
    let genuine = day.vault.store().blobs[&place].clone();
    broken_off(&day, 300_000);
    day.vault.store().blobs.get_mut(&place).expect("there")[400_000] ^= 1;
    let watch = Watch::default();
    let error = download(&day, &watch).expect_err("tampered");
    assert_eq!((&*error.code(), error.exit()), ("body-tampered", Exit::Tampering), "{error}");
    assert!(watch.has_noted("fetched again"), "what was kept may have been at fault");
    assert!(slots(&day).is_empty() && !day.folder.path().join("out").exists());
    day.vault.store().blobs.insert(place, genuine);
    download(&day, &Watch::default()).expect("the genuine body is good");
}

#[test]
fn tampering_is_noticed_before_the_rest_is_fetched() {
    let day = day(Patience::NONE);
    let place = (day.uploaded.record, 1);
    day.vault.store().blobs.get_mut(&place).expect("there")[100] ^= 1;
    let watch = Watch::default();
    let error = download(&day, &watch).expect_err("tampered");
    assert_eq!(&*error.code(), "body-tampered", "{error}");
}

#[test]
fn a_place_that_cannot_be_written_costs_only_the_resuming() {
    let mut day = day(QUICK);
    let file = day.folder.path().join("a-file");
    fs::write(&file, b"").expect("written");
    day.bob.transfers.state = State::Kept(file);
    day.vault.fail_at("GET", "/s3/", &[Fault::Cut(300_000)]);
    let watch = Watch::default();
    download(&day, &watch).expect("downloaded all the same");
    assert!(watch.has_noted("cannot be resumed"));
    watch.assert_exact();
}

#[test]
fn two_programs_that_fetch_the_same_are_not_in_each_others_way() {
    let day = day(Patience::NONE);
    broken_off(&day, 300_000);
    let lock = fs::File::open(partial(&day).with_file_name("lock")).expect("there");
    lock.lock().expect("as another process");
    download(&day, &Watch::default()).expect("on its own");
    assert_eq!(fs::metadata(partial(&day)).expect("still there").len(), 300_000, "the other one's is left alone");
}
