//! Networks that fail, clocks that are off: the same bytes go out again, and nothing is done twice.

use std::io::Cursor;
use std::time::Duration;

use chartseal_cli::{Client, Error, Exit, Patience, Vault, VaultPin, Wallet};
use chartseal_events::command::RecordCreate;
use chartseal_events::{Code, Hash, StreamId};

use crate::day::{Shared, upload};
use crate::fake::{FakeVault, Fault};

const QUICK: Patience = Patience {
    total: Duration::from_secs(10),
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(10),
};

fn records(vault: &FakeVault) -> usize {
    vault.store().streams.keys().filter(|stream| matches!(stream, StreamId::Record(_))).count()
}

#[test]
fn a_lost_answer_is_asked_for_again_and_nothing_is_done_twice() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    ann.vault = ann.vault.with_patience(QUICK);
    vault.fail(&[Fault::Unavailable, Fault::Dropped, Fault::AnswerLost]);
    // The repeated answer has no key: it is fetched on its own.
    let created = ann.create_record().expect("created");
    assert_eq!(records(&vault), 1);
    let spooled = created.spool(Cursor::new(b"x")).expect("sealed");
    assert_eq!(spooled.sealed.plaintext_bytes, 1);
    let keys = vault.store().calls.iter().filter(|(_, target)| target.ends_with("/key")).count();
    assert_eq!(keys, 1);
}

#[test]
fn a_whole_upload_survives_lost_answers() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    ann.vault = ann.vault.with_patience(QUICK);
    let folder = tempfile::tempdir().expect("a folder");
    vault.fail(&[Fault::Dropped, Fault::AnswerLost, Fault::AnswerLost, Fault::Unavailable, Fault::AnswerLost]);
    upload(&ann, folder.path(), b"a record").expect("uploaded");
    assert_eq!(records(&vault), 1);
}

#[test]
fn an_upload_whose_address_has_expired_says_so() {
    let vault = FakeVault::start();
    let ann = vault.hospital("St. Anna");
    vault.store().uploads_expired = true;
    let folder = tempfile::tempdir().expect("a folder");
    let error = upload(&ann, folder.path(), b"a record").expect_err("too late");
    assert_eq!((&*error.code(), error.exit()), ("upload-expired", Exit::TryAgain), "{error}");
    vault.store().uploads_expired = false;
    upload(&ann, folder.path(), b"a record").expect("the same again works");
}

#[test]
fn patience_ends() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    ann.vault = ann.vault.with_patience(Patience::NONE);
    vault.fail(&[Fault::Unavailable]);
    let error = ann.create_record().expect_err("no second attempt");
    assert_eq!(error.exit(), Exit::TryAgain, "{error}");
    vault.fail(&[Fault::Dropped]);
    let error = ann.create_record().expect_err("no second attempt");
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert_eq!(records(&vault), 0);
}

#[test]
fn a_clock_that_is_off_is_corrected_once() {
    for off_ms in [-600_000, -90_000, 600_000] {
        let vault = FakeVault::start();
        let ann = vault.hospital("St. Anna");
        ann.vault.set_clock_offset_ms(off_ms);
        ann.provider().and_then(|id| ann.show_provider(id)).expect("a read corrects it");
        assert!(ann.vault.clock_offset_ms().abs() < 3_000, "{}", ann.vault.clock_offset_ms());
        ann.vault.set_clock_offset_ms(2 * off_ms);
        ann.create_record().expect("a command corrects it");
        assert!(ann.vault.clock_offset_ms().abs() < 3_000, "{}", ann.vault.clock_offset_ms());
    }
}

#[test]
fn a_clock_is_corrected_once_and_no_more() {
    let vault = FakeVault::start();
    let ann = vault.hospital("St. Anna");
    vault.store().clock_ms = 600_000;
    vault.store().date_off_ms = -600_000;
    let before = vault.store().calls.len();
    let error = ann.create_record().expect_err("the Date header does not help");
    assert_eq!(error.code(), Code::ClockSkew.name());
    assert_eq!(vault.store().calls.len(), before + 2);
}

#[test]
fn an_answer_that_makes_no_sense_is_not_asked_for_again() {
    for document in [serde_json::json!({ "event": 1 }), serde_json::json!("x".repeat(9 << 20))] {
        let vault = FakeVault::start();
        let ann = vault.hospital("St. Anna");
        let before = vault.store().calls.len();
        vault.twist(move |path, answer| {
            if path == "/records" {
                answer.clone_from(&document);
            }
        });
        assert!(matches!(ann.create_record(), Err(Error::Undocumented { .. })));
        assert_eq!(vault.store().calls.len(), before + 1);
    }
}

#[test]
fn nobody_there_is_exit_code_4() {
    let pin = VaultPin { api: "http://127.0.0.1:1".into(), origin: "v".into(), genesis: Hash([1; 32]) };
    let vault = Vault::new(pin).expect("an address").with_patience(Patience::NONE);
    let client = Client::new(vault, Wallet::generate_operator().expect("a wallet"));
    let error = client.invite(None, 7).expect_err("nobody is there");
    assert_eq!(error.exit(), Exit::TryAgain, "{error}");
}

#[test]
fn a_test_can_send_what_no_client_would() {
    let day = Shared::new();
    let signed = day.ann.sign(RecordCreate {}, &[]).expect("signed");
    let first = day.ann.post("/records", &signed, None).expect("answered");
    let second = day.ann.post("/records", &signed, None).expect("answered");
    assert_eq!(first.status, 201);
    let leaf = |answer: &chartseal_cli::RawAnswer| {
        serde_json::from_slice::<serde_json::Value>(&answer.body).expect("JSON")["event"]["leaf"].clone()
    };
    assert_eq!(leaf(&first), leaf(&second));
    assert_eq!(day.ann.vault.post_raw("/records", b"{").expect("answered").status, 400);
    assert_eq!(day.ann.vault.get_raw("/records", None).expect("answered").status, 401);
}
