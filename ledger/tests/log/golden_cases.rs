//! What the good vectors are made of: one small log from its keys to its proof files.

use chartseal_events::Hash;
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{Edge, TileAddress, new_tiles};
use chartseal_ledger::tree::{Leaves, consistency, inclusion, range, subtree_hash};
use serde_json::{Value, json};

use crate::sample::{Block, Log, clock, log, witness};
use crate::vectors::{bytes, hash, hashes, number};

/// When the golden head was cosigned.
const COSIGNED_S: u64 = 1_764_028_900;

pub fn hex_of(hashes: &[Hash]) -> Value {
    hashes.iter().map(ToString::to_string).collect()
}

/// The policy of all vectors: the sample's log, clock and three witnesses.
pub fn policy(quorum: usize) -> Value {
    json!({
        "log": log().key.to_string(),
        "clock": clock().key.to_string(),
        "witnesses": (0..3).map(|number| witness(number).key.to_string()).collect::<Vec<_>>(),
        "quorum": quorum,
    })
}

pub fn golden() -> Value {
    let sample = Log::golden();
    let note = sample.note(&[(&clock(), COSIGNED_S), (&witness(0), COSIGNED_S + 1), (&witness(2), COSIGNED_S - 1)]);
    let mut edge = Edge::new();
    let mut tiles = Vec::new();
    for &leaf in &sample.leaves {
        edge.push(leaf, |address, hashes| tiles.push(tile(address, hashes))).unwrap();
    }
    tiles.extend(edge.tiles().map(|(address, hashes)| tile(address, hashes)));
    json!({
        "about": "One log of three blocks. Ed25519 secrets are 32 times the byte `seed`. Hashes, tiles and edges are hex. docs/LEDGER.md describes all of it.",
        "keys": [
            key("log", 1, &log().key), key("clock", 2, &clock().key),
            key("witness", 10, &witness(0).key), key("witness", 11, &witness(1).key), key("witness", 12, &witness(2).key),
        ],
        "blocks": sample.blocks.iter().map(|block| described(&sample, block)).collect::<Vec<_>>(),
        "leaves": hex_of(&sample.leaves),
        "tiles": tiles,
        "edge": hex::encode(edge.to_bytes()),
        "note": note.to_string(),
        "cosigned_message": note.cosignature_message(COSIGNED_S),
        "file": sample.event_proof(2, 100, &note).to_file().to_string(),
        "cases": cases(&sample, &note.to_string()),
    })
}

fn key(role: &str, seed: u8, key: &VerifierKey) -> Value {
    json!({"role": role, "seed": seed, "vkey": key.to_string(), "id": key.id().to_string()})
}

pub fn tile(address: TileAddress, hashes: &[Hash]) -> Value {
    json!({"path": address.to_string(), "hashes": hex::encode(hashes.iter().flat_map(|hash| hash.0).collect::<Vec<_>>())})
}

fn described(sample: &Log, block: &Block) -> Value {
    let seal = &block.seal;
    json!({
        "height": seal.height(),
        "prev": seal.prev(),
        "now_ms": block.now_ms,
        "timestamp_ms": seal.timestamp_ms(),
        "first_index": seal.first_index(),
        "events": seal.events(),
        "first_body": block.bodies[0],
        "events_root": seal.events_root(),
        "map_root": seal.map().root,
        "map_version": seal.map().version,
        "seal": hex::encode(seal.to_bytes()),
        "seal_leaf": seal.leaf_hash(),
        "size": seal.size(),
        "root": subtree_hash(&sample.leaves[..usize::try_from(seal.size()).unwrap()]),
    })
}

/// What must be accepted, in the form of the hostile vectors.
fn cases(sample: &Log, note: &str) -> Vec<Value> {
    let leaves = &sample.leaves;
    let mut cases = Vec::new();
    let mut case =
        |name: String, check: &str, input: Value| cases.push(json!({"name": name, "check": check, "input": input}));
    for (index, size) in [(0, 1), (0, 2), (1, 3), (6, 7), (5, 6), (100, 297), (255, 256), (256, 257), (296, 297)] {
        let root = subtree_hash(&leaves[..size]);
        let proof = inclusion::prove(index as u64, size as u64, &Leaves(leaves)).unwrap();
        let input = json!({"index": index, "leaf": leaves[index], "size": size, "root": root, "proof": proof});
        case(format!("inclusion-{index}-of-{size}"), "inclusion", input);
    }
    for (old, size) in [(0, 5), (1, 1), (1, 2), (4, 6), (6, 297), (128, 256), (255, 297), (256, 257), (297, 297)] {
        let proof = consistency::prove(old as u64, size as u64, &Leaves(leaves)).unwrap();
        let (old_root, root) = (subtree_hash(&leaves[..old]), subtree_hash(&leaves[..size]));
        let input = json!({"old_size": old, "old_root": old_root, "size": size, "root": root, "proof": proof});
        case(format!("consistency-{old}-to-{size}"), "consistency", input);
    }
    for (first, end, size) in
        [(0, 1, 1), (0, 7, 7), (2, 5, 7), (4, 6, 6), (290, 297, 297), (250, 260, 297), (3, 4, 297)]
    {
        let proof = range::prove(first as u64..end as u64, size as u64, &Leaves(leaves)).unwrap();
        let root = subtree_hash(&leaves[..size]);
        let input =
            json!({"first": first, "leaves": hex_of(&leaves[first..end]), "size": size, "root": root, "proof": proof});
        case(format!("range-{first}-{end}-of-{size}"), "range", input);
    }
    for path in [
        "tile/0/000",
        "tile/0/001.p/41",
        "tile/1/000.p/1",
        "tile/0/x001/x234/067",
        "tile/3/999.p/255",
        "tile/2/x001/000",
    ] {
        case(format!("path-{path}"), "tile-path", json!({"path": path}));
    }
    case("note-quorum-2".into(), "accept", json!({"policy": policy(2), "note": note}));
    case("note-fresh".into(), "accept", json!({"policy": policy(1), "note": note, "now_s": COSIGNED_S + 151}));
    let proof = consistency::prove(6, 297, &Leaves(leaves)).unwrap();
    let (older, newer) = (sample.checkpoint(6).text(), sample.checkpoint(297).text());
    case("extends-6-to-297".into(), "extends", json!({"older": older, "newer": newer, "proof": proof}));
    cases
}

/// What the golden file says beyond its cases, read from the file alone.
pub fn check(golden: &Value) {
    let leaves = hashes(&golden["leaves"]);
    for (block, made) in golden["blocks"].as_array().unwrap().iter().zip(Log::golden().blocks) {
        let seal = Seal::from_bytes(&bytes(&block["seal"])).unwrap();
        assert_eq!(seal, made.seal);
        assert_eq!(seal.leaf_hash(), hash(&block["seal_leaf"]));
        assert_eq!(leaves[usize::try_from(seal.index()).unwrap()], seal.leaf_hash());
        assert_eq!(subtree_hash(&leaves[..usize::try_from(seal.size()).unwrap()]), hash(&block["root"]));
        assert_eq!(seal.timestamp_ms(), number(&block["timestamp_ms"]));
    }
    let edge = Edge::from_bytes(&bytes(&golden["edge"])).unwrap();
    assert_eq!((edge.size(), edge.root()), (297, subtree_hash(&leaves)));
    let paths: Vec<_> = new_tiles(0, 297).iter().map(ToString::to_string).collect();
    assert_eq!(paths, ["tile/0/000", "tile/0/001.p/41", "tile/1/000.p/1"]);
    let read: Vec<_> = golden["tiles"].as_array().unwrap().iter().map(|tile| tile["path"].as_str().unwrap()).collect();
    assert_eq!(read, paths);
    for key in golden["keys"].as_array().unwrap() {
        let vkey: VerifierKey = key["vkey"].as_str().unwrap().parse().unwrap();
        assert_eq!(key["id"], vkey.id().to_string());
    }
}
