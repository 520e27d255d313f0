//! The sealer's ports of the twin.

use std::collections::BTreeMap;

use chartseal_events::{Bytes, Hash};
use chartseal_ledger::block::{Block, FullTile};
use chartseal_ledger::map::PageId;
use chartseal_ledger::note::KeyId;
use chartseal_ledger::tile::TileAddress;

use super::{Call, Faulty};
use crate::ports::{
    BlockStore, ClockKey, Cosignatures, Cosigned, Heard, LeafPlace, LogFiles, LogSigner, MapPage, Newest, PageChange,
    Published, Race, SealedIndex, StoreError, Timed,
};

impl<P: BlockStore + Clone + 'static> BlockStore for Faulty<P> {
    async fn newest_block(&self) -> Result<Newest, StoreError> {
        call!(self, NewestBlock, () port => port.newest_block())
    }

    async fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        call!(self, Block, () port => port.block(height))
    }

    async fn put_block(&self, block: &Block) -> Result<Race, StoreError> {
        call!(self, PutBlock, (block = block.clone()) port => port.put_block(&block))
    }
}

impl<P: SealedIndex + Clone + 'static> SealedIndex for Faulty<P> {
    async fn leaf_places(&self, leaves: &[Hash]) -> Result<Vec<Option<LeafPlace>>, StoreError> {
        call!(self, LeafPlaces, (leaves = leaves.to_vec()) port => port.leaf_places(&leaves))
    }

    async fn put_leaf_places(&self, leaves: &[(Hash, LeafPlace)]) -> Result<(), StoreError> {
        call!(self, PutLeafPlaces, (leaves = leaves.to_vec()) port => port.put_leaf_places(&leaves))
    }

    async fn map_pages(&self, ids: &[PageId], height: u64) -> Result<BTreeMap<PageId, MapPage>, StoreError> {
        call!(self, MapPages, (ids = ids.to_vec()) port => port.map_pages(&ids, height))
    }

    async fn put_map_pages(&self, height: u64, changes: &[PageChange]) -> Result<(), StoreError> {
        call!(self, PutMapPages, (changes = changes.to_vec()) port => port.put_map_pages(height, &changes))
    }

    async fn sealed_until(&self) -> Result<Option<u64>, StoreError> {
        call!(self, SealedUntil, () port => port.sealed_until())
    }

    async fn set_sealed_until(&self, at_ms: u64) -> Result<(), StoreError> {
        call!(self, SetSealedUntil, () port => port.set_sealed_until(at_ms))
    }
}

impl<P: LogFiles + Clone + 'static> LogFiles for Faulty<P> {
    async fn tile(&self, address: &TileAddress) -> Result<Option<Vec<Hash>>, StoreError> {
        let address = *address;
        call!(self, Tile, () port => port.tile(&address))
    }

    async fn put_tile(&self, tile: &FullTile) -> Result<(), StoreError> {
        call!(self, PutTile, (tile = tile.clone()) port => port.put_tile(&tile))
    }

    async fn published(&self) -> Result<Option<Published>, StoreError> {
        call!(self, Published, () port => port.published())
    }

    async fn publish(&self, note: &str, instead_of: Option<&Published>) -> Result<Race, StoreError> {
        call!(self, Publish, (note = note.to_owned(), instead_of = instead_of.cloned()) port => port.publish(&note, instead_of.as_ref()))
    }
}

impl<P: LogSigner + Clone + 'static> LogSigner for Faulty<P> {
    async fn sign(&self, message: &[u8]) -> Result<Bytes<64>, StoreError> {
        call!(self, Sign, (message = message.to_vec()) port => port.sign(&message))
    }
}

impl<P: Cosignatures + Clone + 'static> Cosignatures for Faulty<P> {
    async fn heard(&self, witnesses: &[KeyId]) -> Result<(Option<Cosigned>, Vec<Option<Heard>>), StoreError> {
        call!(self, Heard, (witnesses = witnesses.to_vec()) port => port.heard(&witnesses))
    }

    async fn put_heard(&self, witness: KeyId, heard: &Heard) -> Result<(), StoreError> {
        call!(self, PutHeard, (heard = heard.clone()) port => port.put_heard(witness, &heard))
    }

    async fn put_cosigned(&self, cosigned: &Cosigned) -> Result<(), StoreError> {
        call!(self, PutCosigned, (cosigned = cosigned.clone()) port => port.put_cosigned(&cosigned))
    }
}

impl<P: ClockKey + Clone + 'static> ClockKey for Faulty<P> {
    async fn clock_key(&self) -> Result<Bytes<32>, StoreError> {
        call!(self, ClockPublicKey, () port => port.clock_key())
    }

    async fn cosign(&self, message: &[u8]) -> Result<Timed, StoreError> {
        call!(self, Cosign, (message = message.to_vec()) port => port.cosign(&message))
    }
}
