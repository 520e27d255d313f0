//! Heads of the log as a client follows them: fresh, and never going back.

use chartseal_cli::{Client, Error, Exit, Heads, State, Tampering, Which, machine_s};
use chartseal_ledger::policy::{Accepted, Freshness, Policy, RefusedCheckpoint};

use crate::fake::FakeVault;
use crate::usage::Desk;

/// A vault, somebody who follows its log, and the folder in which they remember it.
struct Scene {
    vault: FakeVault,
    ann: Client,
    policy: Policy,
    heads: Heads,
    _state: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let vault = FakeVault::start();
        let ann = vault.hospital("St. Anna");
        let state = tempfile::tempdir().expect("a folder");
        let (log, clock) = (ann.vault.log_key().expect("a key"), ann.vault.clock_key().expect("a key"));
        assert_eq!(log, vault.store().log.verifier());
        assert_eq!(clock, vault.store().log.clock());
        let policy = Policy::new(log, Some(clock), vec![], 0).expect("a policy");
        let heads = Heads::of(&ann.vault, State::Kept(state.path().to_owned()));
        Self { vault, ann, policy, heads, _state: state }
    }

    fn follow(&self) -> Result<Accepted, Error> {
        let fresh = Some((machine_s(), Freshness::DEFAULT));
        self.heads.follow(Which::Newest, &self.policy, fresh).map(|head| head.expect("something is sealed"))
    }

    fn followed(&self) -> u64 {
        self.follow().expect("it holds up").checkpoint.size()
    }

    fn caught(&self) -> Tampering {
        let error = self.follow().expect_err("a lie");
        assert_eq!(error.exit(), Exit::Tampering, "{error}");
        let Error::Tampered(tampering) = error else { panic!("{error}") };
        tampering
    }

    fn grow(&self) {
        self.ann.search("modality:mri").expect("searched");
    }
}

#[test]
fn a_log_that_grows_is_followed_step_by_step() {
    let scene = Scene::new();
    let mut last = scene.followed();
    for _ in 0..5 {
        scene.grow();
        let now = scene.followed();
        assert!(now > last);
        last = now;
    }
    scene.vault.store().calls.clear();
    assert_eq!(scene.followed(), last);
    assert_eq!(scene.vault.count("GET", "/ledger/tile/"), 0, "nothing is to be shown of what is known");
}

#[test]
fn an_old_head_a_late_one_and_one_without_a_time_are_told_apart() {
    let scene = Scene::new();
    let told = |ahead_s| {
        scene.vault.store().log.clock_ahead_s = ahead_s;
        match scene.caught() {
            Tampering::Checkpoint(why) => why.code(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(told(Some(-200)), "stale");
    assert_eq!(told(Some(60)), "ahead");
    assert_eq!(told(None), "no-timestamp");
    let error = scene.follow().expect_err("no time");
    assert_eq!(error.code(), "checkpoint-not-fresh");
    assert!(error.advice().contains("clock"));
    // What is refused is not what was seen.
    scene.vault.store().log.clock_ahead_s = Some(0);
    scene.followed();
    scene.vault.store().log.clock_ahead_s = None;
    let any = scene.heads.follow(Which::Newest, &scene.policy, None).expect("any age does").expect("there");
    assert_eq!(any.cosigned_s, [0; 0]);
    // A time that the vault tells is no help to it.
    scene.vault.store().log.clock_ahead_s = Some(-3_600);
    scene.ann.vault.set_clock_offset_ms(-3_600_000);
    assert!(matches!(scene.caught(), Tampering::Checkpoint(RefusedCheckpoint::Stale { .. })));
}

#[test]
fn a_log_that_was_rolled_back_is_refused_and_the_last_good_head_stays() {
    let scene = Scene::new();
    scene.followed();
    let blocks = scene.vault.store().log.blocks();
    scene.grow();
    let seen = scene.followed();
    scene.vault.store().log.shown_blocks = Some(blocks);
    for _ in 0..2 {
        let caught = scene.caught();
        assert!(matches!(caught, Tampering::RolledBack { seen: by, shown } if by == seen && shown < seen), "{caught}");
    }
    // Nothing at all is no head either.
    scene.vault.store().log.shown_blocks = Some(0);
    assert!(matches!(scene.caught(), Tampering::RolledBack { shown: 0, .. }));
    scene.vault.store().log.shown_blocks = None;
    assert_eq!(scene.followed(), seen);
}

#[test]
fn a_log_that_was_forked_is_refused_whether_it_is_longer_or_as_long() {
    let scene = Scene::new();
    scene.grow();
    scene.followed();
    // The same events in other blocks: as many leaves or fewer, and then more.
    scene.vault.store().log.forget();
    let caught = scene.caught();
    assert!(matches!(caught, Tampering::Forked { .. } | Tampering::RolledBack { .. }), "{caught}");
    for _ in 0..4 {
        scene.grow();
        scene.vault.store().checkpoint();
    }
    let caught = scene.caught();
    assert!(matches!(caught, Tampering::Forked { .. }), "{caught}");
    let kept = scene.heads.contradiction().expect("kept as a proof");
    let shown = std::fs::read(kept).expect("there");
    assert!(scene.policy.accept(&shown).expect("the log has signed it").checkpoint.size() > 0);
    // Without a memory nobody notices; with a proof from before, somebody does.
    let forgetful = Heads::of(&scene.ann.vault, State::Temporary);
    forgetful.follow(Which::Newest, &scene.policy, None).expect("it holds up by itself");
}

#[test]
fn the_program_follows_the_log_and_ends_with_3_where_it_went_back() {
    let (vault, desk) = (FakeVault::start(), Desk::new());
    desk.operator(&vault);
    let wallet = "operator";
    let first = desk.done(wallet, &["ledger", "checkpoint"]).json();
    assert!(first["cosigned_at"][0].as_u64().is_some_and(|at_s| machine_s().abs_diff(at_s) < 60), "{first}");
    let keys = desk.done(wallet, &["ledger", "key", "--clock"]).json();
    assert_eq!(keys["clock_key"], vault.store().log.clock().to_string());
    assert_eq!(keys["key"], vault.store().log.verifier().to_string());
    let blocks = vault.store().log.blocks();
    desk.done(wallet, &["--receipts", "receipts", "provider", "invite", "--note", "St. Anna"]);
    let second = desk.done(wallet, &["ledger", "checkpoint"]).json();
    assert!(second["size"].as_u64() > first["size"].as_u64());
    // The proof file says until when the event was in the log at the latest.
    let waited = desk.done(wallet, &["receipt", "wait", "receipts", "--out", "proofs"]).json();
    let file = waited["proofs"][0]["file"].as_str().expect("a file").to_owned();
    let (key, clock) = (keys["key"].as_str().expect("a key"), keys["clock_key"].as_str().expect("a key"));
    let verified = desk.bare(&["--json", "verify", "--key", key, "--clock", clock, &file]);
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    assert!(verified.json()["proofs"][0]["cosigned_at"][0].as_u64().is_some(), "{}", verified.json());
    // Rolled back, forked.
    vault.store().log.shown_blocks = Some(blocks);
    let refused = desk.run(wallet, &["ledger", "checkpoint"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("rolled back"), "{}", refused.stderr);
    vault.store().log.shown_blocks = None;
    vault.store().log.forget();
    for note in ["a", "b", "c", "d"] {
        desk.done(wallet, &["provider", "invite", "--note", note]);
        vault.store().checkpoint();
    }
    let refused = desk.run(wallet, &["ledger", "checkpoint"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("forked") && refused.stderr.contains("kept in"), "{}", refused.stderr);
    // A proof from the other history is refused, too.
    let refused = desk.run(wallet, &["receipt", "wait", "receipts", "--out", "proofs"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
}
