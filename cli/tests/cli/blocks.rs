//! Blocks and what their events say, from a vault that is honest and from one that is not.

use chartseal_cli::{Client, Error, Tampering, Wallet, read_event};
use chartseal_events::Code;
use chartseal_events::event::leaf_hash;
use chartseal_ledger::chain::Chain;
use serde_json::{Value, json};

use crate::fake::FakeVault;
use crate::usage::Desk;

/// A lie: what it is called, and how it changes the answer.
type Lie = (&'static str, fn(&mut Value));

/// An auditor of the vault.
fn auditor(vault: &FakeVault) -> Client {
    let wallet = Wallet::generate_operator().expect("a wallet");
    vault.operator.add_auditor(wallet.sign_key()).expect("added");
    let auditor = Client::new(vault.operator.vault.clone(), wallet);
    auditor.connect_operator().expect("known to the vault");
    auditor
}

#[test]
fn an_auditor_follows_the_log_and_reads_every_event() {
    let vault = FakeVault::start();
    let auditor = auditor(&vault);
    let mut chain = Chain::new();
    for height in 0..3 {
        vault.hospital(&format!("St. Anna {height}"));
        let (block, bodies) = auditor.block_events(height).expect("read").expect("sealed");
        let root = chain.follow(&block.seal, &block.leaves).expect("follows");
        assert_eq!(chain.size(), block.seal.size());
        assert_ne!(root, block.seal.events_root());
        assert_eq!(bodies.len(), block.leaves.len());
        assert!(bodies.len() > 3, "in more than one answer");
        for (body, leaf) in bodies.iter().zip(&block.leaves) {
            let event = read_event(body.as_bytes()).expect("an event");
            assert_eq!((leaf_hash(body.as_bytes()), event.leaf), (*leaf, *leaf));
        }
    }
    assert!(auditor.vault.block(3).expect("asked").is_none());
    assert!(auditor.block_events(3).expect("asked").is_none());

    vault.operator.remove_auditor(auditor.wallet.thumbprint(), "the audit is over").expect("removed");
    let refused =
        |error: Error| matches!(&error, Error::Refused(problem) if problem.code == Code::UnknownSigner.name());
    assert!(auditor.block_events(0).is_err_and(refused), "at once");
}

#[test]
fn a_block_that_does_not_hold_together_is_not_believed() {
    let vault = FakeVault::start();
    let auditor = auditor(&vault);
    vault.hospital("St. Anna");
    let (block, _) = auditor.block_events(0).expect("read").expect("sealed");
    let headers: [Lie; 5] = [
        ("another height", |block| block["height"] = 1.into()),
        ("no header", |block| block["seal"] = "AAAA".into()),
        ("not base64url", |block| block["seal"] = "=".into()),
        ("another leaf", |block| block["leaves"][1] = block["leaves"][0].clone()),
        ("a leaf too few", |block| drop(block["leaves"].as_array_mut().expect("leaves").pop())),
    ];
    for (what, change) in headers {
        vault.twist(move |path, document| {
            if path == "/ledger/blocks/0" {
                change(document);
            }
        });
        let error = auditor.vault.block(0).expect_err(what);
        assert!(matches!(error, Error::Tampered(Tampering::Block { height: 0, .. })), "{what}: {error}");
        assert_eq!((error.exit() as u8, error.code().as_ref()), (3, "block-false"));
    }
    let bodies: [Lie; 8] = [
        ("another block's", |page| page["height"] = 1.into()),
        ("from elsewhere", |page| page["first"] = 1.into()),
        ("none", |page| page["bodies"] = json!([])),
        ("one changed", |page| {
            page["bodies"][1] = page["bodies"][1].as_str().expect("text").replacen('1', "2", 1).into();
        }),
        ("two swapped", |page| page["bodies"].as_array_mut().expect("bodies").swap(0, 1)),
        ("one left out", |page| drop(page["bodies"].as_array_mut().expect("bodies").remove(1))),
        ("an end too early", |page| drop(page.as_object_mut().expect("a page").remove("next"))),
        ("a step too far", |page| page["next"] = 5.into()),
    ];
    for (what, change) in bodies {
        vault.twist(move |path, document| {
            if path == "/ledger/blocks/0/events/0" {
                change(document);
            }
        });
        let error = auditor.bodies(&block).expect_err(what);
        assert_eq!((error.exit() as u8, error.code().as_ref()), (3, "block-false"), "{what}: {error}");
    }
    // More than the block has.
    vault.twist(|path, page| {
        if path.starts_with("/ledger/blocks/0/events/") && page["next"].is_null() {
            let more = page["bodies"][0].clone();
            page["bodies"].as_array_mut().expect("bodies").push(more);
        }
    });
    assert!(matches!(auditor.bodies(&block), Err(Error::Tampered(Tampering::BlockEvent { .. }))));
}

#[test]
fn the_program_shows_blocks_and_who_may_read_them() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    vault.hospital("St. Anna");
    let init = desk.done("auditor", &["operator", "init", "--out", "auditor"]);
    let (kid, key) = (init.text("kid"), init.text("operator_key"));
    let connect = ["--api", &vault.api, "operator", "connect"];
    assert_eq!(desk.run("auditor", &connect).code, 1, "nobody yet");
    desk.done("operator", &["operator", "add-auditor", &key]);
    desk.done("auditor", &connect);

    let plain = desk.done("auditor", &["ledger", "block", "0"]).json();
    let leaves = plain["leaves"].as_array().expect("leaves").len();
    assert!(leaves > 2 && plain["events"].is_null(), "{plain}");
    let whole = desk.done("auditor", &["ledger", "block", "0", "--events"]).json();
    assert_eq!(whole["events"].as_array().expect("events").len(), leaves);
    assert_eq!(whole["events"][0]["type"], "vault.genesis.v1");
    assert_eq!(whole["events"][0]["event"]["leaf"], plain["leaves"][0]);
    assert_eq!(desk.run("auditor", &["ledger", "block", "9"]).code, 2);

    desk.done("operator", &["operator", "remove-auditor", &kid, "--reason", "the audit is over"]);
    let refused = desk.run("auditor", &["ledger", "block", "0", "--events"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    desk.done("auditor", &["ledger", "block", "0"]);
}
