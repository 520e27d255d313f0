//! The map as of a block, page by page: what is asked for is fetched, and believed when its hash is the one that the block's root leads to.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::Head;
use chartseal_events::{Hash, StreamId};
use chartseal_infra::ports::{MapPage, PageChange, SealedIndex};
use chartseal_ledger::block::Block;
use chartseal_ledger::map::{self, MapKey, Operation, Page, PageId, UpdateError, Updated, Value};

use crate::refusal::{Refused, Stop};

/// The map as it was after some block, as far as it has been read.
pub(crate) struct Map<'a, I> {
    index: &'a I,
    /// The block's; none before the first one.
    height: Option<u64>,
    root: Hash,
    pages: BTreeMap<PageId, Page>,
    /// The blocks that changed those pages last.
    changed: BTreeMap<PageId, u64>,
}

impl<'a, I: SealedIndex> Map<'a, I> {
    /// The map after this block. Nothing is read yet.
    pub fn after(index: &'a I, block: Option<&Block>) -> Self {
        let root = block.map_or(Hash::ZERO, |block| block.seal().map().root);
        let height = block.map(|block| block.seal().height());
        Self { index, height, root, pages: BTreeMap::new(), changed: BTreeMap::new() }
    }

    /// Whether it is the map after this block.
    pub fn is_after(&self, block: Option<&Block>) -> bool {
        self.height == block.map(|block| block.seal().height())
            && self.root == block.map_or(Hash::ZERO, |block| block.seal().map().root)
    }

    /// The last sealed event of each of these streams: the cursors of the sealer, which has no others.
    pub async fn heads(
        &mut self,
        origin: &str,
        streams: &BTreeSet<StreamId>,
    ) -> Result<BTreeMap<StreamId, Option<Head>>, Stop> {
        let keys: BTreeMap<MapKey, StreamId> =
            streams.iter().map(|stream| (MapKey::stream(origin, *stream), *stream)).collect();
        let wanted = keys.keys().copied().collect();
        let values = loop {
            match map::get_all(self.root, &self.pages, &wanted) {
                Ok(values) => break values,
                Err(UpdateError::Missing(ids)) => self.fetch(ids).await?,
                Err(UpdateError::Foreign(id)) => return Err(Stop::Page(id)),
            }
        };
        let mut heads: BTreeMap<_, _> = streams.iter().map(|stream| (*stream, None)).collect();
        for (key, value) in values {
            let stream = keys[&key];
            let Value::Stream { seq, head } = value else {
                return Err(Refused::damaged(format!("the map's value of {stream}")).into());
            };
            heads.insert(stream, Some(Head { seq, leaf: head }));
        }
        Ok(heads)
    }

    /// The map after these operations, and the pages that they change. The map itself stays what it is.
    pub async fn update(&mut self, operations: &[Operation]) -> Result<Updated, Stop> {
        loop {
            match map::update(self.root, &self.pages, operations) {
                Ok(updated) => return Ok(updated),
                Err(UpdateError::Missing(ids)) => self.fetch(ids).await?,
                Err(UpdateError::Foreign(id)) => return Err(Stop::Page(id)),
            }
        }
    }

    /// What is to be written of an update.
    pub fn changes(&self, updated: &Updated) -> Vec<PageChange> {
        let before = |id: &PageId| {
            let (page, height) = (self.pages.get(id)?, self.changed.get(id)?);
            Some(MapPage { height: *height, page: page.clone() })
        };
        updated.pages.iter().map(|(id, page)| PageChange { id: *id, page: page.clone(), before: before(id) }).collect()
    }

    /// The map after the next block, which has made this update.
    pub fn go_on(&mut self, height: u64, updated: Updated) {
        (self.height, self.root) = (Some(height), updated.root);
        self.changed.extend(updated.pages.keys().map(|id| (*id, height)));
        self.pages.extend(updated.pages);
    }

    async fn fetch(&mut self, ids: Vec<PageId>) -> Result<(), Stop> {
        let found = match self.height {
            Some(height) => self.index.map_pages(&ids, height).await?,
            None => BTreeMap::new(),
        };
        if let Some(absent) = ids.iter().find(|id| !found.contains_key(id)) {
            return Err(Stop::Page(*absent));
        }
        for (id, MapPage { height, page }) in found {
            self.changed.insert(id, height);
            self.pages.insert(id, page);
        }
        Ok(())
    }
}
