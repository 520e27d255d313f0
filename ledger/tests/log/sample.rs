//! A log to test with: the same keys, blocks and signatures each time.

use chartseal_events::Hash;
use chartseal_events::event::leaf_hash;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::event_proof::EventProof;
use chartseal_ledger::note::{Note, SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::{MapState, Seal};
use chartseal_ledger::tree::{Leaves, inclusion, subtree_hash};
use ed25519_dalek::{Signer, SigningKey};

/// The log's name.
pub const ORIGIN: &str = "vault.example";

/// When its first block was sealed.
pub const BEGIN_MS: u64 = 1_764_028_800_000;

/// A key pair under a name.
pub struct Party {
    pub signing: SigningKey,
    pub key: VerifierKey,
}

impl Party {
    fn new(seed: u8, name: &str, signature_type: SignatureType) -> Self {
        let signing = SigningKey::from_bytes(&[seed; 32]);
        let key = VerifierKey::new(name, signature_type, &signing.verifying_key().to_bytes()).unwrap();
        Self { signing, key }
    }

    /// Signs as the key's type asks for.
    pub fn sign(&self, note: &mut Note, timestamp_s: u64) {
        match self.key.signature_type() {
            SignatureType::Ed25519 => {
                let signature = self.signing.sign(note.text().as_bytes()).to_bytes();
                note.sign(&self.key, &signature).unwrap();
            }
            SignatureType::Cosignature => {
                let signature = self.signing.sign(note.cosignature_message(timestamp_s).as_bytes()).to_bytes();
                note.cosign(&self.key, timestamp_s, &signature).unwrap();
            }
        }
    }
}

pub fn log() -> Party {
    Party::new(1, ORIGIN, SignatureType::Ed25519)
}

pub fn clock() -> Party {
    Party::new(2, "vault.example/clock", SignatureType::Cosignature)
}

/// Witness 0, 1 or 2.
pub fn witness(number: u8) -> Party {
    Party::new(10 + number, &format!("witness.example/w{number}"), SignatureType::Cosignature)
}

/// The log, its clock, and so many of three witnesses.
pub fn policy(quorum: usize) -> Policy {
    Policy::new(log().key, Some(clock().key), (0..3).map(|number| witness(number).key).collect(), quorum).unwrap()
}

/// Leaf hashes that cost nothing to make: the number itself.
pub fn leaves_cheaply(count: usize) -> Vec<Hash> {
    let hash = |number: usize| {
        let mut bytes = [0xab; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Hash(bytes)
    };
    (0..count).map(hash).collect()
}

/// A block and its events' bodies.
pub struct Block {
    pub now_ms: u64,
    pub seal: Seal,
    pub bodies: Vec<String>,
}

impl Block {
    pub fn leaves(&self) -> Vec<Hash> {
        self.bodies.iter().map(|body| leaf_hash(body.as_bytes())).collect()
    }
}

/// Blocks, and all their leaves.
pub struct Log {
    pub blocks: Vec<Block>,
    pub leaves: Vec<Hash>,
}

impl Log {
    /// A block for each pair: what the sealer's clock says, and how many events.
    pub fn of(blocks: &[(u64, usize)]) -> Self {
        let mut log = Self { blocks: vec![], leaves: vec![] };
        for &(now_ms, events) in blocks {
            let first = log.leaves.len();
            let body = |number: usize| format!(r#"{{"v":1,"type":"example.happened.v1","at":{now_ms},"n":{number}}}"#);
            let bodies: Vec<String> = (first..first + events).map(body).collect();
            let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body.as_bytes())).collect();
            let map = MapState { root: subtree_hash(&leaves), version: 1 };
            let seal = Seal::next(log.blocks.last().map(|block| &block.seal), now_ms, &leaves, map).unwrap();
            log.leaves.extend(leaves);
            log.leaves.push(seal.leaf_hash());
            log.blocks.push(Block { now_ms, seal, bodies });
        }
        log
    }

    /// Three blocks: the second one's clock is behind, the third one fills a tile.
    pub fn golden() -> Self {
        Self::of(&[(BEGIN_MS, 3), (BEGIN_MS - 5_000, 1), (BEGIN_MS + 60_000, 290)])
    }

    /// The head as of so many leaves.
    pub fn checkpoint(&self, size: usize) -> Checkpoint {
        Checkpoint::new(ORIGIN, size as u64, subtree_hash(&self.leaves[..size])).unwrap()
    }

    /// The newest head, signed by the log and by these.
    pub fn note(&self, cosigners: &[(&Party, u64)]) -> Note {
        let mut note = self.checkpoint(self.leaves.len()).to_note();
        log().sign(&mut note, 0);
        for (party, timestamp_s) in cosigners {
            party.sign(&mut note, *timestamp_s);
        }
        note
    }

    /// The proof of the `event`-th event of a block.
    pub fn event_proof(&self, block: usize, event: usize, note: &Note) -> EventProof {
        let Block { seal, bodies, .. } = &self.blocks[block];
        let size = self.leaves.len() as u64;
        let index = seal.first_index() + event as u64;
        EventProof {
            body: bodies[event].clone().into_bytes(),
            index,
            inclusion: inclusion::prove(index, size, &Leaves(&self.leaves)).unwrap(),
            seal: *seal,
            seal_inclusion: inclusion::prove(seal.index(), size, &Leaves(&self.leaves)).unwrap(),
            checkpoint: note.to_string(),
        }
    }
}
