//! kill -9 at any moment, and requests that race: the size never goes back, and no two cosignatures contradict each other.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chartseal_events::Hash;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_ledger::policy::Policy;
use chartseal_node::key::WitnessKey;
use chartseal_node::witness::{CosignError, Refusal, Witness};

use crate::double::{Log, Vault};
use crate::process::{Running, make, serve};

const ROUNDS: u64 = 12;
const RACERS: u64 = 4;

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What a witness has said: size, root, and when.
type Said = Mutex<Vec<(u64, Hash, u64)>>;

/// Asks again and again from wherever the witness is to somewhere, until it is gone.
fn race(node: &Running, vault: &Vault, policy: &Policy, said: &Said, gone: &AtomicBool, mut dice: Dice) {
    let mut old = 0;
    while !gone.load(Ordering::Relaxed) {
        let (log, blocks) = {
            let shown = vault.shown();
            let ahead: Vec<usize> = (1..=shown.blocks).filter(|&blocks| shown.log.size(blocks) >= old).collect();
            let place = usize::try_from(dice.below(ahead.len().min(3) as u64)).expect("small");
            (shown.log.clone(), ahead[place])
        };
        let checkpoint = log.checkpoint(blocks);
        let Ok(answer) = node.post(&log.request(old, blocks)) else { continue };
        match answer.status {
            200 => {
                old = log.size(blocks);
                let accepted = policy.accept(format!("{checkpoint}{}", answer.body).as_bytes()).expect("its line");
                let root = accepted.checkpoint.root();
                said.lock().expect("no panic").push((accepted.checkpoint.size(), root, accepted.cosigned_s[0]));
            }
            409 => old = answer.body.trim_end().parse().expect("a size"),
            503 => {}
            _ => panic!("{answer:?}"),
        }
    }
}

#[test]
fn a_witness_that_is_killed_at_any_moment_never_contradicts_itself() {
    let mut log = Log::new();
    (0..3).for_each(|_| log.grow(5, "event"));
    let vault = Vault::of(log.clone());
    let folder = tempfile::tempdir().expect("a folder");
    let key = make(folder.path(), "witness.example/one", &log, serve(vault.clone()));
    let policy = Policy::new(log.key(), None, vec![key], 1).expect("a policy");
    let said = Said::default();
    let mut dice = Dice(41);
    for round in 0..ROUNDS {
        let mut node = Running::start(folder.path(), &["--follow-timeout-ms", "100"]);
        let before = node.cosigned_size(&log);
        let promised = said.lock().expect("no panic").iter().map(|(size, ..)| *size).max().unwrap_or(0);
        assert!(before >= promised, "round {round}: {before} after {promised} was cosigned");
        let gone = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for racer in 0..RACERS {
                let (node, vault, policy, said, gone) = (&node, &vault, &policy, &said, &gone);
                scope.spawn(move || race(node, vault, policy, said, gone, Dice(round * RACERS + racer)));
            }
            for _ in 0..4 + dice.below(8) {
                vault.grow(1 + usize::try_from(dice.below(40)).expect("small"));
                std::thread::sleep(Duration::from_millis(dice.below(40)));
            }
            // The moment is the point; nothing is waited for.
            let killed = std::process::Command::new("kill").args(["-9", &node.pid().to_string()]).status();
            assert!(killed.expect("kill").success());
            gone.store(true, Ordering::Relaxed);
        });
        node.kill();
    }
    let log = vault.shown().log.clone();
    let mut said = said.into_inner().expect("no panic");
    assert!(said.len() as u64 > ROUNDS, "{} cosignatures are too few to say anything", said.len());
    let mut sizes = BTreeMap::new();
    for (size, root, _) in &said {
        assert_eq!(*sizes.entry(*size).or_insert(*root), log.root(*size), "one root of {size}");
    }
    // As of a later second, no smaller size.
    said.sort_by_key(|(size, _, at_s)| (*at_s, *size));
    assert!(said.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{said:?}");
    println!("{} cosignatures of {} sizes in {ROUNDS} lives", said.len(), sizes.len());
}

#[test]
fn two_branches_that_race_get_one_cosignature_of_each_size() {
    let mut common = Log::new();
    common.grow(4, "event");
    let folder = tempfile::tempdir().expect("a folder");
    let key = WitnessKey::from_seed("witness.example/one", &[9; 32]).expect("a key");
    Witness::create(folder.path(), key.verifier(), &common.key()).expect("written");
    let witness = Mutex::new(Witness::open(folder.path(), key, common.key()).expect("a state"));
    let said: Said = Mutex::default();
    let branches: Vec<Log> = ["one", "two", "three", "four"]
        .iter()
        .map(|what| {
            let mut log = common.clone();
            (0..20).for_each(|_| log.grow(3, what));
            log
        })
        .collect();
    std::thread::scope(|scope| {
        for log in &branches {
            let (witness, said) = (&witness, &said);
            scope.spawn(move || {
                for blocks in 1..=20 {
                    let text = log.checkpoint(blocks);
                    let note = Note::parse(text.as_bytes()).expect("a note");
                    let checkpoint = Checkpoint::parse(note.text()).expect("a checkpoint");
                    let old = witness.lock().expect("no panic").size();
                    if old > checkpoint.size() {
                        continue;
                    }
                    let proof = log.proof(old, checkpoint.size());
                    let outcome =
                        witness.lock().expect("no panic").cosign(old, &note, &checkpoint, &proof, 1_764_000_000);
                    match outcome {
                        Ok(_) => said.lock().expect("no panic").push((checkpoint.size(), checkpoint.root(), 0)),
                        Err(CosignError::Refused(Refusal::Size { .. } | Refusal::Root { .. } | Refusal::Proof(_))) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    let said = said.into_inner().expect("no panic");
    let winner = branches.iter().filter(|log| said.iter().all(|(size, root, _)| log.root(*size) == *root)).count();
    assert!(winner >= 1, "all of one branch: {said:?}");
}
