//! What a node makes of a vault that goes back, forks, edits or hides.

use std::path::Path;
use std::time::Duration;

use chartseal_events::Hash;
use chartseal_ledger::note::Note;
use chartseal_ledger::seal::MapState;
use chartseal_ledger::tile::{TileAddress, VerifiedTiles, partial_tiles};
use chartseal_node::config::{Kind, Mode};
use chartseal_node::content::{Content, ContentError, Feed};
use chartseal_node::copy::LogCopy;
use chartseal_node::finding::Finding;
use chartseal_node::follower::{Follower, LookError};
use chartseal_node::key::WitnessKey;
use chartseal_node::node::{ExamineError, Node};
use chartseal_node::submission::{Reply, add_checkpoint};
use chartseal_node::witness::Witness;

use crate::double::{Log, Vault, config};

/// A judge to whom maps with a root of zeros are wrong.
#[derive(Default)]
struct Judge(u64);

impl Content for Judge {
    fn judge(&mut self, _: &Note, feed: &dyn Feed) -> Result<(), ContentError> {
        while let Some((seal, leaves)) = feed.block(self.0)? {
            assert_eq!(leaves.len(), feed.bodies(self.0)?.len());
            if seal.map().root == Hash::ZERO {
                let what = format!("map in block {}", seal.height());
                return Err(ContentError::Unsound { code: "map".into(), what, other: None });
            }
            self.0 += 1;
        }
        Ok(())
    }
}

fn log(blocks: usize) -> Log {
    let mut log = Log::new();
    (0..blocks).for_each(|height| log.grow(1 + height * 37 % 50, "event"));
    log
}

/// A witness in this folder, made on the first call.
fn witness(folder: &Path, log: &Log) -> Node {
    let key = WitnessKey::from_seed("witness.example/one", &[9; 32]).expect("a key");
    if !folder.join("cosigned.json").exists() && !folder.join("copy").exists() {
        Witness::create(folder, key.verifier(), &log.key()).expect("written");
    }
    let witness = Witness::open(folder, key, log.key()).expect("a state");
    let copy = LogCopy::open(&folder.join("copy")).expect("a copy");
    Node::new(config(Kind::Witness, Mode::Full, log, "http://127.0.0.1:1"), folder, copy, Some(witness))
        .expect("a node")
}

fn follower<'a>(node: &'a Node, vault: &Vault) -> Follower<'a, Vault> {
    Follower::new(node, vault.clone(), Some(Box::new(Judge::default())))
}

fn trouble_of(outcome: Result<(), LookError>) -> &'static str {
    match outcome {
        Err(LookError::Trouble { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

fn finding_of(outcome: Result<(), LookError>, folder: &Path) -> Finding {
    match outcome {
        Err(LookError::Examined(ExamineError::Unsound(code))) => {
            let kept = Finding::load(folder).expect("readable").expect("kept");
            assert_eq!(kept.code, code);
            kept
        }
        other => panic!("{other:?}"),
    }
}

/// Asks for a cosignature of the log after so many blocks; nobody waits for anything.
fn ask(node: &Node, log: &Log, old_size: u64, blocks: usize) -> Reply {
    add_checkpoint(node, log.request(old_size, blocks).as_bytes(), Duration::ZERO)
}

#[test]
fn what_is_verified_is_served_as_tiles_and_blocks_of_every_size() {
    let log = log(60);
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::of(log.clone());
    for blocks in [1, 2, 17, 18, 60] {
        vault.shown().blocks = blocks;
        // Each time anew from the disk.
        let node = witness(folder.path(), &log);
        follower(&node, &vault).look().expect("sound");
        let copy = node.copy();
        let (size, root) = (log.size(blocks), log.root(log.size(blocks)));
        assert_eq!((copy.verified_size(), copy.root_at(size).expect("readable")), (size, Some(root)));
        let tiles: Vec<_> = (0..size / 256)
            .map(|index| TileAddress::new(0, index, 256).expect("a tile"))
            .chain(partial_tiles(size))
            .chain((size >= 65_536).then(|| TileAddress::new(1, 0, 256).expect("a tile")))
            .map(|address| (address, copy.tile(address).expect("readable").expect("there")))
            .collect();
        VerifiedTiles::new(size, root, tiles).expect("the tree's tiles");
        for height in 0..blocks {
            let (seal, leaves) = copy.block(height as u64).expect("readable").expect("there");
            assert_eq!((seal, &leaves), (log.blocks[height].seal, &log.blocks[height].leaves));
        }
        assert!(copy.block(blocks as u64).expect("readable").is_none());
        for old in [1, 2, size / 3 + 1, size] {
            assert_eq!(copy.root_at(old).expect("readable"), Some(log.root(old)));
            assert_eq!(copy.consistency(old, size).expect("readable"), Some(log.proof(old, size)));
        }
        let beyond = TileAddress::new(0, size / 256, u16::try_from(size % 256).expect("small") + 1).expect("a tile");
        assert!(copy.tile(beyond).expect("readable").is_none(), "no hash more than is verified");
    }
    assert!(log.size(60) > 1024, "several full tiles: {}", log.size(60));
}

#[test]
fn a_vault_that_goes_back_is_in_trouble_until_it_is_where_it_was() {
    let log = log(6);
    let folder = tempfile::tempdir().expect("a folder");
    let (node, vault) = (witness(folder.path(), &log), Vault::of(log.clone()));
    follower(&node, &vault).look().expect("sound");
    vault.shown().blocks = 4;
    // Another follower: this one does not remember that it has just moved, as a cache might.
    assert_eq!(trouble_of(follower(&node, &vault).look()), "rolled-back");
    node.set_trouble(Some(("rolled-back", "as the follower tells it".to_owned())));
    assert_eq!(node.status()["state"], "trouble");
    assert_eq!(ask(&node, &log, 0, 6).status(), 503, "nothing is cosigned meanwhile");
    vault.shown().blocks = 0;
    assert_eq!(trouble_of(follower(&node, &vault).look()), "rolled-back");
    vault.shown().blocks = 6;
    follower(&node, &vault).look().expect("it is where it was");
    node.set_trouble(None);
    assert_eq!(ask(&node, &log, 0, 6).status(), 200);
}

#[test]
fn a_fork_is_found_for_ever_whatever_its_size() {
    let common = log(5);
    let (mut ours, mut theirs) = (common.clone(), common);
    ours.grow(9, "event");
    theirs.grow(9, "another");
    let (shorter, mut longer) = (theirs.clone(), theirs.clone());
    longer.grow(300, "event");
    // Of one size, smaller than ours, larger than ours.
    ours.grow(9, "event");
    theirs.grow(9, "event");
    for (name, fork) in [("as large", theirs), ("smaller", shorter), ("larger", longer)] {
        let folder = tempfile::tempdir().expect("a folder");
        let node = witness(folder.path(), &ours);
        follower(&node, &Vault::of(ours.clone())).look().expect("sound");
        let size = ours.size(7);
        assert_eq!(ask(&node, &ours, 0, 7).status(), 200);
        let found = finding_of(follower(&node, &Vault::of(fork.clone())).look(), folder.path());
        assert_eq!((found.code.as_str(), found.evidence.len()), ("fork", 2), "{name}");
        for shown in &found.evidence {
            let shown = Note::parse(shown.as_bytes()).expect("a note");
            shown.signed_by(&ours.key()).expect("evidence is signed").expect("by the log");
        }
        // For ever: also for what was sound, and after a restart.
        let mut on = ours.clone();
        on.grow(1, "event");
        assert_eq!(ask(&node, &on, size, 8), Reply::Unsound("fork".into()), "{name}");
        drop(node);
        let node = witness(folder.path(), &ours);
        assert_eq!(node.status()["finding"]["code"], "fork");
        assert_eq!(ask(&node, &on, size, 8), Reply::Unsound("fork".into()), "{name}, after a restart");
        follower(&node, &Vault::of(on)).look().expect_err("it does not follow any more");
        assert!(node.checkpoint().is_some_and(|note| note.contains("witness.example/one")), "it still serves");
    }
}

#[test]
fn a_log_that_begins_with_another_first_event_is_another_vaults() {
    let (ours, mut theirs) = (log(3), Log::new());
    (0..3).for_each(|_| theirs.grow(4, "another"));
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &ours);
    let found = finding_of(Follower::new(&node, Vault::of(theirs), None).look(), folder.path());
    assert_eq!(found.code, "genesis", "also where hashes alone are checked");
}

#[test]
fn two_roots_of_one_size_are_evidence_whoever_brings_them() {
    let ours = log(3);
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &ours);
    follower(&node, &Vault::of(ours.clone())).look().expect("sound");
    let size = ours.size(3);
    assert_eq!(ask(&node, &ours, 0, 3).status(), 200);
    let forged = ours.sign(size, Hash([3; 32]));
    let unsigned = forged.replace("— vault.example ", "— vault.example.org ");
    let request = |note: &str| add_checkpoint(&node, format!("old {size}\n\n{note}").as_bytes(), Duration::ZERO);
    assert_eq!(request(&unsigned), Reply::NotSigned, "no evidence without the log's key");
    assert!(node.finding().is_none());
    assert_eq!(request(&forged).status(), 422, "as C2SP wants it");
    assert_eq!(node.finding().map(|finding| finding.code), Some("fork".to_owned()));
    assert_eq!(request(&ours.checkpoint(3)), Reply::Unsound("fork".into()));
}

#[test]
fn an_edited_event_is_trouble_and_nothing_is_cosigned_up_to_it() {
    let mut log = log(4);
    log.grow(8, "event");
    let folder = tempfile::tempdir().expect("a folder");
    let (node, vault) = (witness(folder.path(), &log), Vault::of(log.clone()));
    vault.shown().edited = Some((4, 7));
    let mut follower = follower(&node, &vault);
    for _ in 0..2 {
        let Err(LookError::Trouble { code, what }) = follower.look() else { panic!("noticed") };
        assert_eq!(code, "leaf");
        assert!(what.contains("block 4") && what.contains(&format!("index {}", log.size(4) + 7)), "{what}");
    }
    assert_eq!(node.copy().verified_size(), 0, "hashes alone are not enough");
    assert_eq!(ask(&node, &log, 0, 5).status(), 503);
    vault.shown().edited = None;
    follower.look().expect("as it was sealed");
    assert_eq!(ask(&node, &log, 0, 5).status(), 200);
}

#[test]
fn a_wrong_map_root_is_found_for_ever_though_the_logs_key_has_sealed_it() {
    let sound = log(3);
    let mut resealed = sound.clone();
    resealed.grow_with(2, "event", MapState { root: Hash::ZERO, version: 1 });
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &sound);
    follower(&node, &Vault::of(sound.clone())).look().expect("sound");
    assert_eq!(ask(&node, &sound, 0, 3).status(), 200);
    let found = finding_of(follower(&node, &Vault::of(resealed.clone())).look(), folder.path());
    assert_eq!((found.code.as_str(), found.what.as_str()), ("map", "map in block 3"));
    assert_eq!(ask(&node, &resealed, sound.size(3), 4), Reply::Unsound("map".into()));
    // A block that was verified, with another map root, signed again, is a fork.
    let mut rewritten = log(2);
    rewritten.grow_with(sound.blocks[2].leaves.len(), "event", MapState { root: Hash([2; 32]), version: 1 });
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &sound);
    follower(&node, &Vault::of(sound.clone())).look().expect("sound");
    assert_eq!(finding_of(follower(&node, &Vault::of(rewritten)).look(), folder.path()).code, "fork");
}

#[test]
fn blocks_that_do_not_lead_to_what_was_signed_are_trouble() {
    let good = log(5);
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &good);
    let vault = Vault::of(good.clone());
    vault.shown().blocks = 3;
    let mut follower = follower(&node, &vault);
    follower.look().expect("sound");
    vault.shown().blocks = 5;
    // A changed leaf hash, another seal, a block that is not shown, another size than any block's end, a key that is not the log's.
    vault.shown().log.blocks[4].leaves[0] = Hash([8; 32]);
    assert_eq!(trouble_of(follower.look()), "chain");
    vault.shown().log = good.clone();
    vault.shown().log.blocks[3].seal = good.blocks[4].seal;
    assert_eq!(trouble_of(follower.look()), "chain");
    vault.shown().log = good.clone();
    vault.shown().blocks = 4;
    vault.shown().checkpoint = Some(good.checkpoint(5));
    assert_eq!(trouble_of(follower.look()), "withheld");
    vault.shown().blocks = 5;
    vault.shown().checkpoint = Some(good.sign(good.size(5) - 1, good.root(good.size(5) - 1)));
    assert_eq!(trouble_of(follower.look()), "withheld");
    vault.shown().checkpoint = Some(good.checkpoint(5).replace("— vault.example ", "— vault.example.org "));
    assert_eq!(trouble_of(follower.look()), "checkpoint");
    assert_eq!((node.copy().verified_size(), node.finding()), (good.size(3), None), "nothing of that is for ever");
    vault.shown().checkpoint = None;
    follower.look().expect("sound");
    assert_eq!(node.copy().verified_size(), good.size(5));
}

#[test]
fn a_copy_that_is_lost_is_fetched_anew_and_held_to_what_was_cosigned() {
    let ours = log(4);
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &ours);
    follower(&node, &Vault::of(ours.clone())).look().expect("sound");
    assert_eq!(ask(&node, &ours, 0, 4).status(), 200);
    drop(node);
    let mut forked = log(3);
    (0..2).for_each(|_| forked.grow(30, "another"));
    let mut on = ours.clone();
    on.grow(3, "event");
    for (log, sound) in [(on, true), (forked, false)] {
        std::fs::remove_dir_all(folder.path().join("copy")).expect("there");
        std::fs::create_dir(folder.path().join("copy")).expect("made");
        let node = witness(folder.path(), &ours);
        let outcome = follower(&node, &Vault::of(log)).look();
        if sound {
            outcome.expect("sound");
        } else {
            assert_eq!(finding_of(outcome, folder.path()).code, "fork");
        }
    }
}

#[test]
fn a_copy_that_was_changed_on_disk_is_not_used() {
    let log = log(30);
    let folder = tempfile::tempdir().expect("a folder");
    let node = witness(folder.path(), &log);
    follower(&node, &Vault::of(log.clone())).look().expect("sound");
    drop(node);
    let copy = folder.path().join("copy");
    let leaves = std::fs::read(copy.join("level-0")).expect("there");
    for (name, at) in [("level-0", leaves.len() - 1), ("level-1", 5), ("seals", 29 * 130 + 20)] {
        let path = copy.join(name);
        let good = std::fs::read(&path).expect("there");
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).expect("written");
        assert!(LogCopy::open(&copy).is_err(), "{name}");
        std::fs::write(&path, &good[..at]).expect("written");
        assert!(LogCopy::open(&copy).is_err(), "{name}, cut short");
        std::fs::write(&path, good).expect("written");
    }
    LogCopy::open(&copy).expect("as it was");
}
