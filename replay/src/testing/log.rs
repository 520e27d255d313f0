//! The log of a vault: whoever has its key seals whatever is given.

use std::collections::BTreeMap;

use chartseal_events::event::leaf_hash;
use chartseal_events::{Event, Hash};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{MAP_VERSION, Operation, Page, PageId, operations_of, update};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::{MapState, Seal};
use chartseal_ledger::tile::Edge;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::source::PublicBlock;

/// The vault's name.
pub const ORIGIN: &str = "vault.example";

/// The log's key.
pub fn log_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

/// The log's public key.
pub fn log_verifier() -> VerifierKey {
    let key = log_key().verifying_key().to_bytes();
    VerifierKey::new(ORIGIN, SignatureType::Ed25519, &key).expect("a key")
}

/// A log that grows.
#[derive(Debug, Default)]
pub struct Log {
    /// The last header.
    pub last: Option<Seal>,
    edge: Edge,
    root: Hash0,
    pages: BTreeMap<PageId, Page>,
}

#[derive(Debug, Clone, Copy)]
struct Hash0(Hash);

impl Default for Hash0 {
    fn default() -> Self {
        Self(Hash::ZERO)
    }
}

impl Log {
    /// Policy that believes the log alone.
    pub fn policy() -> Policy {
        Policy::new(log_verifier(), None, Vec::new(), 0).expect("a policy")
    }

    /// Seals these bodies into the next block.
    pub fn seal(&mut self, bodies: &[String], now_ms: u64) -> PublicBlock {
        self.seal_with(bodies, now_ms, |operations, map| (operations, map))
    }

    /// Seals these bodies, with other operations on the map, or another map in the header, than there should be.
    pub fn seal_with(
        &mut self,
        bodies: &[String],
        now_ms: u64,
        change: impl FnOnce(Vec<Operation>, MapState) -> (Vec<Operation>, MapState),
    ) -> PublicBlock {
        let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body.as_bytes())).collect();
        let read = |(body, leaf): (&String, &Hash)| Event::read(body, *leaf).ok();
        let events: Vec<Event> = bodies.iter().zip(&leaves).filter_map(read).collect();
        let operations = operations_of(ORIGIN, self.edge.size(), &events);
        let nothing = MapState { root: Hash::ZERO, version: MAP_VERSION };
        let (operations, forged) = change(operations, nothing);
        let updated = update(self.root.0, &self.pages, &operations).expect("all pages are at hand");
        self.pages.extend(updated.pages);
        self.root = Hash0(updated.root);
        let map = if forged == nothing { MapState { root: updated.root, ..nothing } } else { forged };
        let seal = Seal::next(self.last.as_ref(), now_ms, &leaves, map).expect("a block");
        for leaf in leaves.iter().copied().chain([seal.leaf_hash()]) {
            self.edge.push(leaf, |_, _| {}).expect("room");
        }
        self.last = Some(seal);
        PublicBlock { seal: seal.to_bytes().to_vec(), leaves }
    }

    /// The checkpoint of what was sealed, signed by the log.
    pub fn note(&self) -> Vec<u8> {
        Self::sign(self.edge.size(), self.edge.root())
    }

    /// Signs any checkpoint.
    pub fn sign(size: u64, root: Hash) -> Vec<u8> {
        let mut note = Checkpoint::new(ORIGIN, size, root).expect("a checkpoint").to_note();
        let signature = log_key().sign(note.text().as_bytes()).to_bytes();
        note.sign(&log_verifier(), &signature).expect("signed");
        note.to_string().into_bytes()
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }
}
