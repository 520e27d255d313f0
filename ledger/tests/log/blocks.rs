//! Blocks: that each follows the one before, and that nothing else is taken for one that does.

use chartseal_events::Hash;
use chartseal_ledger::chain::{Chain, ChainError};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::seal::{MAX_BLOCK_EVENTS, MAX_TIMESTAMP_MS, MapState, SEAL_BYTES, Seal, SealError};
use chartseal_ledger::tree::{Frontier, Leaves, inclusion, leaf_hash, subtree_hash};
use proptest::prelude::*;

use crate::sample::{BEGIN_MS, Log, ORIGIN, leaves_cheaply};

fn followed(log: &Log, blocks: usize) -> Chain {
    let mut chain = Chain::new();
    for block in &log.blocks[..blocks] {
        chain.follow(&block.seal, &block.leaves()).unwrap();
    }
    chain
}

#[test]
fn a_log_is_followed_block_by_block_to_its_signed_root() {
    let log = Log::golden();
    let mut chain = Chain::new();
    for block in &log.blocks {
        let before = chain.root();
        let after = chain.follow(&block.seal, &block.leaves()).unwrap();
        let size = usize::try_from(block.seal.size()).unwrap();
        assert_eq!(after, subtree_hash(&log.leaves[..size]));
        assert_ne!(before, after);
        chain.agrees(&log.checkpoint(size)).unwrap();
        assert_eq!(chain.last(), Some(&block.seal));
        assert_eq!(log.leaves[usize::try_from(block.seal.index()).unwrap()], block.seal.leaf_hash());
        // Whoever stops here goes on with the seal and the frontier.
        let frontier = Frontier::from_hashes(chain.size(), chain.frontier().hashes().to_vec()).unwrap();
        assert_eq!(Chain::resume(block.seal, frontier), Ok(chain.clone()));
    }
    let stale = log.checkpoint(6);
    assert_eq!(chain.agrees(&stale), Err(ChainError::Size { expected: 297, found: 6 }));
    let wrong = Chain::resume(log.blocks[1].seal, Frontier::new());
    assert_eq!(wrong, Err(ChainError::Size { expected: 6, found: 0 }));
}

#[test]
fn time_goes_on_though_the_clock_does_not() {
    let times = |log: &Log| log.blocks.iter().map(|block| block.seal.timestamp_ms()).collect::<Vec<_>>();
    assert_eq!(times(&Log::golden()), [BEGIN_MS, BEGIN_MS + 1, BEGIN_MS + 60_000]);
    assert_eq!(times(&Log::of(&[(7, 1), (7, 1), (7, 1), (0, 1)])), [7, 8, 9, 10]);
    let last = Seal::next(None, MAX_TIMESTAMP_MS, &leaves_cheaply(1), MapState::NONE).unwrap();
    assert_eq!(Seal::next(Some(&last), 0, &leaves_cheaply(1), MapState::NONE), Err(SealError::Timestamp));
    assert_eq!(Seal::next(None, u64::MAX, &leaves_cheaply(1), MapState::NONE), Err(SealError::Timestamp));
}

#[test]
fn a_block_has_one_event_to_two_thousand() {
    let most = usize::try_from(MAX_BLOCK_EVENTS).unwrap();
    assert_eq!(Seal::next(None, 0, &[], MapState::NONE), Err(SealError::Events));
    assert_eq!(Seal::next(None, 0, &leaves_cheaply(most + 1), MapState::NONE), Err(SealError::Events));
    let largest = Seal::next(None, 0, &leaves_cheaply(most), MapState::NONE).unwrap();
    assert_eq!((largest.index(), largest.size()), (2_000, 2_001));
    let next = Seal::next(Some(&largest), 0, &leaves_cheaply(1), MapState::NONE).unwrap();
    assert_eq!((next.height(), next.first_index(), next.prev()), (1, 2_001, largest.leaf_hash()));
}

#[test]
fn what_does_not_follow_changes_nothing() {
    let log = Log::golden();
    let other = Log::of(&[(BEGIN_MS + 1, 3), (BEGIN_MS, 1), (BEGIN_MS, 4)]);
    let chain = followed(&log, 2);
    let third = &log.blocks[2];
    let refused = |seal: &Seal, events: &[Hash]| {
        let mut again = chain.clone();
        let error = again.follow(seal, events).unwrap_err();
        assert_eq!(again, chain);
        error
    };
    let leaves = third.leaves();
    assert_eq!(refused(&log.blocks[1].seal, &log.blocks[1].leaves()), ChainError::Height { expected: 2, found: 1 });
    assert_eq!(refused(&other.blocks[2].seal, &other.blocks[2].leaves()), ChainError::Prev);
    assert_eq!(refused(&third.seal, &leaves[1..]), ChainError::Events { expected: 290, found: 289 });
    let mut swapped = leaves.clone();
    swapped.swap(0, 1);
    assert_eq!(refused(&third.seal, &swapped), ChainError::EventsRoot);

    let wider = Log::of(&[(BEGIN_MS, 3), (BEGIN_MS, 2), (BEGIN_MS, 1)]);
    let shifted = refused(&wider.blocks[2].seal, &wider.blocks[2].leaves());
    assert_eq!(shifted, ChainError::FirstIndex { expected: 6, found: 7 });
    // No later, and no older map: such seals can be made by hand alone.
    let by_hand = |place: usize, value: &[u8]| {
        let mut bytes = third.seal.to_bytes();
        bytes[place..place + value.len()].copy_from_slice(value);
        Seal::from_bytes(&bytes).unwrap()
    };
    assert_eq!(refused(&by_hand(42, &(BEGIN_MS + 1).to_be_bytes()), &leaves), ChainError::Timestamp);
    assert_eq!(refused(&by_hand(94, &[0; 36]), &leaves), ChainError::MapVersion);
    assert_eq!(followed(&log, 3).agrees(&another_root(&log)), Err(ChainError::Root));
}

/// A checkpoint of the right size with another root.
fn another_root(log: &Log) -> Checkpoint {
    let size = log.leaves.len() as u64;
    Checkpoint::new(ORIGIN, size, Hash([1; 32])).unwrap()
}

#[test]
fn an_event_and_a_seal_are_never_the_same_leaf() {
    let seal = Seal::next(None, 0, &leaves_cheaply(1), MapState::NONE).unwrap();
    let as_event = chartseal_events::event::leaf_hash(&seal.to_bytes());
    assert_ne!(seal.leaf_hash(), as_event);
    assert_ne!(seal.leaf_hash(), chartseal_events::event::leaf_hash(&seal.to_bytes()[1..]));
    assert_eq!(seal.leaf_hash(), leaf_hash(&seal.to_bytes()));
    assert_eq!(chartseal_events::event::leaf_hash(b"x"), leaf_hash(b"\x01x"));
}

proptest! {
    #[test]
    fn a_seal_has_one_spelling(mut bytes: [[u8; 13]; 10], whole: bool) {
        // Nearly right, or nothing.
        if whole {
            bytes[0][..2].copy_from_slice(&[2, 1]);
            bytes[3][11..].fill(0);
            bytes[4][..4].fill(0);
            bytes[4][5..8].fill(0);
        }
        if let Ok(seal) = Seal::from_bytes(bytes.as_flattened()) {
            prop_assert_eq!(&seal.to_bytes()[..], bytes.as_flattened());
        }
    }

    #[test]
    fn any_blocks_make_a_log_that_can_be_followed(blocks in prop::collection::vec((0_u64..1_000, 1_usize..40), 1..12), at in any::<prop::sample::Index>()) {
        let log = Log::of(&blocks);
        let chain = followed(&log, blocks.len());
        prop_assert_eq!(chain.root(), subtree_hash(&log.leaves));
        let seal = &log.blocks[at.index(blocks.len())].seal;
        prop_assert_eq!(Seal::from_bytes(&seal.to_bytes()), Ok(*seal));
        prop_assert_eq!(seal.to_bytes().len(), SEAL_BYTES);
        let leaves = Leaves(&log.leaves);
        let proof = inclusion::prove(seal.index(), chain.size(), &leaves).unwrap();
        prop_assert_eq!(inclusion::verify(&proof, seal.index(), seal.leaf_hash(), chain.size(), chain.root()), Ok(()));
        // A log that differs in any block has another root.
        let mut forged = blocks.clone();
        forged[at.index(blocks.len())].1 += 1;
        prop_assert_ne!(subtree_hash(&Log::of(&forged).leaves), chain.root());
    }
}
