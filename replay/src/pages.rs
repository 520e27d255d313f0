//! The map's pages while blocks are judged: those that were looked at lately, and those that changed since the last commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::Hash;
use chartseal_ledger::map::{Operation, Page, PageId, UpdateError, Updated, update};

use crate::copy::{CopyError, Snapshot};

/// Most pages that are kept in memory from one commit to the next.
const MAX_KEPT: usize = 24_000;

/// The map after the blocks that were judged.
#[derive(Debug)]
pub(crate) struct Pages {
    root: Hash,
    known: BTreeMap<PageId, Page>,
    changed: BTreeSet<PageId>,
}

impl Pages {
    pub fn new(root: Hash) -> Self {
        Self { root, known: BTreeMap::new(), changed: BTreeSet::new() }
    }

    pub fn root(&self) -> Hash {
        self.root
    }

    /// The map after a block's operations. Nothing has changed before [`Pages::go_on`].
    pub fn after(&mut self, copy: &Snapshot, operations: &[Operation]) -> Result<Updated, CopyError> {
        for operation in operations {
            let mut next = Some(PageId::ROOT);
            while let Some(id) = next {
                let page = match self.known.entry(id) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(place) => match copy.page(id)? {
                        Some(page) => place.insert(page),
                        None => break,
                    },
                };
                let inner = matches!(page, Page::Nodes(_));
                next = id.toward(&operation.key).filter(|_| inner);
            }
        }
        update(self.root, &self.known, operations).map_err(|error| match error {
            UpdateError::Missing(_) => CopyError::damaged("a page of the map is missing"),
            UpdateError::Foreign(id) => CopyError::damaged(format!("page {id} of the map")),
        })
    }

    pub fn go_on(&mut self, updated: Updated) {
        self.root = updated.root;
        self.changed.extend(updated.pages.keys());
        self.known.extend(updated.pages);
    }

    /// The pages that changed, to be stored.
    pub fn changed(&mut self) -> BTreeMap<PageId, Page> {
        let changed = std::mem::take(&mut self.changed);
        let page = |id: PageId| self.known.get(&id).map(|page| (id, page.clone()));
        let pages = changed.into_iter().filter_map(page).collect();
        if self.known.len() > MAX_KEPT {
            self.known.clear();
        }
        pages
    }
}
