//! The frozen vectors of stored blocks: they stay what they are, good ones follow one another, hostile ones are refused.
//!
//! `CHARTSEAL_WRITE_VECTORS=1 cargo test -p chartseal-ledger --test block_vectors` writes the file anew, when a vector is added. An old vector never changes.

use std::path::PathBuf;

use chartseal_events::{EventRef, Hash, Id, StreamId};
use chartseal_ledger::block::{Block, BlockError, SealedEvent};
use chartseal_ledger::seal::{MapState, SEAL_BYTES};
use serde_json::{Value as Json, json};

/// Where the first event of a block begins: after version and seal.
const EVENTS_AT: usize = 1 + SEAL_BYTES;
const MAP: MapState = MapState { root: Hash([9; 32]), version: 1 };

fn event(stream: StreamId, seq: u64) -> SealedEvent {
    let leaf = Hash::of(&[stream.to_string().as_bytes(), &seq.to_be_bytes()]);
    SealedEvent { place: EventRef { stream, seq }, leaf }
}

fn record(number: u8) -> StreamId {
    StreamId::Record(Id::from_parts(1_764_000_000_000, [number; 10]))
}

/// A first block, one that fills a tile, and a small one with two operations on the map.
fn log() -> Vec<Block> {
    let search = StreamId::Search { provider: Id::from_parts(1, [2; 10]), day: 20_261_125, shard: 15 };
    let batches = [
        (vec![event(StreamId::Vault, 0), event(search, 0)], vec![]),
        ((0..300).map(|seq| event(record(1), seq)).collect(), vec![]),
        (
            vec![event(record(1), 300), event(record(1), 301), event(search, 1), event(record(2), 0)],
            vec![vec![1, 2, 3], vec![4]],
        ),
    ];
    let mut blocks: Vec<Block> = Vec::new();
    for (now_ms, (events, operations)) in (1_764_000_000_000..).zip(batches) {
        blocks.push(Block::next(blocks.last(), now_ms, events, MAP, operations).unwrap());
    }
    blocks
}

fn described(block: &Block, previous: Option<&Block>) -> Json {
    let full = block.follow(previous).unwrap();
    let place = |event: &SealedEvent| json!([event.place.stream.to_string(), event.place.seq, event.leaf.to_string()]);
    json!({
        "bytes": hex::encode(block.to_bytes()),
        "height": block.seal().height(),
        "seal": hex::encode(block.seal().to_bytes()),
        "events": block.events().iter().map(place).collect::<Vec<_>>(),
        "operations": block.operations().iter().map(hex::encode).collect::<Vec<_>>(),
        "edge": hex::encode(block.edge().to_bytes()),
        "root": block.edge().root().to_string(),
        "full_tiles": full.iter().map(|tile| tile.address.to_string()).collect::<Vec<_>>(),
    })
}

/// What is wrong with these bytes: by themselves, else as what follows `previous`.
fn failure(bytes: &[u8], previous: Option<&Block>) -> Option<&'static str> {
    let outcome = Block::from_bytes(bytes).and_then(|block| block.follow(previous).map(drop));
    outcome.err().map(BlockError::code)
}

fn must_fail(good: &[Block]) -> Vec<Json> {
    let (first, last) = (good[0].to_bytes(), good[2].to_bytes());
    let name = good[2].events()[0].place.stream.to_string().len();
    let changed = |at: usize, byte: u8| [&last[..at], &[byte], &last[at + 1..]].concat();
    let operations_at = last.len() - good[2].edge().to_bytes().len() - 2 - 3 - 2 - 1 - 2;
    let none = [&last[..operations_at], &[0, 1, 0, 0], &last[operations_at + 10..]].concat();
    let fork = MapState { root: Hash([8; 32]), ..MAP };
    let other = Block::next(Some(&good[0]), 1, good[1].events().to_vec(), fork, vec![]).unwrap();
    let other = Block::next(Some(&other), 1, good[2].events().to_vec(), MAP, vec![]).unwrap();
    let cases: Vec<(&str, Vec<u8>, Option<usize>)> = vec![
        ("block-empty", vec![], Some(1)),
        ("block-version", changed(0, 2), Some(1)),
        ("block-cut", last[..last.len() - 1].to_vec(), Some(1)),
        ("block-goes-on", [&last[..], &[0]].concat(), Some(1)),
        ("block-too-long", vec![1; 300 * 1024 + 1], Some(1)),
        ("block-seal-of-no-prefix", changed(1, 3), Some(1)),
        ("block-place-of-no-stream", changed(EVENTS_AT + 1, b'R'), Some(1)),
        ("block-place-not-text", changed(EVENTS_AT + 1, 0xff), Some(1)),
        ("block-a-stream-without-its-next", changed(EVENTS_AT + 1 + name + 7, 0x2b), Some(1)),
        ("block-other-leaf", changed(EVENTS_AT + 1 + name + 8, last[EVENTS_AT + 1 + name + 8] ^ 1), Some(1)),
        ("block-operation-without-bytes", none, Some(1)),
        ("block-other-edge", changed(last.len() - 1, last[last.len() - 1] ^ 1), Some(1)),
        ("block-left-out", last.clone(), Some(0)),
        ("block-first-again", last.clone(), None),
        ("block-of-another-log", other.to_bytes(), Some(1)),
        ("block-first-without-genesis", first_without_genesis(&first), None),
    ];
    let described = |(name, bytes, after): (&str, Vec<u8>, Option<usize>)| {
        // A place that is another one leaves all hashes as they are: only the events say that it is wrong.
        let failure = failure(&bytes, after.map(|at| &good[at]))?;
        let long = bytes.len() > 100_000;
        let bytes = if long { json!({ "repeat": "01", "times": bytes.len() }) } else { json!(hex::encode(&bytes)) };
        Some(json!({"name": name, "after": after, "bytes": bytes, "failure": failure}))
    };
    cases.into_iter().map(|case| described(case.clone()).unwrap_or_else(|| panic!("{} is accepted", case.0))).collect()
}

/// The first event's place is another one.
fn first_without_genesis(first: &[u8]) -> Vec<u8> {
    let seq_ends = EVENTS_AT + 1 + "vault".len() + 7;
    [&first[..seq_ends], &[1], &first[seq_ends + 1..]].concat()
}

#[test]
fn the_vectors_are_what_is_made_and_hold() {
    let log = log();
    let before = [None, Some(&log[0]), Some(&log[1])];
    let good: Vec<_> = log.iter().zip(before).map(|(block, previous)| described(block, previous)).collect();
    let made = json!({
        "about": "chartseal stored blocks, version 1; see docs/LEDGER.md, The stored block. `after`: the height of the good block that a hostile one is held to; none: it is held to be the first.",
        "blocks": good,
        "must_fail": must_fail(&log),
    });
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let path = PathBuf::from(package).join("vectors/blocks.json");
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let frozen: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(frozen == made, "blocks.json is not what is made now");
    for (block, described) in log.iter().zip(frozen["blocks"].as_array().unwrap()) {
        let bytes = hex::decode(described["bytes"].as_str().unwrap()).unwrap();
        assert_eq!(Block::from_bytes(&bytes).as_ref(), Ok(block));
    }
}
