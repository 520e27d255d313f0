//! The ledger: blocks, what is derived from them, the log's files; and the keys of the log and of its clock, whose secrets everybody can read in RFC 8032.

use std::collections::BTreeMap;

use chartseal_events::{Bytes, Hash};
use chartseal_ledger::block::{Block, FullTile};
use chartseal_ledger::map::PageId;
use chartseal_ledger::note::KeyId;
use chartseal_ledger::tile::TileAddress;
use ed25519_dalek::{Signer as _, SigningKey};

use super::MemoryVault;
use crate::ports::{
    BlockStore, ClockKey, Cosignatures, Cosigned, Heard, LeafPlace, LogFiles, LogSigner, MapPage, Newest, PageChange,
    Published, Race, SealedIndex, StoreError, Timed,
};

/// The secret key of RFC 8032, section 7.1, test 1.
const LOG_SECRET: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5,
    0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

/// The secret key of RFC 8032, section 7.1, test 2.
const CLOCK_SECRET: [u8; 32] = [
    0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31,
    0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb,
];

/// What the sealer has written.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    /// By height, as bytes.
    blocks: BTreeMap<u64, Vec<u8>>,
    leaves: BTreeMap<Hash, LeafPlace>,
    /// A page's newest state, and the one before it.
    pages: BTreeMap<PageId, (MapPage, Option<MapPage>)>,
    sealed_until_ms: Option<u64>,
    /// By path.
    tiles: BTreeMap<String, Vec<Hash>>,
    /// Every version, oldest first.
    published: Vec<String>,
    heard: BTreeMap<KeyId, Heard>,
    cosigned: Option<Cosigned>,
}

impl Ledger {
    fn newest(&self) -> Option<Published> {
        let version = self.published.len().to_string();
        self.published.last().map(|note| Published { note: note.clone(), version })
    }
}

fn read(bytes: &[u8]) -> Result<Block, StoreError> {
    Block::from_bytes(bytes).map_err(|error| StoreError::Damaged { what: format!("a block: {error}") })
}

impl MemoryVault {
    /// Removes every block from this height on, as a table that was restored from an older backup would lack them.
    pub fn restore_blocks(&self, before: u64) {
        self.world().ledger.blocks.retain(|height, _| *height < before);
    }

    /// Every checkpoint that was ever published, oldest first.
    pub fn checkpoints(&self) -> Vec<String> {
        self.world().ledger.published.clone()
    }

    /// Puts a page in place of whatever is there, as a damaged disk would, or a table that forgot its condition.
    pub fn overwrite_page(&self, id: PageId, newest: MapPage, before: Option<MapPage>) {
        self.world().ledger.pages.insert(id, (newest, before));
    }

    /// Every full tile, by its path.
    pub fn tiles(&self) -> BTreeMap<String, Vec<Hash>> {
        self.world().ledger.tiles.clone()
    }
}

impl BlockStore for MemoryVault {
    async fn newest_block(&self) -> Result<Newest, StoreError> {
        let world = self.world();
        let block = world.ledger.blocks.values().next_back().map(|bytes| read(bytes)).transpose()?;
        Ok(Newest { block, service_ms: world.service_ms() })
    }

    async fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        self.world().ledger.blocks.get(&height).map(|bytes| read(bytes)).transpose()
    }

    async fn put_block(&self, block: &Block) -> Result<Race, StoreError> {
        let mut world = self.world();
        let bytes = block.to_bytes();
        let kept = world.ledger.blocks.entry(block.seal().height()).or_insert_with(|| bytes.clone());
        Ok(if *kept == bytes { Race::Won } else { Race::Lost })
    }
}

impl SealedIndex for MemoryVault {
    async fn leaf_places(&self, leaves: &[Hash]) -> Result<Vec<Option<LeafPlace>>, StoreError> {
        let world = self.world();
        Ok(leaves.iter().map(|leaf| world.ledger.leaves.get(leaf).copied()).collect())
    }

    async fn put_leaf_places(&self, leaves: &[(Hash, LeafPlace)]) -> Result<(), StoreError> {
        self.world().ledger.leaves.extend(leaves.iter().copied());
        Ok(())
    }

    async fn map_pages(&self, ids: &[PageId], height: u64) -> Result<BTreeMap<PageId, MapPage>, StoreError> {
        let world = self.world();
        let as_of = |id: &PageId| {
            let (newest, before) = world.ledger.pages.get(id)?;
            let states = [Some(newest), before.as_ref()];
            states.into_iter().flatten().find(|state| state.height <= height).cloned()
        };
        Ok(ids.iter().filter_map(|id| as_of(id).map(|page| (*id, page))).collect())
    }

    async fn put_map_pages(&self, height: u64, changes: &[PageChange]) -> Result<(), StoreError> {
        let mut world = self.world();
        for PageChange { id, page, before } in changes {
            if world.ledger.pages.get(id).is_none_or(|(newest, _)| newest.height < height) {
                let newest = MapPage { height, page: page.clone() };
                world.ledger.pages.insert(*id, (newest, before.clone()));
            }
        }
        Ok(())
    }

    async fn sealed_until(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.world().ledger.sealed_until_ms)
    }

    async fn set_sealed_until(&self, at_ms: u64) -> Result<(), StoreError> {
        let mut world = self.world();
        world.ledger.sealed_until_ms = world.ledger.sealed_until_ms.max(Some(at_ms));
        Ok(())
    }
}

impl LogFiles for MemoryVault {
    async fn tile(&self, address: &TileAddress) -> Result<Option<Vec<Hash>>, StoreError> {
        Ok(self.world().ledger.tiles.get(&address.to_string()).cloned())
    }

    async fn put_tile(&self, tile: &FullTile) -> Result<(), StoreError> {
        let mut world = self.world();
        let name = tile.address.to_string();
        let kept = world.ledger.tiles.entry(name.clone()).or_insert_with(|| tile.hashes.clone());
        if *kept == tile.hashes { Ok(()) } else { Err(StoreError::Damaged { what: name }) }
    }

    async fn published(&self) -> Result<Option<Published>, StoreError> {
        Ok(self.world().ledger.newest())
    }

    async fn publish(&self, note: &str, instead_of: Option<&Published>) -> Result<Race, StoreError> {
        let mut world = self.world();
        let newest = world.ledger.newest();
        if newest.as_ref().is_some_and(|newest| newest.note == note) {
            return Ok(Race::Won);
        }
        if newest.as_ref() != instead_of {
            return Ok(Race::Lost);
        }
        world.ledger.published.push(note.to_owned());
        Ok(Race::Won)
    }
}

impl LogSigner for MemoryVault {
    async fn sign(&self, message: &[u8]) -> Result<Bytes<64>, StoreError> {
        Ok(Bytes(SigningKey::from_bytes(&LOG_SECRET).sign(message).to_bytes()))
    }
}

impl Cosignatures for MemoryVault {
    async fn heard(&self, witnesses: &[KeyId]) -> Result<(Option<Cosigned>, Vec<Option<Heard>>), StoreError> {
        let world = self.world();
        let heard = witnesses.iter().map(|witness| world.ledger.heard.get(witness).cloned()).collect();
        Ok((world.ledger.cosigned.clone(), heard))
    }

    async fn put_heard(&self, witness: KeyId, heard: &Heard) -> Result<(), StoreError> {
        let mut world = self.world();
        let kept = world.ledger.heard.entry(witness).or_insert_with(|| heard.clone());
        if kept.size < heard.size {
            *kept = heard.clone();
        }
        Ok(())
    }

    async fn put_cosigned(&self, cosigned: &Cosigned) -> Result<(), StoreError> {
        let mut world = self.world();
        let order = |cosigned: &Cosigned| (cosigned.size, cosigned.witnesses);
        if world.ledger.cosigned.as_ref().is_none_or(|kept| order(kept) < order(cosigned)) {
            world.ledger.cosigned = Some(cosigned.clone());
        }
        Ok(())
    }
}

impl ClockKey for MemoryVault {
    async fn clock_key(&self) -> Result<Bytes<32>, StoreError> {
        Ok(Bytes(SigningKey::from_bytes(&CLOCK_SECRET).verifying_key().to_bytes()))
    }

    async fn cosign(&self, message: &[u8]) -> Result<Timed, StoreError> {
        let signature = Bytes(SigningKey::from_bytes(&CLOCK_SECRET).sign(message).to_bytes());
        Ok(Timed { signature, service_ms: self.world().service_ms() })
    }
}
