//! Blocks: read as they were put, one winner at each height, never replaced.

use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_infra::ports::{BlockStore as _, Race};
use chartseal_ledger::block::{Block, FullTile, SealedEvent};
use chartseal_ledger::seal::MapState;
use futures_util::future::join_all;

use crate::subject::{AT_MS, Subject};

/// How far the service's clock may be from this machine's. (The emulator's is the same one.)
const CLOCKS_MS: u64 = 60_000;

/// The block after this one, of so many events of the vault's stream.
pub fn block_after(previous: Option<&Block>, now_ms: u64, count: u64) -> Block {
    let first = previous.map_or(0, |block| block.events().last().expect("events").place.seq + 1);
    let event = |seq: u64| SealedEvent {
        place: EventRef { stream: StreamId::Vault, seq },
        leaf: Hash::of(&[&seq.to_be_bytes()]),
    };
    Block::next(previous, now_ms, (first..first + count).map(event).collect(), MapState::NONE, vec![]).expect("a block")
}

/// The first tile that a log has, with these leaves or others.
pub fn full_tile() -> FullTile {
    block_after(None, AT_MS, 300).follow(None).expect("the first").remove(0)
}

pub async fn blocks_are_read_as_they_were_put(subject: &impl Subject) {
    let store = subject.store();
    let nothing = store.newest_block().await.expect("reads");
    assert_eq!(nothing.block, None);
    assert!(nothing.service_ms.is_multiple_of(1_000), "to the second");
    assert!(nothing.service_ms.abs_diff(subject.now_ms()) < CLOCKS_MS, "{} is no time", nothing.service_ms);
    // As text, 10 would come before 9.
    let mut blocks: Vec<Block> = Vec::new();
    for height in 0..12 {
        // Nearly the largest block that there can be is among them.
        let block = block_after(blocks.last(), AT_MS, if height == 7 { 2_000 } else { 3 });
        assert_eq!(store.put_block(&block).await.expect("writes"), Race::Won);
        assert_eq!(store.newest_block().await.expect("reads").block.as_ref(), Some(&block));
        blocks.push(block);
    }
    for (height, block) in (0..).zip(&blocks) {
        assert_eq!(store.block(height).await.expect("reads").as_ref(), Some(block));
    }
    assert_eq!(store.block(12).await.expect("reads"), None);
}

pub async fn a_race_for_a_height_has_one_winner(subject: &impl Subject) {
    let store = subject.store();
    let mut previous: Option<Block> = None;
    for round in 0..3 {
        let rivals: Vec<Block> = (0..16).map(|n| block_after(previous.as_ref(), AT_MS + 100 * round + n, 2)).collect();
        let races = join_all(rivals.iter().map(|block| store.put_block(block))).await;
        let races: Vec<Race> = races.into_iter().map(|race| race.expect("writes")).collect();
        let won: Vec<usize> = (0..16).filter(|n| races[*n] == Race::Won).collect();
        let [winner] = won[..] else { panic!("{} winners", won.len()) };
        assert_eq!(store.newest_block().await.expect("reads").block.as_ref(), Some(&rivals[winner]));
        // Whose answer was lost asks again; whoever comes late finds the place taken.
        for (n, rival) in rivals.iter().enumerate() {
            let again = store.put_block(rival).await.expect("writes");
            assert_eq!(again, if n == winner { Race::Won } else { Race::Lost });
        }
        assert_eq!(store.block(round).await.expect("reads").as_ref(), Some(&rivals[winner]));
        previous = Some(rivals[winner].clone());
    }
}
