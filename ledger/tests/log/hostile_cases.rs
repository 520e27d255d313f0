//! Trees, tiles and blocks that must be refused, and the failure of each.

use chartseal_events::Hash;
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{Edge, TileAddress};
use chartseal_ledger::tree::{Leaves, Proof, consistency, inclusion, range, subtree_hash};
use serde_json::{Value, json};

use crate::golden_cases::{hex_of, tile};
use crate::sample::{Log, leaves_cheaply};

/// Every failure there is, by the check that has it: each has a vector. (`file-too-long` and `note-too-long` would be files of megabytes;
/// `full` of an edge stands for that of a seal.)
pub const DUE: &[(&str, &str)] = &[
    ("proof", "not-hashes"),
    ("proof", "too-long"),
    ("inclusion", "outside-tree"),
    ("inclusion", "length"),
    ("inclusion", "root-mismatch"),
    ("consistency", "outside-tree"),
    ("consistency", "shrunk"),
    ("consistency", "length"),
    ("consistency", "root-mismatch"),
    ("consistency", "old-root-mismatch"),
    ("range", "outside-tree"),
    ("range", "empty-range"),
    ("range", "length"),
    ("range", "root-mismatch"),
    ("tile-path", "path"),
    ("tiles", "length"),
    ("tiles", "foreign"),
    ("tiles", "missing"),
    ("tiles", "root-mismatch"),
    ("tiles", "mismatch"),
    ("edge", "length"),
    ("edge", "full"),
    ("seal", "length"),
    ("seal", "prefix"),
    ("seal", "version"),
    ("seal", "events"),
    ("seal", "genesis"),
    ("seal", "first-index"),
    ("seal", "full"),
    ("seal", "timestamp"),
    ("seal", "map"),
    ("chain", "height"),
    ("chain", "prev"),
    ("chain", "first-index"),
    ("chain", "timestamp"),
    ("chain", "map-version"),
    ("chain", "events"),
    ("chain", "events-root"),
    ("chain", "size"),
    ("chain", "root"),
    ("key", "key-malformed"),
    ("key", "key-name"),
    ("key", "key-type"),
    ("key", "key-public-key"),
    ("key", "key-id"),
    ("policy", "policy-key-type"),
    ("policy", "policy-twice"),
    ("policy", "policy-quorum"),
    ("accept", "note-characters"),
    ("accept", "note-unsigned"),
    ("accept", "note-signature-line"),
    ("accept", "note-signatures"),
    ("accept", "checkpoint-lines"),
    ("accept", "checkpoint-origin"),
    ("accept", "checkpoint-size"),
    ("accept", "checkpoint-root"),
    ("accept", "origin"),
    ("accept", "not-signed"),
    ("accept", "signature-invalid"),
    ("accept", "signature-twice"),
    ("accept", "quorum"),
    ("accept", "no-timestamp"),
    ("accept", "stale"),
    ("accept", "ahead"),
    ("extends", "other-log"),
    ("extends", "shrunk"),
    ("extends", "old-root-mismatch"),
    ("tlog-proof", "file-header"),
    ("tlog-proof", "file-extra"),
    ("tlog-proof", "file-index"),
    ("tlog-proof", "file-inclusion"),
    ("tlog-proof", "file-checkpoint"),
    ("event-proof", "extra"),
    ("event-proof", "seal"),
    ("event-proof", "body"),
    ("event-proof", "other-block"),
    ("event-proof", "event-inclusion"),
    ("event-proof", "seal-inclusion"),
    ("event-proof", "signature-invalid"),
    ("event-proof", "quorum"),
];

/// One vector.
pub fn case(name: &str, meaning: &str, check: &str, failure: &str, input: impl Into<Value>) -> Value {
    let input = input.into();
    json!({"name": name, "meaning": meaning, "check": check, "failure": failure, "input": input})
}

pub fn cases() -> Vec<Value> {
    [proofs(), inclusions(), consistencies(), ranges(), paths(), tiles(), edges(), seals(), chains()].concat()
}

/// `input` with one member set to something else.
pub fn with(input: &Value, member: &str, value: impl Into<Value>) -> Value {
    let mut input = input.clone();
    input[member] = value.into();
    input
}

fn proofs() -> Vec<Value> {
    let form = |hex: String| json!({"proof": hex});
    vec![
        case("proof-half-a-hash", "48 bytes", "proof", "not-hashes", form("00".repeat(48))),
        case("proof-127-hashes", "One hash more than any proof has", "proof", "too-long", form("00".repeat(127 * 32))),
    ]
}

fn altered(proof: &Proof, alter: impl Fn(&mut Vec<Hash>)) -> Value {
    let mut hashes = proof.hashes().to_vec();
    alter(&mut hashes);
    hex_of(&hashes)
}

fn inclusions() -> Vec<Value> {
    let leaves = Log::golden().leaves;
    let proof = inclusion::prove(100, 297, &Leaves(&leaves)).unwrap();
    let root = subtree_hash(&leaves);
    let good = json!({"index": 100, "leaf": leaves[100], "size": 297, "root": root, "proof": proof});
    let named = |name: &str, meaning: &str, failure: &str, input: Value| {
        case(&format!("inclusion-{name}"), meaning, "inclusion", failure, input)
    };
    let spoilt = |alter: &dyn Fn(&mut Vec<Hash>)| with(&good, "proof", altered(&proof, alter));
    vec![
        named("other-leaf", "Another event", "root-mismatch", with(&good, "leaf", leaves[99].to_string())),
        named("other-index", "The next place", "root-mismatch", with(&good, "index", 101)),
        named(
            "other-root",
            "A root of another time",
            "root-mismatch",
            with(&good, "root", subtree_hash(&leaves[..296]).to_string()),
        ),
        named("beyond", "An index that the tree has not", "outside-tree", with(&good, "index", 297)),
        named(
            "empty-tree",
            "The empty tree has no leaf",
            "outside-tree",
            json!({"index": 0, "leaf": leaves[0], "size": 0, "root": root, "proof": []}),
        ),
        named("too-large-tree", "A size of 64 bits", "outside-tree", with(&good, "size", u64::MAX)),
        named("one-bit", "A hash with one bit changed", "root-mismatch", spoilt(&|hashes| hashes[3].0[0] ^= 0x80)),
        named("exchanged", "Two hashes exchanged", "root-mismatch", spoilt(&|hashes| hashes.swap(0, 1))),
        named("cut", "The last hash left out", "length", spoilt(&|hashes| hashes.truncate(hashes.len() - 1))),
        named("root-appended", "The root as one more hash", "length", spoilt(&|hashes| hashes.push(root))),
        named("leaf-prepended", "The leaf as one more hash", "length", spoilt(&|hashes| hashes.insert(0, leaves[100]))),
        named(
            "node-as-leaf",
            "An inner node passed off as a leaf of a smaller tree",
            "length",
            json!({
                "index": 50, "leaf": subtree_hash(&leaves[100..102]), "size": 297, "root": root, "proof": altered(&proof, |hashes| *hashes = hashes[1..].to_vec()),
            }),
        ),
        named("empty", "No hash at all", "length", with(&good, "proof", json!([]))),
        named(
            "root-is-leaf",
            "A root passed off as the only leaf of a larger tree",
            "length",
            json!({
                "index": 0, "leaf": root, "size": 2, "root": root, "proof": [],
            }),
        ),
    ]
}

fn consistencies() -> Vec<Value> {
    let leaves = Log::golden().leaves;
    let proof = consistency::prove(6, 297, &Leaves(&leaves)).unwrap();
    let (old_root, root) = (subtree_hash(&leaves[..6]), subtree_hash(&leaves));
    let good = json!({"old_size": 6, "old_root": old_root, "size": 297, "root": root, "proof": proof});
    let named = |name: &str, meaning: &str, failure: &str, input: Value| {
        case(&format!("consistency-{name}"), meaning, "consistency", failure, input)
    };
    let spoilt = |alter: &dyn Fn(&mut Vec<Hash>)| with(&good, "proof", altered(&proof, alter));
    let fork = subtree_hash(&[&leaves[..5], &leaves[6..]].concat());
    vec![
        named("fork", "A log without its sixth leaf", "root-mismatch", with(&good, "root", fork.to_string())),
        named("other-past", "Another past", "old-root-mismatch", with(&good, "old_root", leaves[0].to_string())),
        named(
            "swapped-roots",
            "The roots exchanged",
            "old-root-mismatch",
            with(&with(&good, "old_root", root.to_string()), "root", old_root.to_string()),
        ),
        named(
            "shrunk",
            "A log that became smaller",
            "shrunk",
            json!({"old_size": 297, "old_root": root, "size": 6, "root": old_root, "proof": proof}),
        ),
        named(
            "same-size",
            "As large, but another",
            "root-mismatch",
            json!({"old_size": 6, "old_root": old_root, "size": 6, "root": root, "proof": []}),
        ),
        named(
            "same-size-proof",
            "As large, with a proof",
            "length",
            json!({"old_size": 6, "old_root": old_root, "size": 6, "root": old_root, "proof": proof}),
        ),
        named(
            "from-nothing-proof",
            "From nothing, with a proof",
            "length",
            json!({"old_size": 0, "old_root": subtree_hash(&[]), "size": 297, "root": root, "proof": proof}),
        ),
        named(
            "from-nothing-root",
            "From nothing, which has a root",
            "old-root-mismatch",
            json!({"old_size": 0, "old_root": old_root, "size": 297, "root": root, "proof": []}),
        ),
        named("too-large-tree", "A size of 64 bits", "outside-tree", with(&good, "size", u64::MAX)),
        named("other-size", "One leaf fewer in the past", "length", with(&good, "old_size", 5)),
        named(
            "one-bit",
            "The first hash with one bit changed",
            "old-root-mismatch",
            spoilt(&|hashes| hashes[0].0[31] ^= 1),
        ),
        named(
            "last-one-bit",
            "The last hash with one bit changed",
            "root-mismatch",
            spoilt(&|hashes| hashes.last_mut().unwrap().0[0] ^= 1),
        ),
        named("cut", "The last hash left out", "length", spoilt(&|hashes| hashes.truncate(hashes.len() - 1))),
        named("doubled", "The first hash twice", "length", spoilt(&|hashes| hashes.insert(0, hashes[0]))),
    ]
}

fn ranges() -> Vec<Value> {
    let leaves = Log::golden().leaves;
    let root = subtree_hash(&leaves);
    let proof = range::prove(290..297, 297, &Leaves(&leaves)).unwrap();
    let good = json!({"first": 290, "leaves": hex_of(&leaves[290..]), "size": 297, "root": root, "proof": proof});
    let named = |name: &str, meaning: &str, failure: &str, input: Value| {
        case(&format!("range-{name}"), meaning, "range", failure, input)
    };
    let earlier = range::prove(280..288, 297, &Leaves(&leaves)).unwrap();
    vec![
        named(
            "newest-hidden",
            "A suffix without its last leaf",
            "length",
            with(&good, "leaves", hex_of(&leaves[290..296])),
        ),
        named(
            "newest-hidden-size",
            "The same, with a size that hides it",
            "root-mismatch",
            json!({
                "first": 290, "leaves": hex_of(&leaves[290..296]), "size": 296, "root": root, "proof": proof,
            }),
        ),
        named(
            "oldest-hidden",
            "A suffix without its first leaf",
            "root-mismatch",
            json!({
                "first": 290, "leaves": hex_of(&leaves[291..]), "size": 296, "root": root, "proof": proof,
            }),
        ),
        named(
            "left-out",
            "A leaf left out in the middle, the next block's first in its stead",
            "root-mismatch",
            with(&good, "leaves", hex_of(&[&leaves[290..293], &leaves[294..], &leaves[296..]].concat())),
        ),
        named(
            "exchanged",
            "Two leaves exchanged",
            "root-mismatch",
            with(&good, "leaves", hex_of(&[&leaves[291..292], &leaves[290..291], &leaves[292..]].concat())),
        ),
        named(
            "shifted",
            "The leaves that come eight places later",
            "root-mismatch",
            json!({
                "first": 280, "leaves": hex_of(&leaves[288..296]), "size": 297, "root": root, "proof": earlier,
            }),
        ),
        named("empty", "No leaves show nothing", "empty-range", with(&good, "leaves", json!([]))),
        named("beyond", "More leaves than the tree has", "outside-tree", with(&good, "first", 291)),
        named("overflow", "An end beyond all numbers", "outside-tree", with(&good, "first", u64::MAX)),
        named(
            "cut",
            "A hash left out",
            "length",
            with(&good, "proof", altered(&proof, |hashes| hashes.truncate(hashes.len() - 1))),
        ),
        named("one-more", "A hash more", "length", with(&good, "proof", altered(&proof, |hashes| hashes.push(root)))),
        named(
            "one-bit",
            "A hash with one bit changed",
            "root-mismatch",
            with(&good, "proof", altered(&proof, |hashes| hashes[0].0[9] ^= 2)),
        ),
    ]
}

fn paths() -> Vec<Value> {
    let wrong = [
        ("level-00", "tile/00/000"),
        ("level-8", "tile/8/000"),
        ("level-plus", "tile/+1/000"),
        ("level-none", "tile//000"),
        ("index-short", "tile/0/0"),
        ("index-leading-group", "tile/0/x000/000"),
        ("index-no-x", "tile/0/001/000"),
        ("index-last-x", "tile/0/x001"),
        ("index-four-digits", "tile/0/1000"),
        ("index-overflow", "tile/0/x999/x999/x999/x999/x999/x999/x999/999"),
        ("width-0", "tile/0/000.p/0"),
        ("width-256", "tile/0/000.p/256"),
        ("width-leading-0", "tile/0/000.p/01"),
        ("width-none", "tile/0/000.p/"),
        ("slash-first", "/tile/0/000"),
        ("slash-last", "tile/0/000/"),
        ("entries", "tile/entries/000"),
        ("dots", "tile/0/../000"),
        ("beyond-63-bits", "tile/7/000.p/128"),
        ("empty", ""),
    ];
    let named = |(name, path): &(&str, &str)| {
        case(
            &format!("path-{name}"),
            "Not a tile's path, or not its one spelling",
            "tile-path",
            "path",
            json!({"path": path}),
        )
    };
    wrong.iter().map(named).collect()
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
