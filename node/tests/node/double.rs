//! A vault's log in memory that signs whatever a test wants, and shows whatever a test wants.

use std::sync::{Arc, Mutex, MutexGuard};

use chartseal_cli::VaultPin;
use chartseal_events::Hash;
use chartseal_events::encoding::base64url;
use chartseal_events::event::leaf_hash;
use chartseal_events::wire::{LedgerBlock, LedgerEvents};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::seal::{MapState, Seal};
use chartseal_ledger::tile::{TILE_HEIGHT, TileAddress};
use chartseal_ledger::tree::{self, HashReader, Node, Proof, consistency, subtree_hash};
use chartseal_node::config::{Config, Kind, Mode};
use chartseal_node::source::{Source, SourceError};
use ed25519_dalek::{Signer as _, SigningKey};

pub const ORIGIN: &str = "vault.example";

/// Leaves in memory, as a tree.
pub struct Tree<'a>(pub &'a [Hash]);

impl HashReader for Tree<'_> {
    fn read(&self, node: Node) -> Option<Hash> {
        let first = usize::try_from(node.index << node.level).ok()?;
        Some(subtree_hash(self.0.get(first..first + (1 << node.level))?))
    }
}

/// A block.
#[derive(Clone)]
pub struct Block {
    pub seal: Seal,
    pub leaves: Vec<Hash>,
    pub bodies: Vec<String>,
}

/// A log: its blocks, and the key that signs it.
#[derive(Clone)]
pub struct Log {
    pub blocks: Vec<Block>,
    pub leaves: Vec<Hash>,
    signing: SigningKey,
}

impl Log {
    pub fn new() -> Self {
        Self { blocks: Vec::new(), leaves: Vec::new(), signing: SigningKey::from_bytes(&[7; 32]) }
    }

    pub fn key(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, SignatureType::Ed25519, &self.signing.verifying_key().to_bytes()).expect("a key")
    }

    /// Adds a block of so many events, whose bodies say `what`.
    pub fn grow(&mut self, events: usize, what: &str) {
        self.grow_with(events, what, MapState { root: Hash([1; 32]), version: 1 });
    }

    pub fn grow_with(&mut self, events: usize, what: &str, map: MapState) {
        let height = self.blocks.len();
        let bodies: Vec<String> = (0..events).map(|event| format!("{{\"{what}\":[{height},{event}]}}")).collect();
        let leaves: Vec<Hash> = bodies.iter().map(|body| leaf_hash(body.as_bytes())).collect();
        let last = self.blocks.last().map(|block| &block.seal);
        let seal = Seal::next(last, 1_764_000_000_000 + height as u64, &leaves, map).expect("a seal");
        self.leaves.extend(leaves.iter().copied().chain([seal.leaf_hash()]));
        self.blocks.push(Block { seal, leaves, bodies });
    }

    /// The log after so many blocks.
    pub fn size(&self, blocks: usize) -> u64 {
        blocks.checked_sub(1).map_or(0, |last| self.blocks[last].seal.size())
    }

    pub fn root(&self, size: u64) -> Hash {
        tree::root(size, &Tree(&self.leaves)).expect("so many leaves")
    }

    /// The signed checkpoint after so many blocks.
    pub fn checkpoint(&self, blocks: usize) -> String {
        let size = self.size(blocks);
        self.sign(size, self.root(size))
    }

    /// Whatever the key is told to sign.
    pub fn sign(&self, size: u64, root: Hash) -> String {
        let mut note = Checkpoint::new(ORIGIN, size, root).expect("a checkpoint").to_note();
        note.sign(&self.key(), &self.signing.sign(note.text().as_bytes()).to_bytes()).expect("its own key");
        note.to_string()
    }

    /// Whatever text the key is told to sign, a checkpoint or not.
    pub fn sign_text(&self, text: &str) -> String {
        let signature = self.signing.sign(text.as_bytes()).to_bytes();
        let key = self.key();
        let id = key.id().0;
        let line = base64_of(&[&id[..], &signature].concat());
        format!("{text}\n— {} {line}\n", key.name())
    }

    pub fn proof(&self, old_size: u64, size: u64) -> Proof {
        consistency::prove(old_size, size, &Tree(&self.leaves)).expect("so many leaves")
    }

    /// A body of `add-checkpoint` from one number of blocks to another.
    pub fn request(&self, old_size: u64, blocks: usize) -> String {
        let hashes = self.proof(old_size, self.size(blocks));
        let lines: String = hashes.hashes().iter().map(|hash| base64(*hash) + "\n").collect();
        format!("old {old_size}\n{lines}\n{}", self.checkpoint(blocks))
    }

    fn tile(&self, address: TileAddress, size: u64) -> Option<Vec<u8>> {
        let height = address.level() * TILE_HEIGHT;
        let first = address.index() << TILE_HEIGHT;
        let hashes = first..first + u64::from(address.width());
        if hashes.end > size >> height {
            return None;
        }
        let tree = Tree(&self.leaves);
        let hashes = hashes.map(|index| tree.read(Node { level: height, index }).expect("in the tree"));
        Some(hashes.flat_map(|hash| hash.0).collect())
    }
}

pub fn base64(hash: Hash) -> String {
    base64_of(&hash.0)
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// What a vault shows of a log.
pub struct Shown {
    pub log: Log,
    /// So many blocks are under the checkpoint.
    pub blocks: usize,
    /// Another checkpoint than that.
    pub checkpoint: Option<String>,
    /// Nobody answers.
    pub silent: bool,
    /// The body at this height and place is shown with another text.
    pub edited: Option<(u64, usize)>,
}

/// The vault. Clones are one vault.
#[derive(Clone)]
pub struct Vault(Arc<Mutex<Shown>>);

impl Vault {
    pub fn of(log: Log) -> Self {
        let blocks = log.blocks.len();
        Self(Arc::new(Mutex::new(Shown { log, blocks, checkpoint: None, silent: false, edited: None })))
    }

    pub fn shown(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().expect("no panic")
    }

    /// Adds a block and shows it.
    pub fn grow(&self, events: usize) {
        let mut shown = self.shown();
        shown.log.grow(events, "event");
        shown.blocks = shown.log.blocks.len();
    }

    /// The answer to a path, as the vault's API has it; none: 404.
    pub fn answer(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let rest = path.strip_prefix("/ledger/").unwrap_or_default();
        if rest == "checkpoint" {
            return self.checkpoint();
        }
        if rest.starts_with("tile/") {
            let address: TileAddress = rest.parse().map_err(|_| SourceError::Form(path.to_owned()))?;
            return Ok(self.tile(address).ok());
        }
        let Some(height) = rest.strip_prefix("blocks/").and_then(|height| height.parse().ok()) else { return Ok(None) };
        Ok(self.block(height).ok().map(|block| serde_json::to_vec(&block).expect("JSON")))
    }
}

impl Source for Vault {
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, SourceError> {
        let shown = self.shown();
        if shown.silent {
            return Err(SourceError::Unavailable("silent".to_owned()));
        }
        let own = || (shown.blocks > 0).then(|| shown.log.checkpoint(shown.blocks));
        Ok(shown.checkpoint.clone().or_else(own).map(String::into_bytes))
    }

    fn block(&self, height: u64) -> Result<LedgerBlock, SourceError> {
        let shown = self.shown();
        let missing = || SourceError::Missing(format!("block {height}"));
        let place = usize::try_from(height).map_err(|_| missing())?;
        let block = shown.log.blocks[..shown.blocks].get(place).ok_or_else(missing)?;
        Ok(LedgerBlock { height, seal: base64url(&block.seal.to_bytes()), leaves: block.leaves.clone() })
    }

    fn tile(&self, address: TileAddress) -> Result<Vec<u8>, SourceError> {
        let shown = self.shown();
        shown.log.tile(address, shown.log.size(shown.blocks)).ok_or_else(|| SourceError::Missing(address.to_string()))
    }

    fn events(&self, height: u64, first: u32) -> Result<LedgerEvents, SourceError> {
        let shown = self.shown();
        let block = &shown.log.blocks[usize::try_from(height).expect("small")];
        // Three at a time, so that there is a next answer.
        let mut bodies: Vec<String> = block.bodies.iter().skip(first as usize).take(3).cloned().collect();
        if let Some((edited, place)) = shown.edited
            && edited == height
            && let Some(body) = place.checked_sub(first as usize).and_then(|place| bodies.get_mut(place))
        {
            *body = body.replace('{', "{ ");
        }
        let next = first + u32::try_from(bodies.len()).expect("few");
        let next = (u64::from(next) < block.bodies.len() as u64).then_some(next);
        Ok(LedgerEvents { height, first, bodies, next })
    }
}

/// The configuration of a node that follows this log.
pub fn config(kind: Kind, mode: Mode, log: &Log, api: &str) -> Config {
    let genesis = log.leaves.first().copied().unwrap_or(Hash::ZERO);
    let vault = VaultPin { api: api.to_owned(), origin: ORIGIN.to_owned(), genesis };
    Config { kind, mode, vault, log: log.key() }
}
