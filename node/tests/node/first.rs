//! The first contact, and a witness that has lost or gone back to an older state: it must not go on.

use std::path::Path;
use std::time::Duration;

use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_node::config::{Kind, Mode};
use chartseal_node::copy::LogCopy;
use chartseal_node::follower::Follower;
use chartseal_node::key::WitnessKey;
use chartseal_node::node::Node;
use chartseal_node::submission::{Reply, add_checkpoint};
use chartseal_node::witness::{CosignError, StateError, Witness, own_line};

use crate::double::{Log, Vault, config};
use crate::process::{Running, make, program, serve};

fn log(blocks: usize) -> Log {
    let mut log = Log::new();
    (0..blocks).for_each(|_| log.grow(5, "event"));
    log
}

fn key() -> WitnessKey {
    WitnessKey::from_seed("witness.example/one", &[9; 32]).expect("a key")
}

fn open(folder: &Path, log: &Log) -> Result<Witness, StateError> {
    Witness::open(folder, key(), log.key())
}

fn cosign(witness: &mut Witness, log: &Log, old: u64, blocks: usize, now_s: u64) -> Result<String, CosignError> {
    let note = Note::parse(log.checkpoint(blocks).as_bytes()).expect("a note");
    let checkpoint = Checkpoint::parse(note.text()).expect("a checkpoint");
    witness.cosign(old, &note, &checkpoint, &log.proof(old, checkpoint.size()), now_s)
}

#[test]
fn a_lost_or_changed_state_ends_the_key() {
    let log = log(3);
    let folder = tempfile::tempdir().expect("a folder");
    assert!(matches!(open(folder.path(), &log), Err(StateError::Lost(_))), "nothing yet is said, not assumed");
    Witness::create(folder.path(), key().verifier(), &log.key()).expect("written");
    assert!(Witness::create(folder.path(), key().verifier(), &log.key()).is_err(), "once");
    let mut witness = open(folder.path(), &log).expect("a fresh one");
    cosign(&mut witness, &log, 0, 2, 1000).expect("cosigned");
    let path = folder.path().join("cosigned.json");
    let good = std::fs::read_to_string(&path).expect("there");
    let (size, root) = (log.size(2), crate::double::base64(log.root(log.size(2))));
    for (what, bad) in [
        ("another size", good.replace(&format!("\\n{size}\\n"), &format!("\\n{}\\n", size - 1))),
        ("another root", good.replace(&root[..8], "AAAAAAAA")),
        ("another key", good.replace("witness.example/one", "witness.example/two")),
        ("cut short", good[..good.len() / 2].to_owned()),
        ("empty", String::new()),
        ("more", good.replacen('{', "{\"more\":1,", 1)),
    ] {
        assert_ne!(bad, good, "{what}");
        std::fs::write(&path, bad).expect("written");
        assert!(matches!(open(folder.path(), &log), Err(StateError::Damaged(_))), "{what}");
    }
    std::fs::write(&path, good).expect("written");
    assert_eq!(open(folder.path(), &log).expect("as it was").size(), size);
}

#[test]
fn a_program_without_its_state_does_not_start() {
    let log = log(2);
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "witness.example/one", &log, serve(Vault::of(log.clone())));
    std::fs::remove_file(folder.path().join("cosigned.json")).expect("there");
    let ended = program().args(["witness", "run"]).arg(folder.path()).output().expect("started");
    assert_eq!(ended.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("docs/WITNESS.md"));
}

#[test]
fn two_programs_do_not_share_a_folder() {
    let log = log(2);
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "witness.example/one", &log, serve(Vault::of(log.clone())));
    let _first = Running::start(folder.path(), &[]);
    let ended = program().args(["witness", "run"]).arg(folder.path()).output().expect("started");
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("another node works in this folder"));
}

#[test]
fn a_restored_older_state_is_noticed_by_the_witness_own_cosignature() {
    let log = log(4);
    let folder = tempfile::tempdir().expect("a folder");
    Witness::create(folder.path(), key().verifier(), &log.key()).expect("written");
    let mut witness = open(folder.path(), &log).expect("a fresh one");
    cosign(&mut witness, &log, 0, 2, 1000).expect("cosigned");
    let older = std::fs::read(folder.path().join("cosigned.json")).expect("there");
    cosign(&mut witness, &log, log.size(2), 3, 1001).expect("cosigned");
    let line = own_line(witness.note().expect("a note"), witness.verifier()).expect("its line");
    let cosigned = format!("{}{line}\n", log.checkpoint(3));
    drop(witness);
    std::fs::write(folder.path().join("cosigned.json"), older).expect("restored");
    let node = |folder: &Path| {
        let copy = LogCopy::open(&folder.join("copy")).expect("a copy");
        let witness = open(folder, &log).expect("an older state");
        let config = config(Kind::Witness, Mode::HashesOnly, &log, "http://127.0.0.1:1");
        Node::new(config, folder, copy, Some(witness)).expect("a node")
    };
    // The vault shows the checkpoint with the cosignatures that it has gathered.
    let vault = Vault::of(log.clone());
    vault.shown().blocks = 3;
    vault.shown().checkpoint = Some(cosigned.clone());
    let first = node(folder.path());
    Follower::new(&first, vault, None).look().expect_err("it has forgotten");
    assert_eq!(first.finding().map(|finding| finding.code), Some("forgotten".to_owned()));
    let request = log.request(log.size(2), 4);
    let reply = add_checkpoint(&first, request.as_bytes(), Duration::ZERO);
    assert_eq!(reply, Reply::Unsound("forgotten".into()));
    drop(first);
    // The same where somebody brings it.
    std::fs::remove_file(folder.path().join("finding.json")).expect("kept");
    let second = node(folder.path());
    let brought = format!("old {}\n\n{cosigned}", log.size(2));
    assert_eq!(add_checkpoint(&second, brought.as_bytes(), Duration::ZERO).status(), 422);
    assert_eq!(second.finding().map(|finding| finding.code), Some("forgotten".to_owned()));
}

#[test]
fn what_cannot_be_kept_does_not_leave() {
    let log = log(3);
    let folder = tempfile::tempdir().expect("a folder");
    Witness::create(folder.path(), key().verifier(), &log.key()).expect("written");
    let mut witness = open(folder.path(), &log).expect("a fresh one");
    cosign(&mut witness, &log, 0, 2, 1000).expect("cosigned");
    // Nothing can be written where a folder stands.
    let in_the_way = folder.path().join("cosigned.json.next");
    std::fs::create_dir(&in_the_way).expect("made");
    let refused = cosign(&mut witness, &log, log.size(2), 3, 1001).expect_err("it cannot be kept");
    assert!(matches!(refused, CosignError::State(_)), "{refused}");
    assert_eq!((witness.size(), witness.timestamp_s()), (log.size(2), 1000));
    std::fs::remove_dir(&in_the_way).expect("empty");
    cosign(&mut witness, &log, log.size(2), 3, 1002).expect("cosigned");
    assert_eq!(open(folder.path(), &log).expect("kept").size(), log.size(3));
}

#[test]
fn a_clock_that_goes_back_does_not_make_a_later_size_older() {
    let log = log(4);
    let folder = tempfile::tempdir().expect("a folder");
    Witness::create(folder.path(), key().verifier(), &log.key()).expect("written");
    let mut witness = open(folder.path(), &log).expect("a fresh one");
    cosign(&mut witness, &log, 0, 2, 1000).expect("cosigned");
    cosign(&mut witness, &log, log.size(2), 3, 997).expect("a little back");
    assert_eq!(witness.timestamp_s(), 1000, "the later time is used again");
    let far = cosign(&mut witness, &log, log.size(3), 4, 900).expect_err("far back");
    assert!(matches!(far, CosignError::Clock { behind_s: 100 }));
    assert_eq!(witness.size(), log.size(3));
}
