//! A batch of operations over pages. Whoever keeps the pages is told which ones are wanted.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::Hash;

use super::operation::Operation;
use super::page::{EMPTY, MAX_ENTRIES, Page, PageId, WIDTH};
use super::value::{MapKey, Value};

/// The map after a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// Its root.
    pub root: Hash,
    /// The pages that are new or different.
    pub pages: BTreeMap<PageId, Page>,
}

/// Why a map cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// These pages are needed. Perhaps more, once these are there.
    #[error("{} pages are not at hand", .0.len())]
    Missing(Vec<PageId>),
    /// The page is not of the map with this root, but of an older or a newer one, perhaps.
    #[error("page {0} is not of this map")]
    Foreign(PageId),
}

/// The map with this root after these operations, in their order.
///
/// [`Hash::ZERO`] is the root of the empty map, which has no pages. Every page that is read is checked against the root.
pub fn update(root: Hash, pages: &BTreeMap<PageId, Page>, operations: &[Operation]) -> Result<Updated, UpdateError> {
    let mut sorted: Vec<&Operation> = operations.iter().collect();
    sorted.sort_by_key(|operation| operation.key); // stable: those on one key keep their order
    let mut batch = Batch { pages, missing: Vec::new(), changed: BTreeMap::new() };
    let root = batch.change(PageId::ROOT, root.0, &sorted)?;
    if batch.missing.is_empty() {
        Ok(Updated { root: Hash(root), pages: batch.changed })
    } else {
        Err(UpdateError::Missing(batch.missing))
    }
}

/// The value that a key has in the map with this root. For whoever keeps the pages; others want a proof.
pub fn get(root: Hash, pages: &BTreeMap<PageId, Page>, key: &MapKey) -> Result<Option<Value>, UpdateError> {
    let (mut id, mut node) = (PageId::ROOT, root.0);
    while node != EMPTY {
        match read(pages, id, node)? {
            Page::Entries(entries) => return Ok(entries.get(key).cloned()),
            Page::Nodes(nodes) => {
                let place = id.place(key);
                (id, node) = (id.child(place), nodes[place]);
            }
        }
    }
    Ok(None)
}

/// The values of these keys, of those that have one. Each page on their way is checked once, and all that are missing are asked for at once.
pub fn get_all(
    root: Hash,
    pages: &BTreeMap<PageId, Page>,
    keys: &BTreeSet<MapKey>,
) -> Result<BTreeMap<MapKey, Value>, UpdateError> {
    let sorted: Vec<&MapKey> = keys.iter().collect();
    let mut look = Look { pages, missing: Vec::new(), found: BTreeMap::new() };
    look.part(PageId::ROOT, root.0, &sorted)?;
    if look.missing.is_empty() { Ok(look.found) } else { Err(UpdateError::Missing(look.missing)) }
}

struct Look<'a> {
    pages: &'a BTreeMap<PageId, Page>,
    missing: Vec<PageId>,
    found: BTreeMap<MapKey, Value>,
}

impl Look<'_> {
    /// The values of keys of the part at `id`.
    fn part(&mut self, id: PageId, node: [u8; 32], keys: &[&MapKey]) -> Result<(), UpdateError> {
        if keys.is_empty() || node == EMPTY {
            return Ok(());
        }
        match read(self.pages, id, node) {
            Err(UpdateError::Missing(ids)) => self.missing.extend(ids),
            Err(foreign) => return Err(foreign),
            Ok(Page::Entries(entries)) => {
                let value = |key: &&MapKey| entries.get(key).map(|value| (**key, value.clone()));
                self.found.extend(keys.iter().filter_map(value));
            }
            Ok(Page::Nodes(nodes)) => {
                for part in keys.chunk_by(|a, b| id.place(a) == id.place(b)) {
                    let place = id.place(part[0]);
                    self.part(id.child(place), nodes[place], part)?;
                }
            }
        }
        Ok(())
    }
}

/// The page with this node; [`UpdateError::Missing`] if it is not at hand.
pub(super) fn read(pages: &BTreeMap<PageId, Page>, id: PageId, node: [u8; 32]) -> Result<&Page, UpdateError> {
    let page = pages.get(&id).ok_or_else(|| UpdateError::Missing(vec![id]))?;
    if page.node(id) == node { Ok(page) } else { Err(UpdateError::Foreign(id)) }
}

struct Batch<'a> {
    pages: &'a BTreeMap<PageId, Page>,
    missing: Vec<PageId>,
    changed: BTreeMap<PageId, Page>,
}

impl Batch<'_> {
    /// The node of the part at `id` after the operations, all of which are on keys of this part. Where pages are missing it is of no use.
    fn change(&mut self, id: PageId, node: [u8; 32], operations: &[&Operation]) -> Result<[u8; 32], UpdateError> {
        if operations.is_empty() {
            return Ok(node);
        }
        let before = if node == EMPTY {
            Page::Entries(BTreeMap::new())
        } else {
            match read(self.pages, id, node) {
                Ok(page) => page.clone(),
                Err(UpdateError::Missing(ids)) => {
                    self.missing.extend(ids);
                    return Ok(node);
                }
                Err(foreign) => return Err(foreign),
            }
        };
        let after = match before {
            Page::Entries(mut entries) => {
                for operation in operations {
                    if let Some(value) = operation.change.apply(entries.remove(&operation.key)) {
                        entries.insert(operation.key, value);
                    }
                }
                return Ok(self.place(id, node, entries));
            }
            Page::Nodes(mut nodes) => {
                for part in operations.chunk_by(|a, b| id.place(&a.key) == id.place(&b.key)) {
                    let place = id.place(&part[0].key);
                    nodes[place] = self.change(id.child(place), nodes[place], part)?;
                }
                Page::Nodes(nodes)
            }
        };
        Ok(self.keep(id, node, after))
    }

    /// Entries as one page or, where they are too many, as pages below a page of nodes.
    fn place(&mut self, id: PageId, node: [u8; 32], entries: BTreeMap<MapKey, Value>) -> [u8; 32] {
        if entries.is_empty() {
            return EMPTY;
        }
        if entries.len() <= MAX_ENTRIES {
            return self.keep(id, node, Page::Entries(entries));
        }
        let mut parts: [BTreeMap<MapKey, Value>; WIDTH] = Default::default();
        for (key, value) in entries {
            parts[id.place(&key)].insert(key, value);
        }
        let mut nodes = Box::new([EMPTY; WIDTH]);
        for (place, part) in parts.into_iter().enumerate() {
            nodes[place] = self.place(id.child(place), EMPTY, part);
        }
        self.keep(id, node, Page::Nodes(nodes))
    }

    fn keep(&mut self, id: PageId, before: [u8; 32], page: Page) -> [u8; 32] {
        let node = page.node(id);
        if node != before {
            self.changed.insert(id, page);
        }
        node
    }
}
