//! The vault's log: whatever has happened is sealed when somebody asks, unless sealing is held back.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::encoding::base64url;
use chartseal_events::{Code, Hash, Refusal, StreamId};
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::checkpoint::Checkpoint;
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
        let clock_ahead_s = Some(0);
        Self {
            key,
            clock_key,
            clock_ahead_s,
            shown_blocks: None,
            is_held: false,
            leaves: Leaves::default(),
            blocks: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    /// Its public key.
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, SignatureType::Ed25519, &self.key.verifying_key().to_bytes()).expect("a key")
    }

    /// Forgets all that was sealed: what comes now is another history.
    pub fn forget(&mut self) {
        self.leaves = Leaves::default();
        self.blocks.clear();
        self.places.clear();
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
        let events: Vec<_> = events.map(|event| SealedEvent { place: event.at, leaf: event.leaf }).collect();
        if self.log.is_held || events.is_empty() {
            return;
        }
        let now_ms = self.now_ms();
        let block = Block::next(self.log.blocks.last(), now_ms, events, MapState::NONE, vec![]).expect("a block");
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
