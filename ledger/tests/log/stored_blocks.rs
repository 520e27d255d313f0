//! Stored blocks: what is read back, what follows, and what is refused.

use chartseal_events::{EventRef, Hash, Id, StreamId};
use chartseal_ledger::block::{Block, BlockError, MAX_BLOCK_BYTES, SealedEvent};
use chartseal_ledger::chain::Chain;
use chartseal_ledger::seal::{MapState, SEAL_BYTES};
use chartseal_ledger::tile::{TileAddress, new_tiles};
use chartseal_ledger::tree::subtree_hash;
use proptest::prelude::*;

use crate::fuzzed;

const MAP: MapState = MapState { root: Hash([9; 32]), version: 1 };
/// Version, seal.
const EVENTS_AT: usize = 1 + SEAL_BYTES;

fn event(stream: StreamId, seq: u64) -> SealedEvent {
    SealedEvent {
        place: EventRef { stream, seq },
        leaf: Hash::of(&[stream.to_string().as_bytes(), &seq.to_be_bytes()]),
    }
}

fn record(number: u8) -> StreamId {
    StreamId::Record(Id::from_parts(1, [number; 10]))
}

fn search(number: u64) -> StreamId {
    let [.., a, b] = number.to_be_bytes();
    let provider = Id::from_parts(1, [a, b, 0, 0, 0, 0, 0, 0, 0, 0]);
    StreamId::Search { provider, day: 20_261_125, shard: 15 }
}

/// Blocks with so many events each, the first of them the vault's.
fn log(sizes: &[u64]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut seq = 0;
    for size in sizes {
        let events = (seq..seq + size).map(|seq| event(StreamId::Vault, seq)).collect();
        seq += size;
        blocks.push(Block::next(blocks.last(), 5, events, MapState::NONE, vec![]).expect("a block"));
    }
    blocks
}

fn first(events: Vec<SealedEvent>, map: MapState, operations: Vec<Vec<u8>>) -> Result<Block, BlockError> {
    Block::next(None, 5, events, map, operations)
}

fn code(result: Result<impl Sized, BlockError>) -> &'static str {
    result.err().map_or("accepted", BlockError::code)
}

#[test]
fn a_log_is_read_back_followed_and_tiled() {
    let blocks = log(&[1, 300, 2_000, 2, 255, 1_999]);
    let (mut chain, mut previous, mut leaves) = (Chain::new(), None, Vec::new());
    for block in &blocks {
        let read = Block::from_bytes(&block.to_bytes()).expect("what was written");
        assert_eq!(read, *block);
        let full = read.follow(previous).expect("it follows");
        let hashes: Vec<_> = block.events().iter().map(|event| event.leaf).collect();
        assert_eq!(chain.follow(block.seal(), &hashes), Ok(block.edge().root()));
        leaves.extend(hashes.into_iter().chain([block.seal().leaf_hash()]));
        let before = block.seal().first_index();
        let by_level = |address: &TileAddress| (address.level(), address.index());
        let mut due = new_tiles(before, block.seal().size());
        due.retain(|address| address.width() == 256);
        due.sort_by_key(by_level);
        let mut written: Vec<_> = full.iter().map(|tile| tile.address).collect();
        written.sort_by_key(by_level);
        assert_eq!(written, due);
        for tile in full.iter().filter(|tile| tile.address.level() == 0) {
            let at = usize::try_from(tile.address.index()).expect("small") * 256;
            assert_eq!(tile.hashes, leaves[at..at + 256]);
        }
        previous = Some(block);
    }
    assert_eq!(subtree_hash(&leaves), chain.root());
}

#[test]
fn a_changed_or_cut_block_is_refused() {
    let mut blocks = log(&[3]);
    let events = vec![event(StreamId::Vault, 3), event(record(1), 0), event(record(1), 1), event(record(2), 7)];
    let block = Block::next(blocks.last(), 9, events, MAP, vec![vec![1, 2, 3], vec![4]]).expect("a block");
    let (bytes, previous) = (block.to_bytes(), blocks.pop());
    for at in 0..bytes.len() {
        assert!(Block::from_bytes(&bytes[..at]).is_err(), "cut to {at}");
        for bit in 0..8 {
            let mut other = bytes.clone();
            other[at] ^= 1 << bit;
            fuzzed::block(&other);
            let Ok(other) = Block::from_bytes(&other) else { continue };
            // A leaf hash does not say its place, nor a root its operations: whoever has the events and the map compares those.
            let (events, others) = (block.events().iter(), other.events().iter());
            let places = events.zip(others).any(|(event, other)| event.place != other.place);
            let spared = places || other.operations() != block.operations();
            assert!(spared || other.follow(previous.as_ref()).is_err(), "byte {at}, bit {bit}");
        }
    }
    let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
    assert!(Block::from_bytes(&longer).is_err());
}

#[test]
fn what_a_block_cannot_be() {
    let vault = event(StreamId::Vault, 0);
    assert_eq!(code(first(vec![], MapState::NONE, vec![])), "events");
    assert_eq!(code(first(vec![event(record(1), 0)], MapState::NONE, vec![])), "genesis");
    assert_eq!(code(first(vec![vault, vault], MapState::NONE, vec![])), "order");
    assert_eq!(code(first(vec![vault, event(record(1), 1)], MapState::NONE, vec![])), "order");
    assert_eq!(code(first(vec![vault, event(StreamId::Vault, 2)], MapState::NONE, vec![])), "order");
    assert_eq!(code(first(vec![vault], MapState::NONE, vec![vec![1]])), "operations");
    assert_eq!(code(first(vec![vault], MAP, vec![vec![]])), "operations");
    assert_eq!(code(first(vec![vault], MAP, vec![vec![0; 65_536]])), "operations");
    assert_eq!(code(first(vec![vault], MAP, vec![vec![1]; 4_001])), "operations");
    assert_eq!(code(first(vec![vault], MAP, vec![vec![1]; 4_000])), "accepted");
    assert_eq!(code(first(vec![vault], MAP, vec![vec![1; 61_440]; 5])), "too-long");
    assert_eq!(code(Block::from_bytes(&vec![1; MAX_BLOCK_BYTES + 1])), "too-long");

    let blocks = log(&[1, 1, 1]);
    assert_eq!(code(Block::next(blocks.last(), 9, vec![vault], MapState::NONE, vec![])), "genesis");
    assert_eq!(code(blocks[2].follow(Some(&blocks[0]))), "height");
    assert_eq!(code(blocks[1].follow(None)), "height");
    let other = Block::next(None, 6, vec![vault], MapState::NONE, vec![]).expect("another first block");
    assert_eq!(code(blocks[1].follow(Some(&other))), "prev");
    let mapped = Block::next(None, 5, vec![vault], MAP, vec![]).expect("a first block with a map");
    assert_eq!(code(Block::next(Some(&mapped), 6, vec![event(record(1), 0)], MapState::NONE, vec![])), "map-version");

    let good = blocks[1].to_bytes();
    let with = |at: usize, byte: u8| Block::from_bytes(&[&good[..at], &[byte], &good[at + 1..]].concat());
    assert_eq!(code(with(0, 2)), "version");
    assert_eq!(code(with(EVENTS_AT + 1, b'V')), "place");
    assert_eq!(code(with(good.len() - 1, 0)), "accepted", "the edge's hashes are checked by following");
    assert_eq!(code(with(good.len() - 1, 0).and_then(|block| block.follow(Some(&blocks[0])))), "edge");
}

#[test]
fn the_longest_names_fit() {
    let events: Vec<_> =
        std::iter::once(event(StreamId::Vault, 0)).chain((1..2_000).map(|n| event(search(n), 0))).collect();
    let block = first(events, MapState::NONE, vec![]).expect("2,000 events fit");
    assert!(block.to_bytes().len() < MAX_BLOCK_BYTES * 2 / 3, "{}", block.to_bytes().len());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let mut bytes = log(&[2, 3])[1].to_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        fuzzed::block(&bytes);
    }

    #[test]
    fn noise_is_never_a_block(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        fuzzed::block(&bytes);
    }
}
