//! Proofs that a key has a value, or none.

use std::collections::BTreeMap;

use bitvec::{order::Msb0, view::BitView};
use chartseal_events::Hash;
use nomt_core::hasher::Sha2Hasher;
use nomt_core::proof::{PathProof, PathProofTerminal};
use nomt_core::trie::{LeafData, NodeKind};
use nomt_core::trie_pos::TriePosition;

use super::page::{Page, PageId, build, kind, rows};
use super::update::{UpdateError, read};
use super::value::{MAX_VALUE_BYTES, MapKey, Value};

/// Most siblings of a proof. With keys that are hashes nobody makes a longer path.
pub const MAX_SIBLINGS: usize = 128;

/// What a proof has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The key has this value.
    Present(Value),
    /// The key has none.
    Absent,
}

/// What stands at the end of a key's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Nothing,
    /// The key itself, with this value.
    Value(Value),
    /// Another key, with a value of this hash.
    Other(MapKey, Hash),
}

/// A proof about one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    /// The end of the path.
    pub end: End,
    /// What is beside the path, from the root down.
    pub siblings: Vec<[u8; 32]>,
}

/// Why a proof is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapProofError {
    /// Not the binary form.
    #[error("the bytes are no proof of the map")]
    Form,
    /// The other key is the key itself, or not on its path.
    #[error("the other key of the proof cannot stand at the end of this path")]
    OtherKey,
    /// Not of this root.
    #[error("the proof does not lead to the root")]
    RootMismatch,
    /// The path shows neither.
    #[error("the proof shows neither a value nor that there is none")]
    Unconfirmed,
}

impl MapProofError {
    /// A name that never changes.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Form => "map-proof",
            Self::OtherKey => "other-key",
            Self::RootMismatch => "root-mismatch",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl MapProof {
    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = match &self.end {
            End::Nothing => vec![1, 0],
            End::Value(value) => {
                let value = value.to_bytes();
                // Unwrap safety: a value has at most MAX_VALUE_BYTES.
                [&[1, 1, u8::try_from(value.len()).unwrap()][..], &value].concat()
            }
            End::Other(key, value) => [&[1, 2][..], &key.0, &value.0].concat(),
        };
        bytes.extend_from_slice(self.siblings.as_flattened());
        bytes
    }

    /// The proof of these bytes, all of them.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MapProofError> {
        let (end, rest) = match bytes {
            [1, 0, rest @ ..] => (End::Nothing, rest),
            [1, 1, length, rest @ ..] if usize::from(*length) <= MAX_VALUE_BYTES => {
                let (value, rest) = rest.split_at_checked(usize::from(*length)).ok_or(MapProofError::Form)?;
                (End::Value(Value::from_bytes(value).map_err(|_| MapProofError::Form)?), rest)
            }
            [1, 2, rest @ ..] => {
                let (key, rest) = rest.split_first_chunk().ok_or(MapProofError::Form)?;
                let (value, rest) = rest.split_first_chunk().ok_or(MapProofError::Form)?;
                (End::Other(MapKey(*key), Hash(*value)), rest)
            }
            _ => return Err(MapProofError::Form),
        };
        let (siblings, after) = rest.as_chunks();
        if !after.is_empty() || siblings.len() > MAX_SIBLINGS {
            return Err(MapProofError::Form);
        }
        Ok(Self { end, siblings: siblings.to_vec() })
    }
}

/// What the map with this root says of a key, by a proof in its binary form.
pub fn verify(root: Hash, key: &MapKey, proof: &[u8]) -> Result<Finding, MapProofError> {
    let MapProof { end, siblings } = MapProof::from_bytes(proof)?;
    let path = key.0.view_bits::<Msb0>();
    let depth = siblings.len();
    let terminal = match &end {
        // Where nothing is has no hash: the path comes from the key.
        End::Nothing => PathProofTerminal::Terminator(TriePosition::new()),
        End::Value(value) => {
            PathProofTerminal::Leaf(LeafData { key_path: key.0, value_hash: Value::hash(&value.to_bytes()) })
        }
        End::Other(other, value) => {
            if other == key || other.0.view_bits::<Msb0>()[..depth] != path[..depth] {
                return Err(MapProofError::OtherKey);
            }
            PathProofTerminal::Leaf(LeafData { key_path: other.0, value_hash: value.0 })
        }
    };
    let proof = PathProof { terminal, siblings };
    let shown = proof.verify::<Sha2Hasher>(path, root.0).map_err(|_| MapProofError::RootMismatch)?;
    // A path alone says nothing about a key.
    match end {
        End::Value(value) => {
            let leaf = LeafData { key_path: key.0, value_hash: Value::hash(&value.to_bytes()) };
            let confirmed = shown.confirm_value(&leaf).unwrap_or(false);
            confirmed.then_some(Finding::Present(value)).ok_or(MapProofError::Unconfirmed)
        }
        End::Nothing | End::Other(..) => {
            let confirmed = shown.confirm_nonexistence(&key.0).unwrap_or(false);
            confirmed.then_some(Finding::Absent).ok_or(MapProofError::Unconfirmed)
        }
    }
}

/// The proof about a key in the map with this root.
pub fn prove(root: Hash, pages: &BTreeMap<PageId, Page>, key: &MapKey) -> Result<MapProof, UpdateError> {
    let mut siblings = Vec::new();
    let (mut id, mut node) = (PageId::ROOT, root.0);
    while kind(&node) != NodeKind::Terminator {
        match read(pages, id, node)? {
            Page::Entries(entries) => return Ok(in_entries(id, entries, key, siblings)),
            Page::Nodes(nodes) => {
                let rows = rows(nodes);
                let place = id.place(key);
                // A page of nodes has more than MAX_ENTRIES keys: its root is an inner node.
                let mut level = 0;
                while level < 4 && kind(&rows[level][place >> (4 - level)]) == NodeKind::Internal {
                    level += 1;
                    siblings.push(rows[level][(place >> (4 - level)) ^ 1]);
                }
                node = rows[level][place >> (4 - level)];
                let part = (place >> (4 - level)) << (4 - level);
                // A leaf that stands higher up is in the one page of this part that is not empty.
                let within = (part..part + (1 << (4 - level))).find(|at| nodes[*at] == node).unwrap_or(place);
                if kind(&node) == NodeKind::Leaf {
                    id = id.child(within);
                    return match read(pages, id, node)? {
                        Page::Entries(entries) => Ok(MapProof { end: end(entries.iter().next(), key), siblings }),
                        Page::Nodes(_) => Err(UpdateError::Foreign(id)),
                    };
                }
                id = id.child(place);
            }
        }
    }
    Ok(MapProof { end: End::Nothing, siblings })
}

fn end(entry: Option<(&MapKey, &Value)>, key: &MapKey) -> End {
    match entry {
        None => End::Nothing,
        Some((at, value)) if at == key => End::Value(value.clone()),
        Some((at, value)) => End::Other(*at, Hash(Value::hash(&value.to_bytes()))),
    }
}

fn in_entries(id: PageId, entries: &BTreeMap<MapKey, Value>, key: &MapKey, mut siblings: Vec<[u8; 32]>) -> MapProof {
    let bit = |of: &MapKey, at: usize| of.0.view_bits::<Msb0>()[at];
    let mut set: Vec<(&MapKey, &Value)> = entries.iter().collect();
    let mut depth = id.bits();
    while set.len() > 1 {
        let (mine, other): (Vec<_>, Vec<_>) = set.into_iter().partition(|(at, _)| bit(at, depth) == bit(key, depth));
        depth += 1;
        siblings.push(build(depth, other.iter().map(|(at, value)| (at.0, Value::hash(&value.to_bytes())))));
        set = mine;
    }
    MapProof { end: end(set.first().copied(), key), siblings }
}
