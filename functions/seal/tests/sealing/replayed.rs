//! What the sealer makes of real functions' events, replayed by an outsider: every signature and decision again, and the map.

use std::collections::HashMap;
use std::convert::Infallible;

use chartseal_http::testing::{ORIGIN, Stage};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{BlockStore as _, LogFiles as _};
use chartseal_ledger::policy::Policy;
use chartseal_replay::{Copy, PublicBlock, Replay, Report, Source};
use futures_util::FutureExt as _;

use crate::{check, places_from, sealer, story};

/// A vault in memory, as its API shows it. Nothing of it waits.
struct Shown<'a>(&'a MemoryVault);

impl Source for Shown<'_> {
    type Error = Infallible;

    fn checkpoint(&mut self) -> Result<Option<Vec<u8>>, Infallible> {
        let published = self.0.published().now_or_never().unwrap().unwrap();
        Ok(published.map(|published| published.note.into_bytes()))
    }

    fn block(&mut self, height: u64) -> Result<Option<PublicBlock>, Infallible> {
        let block = self.0.block(height).now_or_never().unwrap().unwrap();
        Ok(block.map(|block| PublicBlock {
            seal: block.seal().to_bytes().to_vec(),
            leaves: block.events().iter().map(|event| event.leaf).collect(),
        }))
    }

    fn bodies(&mut self, height: u64) -> Result<Option<Vec<String>>, Infallible> {
        let Some(block) = self.0.block(height).now_or_never().unwrap().unwrap() else { return Ok(None) };
        let stored: HashMap<_, _> = self.0.events().into_iter().map(|event| (event.at, event.body)).collect();
        Ok(Some(block.events().iter().map(|event| stored[&event.place].clone()).collect()))
    }
}

/// What an outsider makes of a vault's log.
pub fn replay(origin: &str, vault: &MemoryVault) -> Report {
    let key = check::log_key(origin);
    let policy = Policy::new(key.clone(), None, vec![], 0).unwrap();
    let mut replay = Replay::new(Copy::in_memory().unwrap(), &key, policy).unwrap();
    replay.run(&mut Shown(vault), &()).unwrap()
}

#[tokio::test]
async fn what_real_functions_wrote_and_was_sealed_is_sound() {
    let stage = Stage::new().await;
    let vault = &stage.vault;
    story::morning(&stage).await;
    let first = vault.events().len();
    sealer(vault).run(places_from(vault, 0)).await.unwrap();
    story::afternoon(&stage).await;
    sealer(vault).run(places_from(vault, first)).await.unwrap();
    let report = replay(ORIGIN, vault);
    assert_eq!(report.findings, []);
    assert!(report.sound);
    assert_eq!((report.blocks, report.events), (2, vault.events().len() as u64));
}
