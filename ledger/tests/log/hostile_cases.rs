//! Proofs and paths that must be refused, and the failure of each; and which failures there are.

use chartseal_events::Hash;
use chartseal_ledger::tree::{Leaves, Proof, consistency, inclusion, range, subtree_hash};
use serde_json::{Value, json};

use crate::golden_cases::hex_of;
use crate::sample::Log;

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
    [proofs(), inclusions(), consistencies(), ranges(), paths()].concat()
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
