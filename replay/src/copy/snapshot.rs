//! Reading a copy, as of one commit.

use chartseal_events::event::leaf_hash;
use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{Page, PageId};
use chartseal_ledger::note::Note;
use chartseal_ledger::seal::{SEAL_BYTES, Seal};
use chartseal_ledger::tile::{Edge, TILE_HEIGHT, TILE_WIDTH, TileAddress};
use chartseal_ledger::tree::{EMPTY_ROOT, HashReader, Node, Proof, consistency, inclusion, root};
use redb::{ReadOnlyTable, ReadTransaction};

use super::tables::{BLOCKS, BODIES, FINDINGS, LEAVES, META, PAGES, PLACES, TILES, place_key, stream_key};
use super::{CopyError, FORMAT, State};
use crate::finding::Finding;
use crate::source::PublicBlock;

/// A block of the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedBlock {
    /// Its header.
    pub seal: Seal,
    /// Its events' leaf hashes, in the log's order.
    pub leaves: Vec<Hash>,
}

/// A copy as it was after some commit. What is committed later is not in it.
pub struct Snapshot {
    blocks: ReadOnlyTable<u64, &'static [u8]>,
    bodies: ReadOnlyTable<u64, &'static [u8]>,
    places: ReadOnlyTable<&'static [u8], u64>,
    leaves: ReadOnlyTable<&'static [u8; 32], u64>,
    tiles: ReadOnlyTable<(u8, u64), &'static [u8]>,
    pages: ReadOnlyTable<&'static str, &'static [u8]>,
    findings: ReadOnlyTable<u64, &'static [u8]>,
    pub(super) state: Option<State>,
    /// What blocks have announced, under a signed checkpoint or not yet.
    pub(super) edge: Edge,
    pub(super) last: Option<Seal>,
    note: Option<Vec<u8>>,
    checkpoint: Option<Checkpoint>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("checkpoint", &self.checkpoint).finish_non_exhaustive()
    }
}

impl Snapshot {
    pub(super) fn read(transaction: &ReadTransaction) -> Result<Self, CopyError> {
        let meta = transaction.open_table(META)?;
        let value = |name: &str| Ok::<_, CopyError>(meta.get(name)?.map(|value| value.value().to_vec()));
        let state: Option<State> = value("state")?
            .map(|bytes| serde_json::from_slice(&bytes).map_err(|_| CopyError::damaged("its state")))
            .transpose()?;
        if state.as_ref().is_some_and(|state| state.format != FORMAT) {
            return Err(CopyError::Format);
        }
        let edge = value("edge")?.map(|bytes| Edge::from_bytes(&bytes)).transpose();
        let last = value("seal")?.map(|bytes| Seal::from_bytes(&bytes)).transpose();
        let note = value("checkpoint")?;
        let checkpoint = note.as_deref().map(of_note).transpose()?;
        let snapshot = Self {
            blocks: transaction.open_table(BLOCKS)?,
            bodies: transaction.open_table(BODIES)?,
            places: transaction.open_table(PLACES)?,
            leaves: transaction.open_table(LEAVES)?,
            tiles: transaction.open_table(TILES)?,
            pages: transaction.open_table(PAGES)?,
            findings: transaction.open_table(FINDINGS)?,
            state,
            edge: edge.map_err(|_| CopyError::damaged("its edge"))?.unwrap_or_default(),
            last: last.map_err(|_| CopyError::damaged("its last header"))?,
            note,
            checkpoint,
        };
        if snapshot.last.map_or(0, |seal| seal.size()) != snapshot.edge.size() || snapshot.size() > snapshot.edge.size()
        {
            return Err(CopyError::damaged("its size"));
        }
        Ok(snapshot)
    }

    /// How many leaves the log has, as far as a signed checkpoint says so.
    pub fn size(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, Checkpoint::size)
    }

    /// The root that was signed for that size.
    pub fn root(&self) -> Hash {
        self.checkpoint.as_ref().map_or(EMPTY_ROOT, Checkpoint::root)
    }

    /// The last checkpoint that was accepted, as it came, with its signatures.
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.note.as_deref()
    }

    /// What that checkpoint says.
    pub fn head(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// How many blocks were judged, with all that their events say. Only of these there are bodies.
    pub fn judged_height(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.judged)
    }

    /// How many leaves those blocks have. It is [`Snapshot::size`] where everything that was signed has been judged.
    pub fn judged_size(&self) -> Result<u64, CopyError> {
        let Some(last) = self.judged_height().checked_sub(1) else { return Ok(0) };
        let block = self.block(last)?.ok_or_else(|| CopyError::damaged(format!("block {last} is missing")))?;
        Ok(block.seal.size())
    }

    /// The map's root after the blocks that were judged.
    pub fn map_root(&self) -> Hash {
        self.state.as_ref().map_or(Hash::ZERO, |state| state.map_root)
    }

    /// A block's header and leaf hashes.
    pub fn block(&self, height: u64) -> Result<Option<CopiedBlock>, CopyError> {
        let Some(stored) = self.blocks.get(height)? else { return Ok(None) };
        let damaged = || CopyError::damaged(format!("block {height}"));
        let (seal, leaves) = stored.value().split_at_checked(SEAL_BYTES).ok_or_else(damaged)?;
        let seal = Seal::from_bytes(seal).map_err(|_| damaged())?;
        let (leaves, rest) = leaves.as_chunks::<32>();
        if !rest.is_empty() || usize::try_from(seal.events()) != Ok(leaves.len()) || seal.height() != height {
            return Err(damaged());
        }
        Ok(Some(CopiedBlock { seal, leaves: leaves.iter().copied().map(Hash).collect() }))
    }

    /// The same as whoever serves it hands it out.
    pub fn public_block(&self, height: u64) -> Result<Option<PublicBlock>, CopyError> {
        let block = self.block(height)?;
        Ok(block.map(|block| PublicBlock { seal: block.seal.to_bytes().to_vec(), leaves: block.leaves }))
    }

    /// The bodies of a block's events; none where the block has not been judged. Each is the one whose leaf hash the block has.
    pub fn bodies(&self, height: u64) -> Result<Option<Vec<String>>, CopyError> {
        if height >= self.judged_height() {
            return Ok(None);
        }
        let Some(block) = self.block(height)? else { return Ok(None) };
        let mut bodies = Vec::with_capacity(block.leaves.len());
        for (index, leaf) in (block.seal.first_index()..).zip(&block.leaves) {
            let body = self.body(index)?;
            let body = body.filter(|body| leaf_hash(body.as_bytes()) == *leaf);
            bodies.push(body.ok_or_else(|| CopyError::damaged(format!("the event at index {index}")))?);
        }
        Ok(Some(bodies))
    }

    /// The body of the event at an index, as it is in the file.
    pub fn body(&self, index: u64) -> Result<Option<String>, CopyError> {
        let Some(run) = self.bodies.range(..=index)?.next_back() else { return Ok(None) };
        let (first, stored) = run?;
        let damaged = || CopyError::damaged(format!("the event at index {index}"));
        let mut rest = stored.value();
        let mut at = first.value();
        while let Some((length, after)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| damaged())?;
            let (body, after) = after.split_at_checked(length).ok_or_else(damaged)?;
            if at == index {
                return String::from_utf8(body.to_vec()).map(Some).map_err(|_| damaged());
            }
            (at, rest) = (at + 1, after);
        }
        Ok(None)
    }

    /// Where an event stands in the log.
    pub fn index_of(&self, place: EventRef) -> Result<Option<u64>, CopyError> {
        Ok(self.places.get(&place_key(place)[..])?.map(|index| index.value()))
    }

    /// Where the event with this leaf hash stands.
    pub fn index_of_leaf(&self, leaf: &Hash) -> Result<Option<u64>, CopyError> {
        Ok(self.leaves.get(&leaf.0)?.map(|index| index.value()))
    }

    /// The indices of a stream's events that were judged, from the first on, up to a place.
    pub(crate) fn stream(&self, stream: StreamId, last_seq: u64) -> Result<Vec<u64>, CopyError> {
        let (first, last) = (EventRef { stream, seq: 0 }, EventRef { stream, seq: last_seq });
        let mut indices = Vec::new();
        let mut expected = stream_key(stream);
        let prefix = expected.len();
        for (seq, entry) in (0_u64..).zip(self.places.range::<&[u8]>(&place_key(first)[..]..=&place_key(last)[..])?) {
            let (key, index) = entry?;
            expected.truncate(prefix);
            expected.extend(seq.to_be_bytes());
            if key.value() != expected {
                return Err(CopyError::damaged(format!("{}: places are missing", EventRef { stream, seq })));
            }
            indices.push(index.value());
        }
        Ok(indices)
    }

    /// The hashes of a tile of the log of [`Snapshot::size`] leaves, or of a smaller one; none where it has no such tile.
    pub fn tile(&self, address: TileAddress) -> Result<Option<Vec<Hash>>, CopyError> {
        let end = (address.index() << TILE_HEIGHT) + u64::from(address.width());
        if end > self.size().checked_shr(u32::from(address.level()) * u32::from(TILE_HEIGHT)).unwrap_or(0) {
            return Ok(None);
        }
        let mut hashes = self.kept_tile(address.level(), address.index())?.unwrap_or_default();
        if hashes.len() < usize::from(address.width()) {
            return Err(CopyError::damaged(format!("{address} is missing")));
        }
        hashes.truncate(address.width().into());
        Ok(Some(hashes))
    }

    /// A tile as far as blocks have announced it.
    pub(super) fn kept_tile(&self, level: u8, index: u64) -> Result<Option<Vec<Hash>>, CopyError> {
        if let Some(stored) = self.tiles.get((level, index))? {
            let (hashes, rest) = stored.value().as_chunks::<32>();
            let full = rest.is_empty() && hashes.len() == usize::from(TILE_WIDTH);
            return if full {
                Ok(Some(hashes.iter().copied().map(Hash).collect()))
            } else {
                Err(CopyError::damaged(format!("tile {index} of level {level}")))
            };
        }
        let partial = self.edge.tiles().find(|(address, _)| address.level() == level && address.index() == index);
        Ok(partial.map(|(_, hashes)| hashes.to_vec()))
    }

    /// That the log of `size` leaves begins with the one of `old_size`; none where the copy does not reach that far.
    pub fn consistency(&self, old_size: u64, size: u64) -> Result<Option<Proof>, CopyError> {
        if size > self.size() {
            return Ok(None);
        }
        consistency::prove(old_size, size, &Nodes(self)).map(Some).map_err(CopyError::damaged)
    }

    /// That the leaf at an index is in the log of `size` leaves; none where the copy does not reach that far.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Option<Proof>, CopyError> {
        if size > self.size() || index >= size {
            return Ok(None);
        }
        inclusion::prove(index, size, &Nodes(self)).map(Some).map_err(CopyError::damaged)
    }

    /// The root of the log's first `size` leaves; none where the copy does not reach that far.
    pub fn root_at(&self, size: u64) -> Result<Option<Hash>, CopyError> {
        if size > self.edge.size() {
            return Ok(None);
        }
        root(size, &Nodes(self)).map(Some).map_err(CopyError::damaged)
    }

    /// Checks that the event at an index is under the root that was signed. What an event is folded from is looked at so when it is read again.
    pub(crate) fn check_included(&self, index: u64, leaf: Hash) -> Result<(), CopyError> {
        let damaged = || CopyError::damaged(format!("the event at index {index}"));
        let proof = self.inclusion(index, self.size())?.ok_or_else(damaged)?;
        inclusion::verify(&proof, index, leaf, self.size(), self.root()).map_err(|_| damaged())
    }

    /// A page of the map after the blocks that were judged.
    pub fn page(&self, id: PageId) -> Result<Option<Page>, CopyError> {
        let Some(stored) = self.pages.get(id.to_string().as_str())? else { return Ok(None) };
        Page::from_bytes(id, stored.value()).map(Some).map_err(|_| CopyError::damaged(format!("page {id} of the map")))
    }

    /// What was found in the blocks that were judged.
    pub fn findings(&self) -> Result<Vec<Finding>, CopyError> {
        let mut findings = Vec::new();
        for entry in self.findings.range(0..)? {
            let (_, json) = entry?;
            findings.push(serde_json::from_slice(json.value()).map_err(|_| CopyError::damaged("its findings"))?);
        }
        Ok(findings)
    }
}

fn of_note(bytes: &[u8]) -> Result<Checkpoint, CopyError> {
    let read = || Checkpoint::parse(Note::parse(bytes).ok()?.text()).ok();
    read().ok_or_else(|| CopyError::damaged("its checkpoint"))
}

/// The tree's nodes, from the tiles.
struct Nodes<'a>(&'a Snapshot);

impl HashReader for Nodes<'_> {
    fn read(&self, node: Node) -> Option<Hash> {
        let below = node.level % TILE_HEIGHT;
        let first = node.index.checked_mul(1 << below)?;
        let tile = self.0.kept_tile(node.level / TILE_HEIGHT, first >> TILE_HEIGHT).ok()??;
        let position = usize::try_from(first % u64::from(TILE_WIDTH)).ok()?;
        tile.get(position..position + (1 << below)).map(chartseal_ledger::tree::subtree_hash)
    }
}
