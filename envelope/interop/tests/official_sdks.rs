//! The official AWS Encryption SDKs open our messages, refuse changed ones, and write messages that we open.
//!
//! The SDK for Rust builds for minutes, so it takes part in `cargo xtask interop` and not here.

use chartseal_interop::Party;
use chartseal_interop::exchange::{Exchange, Row};
use chartseal_local::Workspace;

fn every_exchange(party: Party) {
    let workspace = Workspace::find().unwrap();
    let oracle = party.start(&workspace).unwrap_or_else(|error| panic!("{}: {error}", party.title()));
    let folder = tempfile::tempdir().unwrap();
    let rows = Exchange::new(party, oracle, folder.path()).all(false);
    // 3 and 5 frame lengths of 8 plaintexts each, and 6 changes.
    assert_eq!(rows.len(), 3 * 8 + 6 + 5 * 8);
    let failed: Vec<&Row> = rows.iter().filter(|row| row.outcome.is_err()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn python() {
    every_exchange(Party::Python);
}

#[test]
fn javascript() {
    every_exchange(Party::Javascript);
}
