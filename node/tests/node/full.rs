//! A full node on a vault whose events are real: signed, decided, sealed; and one whose log's key is in the wrong hands.

use std::path::Path;
use std::time::Duration;

use chartseal_cli::VaultPin;
use chartseal_events::Hash;
use chartseal_events::encoding::base64url;
use chartseal_events::wire::{LedgerBlock, LedgerEvents};
use chartseal_ledger::seal::MapState;
use chartseal_ledger::tile::TileAddress;
use chartseal_node::config::{Config, Kind, Mode};
use chartseal_node::content::Replayed;
use chartseal_node::copy::LogCopy;
use chartseal_node::follower::Follower;
use chartseal_node::key::WitnessKey;
use chartseal_node::node::Node;
use chartseal_node::source::{Source, SourceError};
use chartseal_node::submission::{Reply, add_checkpoint};
use chartseal_node::witness::Witness;
use chartseal_replay::testing::{Log, Served, T0, log_verifier};

use crate::double;

/// A generated vault as a node's source.
struct Vault(Served);

impl Vault {
    fn block_of(&self, height: u64) -> Result<&(chartseal_replay::PublicBlock, Vec<String>), SourceError> {
        let place = usize::try_from(height).expect("small");
        self.0.blocks.get(place).ok_or_else(|| SourceError::Missing(format!("block {height}")))
    }
}

impl Source for Vault {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.0.note.clone())
    }

    fn block(&self, height: u64) -> Result<LedgerBlock, SourceError> {
        let (block, _) = self.block_of(height)?;
        Ok(LedgerBlock { height, seal: base64url(&block.seal), leaves: block.leaves.clone() })
    }

    fn tile(&self, address: TileAddress) -> Result<Vec<u8>, SourceError> {
        Err(SourceError::Missing(address.to_string()))
    }

    fn events(&self, height: u64, first: u32) -> Result<LedgerEvents, SourceError> {
        let (_, bodies) = self.block_of(height)?;
        Ok(LedgerEvents { height, first, bodies: bodies[first as usize..].to_vec(), next: None })
    }
}

/// A witness in this folder of the vault whose log begins so.
fn node(folder: &Path, genesis: Hash) -> Node {
    let key = WitnessKey::from_seed("witness.example/one", &[9; 32]).expect("a key");
    if !folder.join("copy").exists() {
        Witness::create(folder, key.verifier(), &log_verifier()).expect("written");
    }
    let witness = Witness::open(folder, key, log_verifier()).expect("a state");
    let copy = LogCopy::open(&folder.join("copy")).expect("a copy");
    let own = double::config(Kind::Witness, Mode::Full, &double::Log::new(), "http://127.0.0.1:1").vault;
    let vault = VaultPin { genesis, ..own };
    let config = Config { kind: Kind::Witness, mode: Mode::Full, vault, log: log_verifier() };
    Node::new(config, folder, copy, Some(witness)).expect("a node")
}

fn first_leaf(served: &Served) -> Hash {
    served.blocks[0].0.leaves[0]
}

fn follower<'a>(node: &'a Node, folder: &Path, served: &Served) -> Follower<'a, Vault> {
    let judge = Replayed::open(&folder.join("events"), node.log(), first_leaf(served)).expect("a copy");
    Follower::new(node, Vault(served.clone()), Some(Box::new(judge)))
}

/// Asks a node that has cosigned nothing.
fn ask(node: &Node, checkpoint: &[u8]) -> Reply {
    let body = [b"old 0\n\n", checkpoint].concat();
    add_checkpoint(node, &body, Duration::ZERO)
}

#[test]
fn a_vault_with_events_of_every_type_is_judged_and_cosigned_and_gone_on_with() {
    let whole = Served::of_every_type(7);
    let folder = tempfile::tempdir().expect("a folder");
    for blocks in [1, 2, whole.blocks.len() / 2, whole.blocks.len()] {
        let mut served = whole.clone();
        served.blocks.truncate(blocks);
        served.note = Some(whole.notes[blocks - 1].clone());
        // Each time anew from the disk.
        let node = node(folder.path(), first_leaf(&whole));
        follower(&node, folder.path(), &served).look().expect("sound");
        assert_eq!(node.copy().followed().blocks, blocks as u64);
        assert_eq!(node.status()["state"], "sound");
    }
    let node = node(folder.path(), first_leaf(&whole));
    assert_eq!(ask(&node, whole.note.as_ref().expect("signed")).status(), 200);
}

#[test]
fn what_the_logs_key_has_sealed_and_must_not_have_is_never_cosigned() {
    let sound = Served::of_every_type(7);
    let bodies = sound.bodies();
    let last = bodies.len() - 1;
    let reseal = |change: &dyn Fn(&mut Vec<Vec<String>>), map: Option<MapState>| {
        let mut bodies = bodies.clone();
        change(&mut bodies);
        let (mut log, mut served) = (Log::default(), Served::default());
        for (height, bodies) in bodies.iter().enumerate() {
            let now_ms = T0 + 1_000 * height as u64;
            let forged = map.filter(|_| height == last);
            let block = log.seal_with(bodies, now_ms, |operations, own| (operations, forged.unwrap_or(own)));
            served.push(&log, block, bodies.clone());
        }
        served
    };
    let edited = |bodies: &mut Vec<Vec<String>>| {
        // A letter in the middle of the last command's signature.
        let body = bodies.iter_mut().flatten().rfind(|body| body.contains("\"command\":\"")).expect("a command");
        let start = body.find("\"command\":\"").expect("a command") + "\"command\":\"".len();
        let place = start + body[start..].find('"').expect("its end") - 20;
        let other = if &body[place..=place] == "A" { "B" } else { "A" };
        body.replace_range(place..=place, other);
    };
    let dropped = |bodies: &mut Vec<Vec<String>>| drop(bodies[0].remove(1));
    let swapped = |bodies: &mut Vec<Vec<String>>| bodies[0].swap(0, 1);
    let nothing = |_: &mut Vec<Vec<String>>| {};
    let wrong_map = MapState { root: Hash([5; 32]), version: 1 };
    let cases: [(&str, Served); 4] = [
        ("a command's signature", reseal(&edited, None)),
        ("an event left out", reseal(&dropped, None)),
        ("the first two the other way round", reseal(&swapped, None)),
        ("the map's root", reseal(&nothing, Some(wrong_map))),
    ];
    for (name, served) in cases {
        let folder = tempfile::tempdir().expect("a folder");
        let node = node(folder.path(), first_leaf(&sound));
        let judge = Replayed::open(&folder.path().join("events"), node.log(), first_leaf(&sound)).expect("a copy");
        let mut follower = Follower::new(&node, Vault(served.clone()), Some(Box::new(judge)));
        follower.look().expect_err(name);
        let found = node.finding().unwrap_or_else(|| panic!("{name}: nothing is found"));
        assert_eq!(found.evidence.len(), 1, "{name}");
        let reply = ask(&node, served.note.as_ref().expect("signed"));
        assert_eq!(reply, Reply::Unsound(found.code.clone()), "{name}");
        println!("{name}: {}: {}", found.code, found.what);
    }
    let control = reseal(&nothing, None);
    let folder = tempfile::tempdir().expect("a folder");
    let node = node(folder.path(), first_leaf(&sound));
    follower(&node, folder.path(), &control).look().expect("the same without a change is sound");
    assert_eq!(ask(&node, control.note.as_ref().expect("signed")).status(), 200);
}
