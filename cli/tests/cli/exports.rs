//! Exports: one message under a key of the user's own, which opens without the vault.

use std::fs;
use std::path::Path;

use chartseal_cli::{DownloadOf, Error, ExportKey, Exported, KeyFile};
use chartseal_envelope::{RawAesError, RawAesKey, open_message};

use crate::day::Shared;
use crate::fake::{FakeVault, Fault};
use crate::usage::Desk;
use crate::watch::Watch;

/// Opens a message as somebody does who has nothing but the key.
fn opened(message: &Path, namespace: &str, name: &str, key: &Path) -> Result<Vec<u8>, RawAesError> {
    let digits = fs::read_to_string(key).expect("there");
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[index * 2..index * 2 + 2], 16).expect("digits");
    }
    let key = RawAesKey::new(namespace, name, bytes).expect("a key");
    let mut plaintext = Vec::new();
    let message = fs::File::open(message).expect("there");
    let done = open_message(message, |header| key.unwrap(header.wrapped_key(), header.context()), &mut plaintext);
    match done {
        Ok(_) => Ok(plaintext),
        Err(chartseal_envelope::MessageError::Key(error)) => Err(error),
        Err(error) => panic!("{error}"),
    }
}

fn export(day: &Shared, watch: &Watch) -> Result<Exported, Error> {
    let key_file = day.folder.path().join("key");
    let key = if key_file.exists() { KeyFile::read(&key_file) } else { KeyFile::generate(&key_file) };
    let key = ExportKey::new("archive", "2026", &key.expect("a key")).expect("names");
    day.bob.export(DownloadOf::Request(day.request), &key, &day.folder.path().join("out"), true, watch)
}

#[test]
fn an_export_opens_with_the_key_and_with_no_other() {
    let day = Shared::new();
    day.vault.fail_at("GET", "/s3/", &[Fault::Cut(300_000)]);
    let watch = Watch::default();
    let exported = export(&day, &watch).expect("exported");
    watch.assert_exact();
    let (out, key) = (day.folder.path().join("out"), day.folder.path().join("key"));
    assert_eq!(exported.message_bytes, fs::metadata(&out).expect("there").len());
    assert_eq!((exported.download.sha256, exported.download.checks.len()), (day.uploaded.sha256, 11));
    assert_eq!(opened(&out, "archive", "2026", &key).expect("opened"), day.plaintext);
    assert_eq!(opened(&out, "archive", "2027", &key).err(), Some(RawAesError::NotThisKey));
    let other = day.folder.path().join("other");
    KeyFile::generate(&other).expect("written");
    assert_eq!(opened(&out, "archive", "2026", &other).err(), Some(RawAesError::NotThisKey));
    // The next export is another message.
    let first = fs::read(&out).expect("there");
    export(&day, &Watch::default()).expect("exported");
    let second = fs::read(&out).expect("there");
    assert!(first.len() == second.len() && first[3..35] != second[3..35], "a message id of its own");
}

#[test]
fn what_does_not_hold_up_is_not_exported() {
    let day = Shared::new();
    let place = (day.uploaded.record, 1);
    let genuine = day.vault.store().blobs[&place].clone();
    for at in [100, genuine.len() - 1] {
        let mut body = genuine.clone();
        body[at] ^= 1;
        day.vault.store().blobs.insert(place, body);
        let error = export(&day, &Watch::default()).expect_err("tampered");
        assert_eq!(&*error.code(), "body-tampered", "{error}");
        assert!(!day.folder.path().join("out").exists());
    }
}

#[test]
fn names_that_no_message_can_have_are_refused() {
    let day = Shared::new();
    let key = KeyFile::generate(&day.folder.path().join("key")).expect("written");
    for (namespace, name) in [("aws-kms", "x"), ("", "x"), ("x", ""), ("x", &*"n".repeat(600))] {
        let error = ExportKey::new(namespace, name, &key).expect_err("refused");
        assert_eq!((&*error.code(), error.exit()), ("bad-key", chartseal_cli::Exit::Usage));
    }
}

#[test]
fn exporting_on_the_command_line() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    desk.hospital("anna");
    fs::write(desk.path("report.txt"), b"a report").expect("written");
    let uploaded = desk.done("anna", &["record", "upload", "report.txt"]).json();
    let record = uploaded["records"][0]["record"].as_str().expect("an id");
    let export = ["record", "export", record, "--key-file", "key", "--out"];
    let missing = desk.run("anna", &[&export[..], &["out.esdk"]].concat());
    assert_eq!((missing.code, missing.json()["error"]["code"].as_str()), (1, Some("file")), "{}", missing.stderr);
    let done = desk.done("anna", &[&export[..], &["out.esdk", "--generate-key"]].concat()).json();
    assert_eq!((&done["key_namespace"], &done["key_name"]), (&"chartseal".into(), &"export".into()));
    assert_eq!(opened(&desk.path("out.esdk"), "chartseal", "export", &desk.path("key")).expect("opened"), b"a report");
    let again = desk.run("anna", &[&export[..], &["other.esdk", "--generate-key"]].concat());
    assert_eq!(
        (again.code, again.json()["error"]["code"].as_str()),
        (1, Some("file-exists")),
        "a key is never replaced"
    );
    let advice = again.json()["error"]["advice"].to_string();
    assert!(advice.contains("without --generate-key"), "{advice}");
    let key = fs::read(desk.path("key")).expect("read");
    let onto_the_key = desk.run("anna", &[&export[..], &["./key", "--force"]].concat());
    assert!(onto_the_key.code == 1 && fs::read(desk.path("key")).expect("read") == key, "the key is still there");
    let wrong = desk.run("anna", &[&export[..], &["other.esdk", "--key-namespace", "aws-kms"]].concat());
    assert_eq!((wrong.code, wrong.json()["error"]["code"].as_str()), (2, Some("bad-key")));
    fs::set_permissions(desk.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("set");
    let warned = desk.done("anna", &[&export[..], &["third.esdk"]].concat());
    assert!(warned.stderr.contains("others can read key"), "{}", warned.stderr);
}
