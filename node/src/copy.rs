//! The node's copy of the log's hashes: every seal, every leaf hash, and of each full tile its hash, so that tiles, blocks, and the root of any earlier size
//! are at hand.
//!
//! In scope: that blocks follow one another, that they lead to the root which was signed, and going on after a crash. Not in scope: what events say
//! ([`crate::content`]).
//!
//! On disk: files of hashes without anything between them, one for each level of tiles (`level-0` has the leaves), one of seals of 130 bytes each, and
//! `head.json`, which says how much of them counts. What stands behind that is written over. So a crash leaves a shorter copy, never a wrong one.

mod files;

use std::path::{Path, PathBuf};

use chartseal_events::Hash;
use chartseal_ledger::chain::{Chain, ChainError};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_ledger::seal::{SEAL_BYTES, Seal};
use chartseal_ledger::tile::{Edge, TILE_HEIGHT, TileAddress};
use chartseal_ledger::tree::{self, Proof, consistency, subtree_hash};
use serde::{Deserialize, Serialize};

use crate::durable::{self, FileError};
use files::Files;

/// Longest `head.json`: a note, escaped.
const MAX_HEAD_BYTES: u64 = 512 * 1024;
const HEAD: &str = "head.json";
/// Blocks that are followed between two points to go on from.
const BLOCKS_A_SAVE: u64 = 64;

/// The copy cannot be used, or cannot take this.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// Not readable, or not writable.
    #[error(transparent)]
    File(#[from] FileError),
    /// Changed, or cut short. It holds nothing that cannot be fetched again.
    #[error("the copy in {} is damaged: take the folder away, and it is fetched anew", .0.display())]
    Damaged(PathBuf),
    /// The block does not follow.
    #[error("block {height}: {reason}")]
    Block {
        /// The height that was due.
        height: u64,
        /// Why.
        reason: ChainError,
    },
}

/// How much of the files counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Blocks from the first on.
    pub blocks: u64,
    /// Leaves, seals among them.
    pub size: u64,
}

/// A checkpoint up to which everything was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its blocks.
    pub extent: Extent,
    /// Its size and root.
    pub checkpoint: Checkpoint,
    /// The note, with the lines that it came with.
    pub note: Note,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    v: u32,
    followed: Extent,
    verified: Extent,
    note: Option<String>,
}

/// The copy.
#[derive(Debug)]
pub struct LogCopy {
    folder: PathBuf,
    files: Files,
    chain: Chain,
    edge: Edge,
    /// What `head.json` says of the blocks that were followed.
    saved_blocks: u64,
    verified: Option<Verified>,
}

impl LogCopy {
    /// Takes up the copy in a folder, or begins one. What was verified is held to its checkpoint's root again.
    pub fn open(folder: &Path) -> Result<Self, CopyError> {
        std::fs::create_dir_all(folder).map_err(FileError::of(folder))?;
        let files = Files::open(folder)?;
        let mut copy = Self {
            folder: folder.to_owned(),
            files,
            chain: Chain::new(),
            edge: Edge::new(),
            saved_blocks: 0,
            verified: None,
        };
        let Some(bytes) = durable::read(&folder.join(HEAD), MAX_HEAD_BYTES)? else { return Ok(copy) };
        let damaged = || CopyError::Damaged(folder.to_owned());
        let head: HeadFile = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        copy.rewind(head.followed)?;
        if let Some(text) = head.note {
            let note = Note::parse(text.as_bytes()).map_err(|_| damaged())?;
            let checkpoint = Checkpoint::parse(note.text()).map_err(|_| damaged())?;
            if checkpoint.size() != head.verified.size || copy.root_at(checkpoint.size())? != Some(checkpoint.root()) {
                return Err(damaged());
            }
            copy.verified = Some(Verified { extent: head.verified, checkpoint, note });
        }
        Ok(copy)
    }

    /// How far blocks were followed; what lies behind `verified` is not believed yet.
    pub fn followed(&self) -> Extent {
        let blocks = self.chain.last().map_or(0, |seal| seal.height() + 1);
        Extent { blocks, size: self.chain.size() }
    }

    /// The root after the blocks that were followed.
    pub fn followed_root(&self) -> Hash {
        self.chain.root()
    }

    /// The newest checkpoint up to which everything was verified.
    pub fn verified(&self) -> Option<&Verified> {
        self.verified.as_ref()
    }

    /// Its size; 0 before the first one.
    pub fn verified_size(&self) -> u64 {
        self.verified.as_ref().map_or(0, |verified| verified.extent.size)
    }

    /// Takes the next block.
    pub fn follow(&mut self, seal: &Seal, leaves: &[Hash]) -> Result<(), CopyError> {
        let Extent { blocks, size } = self.followed();
        self.chain.follow(seal, leaves).map_err(|reason| CopyError::Block { height: blocks, reason })?;
        self.files.put_seal(blocks, &seal.to_bytes())?;
        let leaves: Vec<Hash> = leaves.iter().copied().chain([seal.leaf_hash()]).collect();
        self.files.put(0, size, &leaves)?;
        let mut full = Vec::new();
        for leaf in leaves {
            // Unwrap safety: a chain that took these leaves has room for them.
            self.edge.push(leaf, |tile, hashes| full.push((tile, subtree_hash(hashes)))).unwrap();
        }
        for (tile, hash) in full {
            self.files.put(tile.level() + 1, tile.index(), &[hash])?;
        }
        if blocks + 1 - self.saved_blocks >= BLOCKS_A_SAVE { self.save() } else { Ok(()) }
    }

    /// Goes back to what was verified: what was followed since then led elsewhere than to a signed root.
    pub fn forget_unverified(&mut self) -> Result<(), CopyError> {
        let verified = self.verified.as_ref().map_or(Extent::default(), |verified| verified.extent);
        self.rewind(verified)?;
        self.save()
    }

    /// Everything that was followed is verified up to this note's checkpoint, whose root is the followed one.
    pub fn confirm(&mut self, checkpoint: Checkpoint, note: Note) -> Result<(), CopyError> {
        self.verified = Some(Verified { extent: self.followed(), checkpoint, note });
        self.save()
    }

    /// The root of the log when it had so many leaves; none if it has not.
    pub fn root_at(&self, size: u64) -> Result<Option<Hash>, CopyError> {
        if size > self.followed().size {
            return Ok(None);
        }
        tree::root(size, &self.files).map(Some).map_err(|_| CopyError::Damaged(self.folder.clone()))
    }

    /// That the log only grew between two sizes; none if it has not so many leaves.
    pub fn consistency(&self, old_size: u64, size: u64) -> Result<Option<Proof>, CopyError> {
        if size > self.followed().size || old_size > size {
            return Ok(None);
        }
        consistency::prove(old_size, size, &self.files).map(Some).map_err(|_| CopyError::Damaged(self.folder.clone()))
    }

    /// A tile of what was verified; none if it has not so many hashes.
    pub fn tile(&self, address: TileAddress) -> Result<Option<Vec<u8>>, CopyError> {
        let hashes = self.verified_size() >> (u32::from(address.level()) * u32::from(TILE_HEIGHT));
        let first = address.index() << TILE_HEIGHT;
        if first + u64::from(address.width()) > hashes {
            return Ok(None);
        }
        Ok(Some(self.files.hashes(address.level(), first, address.width().into())?))
    }

    /// A verified block's seal and its events' leaf hashes; none if there is no such block yet.
    pub fn block(&self, height: u64) -> Result<Option<(Seal, Vec<Hash>)>, CopyError> {
        if self.verified.as_ref().is_none_or(|verified| height >= verified.extent.blocks) {
            return Ok(None);
        }
        self.followed_block(height)
    }

    /// The same for a block that was followed.
    pub fn followed_block(&self, height: u64) -> Result<Option<(Seal, Vec<Hash>)>, CopyError> {
        if height >= self.followed().blocks {
            return Ok(None);
        }
        let seal = self.seal(height)?;
        let bytes = self.files.hashes(0, seal.first_index(), seal.events() as usize)?;
        Ok(Some((seal, bytes.as_chunks::<32>().0.iter().copied().map(Hash).collect())))
    }

    fn seal(&self, height: u64) -> Result<Seal, CopyError> {
        let bytes: [u8; SEAL_BYTES] = self.files.seal(height)?;
        Seal::from_bytes(&bytes).map_err(|_| CopyError::Damaged(self.folder.clone()))
    }

    /// Takes up chain and edge at so many blocks.
    fn rewind(&mut self, to: Extent) -> Result<(), CopyError> {
        let damaged = || CopyError::Damaged(self.folder.clone());
        if to.blocks == 0 {
            (self.chain, self.edge) = (Chain::new(), Edge::new());
        } else {
            let last = self.seal(to.blocks - 1)?;
            let mut bytes = to.size.to_be_bytes().to_vec();
            for tile in chartseal_ledger::tile::partial_tiles(to.size) {
                bytes.extend(self.files.hashes(tile.level(), tile.index() << TILE_HEIGHT, tile.width().into())?);
            }
            let edge = Edge::from_bytes(&bytes).map_err(|_| damaged())?;
            // A seal is the log's last leaf.
            let leaf = self.files.hashes(0, to.size.saturating_sub(1), 1)?;
            if last.height() + 1 != to.blocks || leaf != last.leaf_hash().0 {
                return Err(damaged());
            }
            (self.chain, self.edge) = (Chain::resume(last, edge.frontier()).map_err(|_| damaged())?, edge);
        }
        self.saved_blocks = to.blocks;
        Ok(())
    }

    /// The hashes first, then the head that makes them count.
    fn save(&mut self) -> Result<(), CopyError> {
        self.files.sync()?;
        let followed = self.followed();
        let (verified, note) = match &self.verified {
            Some(verified) => (verified.extent, Some(verified.note.to_string())),
            None => (Extent::default(), None),
        };
        // A struct of numbers and a string always serialises.
        let bytes = serde_json::to_vec_pretty(&HeadFile { v: 1, followed, verified, note }).unwrap_or_default();
        durable::replace(&self.folder.join(HEAD), &bytes)?;
        self.saved_blocks = followed.blocks;
        Ok(())
    }
}
