//! The ports of one run of a sealer: every call goes over the desk.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Hash, StreamId};
use chartseal_infra::faulty::Call;
use chartseal_infra::ports::{
    Append, BlockStore, Clock, EventStore, LeafPlace, LogFiles, LogSigner, MapPage, Newest, PageChange, Published,
    Race, SealedIndex, StoreError,
};
use chartseal_ledger::block::{Block, FullTile};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::PageId;
use chartseal_ledger::tile::TileAddress;
use futures_util::FutureExt as _;

use super::desk::{Desk, Fate, Planted, lost};
use super::dice::Dice;

/// For how long the index by time, and what is read from a stale copy, may lack what is there.
const STALE_MS: u64 = 60_000;

/// A run's way to the vault.
#[derive(Clone)]
pub struct Gate {
    pub desk: Arc<Desk>,
    pub actor: u32,
}

/// What a memory port says: it never waits.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory answers at once")
}

/// A batch, or what takes effect of it.
fn part<T: Clone>(batch: &[T], share: Option<u64>) -> Vec<T> {
    let Some(seed) = share else { return batch.to_vec() };
    let mut dice = Dice(seed);
    batch.iter().filter(|_| dice.permille(500)).cloned().collect()
}

impl Gate {
    async fn call<T, D>(&self, call: Call, effect: D) -> Result<T, StoreError>
    where
        D: Fn(&Desk, Option<u64>) -> Result<T, StoreError> + Clone + Send + 'static,
        T: Send,
    {
        match self.desk.pass(self.actor, call, false).await {
            Fate::Go => {}
            Fate::Lost => return Err(lost()),
            Fate::Late => {
                self.desk.state().landing.push(Box::new(move |desk| drop(effect(desk, None))));
                return Err(lost());
            }
            Fate::Again => {
                let effect = effect.clone();
                self.desk.state().landing.push(Box::new(move |desk| drop(effect(desk, None))));
            }
            Fate::Part(seed) => {
                drop(effect(&self.desk, Some(seed)));
                return Err(lost());
            }
        }
        let answer = effect(&self.desk, None);
        if !call.writes() || self.desk.pass(self.actor, call, true).await == Fate::Go { answer } else { Err(lost()) }
    }
}

impl EventStore for Gate {
    async fn load(&self, _: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        unreachable!("no whole stream is read")
    }

    async fn load_tail(&self, _: &StreamId, _: u64) -> Result<Vec<StoredEvent>, StoreError> {
        unreachable!("no stream is read from its end")
    }

    async fn load_from(&self, stream: &StreamId, first_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let stream = *stream;
        self.call(Call::LoadFrom, move |desk, _| {
            let mut events = now(desk.vault.load_from(&stream, first_seq, limit))?;
            if desk.planted == Planted::ReadsStale {
                let young = now(desk.vault.by_time(desk.vault.now_ms().saturating_sub(STALE_MS), u64::MAX))?;
                events.retain(|event| !young.contains(&event.at));
            }
            Ok(events)
        })
        .await
    }

    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        let places = places.to_vec();
        self.call(Call::Fetch, move |desk, _| {
            let mut found = now(desk.vault.fetch(&places))?;
            if desk.planted == Planted::ReadsStale {
                let young = now(desk.vault.by_time(desk.vault.now_ms().saturating_sub(STALE_MS), u64::MAX))?;
                found.iter_mut().for_each(|event| drop(event.take_if(|event| young.contains(&event.at))));
            }
            Ok(found)
        })
        .await
    }

    async fn append(&self, _: &Append) -> Result<(), StoreError> {
        unreachable!("a sealer appends nothing")
    }

    async fn private(&self, _: &EventRef) -> Result<PrivatePart, StoreError> {
        unreachable!("a sealer needs no private values")
    }

    async fn by_time(&self, from_ms: u64, to_ms: u64) -> Result<Vec<EventRef>, StoreError> {
        self.call(Call::ByTime, move |desk, _| {
            let mut places = now(desk.vault.by_time(from_ms, to_ms))?;
            let young = now(desk.vault.by_time(desk.vault.now_ms().saturating_sub(STALE_MS), u64::MAX))?;
            let dice = &mut desk.state().dice;
            places.retain(|place| !young.contains(place) || dice.permille(500));
            Ok(places)
        })
        .await
    }
}

impl BlockStore for Gate {
    async fn newest_block(&self) -> Result<Newest, StoreError> {
        self.call(Call::NewestBlock, |desk, _| now(desk.vault.newest_block())).await
    }

    async fn block(&self, height: u64) -> Result<Option<Block>, StoreError> {
        self.call(Call::Block, move |desk, _| now(desk.vault.block(height))).await
    }

    async fn put_block(&self, block: &Block) -> Result<Race, StoreError> {
        if self.desk.planted == Planted::SignsFirst {
            let origin = chartseal_http::testing::ORIGIN;
            let head = Checkpoint::new(origin, block.seal().size(), block.edge().root()).unwrap();
            self.desk.sees_signed(head.text().as_bytes());
        }
        let block = block.clone();
        self.call(Call::PutBlock, move |desk, _| now(desk.vault.put_block(&block))).await
    }
}

impl SealedIndex for Gate {
    async fn leaf_places(&self, leaves: &[Hash]) -> Result<Vec<Option<LeafPlace>>, StoreError> {
        let leaves = leaves.to_vec();
        self.call(Call::LeafPlaces, move |desk, _| now(desk.vault.leaf_places(&leaves))).await
    }

    async fn put_leaf_places(&self, leaves: &[(Hash, LeafPlace)]) -> Result<(), StoreError> {
        let leaves = leaves.to_vec();
        self.call(Call::PutLeafPlaces, move |desk, share| now(desk.vault.put_leaf_places(&part(&leaves, share)))).await
    }

    async fn map_pages(&self, ids: &[PageId], height: u64) -> Result<BTreeMap<PageId, MapPage>, StoreError> {
        let ids = ids.to_vec();
        self.call(Call::MapPages, move |desk, _| now(desk.vault.map_pages(&ids, height))).await
    }

    async fn put_map_pages(&self, height: u64, changes: &[PageChange]) -> Result<(), StoreError> {
        let changes = changes.to_vec();
        self.call(Call::PutMapPages, move |desk, share| {
            let changes = part(&changes, share);
            if desk.planted == Planted::PagesGoBack {
                for PageChange { id, page, before } in changes {
                    desk.vault.overwrite_page(id, MapPage { height, page }, before);
                }
                return Ok(());
            }
            now(desk.vault.put_map_pages(height, &changes))
        })
        .await
    }

    async fn sealed_until(&self) -> Result<Option<u64>, StoreError> {
        self.call(Call::SealedUntil, |desk, _| now(desk.vault.sealed_until())).await
    }

    async fn set_sealed_until(&self, at_ms: u64) -> Result<(), StoreError> {
        self.call(Call::SetSealedUntil, move |desk, _| {
            desk.sees_watermark(at_ms);
            now(desk.vault.set_sealed_until(at_ms))
        })
        .await
    }
}

impl LogFiles for Gate {
    async fn tile(&self, address: &TileAddress) -> Result<Option<Vec<Hash>>, StoreError> {
        let address = *address;
        self.call(Call::Tile, move |desk, _| now(desk.vault.tile(&address))).await
    }

    async fn put_tile(&self, tile: &FullTile) -> Result<(), StoreError> {
        let tile = tile.clone();
        if self.desk.planted == Planted::TilesLast {
            let deed = move |desk: &Desk| drop(now(desk.vault.put_tile(&tile)));
            self.desk.state().held.push(Box::new(deed));
            return Ok(());
        }
        self.call(Call::PutTile, move |desk, _| now(desk.vault.put_tile(&tile))).await
    }

    async fn published(&self) -> Result<Option<Published>, StoreError> {
        self.call(Call::Published, |desk, _| now(desk.vault.published())).await
    }

    async fn publish(&self, note: &str, instead_of: Option<&Published>) -> Result<Race, StoreError> {
        let (note, instead_of) = (note.to_owned(), instead_of.cloned());
        self.call(Call::Publish, move |desk, _| {
            let newest = now(desk.vault.published())?;
            let instead_of = if desk.planted == Planted::PublishesBlindly { &newest } else { &instead_of };
            let before = desk.vault.checkpoints().len();
            let race = now(desk.vault.publish(&note, instead_of.as_ref()))?;
            if desk.vault.checkpoints().len() > before {
                desk.sees_published(&note);
            }
            let held = std::mem::take(&mut desk.state().held);
            for deed in held {
                deed(desk);
            }
            Ok(race)
        })
        .await
    }
}

impl LogSigner for Gate {
    async fn sign(&self, message: &[u8]) -> Result<Bytes<64>, StoreError> {
        let message = message.to_vec();
        self.call(Call::Sign, move |desk, _| {
            desk.sees_signed(&message);
            now(desk.vault.sign(&message))
        })
        .await
    }
}

impl Clock for Gate {
    fn now_ms(&self) -> u64 {
        self.desk.vault.now_ms()
    }
}
