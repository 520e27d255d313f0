//! Tiles and blocks that must be refused, and the failure of each.

use chartseal_events::Hash;
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{Edge, TileAddress};
use chartseal_ledger::tree::subtree_hash;
use serde_json::{Value, json};

use crate::golden_cases::{hex_of, tile};
use crate::hostile_cases::case;
use crate::sample::{Log, leaves_cheaply};

pub fn cases() -> Vec<Value> {
    [tiles(), edges(), seals(), chains()].concat()
}

fn tiles() -> Vec<Value> {
    // 257 leaves: one full tile, its parent, and a tile of one.
    let leaves = leaves_cheaply(257);
    let root = subtree_hash(&leaves);
    let at = |path: &str| path.parse::<TileAddress>().unwrap();
    let full = tile(at("tile/0/000"), &leaves[..256]);
    let last = tile(at("tile/0/001.p/1"), &leaves[256..]);
    let above = tile(at("tile/1/000.p/1"), &[subtree_hash(&leaves[..256])]);
    let named = |name: &str, meaning: &str, failure: &str, tiles: Vec<&Value>| {
        case(&format!("tiles-{name}"), meaning, "tiles", failure, json!({"size": 257, "root": root, "tiles": tiles}))
    };
    let mut exchanged = leaves[..256].to_vec();
    exchanged.swap(7, 8);
    let exchanged = tile(at("tile/0/000"), &exchanged);
    let wrong_last = tile(at("tile/0/001.p/1"), &leaves[..1]);
    let short = json!({"path": "tile/0/001.p/1", "hashes": "00".repeat(31)});
    let wide = json!({"path": "tile/0/001.p/2", "hashes": "00".repeat(64)});
    let next = json!({"path": "tile/0/002.p/1", "hashes": "00".repeat(32)});
    vec![
        named("exchanged", "Two leaves of a full tile exchanged", "mismatch", vec![&exchanged, &last, &above]),
        named("edge-altered", "Another last leaf", "root-mismatch", vec![&full, &wrong_last, &above]),
        named("edge-missing", "A partial tile is missing", "missing", vec![&full, &above]),
        named("short", "A byte is missing", "length", vec![&short, &above]),
        named("wider", "A partial tile of a larger tree", "foreign", vec![&last, &above, &wide]),
        named("beyond", "A tile that the tree has not", "foreign", vec![&last, &above, &next]),
    ]
}

fn edges() -> Vec<Value> {
    let leaves = leaves_cheaply(300);
    let mut edge = Edge::new();
    for &leaf in &leaves {
        edge.push(leaf, |_, _| ()).unwrap();
    }
    let bytes = edge.to_bytes();
    let named = |name: &str, meaning: &str, failure: &str, bytes: &[u8]| {
        case(&format!("edge-{name}"), meaning, "edge", failure, json!({"edge": hex::encode(bytes)}))
    };
    vec![
        named("no-size", "Seven bytes", "length", &bytes[..7]),
        named("cut", "A hash is missing", "length", &bytes[..bytes.len() - 32]),
        named("half-a-hash", "A byte is missing", "length", &bytes[..bytes.len() - 1]),
        named("one-more", "A hash too many", "length", &[&bytes[..], &[0; 32]].concat()),
        named("64-bits", "A size beyond all trees", "full", &u64::MAX.to_be_bytes()),
    ]
}

fn seals() -> Vec<Value> {
    let log = Log::golden();
    let (first, third) = (log.blocks[0].seal.to_bytes(), log.blocks[2].seal.to_bytes());
    let set = |seal: &[u8], place: usize, bytes: &[u8]| {
        let mut seal = seal.to_vec();
        seal[place..place + bytes.len()].copy_from_slice(bytes);
        seal
    };
    let named = |name: &str, meaning: &str, failure: &str, seal: Vec<u8>| {
        case(&format!("seal-{name}"), meaning, "seal", failure, json!({"seal": hex::encode(seal)}))
    };
    vec![
        named("cut", "A byte is missing", "length", third[..129].to_vec()),
        named("longer", "A byte too many", "length", [&third[..], &[0]].concat()),
        named("event", "An event's prefix", "prefix", set(&third, 0, &[1])),
        named("version-0", "Version 0", "version", set(&third, 1, &[0])),
        named("version-2", "A version of later days", "version", set(&third, 1, &[2])),
        named("no-events", "A block without events", "events", set(&third, 58, &[0; 4])),
        named("2001-events", "One event too many", "events", set(&third, 58, &2001_u32.to_be_bytes())),
        named("first-with-prev", "The first block with a block before it", "genesis", set(&first, 10, &[1; 32])),
        named("first-not-at-0", "The first block at index 2", "genesis", set(&first, 50, &2_u64.to_be_bytes())),
        named("later-without-prev", "A later block without a block before it", "genesis", set(&third, 10, &[0; 32])),
        named("later-at-0", "A later block at index 0", "genesis", set(&third, 50, &[0; 8])),
        named(
            "too-few-leaves",
            "Two blocks before it, and three leaves",
            "first-index",
            set(&third, 50, &3_u64.to_be_bytes()),
        ),
        named(
            "too-many-leaves",
            "Two blocks before it, and 4,003 leaves",
            "first-index",
            set(&third, 50, &4003_u64.to_be_bytes()),
        ),
        named("height-overflow", "The largest height", "first-index", set(&third, 2, &[255; 8])),
        named(
            "log-full",
            "Leaves beyond 63 bits",
            "full",
            set(&set(&third, 2, &(u64::MAX / 8).to_be_bytes()), 50, &(u64::MAX / 2).to_be_bytes()),
        ),
        named(
            "timestamp-54-bits",
            "A timestamp of 54 bits",
            "timestamp",
            set(&third, 42, &(1_u64 << 53).to_be_bytes()),
        ),
        named("map-root-without-map", "Version 0 of the map, and a root", "map", set(&third, 126, &[0; 4])),
    ]
}

fn chains() -> Vec<Value> {
    let log = Log::golden();
    // Small, and different from the golden log in its second block.
    let small = Log::of(&[(10, 2), (20, 1), (30, 2)]);
    let other = Log::of(&[(11, 2), (20, 1), (30, 2)]);
    let wider = Log::of(&[(10, 2), (20, 2), (30, 2)]);
    let block = |log: &Log, at: usize| (log.blocks[at].seal, log.blocks[at].leaves());
    let chain = |blocks: Vec<(Seal, Vec<Hash>)>, checkpoint: Option<String>| {
        let blocks: Vec<_> = blocks
            .iter()
            .map(|(seal, events)| json!({"seal": hex::encode(seal.to_bytes()), "events": hex_of(events)}))
            .collect();
        json!({"blocks": blocks, "checkpoint": checkpoint})
    };
    let two = || vec![block(&small, 0), block(&small, 1)];
    let then = |next: (Seal, Vec<Hash>)| chain([two(), vec![next]].concat(), None);
    let by_hand = |place: usize, bytes: &[u8]| {
        let mut seal = small.blocks[2].seal.to_bytes();
        seal[place..place + bytes.len()].copy_from_slice(bytes);
        (Seal::from_bytes(&seal).unwrap(), small.blocks[2].leaves())
    };
    let (third, events) = block(&small, 2);
    let named = |name: &str, meaning: &str, failure: &str, input: Value| {
        case(&format!("chain-{name}"), meaning, "chain", failure, input)
    };
    let whole = || [two(), vec![block(&small, 2)]].concat();
    vec![
        named("repeated", "A block twice", "height", then(block(&small, 1))),
        named("left-out", "A block left out", "height", chain(vec![block(&small, 0), block(&small, 2)], None)),
        named("not-the-first", "A log that begins in the middle", "height", chain(vec![block(&small, 1)], None)),
        named("fork", "A block of another log", "prev", then(block(&other, 2))),
        named("gap", "A gap before the block", "first-index", then(block(&wider, 2))),
        named(
            "time-stands",
            "Not later than the block before",
            "timestamp",
            then(by_hand(42, &small.blocks[1].seal.timestamp_ms().to_be_bytes())),
        ),
        named("map-back", "No map any more", "map-version", then(by_hand(94, &[0; 36]))),
        named("event-left-out", "An event left out", "events", then((third, events[1..].to_vec()))),
        named("events-exchanged", "Events exchanged", "events-root", then((third, vec![events[1], events[0]]))),
        named("event-altered", "Another event", "events-root", then((third, vec![events[0], events[0]]))),
        named(
            "head-elsewhere",
            "A head of another log of this size",
            "root",
            chain(whole(), Some(other.checkpoint(8).text())),
        ),
        named("head-older", "A head of before", "size", chain(whole(), Some(small.checkpoint(5).text()))),
        named("head-newer", "A head of a longer log", "size", chain(whole(), Some(log.checkpoint(9).text()))),
    ]
}
