//! The sealer on the vault in memory.

mod check;
mod naive;
mod reading;
mod rebuilding;
mod refusals;
mod replayed;
mod simulation;
mod story;
mod streams;
mod written;

use chartseal_events::EventRef;
use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::Clock as _;
use chartseal_seal::{Report, Sealer};

/// A sealer of the vault in memory.
pub type MemorySealer<'a> = Sealer<'a, MemoryVault, MemoryVault, MemoryVault, MemoryVault, MemoryVault, MemoryVault>;

/// The sealer of a vault.
pub fn sealer(vault: &MemoryVault) -> MemorySealer<'_> {
    let (log, clock_key) = (check::log_key(ORIGIN), check::clock_key());
    Sealer { events: vault, blocks: vault, index: vault, files: vault, signer: vault, clock: vault, log, clock_key }
}

/// The places of all events from this one on.
pub fn places_from(vault: &MemoryVault, first: usize) -> Vec<EventRef> {
    vault.events().iter().skip(first).map(|event| event.at).collect()
}

#[tokio::test]
async fn a_small_history_in_two_blocks() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    story::morning(&stage).await;
    let first = vault.events().len();
    let report = sealer(vault).run(places_from(vault, 0)).await.unwrap();
    assert_eq!(report, Report { blocks: 1, events: first, ..Report::default() });
    check::check(ORIGIN, vault).await.unwrap_or_else(|broken| panic!("{broken}"));

    story::afternoon(&stage).await;
    let report = sealer(vault).run(places_from(vault, first)).await.unwrap();
    assert_eq!(report, Report { blocks: 1, events: vault.events().len() - first, ..Report::default() });
    let log = check::check(ORIGIN, vault).await.unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(log.blocks.len(), 2);
    assert_eq!(log.blocks[1].seal().timestamp_ms(), vault.now_ms().max(log.blocks[0].seal().timestamp_ms() + 1));

    // Hints again, and none: nothing to do.
    assert_eq!(sealer(vault).run(places_from(vault, 0)).await.unwrap(), Report::default());
    assert_eq!(sealer(vault).run([]).await.unwrap(), Report::default());
}
