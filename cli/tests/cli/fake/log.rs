//! The vault's log: whatever has happened is sealed when somebody asks, unless sealing is held back.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::encoding::base64url;
use chartseal_events::{Code, Hash, Refusal, StreamId};
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{MAP_VERSION, Operation, Page, PageId, operations_of, update};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::seal::MapState;
use chartseal_ledger::tile::TileAddress;
use chartseal_ledger::tree::{HashReader, Node, inclusion, subtree_hash};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::{ORIGIN, Store};

/// The log, and who signs it.
pub struct Log {
    pub key: SigningKey,
    pub clock_key: SigningKey,
    /// What the clock says is later than it is by so many seconds; none: it says nothing.
    pub clock_ahead_s: Option<i64>,
    /// Shows the head after so many blocks, as if it were the newest.
    pub shown_blocks: Option<usize>,
    /// As long as it is held back nothing is sealed.
    pub is_held: bool,
    leaves: Leaves,
    blocks: Vec<Block>,
    places: BTreeMap<Hash, (u64, usize)>,
    pages: BTreeMap<PageId, Page>,
}

#[derive(Default)]
struct Leaves(Vec<Hash>);

impl HashReader for Leaves {
    fn read(&self, node: Node) -> Option<Hash> {
        let first = usize::try_from(node.index << node.level).ok()?;
        self.0.get(first..first + (1 << node.level)).map(subtree_hash)
    }
}

impl Log {
    pub fn new(key: SigningKey, clock_key: SigningKey) -> Self {
        let (leaves, blocks, places, pages) = Default::default();
        Self {
            key,
            clock_key,
            clock_ahead_s: Some(0),
            shown_blocks: None,
            is_held: false,
            leaves,
            blocks,
            places,
            pages,
        }
    }

    /// Its public key.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, SignatureType::Ed25519, &self.key.verifying_key().to_bytes()).expect("a key")
    }

    /// The last block is gone, as in a table that was restored; and nothing more is sealed.
    pub fn go_back(&mut self) {
        self.blocks.pop();
        self.is_held = true;
    }

    /// Forgets all that was sealed: what comes now is another history.
    pub fn forget(&mut self) {
        self.leaves = Leaves::default();
        self.blocks.clear();
        self.places.clear();
        self.pages.clear();
    }

    /// How many blocks there are.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Its clock's public key.
    pub fn clock(&self) -> VerifierKey {
        VerifierKey::of_clock(ORIGIN, &self.clock_key.verifying_key().to_bytes()).expect("a key")
    }

    fn note(&self, now_s: u64) -> Option<String> {
        let shown = self.shown_blocks.unwrap_or(self.blocks.len());
        let block = self.blocks.get(shown.checked_sub(1)?)?;
        let mut note =
            Checkpoint::new(ORIGIN, block.edge().size(), block.edge().root()).expect("a checkpoint").to_note();
        let signature = self.key.sign(note.text().as_bytes()).to_bytes();
        note.sign(&self.verifier(), &signature).expect("signs");
        if let Some(at_s) = self.clock_ahead_s.and_then(|ahead_s| now_s.checked_add_signed(ahead_s)) {
            let signature = self.clock_key.sign(note.cosignature_message(at_s).as_bytes()).to_bytes();
            note.cosign(&self.clock(), at_s, &signature).expect("cosigns");
        }
        Some(note.to_string())
    }
}

impl Store {
    /// One block of all that is not sealed yet, the vault's own stream first.
    fn seal(&mut self) {
        let sealed: BTreeSet<Hash> = self.log.places.keys().copied().collect();
        let vault_first = |stream: &StreamId| *stream != StreamId::Vault;
        let mut streams: Vec<_> = self.streams.iter().collect();
        streams.sort_by_key(|(stream, _)| vault_first(stream));
        let events = streams.into_iter().flat_map(|(_, events)| events).filter(|event| !sealed.contains(&event.leaf));
        let opened: Vec<_> = events.map(|event| event.open().expect("an event")).collect();
        if self.log.is_held || opened.is_empty() {
            return;
        }
        let (last, now_ms) = (self.log.blocks.last(), self.now_ms());
        let operations = operations_of(ORIGIN, last.map_or(0, |block| block.edge().size()), &opened);
        let root = last.map_or(Hash::ZERO, |block| block.seal().map().root);
        let updated = update(root, &self.log.pages, &operations).expect("all pages are at hand");
        let map = MapState { root: updated.root, version: MAP_VERSION };
        let operations = operations.iter().map(Operation::to_bytes).collect();
        let events = opened.iter().map(|event| SealedEvent { place: event.place, leaf: event.leaf }).collect();
        let block = Block::next(last, now_ms, events, map, operations).expect("a block");
        self.log.pages.extend(updated.pages);
        for (index, event) in (block.seal().first_index()..).zip(block.events()) {
            self.log.leaves.0.push(event.leaf);
            self.log.places.insert(event.leaf, (index, self.log.blocks.len()));
        }
        self.log.leaves.0.push(block.seal().leaf_hash());
        self.log.blocks.push(block);
    }

    /// The checkpoint.
    pub fn checkpoint(&mut self) -> Option<String> {
        self.seal();
        self.log.note(self.now_ms() / 1_000)
    }

    /// A tile: what is at hand of it.
    pub fn tile(&self, path: &str) -> Option<Vec<u8>> {
        let address: TileAddress = path.parse().ok()?;
        let first = address.index() * 256;
        let nodes = (first..first + u64::from(address.width())).map(|index| Node { level: 8 * address.level(), index });
        let hashes: Option<Vec<Hash>> = nodes.map(|node| self.log.leaves.read(node)).collect();
        Some(hashes?.iter().flat_map(|hash| hash.0).collect())
    }

    /// A block's header and leaf hashes.
    pub fn block(&mut self, height: &str) -> Result<Value, Refusal> {
        self.seal();
        let block = self.block_at(height)?;
        let leaves: Vec<Hash> = block.events().iter().map(|event| event.leaf).collect();
        Ok(json!({ "height": block.seal().height(), "seal": base64url(&block.seal().to_bytes()), "leaves": leaves }))
    }

    /// The bodies of at most three events.
    pub fn block_events(&mut self, height: &str, first: &str) -> Result<Value, Refusal> {
        self.seal();
        let block = self.block_at(height)?;
        let first: usize = first.parse().map_err(|_| Code::BadPlace)?;
        let rest = block.events().get(first..).filter(|rest| !rest.is_empty()).ok_or(Code::NotFound)?;
        let body = |event: &SealedEvent| {
            let seq = usize::try_from(event.place.seq).expect("short");
            self.streams[&event.place.stream][seq].body.clone()
        };
        let bodies: Vec<String> = rest.iter().take(3).map(body).collect();
        let next = (bodies.len() < rest.len()).then_some(first + bodies.len());
        let mut document = json!({ "height": block.seal().height(), "first": first, "bodies": bodies });
        if let Some(next) = next {
            document["next"] = next.into();
        }
        Ok(document)
    }

    fn block_at(&self, height: &str) -> Result<&Block, Refusal> {
        let height: usize = height.parse().map_err(|_| Code::BadPlace)?;
        Ok(self.log.blocks.get(height).ok_or(Code::NotFound)?)
    }

    /// The proof of a leaf.
    pub fn proof(&mut self, leaf: &str) -> Result<Value, Refusal> {
        self.seal();
        let leaf: Hash = leaf.parse().map_err(|_| Code::BadPlace)?;
        let (index, height) = *self.log.places.get(&leaf).ok_or(Code::NotFound)?;
        let seal = self.log.blocks[height].seal();
        let size = self.log.leaves.0.len() as u64;
        let prove = |index| inclusion::prove(index, size, &self.log.leaves).expect("at hand").hashes().to_vec();
        Ok(json!({
            "index": index,
            "height": height,
            "seal": base64url(&seal.to_bytes()),
            "inclusion": prove(index),
            "seal_inclusion": prove(seal.index()),
            "checkpoint": self.log.note(self.now_ms() / 1_000),
        }))
    }
}
