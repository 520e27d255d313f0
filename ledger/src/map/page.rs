//! Pages: the map in pieces, each of which is stored by itself.
//!
//! Four bits of the path lead from one page to the next. A part of the trie with at most [`MAX_ENTRIES`] keys is one page that has them; a larger one is
//! a page of its 16 parts' nodes. Nothing is ever taken out of the map, so the same keys and values always make the same pages.

use std::collections::BTreeMap;
use std::fmt;

use nomt_core::hasher::{NodeHasher, Sha2Hasher};
use nomt_core::trie::{InternalData, Node, NodeKind, TERMINATOR};
use nomt_core::update::build_trie;

use super::value::{MAX_VALUE_BYTES, MapKey, Value};

/// Most entries of a page; with one more it becomes a page of nodes.
pub const MAX_ENTRIES: usize = 16;

/// Nodes of a page of nodes.
pub(super) const WIDTH: usize = 16;

/// Which part of the trie a page has: all keys that begin with these half-bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageId {
    depth: u8,
    prefix: [u8; 32],
}

impl PageId {
    /// The page that a map begins with.
    pub const ROOT: Self = Self { depth: 0, prefix: [0; 32] };

    /// How many bits of the path lead to it.
    pub(super) fn bits(self) -> usize {
        usize::from(self.depth) * 4
    }

    /// The page below it at one of its 16 places.
    pub(super) fn child(mut self, place: usize) -> Self {
        // Unwrap safety: a place is below 16.
        let half = u8::try_from(place).unwrap();
        self.prefix[usize::from(self.depth / 2)] |= if self.depth.is_multiple_of(2) { half << 4 } else { half };
        self.depth += 1;
        self
    }

    /// At which of its 16 places a key is.
    pub(super) fn place(self, key: &MapKey) -> usize {
        let byte = key.0[usize::from(self.depth / 2)];
        usize::from(if self.depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
    }

    /// The page below it on the way to a key, if there can be one. Whoever reads pages ahead of an update goes this way.
    pub fn toward(self, key: &MapKey) -> Option<Self> {
        (usize::from(self.depth) < 2 * key.0.len()).then(|| self.child(self.place(key)))
    }

    fn holds(self, key: &MapKey) -> bool {
        let whole = usize::from(self.depth / 2);
        key.0[..whole] == self.prefix[..whole]
            && (self.depth.is_multiple_of(2) || key.0[whole] >> 4 == self.prefix[whole] >> 4)
    }
}

/// `p` and the half-bytes in hex.
impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", &hex::encode(self.prefix)[..usize::from(self.depth)])
    }
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// All keys of this part, with their values.
    Entries(BTreeMap<MapKey, Value>),
    /// The nodes of its 16 parts.
    Nodes(Box<[[u8; 32]; WIDTH]>),
}

/// The bytes are no page of this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no page of the map at this place")]
pub struct PageError;

impl Page {
    /// Its bytes, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Entries(entries) => {
                let mut bytes = vec![0];
                for (key, value) in entries {
                    let value = value.to_bytes();
                    bytes.extend(key.0);
                    // Unwrap safety: a value has at most MAX_VALUE_BYTES.
                    bytes.push(u8::try_from(value.len()).unwrap());
                    bytes.extend(value);
                }
                bytes
            }
            Self::Nodes(nodes) => [&[1][..], nodes.as_flattened()].concat(),
        }
    }

    /// The page of these bytes, as it was stored at `id`.
    pub fn from_bytes(id: PageId, bytes: &[u8]) -> Result<Self, PageError> {
        let (kind, mut rest) = bytes.split_first().ok_or(PageError)?;
        if *kind == 1 {
            let (nodes, after) = rest.as_chunks::<32>();
            let nodes: [[u8; 32]; WIDTH] = nodes.try_into().map_err(|_| PageError)?;
            // So many keys have an inner node; a lone leaf, handed on from page to page, would lead below the last half-byte.
            let sound = after.is_empty() && kind_of_root(&nodes) == NodeKind::Internal;
            return if sound { Ok(Self::Nodes(Box::new(nodes))) } else { Err(PageError) };
        }
        let mut entries = BTreeMap::new();
        while let Some((key, after)) = rest.split_first_chunk() {
            let key = MapKey(*key);
            let (length, after) = after.split_first().ok_or(PageError)?;
            let (value, after) = after.split_at_checked(usize::from(*length)).ok_or(PageError)?;
            let ascending = entries.last_key_value().is_none_or(|(last, _)| *last < key);
            if !ascending || !id.holds(&key) || value.len() > MAX_VALUE_BYTES {
                return Err(PageError);
            }
            entries.insert(key, Value::from_bytes(value).map_err(|_| PageError)?);
            rest = after;
        }
        let sound = *kind == 0 && rest.is_empty() && (1..=MAX_ENTRIES).contains(&entries.len());
        if sound { Ok(Self::Entries(entries)) } else { Err(PageError) }
    }

    /// The node that it is in the trie.
    pub(super) fn node(&self, id: PageId) -> Node {
        match self {
            Self::Entries(entries) => {
                build(id.bits(), entries.iter().map(|(key, value)| (key.0, Value::hash(&value.to_bytes()))))
            }
            Self::Nodes(nodes) => rows(nodes)[0][0],
        }
    }
}

pub(super) fn build(bits: usize, leaves: impl IntoIterator<Item = ([u8; 32], [u8; 32])>) -> Node {
    build_trie::<Sha2Hasher>(bits, leaves, |_| {})
}

/// The nodes above 16 nodes, from their root down to themselves.
pub(super) fn rows(nodes: &[Node; WIDTH]) -> Vec<Vec<Node>> {
    let mut rows = vec![nodes.to_vec()];
    while let Some(row) = rows.last().filter(|row| row.len() > 1) {
        rows.push(row.chunks(2).map(|pair| join(pair[0], pair[1])).collect());
    }
    rows.reverse();
    rows
}

fn kind_of_root(nodes: &[Node; WIDTH]) -> NodeKind {
    kind(&rows(nodes)[0][0])
}

/// A lone leaf stands as far up as it can.
fn join(left: Node, right: Node) -> Node {
    match (kind(&left), kind(&right)) {
        (NodeKind::Terminator | NodeKind::Leaf, NodeKind::Terminator) => left,
        (NodeKind::Terminator, NodeKind::Leaf) => right,
        _ => Sha2Hasher::hash_internal(&InternalData { left, right }),
    }
}

pub(super) fn kind(node: &Node) -> NodeKind {
    NodeKind::of::<Sha2Hasher>(node)
}

pub(super) const EMPTY: Node = TERMINATOR;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_nodes_above_fewer_than_two_keys_is_refused() {
        let key = MapKey([7; 32]);
        let leaf = build(0, [(key.0, [9; 32])]);
        let mut nodes = Box::new([EMPTY; WIDTH]);
        assert_eq!(Page::from_bytes(PageId::ROOT, &Page::Nodes(nodes.clone()).to_bytes()), Err(PageError));
        nodes[PageId::ROOT.place(&key)] = leaf;
        assert_eq!(Page::from_bytes(PageId::ROOT, &Page::Nodes(nodes.clone()).to_bytes()), Err(PageError));
        nodes[15] = leaf;
        let page = Page::Nodes(nodes);
        assert_eq!(Page::from_bytes(PageId::ROOT, &page.to_bytes()), Ok(page));
    }
}
