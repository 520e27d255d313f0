//! What must be there when a checkpoint is published: kept beside the vault, block by block, made from the blocks alone.

use std::collections::BTreeMap;

use chartseal_events::Hash;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{BlockStore as _, LeafPlace, LogFiles as _, SealedIndex as _};
use chartseal_ledger::block::Block;
use chartseal_ledger::map::{self, Operation, Page, PageId};
use futures_util::FutureExt as _;

use crate::check::{Broken, Invariant, broken};

/// The log as far as it is published.
#[derive(Clone)]
pub struct Model {
    last: Option<Block>,
    pages: BTreeMap<PageId, Page>,
    root: Hash,
}

impl Default for Model {
    fn default() -> Self {
        Self { last: None, pages: BTreeMap::new(), root: Hash::ZERO }
    }
}

impl Model {
    pub fn size(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.seal().size())
    }

    /// A checkpoint of this size was published just now.
    pub fn published(&mut self, vault: &MemoryVault, size: u64) -> Result<(), Broken> {
        while self.size() < size {
            let height = self.last.as_ref().map_or(0, |last| last.seal().height() + 1);
            let Some(block) = vault.block(height).now_or_never().unwrap().unwrap() else {
                return broken(Invariant::Checkpoints, format!("{size} leaves without block {height}"));
            };
            self.go_on(vault, block)?;
        }
        Ok(())
    }

    fn go_on(&mut self, vault: &MemoryVault, block: Block) -> Result<(), Broken> {
        let height = block.seal().height();
        let absent = |what: String| broken(Invariant::Complete, format!("{what} of block {height}"));
        let tiles = match block.follow(self.last.as_ref()) {
            Ok(tiles) => tiles,
            Err(error) => return broken(Invariant::Chain, format!("block {height}: {error}")),
        };
        for tile in tiles {
            if vault.tile(&tile.address).now_or_never().unwrap().unwrap().as_ref() != Some(&tile.hashes) {
                return absent(format!("tile {}", tile.address));
            }
        }
        let leaves: Vec<Hash> = block.events().iter().map(|event| event.leaf).collect();
        let places = vault.leaf_places(&leaves).now_or_never().unwrap().unwrap();
        let wanted = (block.seal().first_index()..).map(|index| Some(LeafPlace { index, height }));
        if !places.iter().copied().eq(wanted.take(leaves.len())) {
            return absent("leaf places".to_owned());
        }
        let operations: Vec<_> = block.operations().iter().map(|bytes| Operation::from_bytes(bytes).unwrap()).collect();
        let updated = map::update(self.root, &self.pages, &operations).unwrap();
        let ids: Vec<PageId> = updated.pages.keys().copied().collect();
        let kept = vault.map_pages(&ids, height).now_or_never().unwrap().unwrap();
        for (id, page) in &updated.pages {
            if kept.get(id).is_none_or(|kept| kept.page != *page || kept.height != height) {
                return absent(format!("page {id}"));
            }
        }
        self.root = updated.root;
        self.pages.extend(updated.pages);
        self.last = Some(block);
        Ok(())
    }
}
