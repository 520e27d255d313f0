//! The files of hashes and seals: each hash at the place that its index gives it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use chartseal_events::Hash;
use chartseal_ledger::seal::SEAL_BYTES;
use chartseal_ledger::tile::{TILE_HEIGHT, TILE_LEVELS};
use chartseal_ledger::tree::{HashReader, Node, subtree_hash};

use crate::durable::FileError;

const HASH_BYTES: u64 = 32;

/// A file whose entries have one length.
#[derive(Debug)]
struct Entries {
    file: File,
    path: PathBuf,
    unsynced: bool,
}

/// Level files and the file of seals.
#[derive(Debug)]
pub(super) struct Files {
    seals: Entries,
    levels: Vec<Entries>,
}

impl Entries {
    fn open(path: PathBuf) -> Result<Self, FileError> {
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        Ok(Self { file: file.map_err(FileError::of(&path))?, path, unsynced: false })
    }

    fn put(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.unsynced = true;
        self.file.write_all_at(bytes, at).map_err(FileError::of(&self.path))
    }

    fn get(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, at)
    }
}

impl Files {
    pub(super) fn open(folder: &Path) -> Result<Self, FileError> {
        let levels = (0..TILE_LEVELS).map(|level| Entries::open(folder.join(format!("level-{level}"))));
        Ok(Self { seals: Entries::open(folder.join("seals"))?, levels: levels.collect::<Result<_, _>>()? })
    }

    pub(super) fn put_seal(&mut self, height: u64, seal: &[u8; SEAL_BYTES]) -> Result<(), FileError> {
        self.seals.put(height * SEAL_BYTES as u64, seal)
    }

    pub(super) fn seal(&self, height: u64) -> Result<[u8; SEAL_BYTES], FileError> {
        let mut bytes = [0; SEAL_BYTES];
        self.seals.get(height * SEAL_BYTES as u64, &mut bytes).map_err(FileError::of(&self.seals.path))?;
        Ok(bytes)
    }

    /// Puts hashes of a level from this index on. No tree has hashes above the last level of tiles.
    pub(super) fn put(&mut self, level: u8, first: u64, hashes: &[Hash]) -> Result<(), FileError> {
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
        self.levels.get_mut(usize::from(level)).map_or(Ok(()), |level| level.put(first * HASH_BYTES, &bytes))
    }

    /// So many hashes of a level from this index on, one after the other.
    pub(super) fn hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<u8>, FileError> {
        let level = &self.levels[usize::from(level)];
        let mut bytes = vec![0; count * 32];
        level.get(first * HASH_BYTES, &mut bytes).map_err(FileError::of(&level.path))?;
        Ok(bytes)
    }

    /// What was put is on the disk when it returns.
    pub(super) fn sync(&mut self) -> Result<(), FileError> {
        for entries in self.levels.iter_mut().chain([&mut self.seals]).filter(|entries| entries.unsynced) {
            entries.file.sync_data().map_err(FileError::of(&entries.path))?;
            entries.unsynced = false;
        }
        Ok(())
    }
}

impl HashReader for Files {
    /// A complete subtree is the root over neighbouring hashes of the next lower level of tiles.
    fn read(&self, node: Node) -> Option<Hash> {
        let (level, height) = (node.level / TILE_HEIGHT, node.level % TILE_HEIGHT);
        let bytes = self.hashes(level, node.index << height, 1 << height).ok()?;
        let hashes: Vec<Hash> = bytes.as_chunks::<32>().0.iter().copied().map(Hash).collect();
        Some(subtree_hash(&hashes))
    }
}
