//! `chartseal audit`: a vault's log, replayed by an auditor. Sound, unsound, out of reach.

use chartseal_cli::{AuditedLog, Client, Patience};
use chartseal_ledger::policy::Policy;
use chartseal_replay::{Copy, Failure, Replay};
use serde_json::Value;

use crate::fake::{FakeVault, Fault};
use crate::usage::{Desk, Ended};

/// A vault with some history, and an auditor at a desk.
fn scene() -> (FakeVault, Desk) {
    let vault = FakeVault::start();
    let desk = Desk::new();
    for hospital in ["St. Anna", "St. Bert"] {
        vault.hospital(hospital).search("modality:mri").expect("searched");
    }
    let created = desk.bare(&["operator", "init", "--out", "eve.wallet", "--passphrase-file", "passphrase", "--json"]);
    assert_eq!(created.code, 0, "{}", created.stderr);
    let key = serde_json::from_value(created.json()["operator_key"].clone()).expect("a key");
    vault.operator.add_auditor(key).expect("added");
    let connected = audit(&desk, &["operator", "connect", "--api", &vault.api]);
    assert_eq!(connected.code, 0, "{}", connected.stderr);
    (vault, desk)
}

fn audit(desk: &Desk, arguments: &[&str]) -> Ended {
    let mut all = vec!["--wallet", "eve.wallet", "--passphrase-file", "passphrase", "--json"];
    all.extend(arguments);
    desk.bare(&all)
}

fn code(document: &Value) -> (&str, &Value) {
    (document["error"]["code"].as_str().unwrap_or_default(), &document["error"]["exit"])
}

#[test]
fn a_sound_log_is_replayed_and_the_copy_goes_on() {
    let (vault, desk) = scene();
    let first = audit(&desk, &["audit", "--copy", "copy"]);
    assert_eq!(first.code, 0, "{}{}", first.stdout, first.stderr);
    let report = first.json();
    assert_eq!((&report["sound"], &report["blocks"], &report["unjudged"]), (&true.into(), &1.into(), &0.into()));
    assert_eq!(report["types"]["staff.added.v1"], 2);
    let asked = vault.count("GET", "/events/");
    let again = audit(&desk, &["audit", "--copy", "copy"]);
    assert_eq!(again.json(), report);
    assert_eq!(vault.count("GET", "/events/"), asked, "what is in the copy is not asked for");

    vault.hospital("St. Carl");
    let more = audit(&desk, &["audit", "--copy", "copy"]);
    assert_eq!((more.code, &more.json()["blocks"]), (0, &2.into()));
    let whole = audit(&desk, &["audit"]);
    assert_eq!(whole.json(), more.json(), "without a copy it is the same");

    let key = audit(&desk, &["ledger", "key"]).text("key");
    drop(vault);
    let offline = desk.bare(&["audit", "--copy", "copy", "--from-copy", "--key", &key, "--json"]);
    assert_eq!(offline.json(), more.json(), "and without a network");
    let text = desk.bare(&["audit", "--copy", "copy", "--from-copy", "--key", &key]);
    assert!(text.stdout.contains("staff.added.v1") && text.stdout.ends_with("\nsound\n"), "{}", text.stdout);
}

#[test]
fn a_vault_that_lies_is_named_and_ends_with_3() {
    let (vault, desk) = scene();
    assert_eq!(audit(&desk, &["audit", "--copy", "copy"]).code, 0);
    vault.hospital("St. Carl");
    vault.twist(|path, answer| {
        if path.contains("/ledger/blocks/1/events/") {
            answer["bodies"][0] = answer["bodies"][0].as_str().expect("a body").replace("\"v\":1", "\"v\":2").into();
        }
    });
    let ended = audit(&desk, &["audit", "--copy", "copy"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert!(ended.stderr.contains("block 1"), "{}", ended.stderr);

    vault.twist(|path, answer| {
        if path.ends_with("/ledger/blocks/1") {
            answer["seal"] = {
                let seal = answer["seal"].as_str().expect("a header").to_owned();
                // A byte of the map's root, which nothing but the signed root is over.
                let other = if &seal[131..132] == "A" { "B" } else { "A" };
                format!("{}{other}{}", &seal[..131], &seal[132..]).into()
            };
        }
    });
    let ended = audit(&desk, &["audit"]);
    assert_eq!((ended.code, code(&ended.json())), (3, ("root", &3.into())), "{}", ended.stdout);
    vault.twist(|_, _| {});
    let ended = audit(&desk, &["audit", "--copy", "copy"]);
    assert_eq!(ended.code, 0, "what was false has not come into the copy: {}", ended.stdout);

    // A vault that never was what it signs.
    vault.store().log.go_back();
    let ended = audit(&desk, &["audit", "--copy", "copy"]);
    assert_eq!((ended.code, code(&ended.json())), (3, ("rolled-back", &3.into())));
    assert_eq!(ended.json()["findings"][0]["rule"], "rolled-back");
    assert_eq!(ended.json()["sound"], false);
}

#[test]
fn a_vault_out_of_reach_ends_with_4_and_is_gone_on_with() {
    let vault = FakeVault::start();
    for hospital in ["St. Anna", "St. Bert", "St. Carl"] {
        vault.hospital(hospital);
        assert!(vault.store().checkpoint().is_some(), "a block each");
    }
    let wallet = vault.operator.wallet.clone();
    let client = Client::new(vault.operator.vault.clone().with_patience(Patience::NONE), wallet);
    let key = vault.store().log.verifier();
    let policy = Policy::new(key.clone(), None, vec![], 0).expect("a policy");
    let mut replay = Replay::new(Copy::in_memory().expect("memory"), &key, policy).expect("a copy");
    for (path, judged) in [("/checkpoint", 0), ("/blocks/1", 0), ("/blocks/0/events/", 0), ("/blocks/2/events/", 2)] {
        vault.fail_at("GET", path, &[Fault::Unavailable]);
        match replay.run(&mut AuditedLog::new(&client), &()) {
            Err(Failure::Source(error)) => assert_eq!(error.exit() as u8, 4, "{path}: {error}"),
            other => panic!("{path}: {other:?}"),
        }
        assert_eq!(replay.copy().judged_height(), judged, "{path}");
    }
    let report = replay.run(&mut AuditedLog::new(&client), &()).expect("a report");
    assert!(report.sound && report.blocks == 3, "{:?}", report.findings);
}

#[test]
fn what_cannot_be_audited_is_said() {
    let (_vault, desk) = scene();
    assert_eq!(desk.bare(&["audit"]).code, 2, "a wallet must be named");
    assert_eq!(audit(&desk, &["audit", "--from-copy"]).code, 2, "of which copy, and whose");
    assert_eq!(audit(&desk, &["audit", "--store", "--copy", "copy"]).code, 2);
    let key = audit(&desk, &["ledger", "key"]).text("key");
    assert_eq!(audit(&desk, &["audit", "--copy", "copy"]).code, 0);
    let other = key.replacen("vault.test", "other.test", 1);
    assert_ne!(audit(&desk, &["audit", "--copy", "copy", "--key", &other]).code, 0);
    std::fs::write(desk.path("file"), "").expect("written");
    let ended = audit(&desk, &["audit", "--copy", "file"]);
    assert_eq!((ended.code, code(&ended.json()).0), (1, "copy-unreadable"));
}
