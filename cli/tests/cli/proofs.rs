//! Receipts that are kept, and the files that prove what they are of.

use std::path::Path;

use chartseal_cli::{Error, Tampering, read_receipts, verify_proof_file};
use chartseal_events::wire::Receipt;
use chartseal_ledger::event_proof::{EventProof, EventProofError};
use chartseal_ledger::policy::Policy;

use crate::fake::FakeVault;
use crate::usage::Desk;

fn policy(vault: &FakeVault) -> Policy {
    Policy::new(vault.store().log.verifier(), None, vec![], 0).expect("a policy")
}

#[test]
fn a_receipt_becomes_a_file_that_needs_nothing_but_the_key() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    let folder = tempfile::tempdir().expect("a folder");
    let receipts = folder.path().join("receipts");
    ann.receipts = Some(receipts.clone());
    let found = ann.search("modality:mri").expect("searched");
    ann.search("modality:ct").expect("searched");
    let kept = read_receipts(&receipts).expect("read");
    assert_eq!(kept.len(), 2, "one line for each command");
    assert_eq!(kept[0].leaf, found.event.leaf);

    let policy = policy(&vault);
    let (proof, proven) = ann.vault.wait_proof(&policy, &kept[0], std::time::Duration::from_secs(5)).expect("sealed");
    assert_eq!((proven.event.place, proven.event.leaf), (found.event.place, found.event.leaf));
    let path = folder.path().join("search.proof");
    std::fs::write(&path, proof.to_file().to_string()).expect("written");
    drop(vault);
    let offline = verify_proof_file(&path, &policy).expect("holds");
    assert_eq!(offline.proven, proven.proven);
    assert!(offline.event.command.is_some());
}

#[test]
fn every_changed_byte_of_a_proof_file_is_noticed() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    let folder = tempfile::tempdir().expect("a folder");
    ann.receipts = Some(folder.path().join("receipts"));
    ann.search("modality:mri").expect("searched");
    let receipt = read_receipts(&folder.path().join("receipts")).expect("read").remove(0);
    let policy = policy(&vault);
    // Its line under the checkpoint is a stranger's to whoever does not know the clock: they do not look at it.
    vault.store().log.clock_ahead_s = None;
    let (proof, _) = ann.vault.prove(&policy, &receipt).expect("asked").expect("sealed");
    let good = proof.to_file().to_string().into_bytes();
    let path = folder.path().join("proof");
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).expect("written");
        let error = verify_proof_file(&path, &policy).expect_err("changed");
        assert!(matches!(error, Error::Tampered(Tampering::Proof(_))), "byte {at}: {error}");
    }
    std::fs::write(&path, &good).expect("written");
    verify_proof_file(&path, &policy).expect("unchanged");
}

#[test]
fn what_is_not_sealed_is_waited_for() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    let folder = tempfile::tempdir().expect("a folder");
    ann.receipts = Some(folder.path().join("receipts"));
    let policy = policy(&vault);
    assert!(ann.vault.checkpoint(&policy).expect("asked").is_some());
    vault.store().log.is_held = true;
    ann.search("modality:mri").expect("searched");
    let receipt = read_receipts(&folder.path().join("receipts")).expect("read").remove(0);
    assert!(ann.vault.prove(&policy, &receipt).expect("asked").is_none());
    let error = ann.vault.wait_proof(&policy, &receipt, std::time::Duration::from_millis(500)).expect_err("held");
    assert_eq!((error.code().as_ref(), error.exit() as u8), ("waited", 4));
    vault.store().log.is_held = false;
    ann.vault.wait_proof(&policy, &receipt, std::time::Duration::from_secs(5)).expect("sealed");
}

#[test]
fn a_log_that_lies_is_caught_step_by_step() {
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    let folder = tempfile::tempdir().expect("a folder");
    ann.receipts = Some(folder.path().join("receipts"));
    let policy = policy(&vault);
    ann.vault.checkpoint(&policy).expect("asked").expect("an earlier block");
    ann.search("modality:mri").expect("searched");
    ann.search("modality:ct").expect("searched");
    let receipts = read_receipts(&folder.path().join("receipts")).expect("read");
    let caught = |twist: fn(&mut serde_json::Value)| {
        vault.twist(move |path, document| {
            if path.starts_with("/ledger/proof/") {
                twist(document);
            }
        });
        let error = ann.vault.prove(&policy, &receipts[0]).expect_err("a lie");
        match error {
            Error::Tampered(Tampering::Proof(error)) => error.code().to_owned(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(caught(|proof| proof["index"] = 0.into()), "other-block");
    assert_eq!(caught(|proof| proof["inclusion"][0] = "0".repeat(64).into()), "event-inclusion");
    assert_eq!(caught(|proof| proof["seal_inclusion"][0] = "0".repeat(64).into()), "seal-inclusion");
    assert_eq!(caught(|proof| proof["seal"] = "AAAA".into()), "seal");
    let unsigned = caught(|proof| {
        let note = proof["checkpoint"].as_str().expect("a note");
        proof["checkpoint"] = note.split("\n\n").next().expect("a text").into();
    });
    assert_eq!(unsigned, "note-unsigned");
    // Another vault's key.
    let other = Policy::new(FakeVault::start().store().log.verifier(), None, vec![], 0).expect("a policy");
    vault.twist(|_, _| {});
    let error = ann.vault.prove(&other, &receipts[0]).expect_err("another key");
    assert!(matches!(error, Error::Tampered(Tampering::Proof(EventProofError::Checkpoint(_)))), "{error}");
    // The proof of another event.
    let proof = ann.vault.prove(&policy, &receipts[1]).expect("asked").expect("sealed").0;
    let swapped = EventProof { body: receipts[0].body.clone().into_bytes(), ..proof };
    assert_eq!(
        swapped.verify(&policy),
        Err(EventProofError::EventInclusion(chartseal_ledger::tree::ProofError::RootMismatch))
    );
}

#[test]
fn a_receipt_that_is_none_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("receipts");
    std::fs::write(&path, "\n{}\n").expect("written");
    let error = read_receipts(&path).expect_err("none");
    assert_eq!((error.code().as_ref(), error.to_string().contains("line 2")), ("bad-receipt", true));
    let vault = FakeVault::start();
    let mut ann = vault.hospital("St. Anna");
    ann.receipts = Some(folder.path().join("others"));
    ann.search("modality:mri").expect("searched");
    let line = std::fs::read_to_string(folder.path().join("others")).expect("read");
    let mut receipt: Receipt = serde_json::from_str(&line).expect("a receipt");
    receipt.body = receipt.body.replacen("search", "sEarch", 1);
    std::fs::write(&path, serde_json::to_string(&receipt).expect("JSON")).expect("written");
    assert_eq!(read_receipts(&path).expect_err("changed").exit() as u8, 3);
    ann.receipts = Some(folder.path().join("no/folder"));
    let error = ann.search("modality:mri").expect_err("cannot be kept");
    assert_eq!(error.code(), "receipts");
}

#[test]
fn the_program_waits_writes_and_verifies() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    let refused = desk.bare(&["verify", "nothing.proof"]);
    assert_eq!(refused.code, 2, "a key must be given");
    let wallet = "operator";
    desk.done(wallet, &["--receipts", "receipts", "provider", "invite", "--note", "St. Anna"]);
    let waited = desk.done(wallet, &["receipt", "wait", "receipts", "--out", "proofs"]).json();
    let file = waited["proofs"][0]["file"].as_str().expect("a file").to_owned();
    assert!(Path::new(&file).starts_with("proofs"), "{file}");
    let key = desk.done(wallet, &["ledger", "key"]).text("key");
    let size = desk.done(wallet, &["ledger", "checkpoint"]).json()["size"].as_u64();
    assert!(size > Some(2));
    drop(vault);
    let verified = desk.bare(&["--json", "verify", "--key", &key, &file]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert_eq!(verified.json()["proofs"][0]["type"], "provider.invited.v1");
    let bytes = std::fs::read(desk.path(&file)).expect("there");
    std::fs::write(desk.path("bad.proof"), &bytes[..bytes.len() - 9]).expect("written");
    let refused = desk.bare(&["--json", "verify", "--key", &key, &file, "bad.proof"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("bad.proof"), "{}", refused.stderr);
    assert_eq!(refused.json()["proofs"][0]["file"], file.as_str(), "what was good is told");
}
