//! A table Sealed that was lost: all of it follows from the blocks, and comes out the same.

use std::collections::BTreeMap;

use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{BlockStore as _, Clock, SealedIndex};
use chartseal_ledger::map::{MapKey, UpdateError, get_all};
use chartseal_seal::{Rebuilt, Refused, RunFailed, Sealer};

use crate::check::log_key;
use crate::{MemorySealer, places_from, sealer, story};

/// The sealer of a vault whose table is another one.
fn with_index<'a>(vault: &'a MemoryVault, index: &'a MemoryVault) -> MemorySealer<'a> {
    Sealer { index, ..sealer(vault) }
}

async fn sealed() -> Stage {
    let stage = Stage::new().await;
    story::morning(&stage).await;
    sealer(&stage.vault).run(places_from(&stage.vault, 0)).await.unwrap();
    story::afternoon(&stage).await;
    sealer(&stage.vault).run(places_from(&stage.vault, 0)).await.unwrap();
    stage
}

#[tokio::test]
async fn what_was_lost_is_made_again_from_the_blocks() {
    let stage = sealed().await;
    let (vault, lost) = (&stage.vault, MemoryVault::new());
    lost.set_now(vault.now_ms());
    stage.hospital("St. Anne").await;
    let sealer = with_index(vault, &lost);
    let failed = sealer.run(places_from(vault, 0)).await.unwrap_err();
    assert!(
        matches!(failed, RunFailed::Stopped { why: Refused::Damaged { .. }, .. }),
        "without it nothing goes on: {failed}"
    );
    assert_eq!(sealer.rebuild(0).await.unwrap(), Rebuilt { blocks: 2, next: None });

    let head = vault.newest_block().await.unwrap().block.unwrap();
    for block in [vault.block(0).await.unwrap().unwrap(), head.clone()] {
        let leaves: Vec<_> = block.events().iter().map(|event| event.leaf).collect();
        assert_eq!(lost.leaf_places(&leaves).await.unwrap(), vault.leaf_places(&leaves).await.unwrap());
    }
    let keys = vault.events().iter().map(|event| MapKey::stream(ORIGIN, event.at.stream)).collect();
    let (mut pages, mut height) = (BTreeMap::new(), None);
    while let Err(UpdateError::Missing(ids)) = get_all(head.seal().map().root, &pages, &keys) {
        for of in [&lost, vault] {
            let found = of.map_pages(&ids, head.seal().height()).await.unwrap();
            assert!(height.is_none_or(|before| before == found), "as it was: height, page, and the state before");
            pages.extend(found.iter().map(|(id, page)| (*id, page.page.clone())));
            height = Some(found);
        }
        height = None;
    }
    // It goes on, and a second rebuilding changes nothing.
    assert_eq!(sealer.run(places_from(vault, 0)).await.unwrap().blocks, 1);
    assert_eq!(sealer.rebuild(0).await.unwrap(), Rebuilt { blocks: 3, next: None });
    assert_eq!(sealer.rebuild(2).await.unwrap(), Rebuilt { blocks: 1, next: None });
    assert_eq!(sealer.rebuild(3).await.unwrap(), Rebuilt { blocks: 0, next: None });
}

#[tokio::test]
async fn a_run_without_time_says_where_to_go_on() {
    let stage = sealed().await;
    let (vault, lost) = (&stage.vault, MemoryVault::new());
    let mut next = Some(0);
    let mut runs = 0;
    while let Some(from) = next {
        runs += 1;
        assert!(runs <= 2, "each run comes a block further");
        let clock = Late(vault.fork(), std::sync::atomic::AtomicU64::new(0));
        let sealer = Sealer {
            events: vault,
            blocks: vault,
            index: &lost,
            files: vault,
            signer: vault,
            clock: &clock,
            log: log_key(ORIGIN),
            clock_key: sealer(vault).clock_key,
        };
        let rebuilt = sealer.rebuild(from).await.unwrap();
        assert_eq!(rebuilt.blocks, 1);
        next = rebuilt.next;
    }
    assert_eq!(runs, 2);
}

/// A clock on which a run's time is over at the fifth look: after one block.
struct Late(MemoryVault, std::sync::atomic::AtomicU64);

impl Clock for Late {
    fn now_ms(&self) -> u64 {
        let looks = self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.now_ms() + if looks >= 4 { chartseal_seal::RUN_MS } else { 0 }
    }
}

#[tokio::test]
async fn blocks_that_are_not_the_signed_log_are_not_made_anew() {
    let stage = sealed().await;
    stage.vault.restore_blocks(1);
    let lost = MemoryVault::new();
    let failed = with_index(&stage.vault, &lost).rebuild(0).await.unwrap_err();
    assert!(matches!(failed, RunFailed::Stopped { why: Refused::Restored { .. }, .. }), "{failed}");
}
