//! A log with a clock and three witnesses, on the deployed stack: what is sealed is cosigned soon, whoever of the witnesses is down or lies; and a go-between
//! who shows an older head, one without a time or one with another's line, is found out.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_cli::{Error, Exit, Heads, State, Tampering, Which, machine_s};
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::policy::{Accepted, Freshness, Policy, RefusedCheckpoint};
use chartseal_tests::witness::{self, Manner};
use chartseal_tests::{Hands, Liar, Stack, Witness, log};
use serde_json::json;

/// How long cosigning may take at most, on a busy machine, with its sweep every minute.
const PATIENCE: Duration = Duration::from_mins(2);

struct Scene {
    stack: Stack,
    witnesses: [Witness; 3],
    log: VerifierKey,
    clock: VerifierKey,
}

impl Scene {
    fn new() -> Self {
        let witnesses = [1, 2, 3].map(|number| Witness::start(number, Manner::Honest));
        let stack = Stack::witnessed(&witnesses, 2);
        let (log, clock) = (stack.vault().log_key().expect("a key"), stack.vault().clock_key().expect("a key"));
        Self { stack, witnesses, log, clock }
    }

    fn policy(&self, quorum: usize) -> Policy {
        let keys = self.witnesses.iter().map(|witness| witness.key.clone()).collect();
        Policy::new(self.log.clone(), Some(self.clock.clone()), keys, quorum).expect("a policy")
    }

    /// Something happens; then how long until so many witnesses have cosigned a head that has it, by whose names.
    fn cosigned(&self, quorum: usize) -> (Duration, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let (_, receipts) = log::kept(&self.stack.operator(), &folder.path().join("receipts"), |operator| {
            operator.invite(None, 1).expect("invited")
        });
        let begun = Instant::now();
        let waited = self.stack.vault().wait_proof(&self.policy(quorum), &receipts[0], PATIENCE);
        let (_, proven) = waited.expect("sealed and cosigned");
        let Accepted { witnesses, cosigned_s, .. } = proven.proven.accepted;
        assert!(cosigned_s.iter().all(|at_s| machine_s().abs_diff(*at_s) < 300), "{cosigned_s:?}");
        (begun.elapsed(), witnesses)
    }
}

#[test]
fn a_log_with_witnesses_is_cosigned_soon_and_nobody_shows_an_older_one() {
    if witness::out_of_reach() {
        return;
    }
    let scene = Scene::new();
    let told = |what: &str| eprintln!("witnessed: {what}");
    let mut took: Vec<Duration> = (0..9).map(|_| scene.cosigned(2).0).collect();
    took.sort_unstable();
    told(&format!("from answer to a proof that two have cosigned: p50 {:?}, at most {:?}", took[4], took[8]));

    // One is down, one lies, one hangs, in turn: two are enough, and the third is no harm.
    for (number, manner) in [Manner::Refuses(500), Manner::WrongKey, Manner::Hangs].into_iter().enumerate() {
        scene.witnesses[number].behave(manner);
        let (took, names) = scene.cosigned(2);
        told(&format!("{manner:?}: {took:?}"));
        assert!(!names.contains(&scene.witnesses[number].key.name().to_owned()), "{names:?}");
        assert_eq!(names.len(), 2);
        scene.witnesses[number].behave(Manner::Honest);
    }

    followed(&scene);

    // Too few: the log goes on, what was cosigned stays, and a proof waits for the witnesses alone.
    scene.witnesses[0].behave(Manner::Refuses(503));
    scene.witnesses[1].behave(Manner::WrongText);
    let folder = tempfile::tempdir().expect("a folder");
    let (_, receipts) = log::kept(&scene.stack.operator(), &folder.path().join("receipts"), |operator| {
        operator.invite(None, 1).expect("invited")
    });
    let vault = scene.stack.vault();
    vault.wait_proof(&scene.policy(0), &receipts[0], PATIENCE).expect("sealed");
    let error = vault.wait_proof(&scene.policy(2), &receipts[0], Duration::from_secs(2)).expect_err("too few");
    assert_eq!((error.code().as_ref(), error.exit()), ("waited", Exit::TryAgain), "{error}");
    assert!(error.to_string().contains("cosign"), "{error}");
    vault.head(Which::Cosigned, &scene.policy(2), None).expect("asked").expect("the one before stays");
    for witness in &scene.witnesses {
        witness.behave(Manner::Honest);
    }
    // Nobody tells the function that they are back: the next sweep finds out. It is woken by hand here, as the schedule does within a minute.
    Hands(&scene.stack).invoke("cosign", &json!({}));
    vault.wait_proof(&scene.policy(2), &receipts[0], PATIENCE).expect("cosigned");
}

/// Somebody follows the log, at first by an honest way.
fn followed(scene: &Scene) {
    // 0: honest; 1: the first head again and again; 2: without the clock's line; 3: nothing at all.
    let lie = Arc::new(AtomicU8::new(0));
    let first: Mutex<Option<Vec<u8>>> = Mutex::new(None);
    let (choice, clock) = (Arc::clone(&lie), format!("\u{2014} {} ", scene.clock.name()));
    let liar = Liar::before(&scene.stack.api, move |path, body| {
        if !path.ends_with("/ledger/checkpoint") {
            return body;
        }
        let kept = first.lock().expect("no panic").get_or_insert_with(|| body.clone()).clone();
        match choice.load(Ordering::Relaxed) {
            1 => kept,
            2 => {
                let text = String::from_utf8(body).expect("text");
                let lines = text.split_inclusive('\n').filter(|line| !line.starts_with(&clock));
                lines.collect::<String>().into_bytes()
            }
            _ => body,
        }
    });
    let memory = tempfile::tempdir().expect("a folder");
    let heads = Heads::of(&scene.stack.vault_at(&liar.api), State::Kept(memory.path().to_owned()));
    // Witnesses say when, too: without them it is the clock's word alone.
    let policy = Policy::new(scene.log.clone(), Some(scene.clock.clone()), vec![], 0).expect("a policy");
    let follow = || heads.follow(Which::Newest, &policy, Some((machine_s(), Freshness::DEFAULT)));
    let caught = || match follow().expect_err("a lie") {
        Error::Tampered(tampering) => tampering,
        error => panic!("{error}"),
    };
    let begun = follow().expect("honest").expect("a head").checkpoint.size();
    scene.cosigned(2);
    let now = follow().expect("honest, by a proof").expect("a head").checkpoint.size();
    assert!(now > begun);
    lie.store(1, Ordering::Relaxed);
    let rolled_back = caught();
    assert!(
        matches!(rolled_back, Tampering::RolledBack { seen, shown } if (seen, shown) == (now, begun)),
        "{rolled_back}"
    );
    lie.store(2, Ordering::Relaxed);
    assert!(matches!(caught(), Tampering::Checkpoint(RefusedCheckpoint::NoTimestamp)));
    lie.store(0, Ordering::Relaxed);
    assert!(follow().expect("honest again").expect("a head").checkpoint.size() >= now);
    // The cosigned head, fresh, by the same memory.
    let fresh = || Some((machine_s(), Freshness::DEFAULT));
    let cosigned = heads.follow(Which::Cosigned, &scene.policy(2), fresh()).expect("holds up").expect("cosigned");
    assert!(cosigned.witnesses.len() >= 2);
    // Nothing is sealed for a while: the clock's word is renewed, and the witnesses are left in peace.
    let asked: Vec<usize> = scene.witnesses.iter().map(|witness| witness.counts().0).collect();
    let before = follow().expect("fresh").expect("a head");
    thread::sleep(Duration::from_secs(2));
    let after = follow().expect("fresh").expect("a head");
    assert_eq!(before.checkpoint, after.checkpoint);
    assert_eq!(asked, scene.witnesses.iter().map(|witness| witness.counts().0).collect::<Vec<_>>());
}
