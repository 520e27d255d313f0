//! The ledger's part of the story: blocks, what follows from them, tiles and checkpoints, harmed behind the sealer's back.
//!
//! Not here: a tile or a checkpoint that is gone. Nobody can delete a version while it is locked, not even an administrator (`sealed.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_ledger::block::Block;
use chartseal_tests::{Hands, Stack, StoredLog};
use serde_json::{Value, json};

use super::{Harm, Scene, key};

/// Enough leaves for a full tile, with those that are there already.
const FILLING: (usize, usize) = (4, 48);
const PATIENCE: Duration = Duration::from_mins(1);

/// What stood in the log when its last block was not there yet.
pub struct Before {
    sealed: BTreeMap<String, Value>,
    checkpoint: String,
    /// The one event of the last block.
    last: EventRef,
}

impl Before {
    /// Notes how everything stands, and has one block more sealed.
    pub fn of(stack: &Stack) -> Self {
        let hands = Hands(stack);
        let sealed = sealed(stack);
        let bucket = stack.output("LedgerBucket");
        let note = hands.try_do(&json!({"do": "body", "bucket": bucket, "key": "checkpoint"})).expect("published");
        let note = hex::decode(note.as_str().expect("hex")).expect("hex");
        let invited = stack.operator().invite(None, 1).expect("invited").event;
        StoredLog::of(stack).until_published(invited.leaf, PATIENCE);
        Self { sealed, checkpoint: String::from_utf8(note).expect("text"), last: invited.place }
    }
}

/// Makes the log long enough for a full tile.
pub fn fill(stack: &Stack) {
    let (senders, commands) = FILLING;
    thread::scope(|scope| {
        for _ in 0..senders {
            scope.spawn(move || {
                let operator = stack.operator();
                for _ in 0..commands {
                    operator.invite(None, 1).expect("invited");
                }
            });
        }
    });
}

fn sealed(stack: &Stack) -> BTreeMap<String, Value> {
    let named = |item: Value| (item["item"]["S"].as_str().expect("a name").to_owned(), item);
    Hands(stack).items("SealedTable").into_iter().map(named).collect()
}

pub fn harm(scene: &Scene, harm: &mut Harm) {
    let stack = scene.stack;
    let mut blocks: Vec<Block> = Hands(stack).items("BlocksTable").iter().map(block).collect();
    blocks.sort_by_key(|block| block.seal().height());
    let touched = head(scene, &blocks, harm);
    let gone = events(scene, harm);
    self::blocks(scene, &blocks, gone, harm);
    index(scene, &blocks, &touched, harm);
    files(scene, harm);
}

fn block(item: &Value) -> Block {
    Block::from_bytes(&hex::decode(item["block"]["B"].as_str().expect("bytes")).expect("hex")).expect("a block")
}

fn height(block: u64) -> Value {
    json!({"log": {"S": "log"}, "height": {"N": block.to_string()}})
}

/// The last block is taken away with all that follows from it. Its checkpoint is locked. Gives the pages that were put back.
fn head(scene: &Scene, blocks: &[Block], harm: &mut Harm) -> BTreeSet<String> {
    let last = blocks.last().expect("blocks");
    let places: Vec<EventRef> = last.events().iter().map(|event| event.place).collect();
    assert_eq!(places, [scene.before.last], "the last block has one event");
    let number = last.seal().height();
    harm.drop_item(scene.table("BlocksTable"), &height(number));
    harm.expect("block-missing", format!("log {number}"));
    harm.expect("event-overdue", scene.before.last.to_string());
    let mut touched = BTreeSet::new();
    for (name, item) in sealed(scene.stack) {
        let before = scene.before.sealed.get(&name);
        if name == "sealed-until" || before == Some(&item) {
            continue;
        }
        match before {
            Some(before) => harm.put(scene.table("SealedTable"), before),
            None => harm.drop_item(scene.table("SealedTable"), &json!({"item": {"S": name}})),
        }
        touched.insert(name);
    }
    touched
}

/// Sealed events that are not there, or are others. (`super::events` has replaced, dropped and emptied some, too.) Gives the one that is gone.
fn events(scene: &Scene, harm: &mut Harm) -> EventRef {
    // Nothing but the block tells of the last event of a stream.
    let ours = |place: &EventRef| matches!(place.stream, StreamId::Provider(_)) && *place != scene.before.last;
    let alone = |place: &EventRef| scene.events.iter().filter(|event| event.place.stream == place.stream).count() == 1;
    let gone = scene.events.iter().map(|event| event.place).find(|place| ours(place) && alone(place));
    let gone = gone.expect("an invitation that nobody followed");
    harm.drop_item(scene.table("EventsTable"), &key(gone));
    harm.expect("event-missing", gone.to_string());
    for replaced in [scene.place(0, 0), scene.place(2, 2)] {
        harm.expect("event-changed", replaced.to_string());
    }
    gone
}

/// A place and an operation: neither a leaf hash nor the seal gives them away.
fn blocks(scene: &Scene, blocks: &[Block], gone: EventRef, harm: &mut Harm) {
    let table = scene.table("BlocksTable");
    // Invitations alone, and nothing else is wrong with them.
    let invitations = |block: &&Block| {
        let invited =
            |place: EventRef| matches!(place.stream, StreamId::Provider(_)) && place.seq == 0 && place != gone;
        block.events().iter().all(|event| invited(event.place))
    };
    let mut some = blocks[1..blocks.len() - 1].iter().filter(invitations);
    let (moved, other) = (some.next().expect("a block"), some.next().expect("another block"));
    for (block, from, to) in [
        {
            let name = moved.events()[0].place.stream.to_string();
            let last = if name.ends_with('0') { '1' } else { '0' };
            let elsewhere: String = name.chars().take(name.len() - 1).chain([last]).collect();
            (moved, name.into_bytes(), elsewhere.into_bytes())
        },
        {
            let operation = other.operations().last().expect("the stream's head").clone();
            let mut changed = operation.clone();
            *changed.last_mut().expect("bytes") ^= 1;
            (other, operation, changed)
        },
    ] {
        let bytes = block.to_bytes();
        let at = bytes.windows(from.len()).position(|window| window == from).expect("it is in the block");
        let bytes = [&bytes[..at], &to, &bytes[at + from.len()..]].concat();
        Block::from_bytes(&bytes).expect("sound by itself");
        let number = block.seal().height();
        harm.set(table, &height(number), "block", &json!({"B": hex::encode(bytes)}));
        harm.expect("block-changed", format!("log {number}"));
    }
    harm.put(table, &json!({"log": {"S": "other"}, "height": {"N": "1"}, "block": {"B": "00"}}));
    harm.expect("block-foreign", "other 1");
    harm.put(table, &json!({"log": {"S": "log"}, "height": {"N": "0.5"}}));
    harm.expect("block-foreign", "log 0.5");
}

fn index(scene: &Scene, blocks: &[Block], touched: &BTreeSet<String>, harm: &mut Harm) {
    let table = scene.table("SealedTable");
    let item = |name: &str| json!({"item": {"S": name}});
    let leaf = |block: &Block| format!("leaf/{}", block.events()[0].leaf);
    let [dropped, other, later] = [1, 2, 3].map(|block| leaf(&blocks[block]));
    harm.drop_item(table, &item(&dropped));
    harm.expect("leaf-missing", dropped);
    harm.set(table, &item(&other), "index", &json!({"N": "0"}));
    harm.expect("leaf-changed", other);
    harm.set(table, &item(&later), "height", &json!({"N": "0"}));
    harm.expect("leaf-changed", later);
    let orphan = format!("leaf/{}", Hash::of(&[b"nothing"]));
    harm.put(table, &json!({"item": {"S": orphan}, "index": {"N": "5"}, "height": {"N": "2"}}));
    harm.expect("leaf-orphan", orphan);

    let twice = |(name, item): &(&String, &Value)| item["before_height"]["N"].is_string() && !touched.contains(*name);
    let mut pages = scene.before.sealed.iter().filter(twice).map(|(name, _)| name);
    let [dropped, changed, earlier] = [(); 3].map(|()| pages.next().expect("a page").clone());
    harm.drop_item(table, &item(&dropped));
    harm.expect("page-missing", dropped);
    harm.set(table, &item(&changed), "page", &json!({"B": "00"}));
    harm.expect("page-changed", changed);
    harm.set(table, &item(&earlier), "before_height", &json!({"N": "0"}));
    harm.expect("page-changed", earlier);
    harm.put(table, &json!({"item": {"S": "page/p012345"}, "height": {"N": "1"}, "page": {"B": "00"}}));
    harm.expect("page-orphan", "page/p012345");

    harm.set(table, &item("sealed-until"), "at", &json!({"N": "4000000000000"}));
    harm.expect("sealed-until-changed", "sealed-until");
    harm.put(table, &item("nonsense"));
    harm.expect("leaf-foreign", "nonsense");
}

/// New versions: the old ones are locked.
fn files(scene: &Scene, harm: &mut Harm) {
    let bucket = scene.table("LedgerBucket");
    let done = [
        ("tile-changed", "put-object", "tile/0/000", "version", "other bytes"),
        ("tile-orphan", "put-object", "tile/3/000", "version", "other bytes"),
        ("tile-orphan", "put-object", "tile/0/001.p/7", "version", "other bytes"),
        ("checkpoint-damaged", "put-object", "checkpoint", "version", "other bytes"),
        ("checkpoint-unlinked", "put-object", "checkpoint", "version", scene.before.checkpoint.as_str()),
        ("object-orphan", "put-object", "nonsense", "version", "other bytes"),
        ("delete-marker-orphan", "mark-deleted", "tile/0/000", "version", ""),
        ("upload-orphan", "begin-upload", "checkpoint", "upload", ""),
    ];
    let deeds =
        done.each_ref().map(|(_, deed, key, _, body)| json!({"do": deed, "bucket": bucket, "key": key, "body": body}));
    let answers = Hands(scene.stack).all(&deeds);
    for ((code, _, key, word, _), answer) in done.into_iter().zip(answers) {
        harm.expect(code, format!("{key} {word} {}", answer.as_str().expect("an id")));
    }
}
