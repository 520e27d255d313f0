//! The state folder: where transfers keep ciphertext between two runs of the program, one slot for each.
//!
//! In scope: where the folder is, that only its owner can write there, that one process at a time has a slot, and files that are written whole
//! or not at all. Not in scope: what stands in a slot (the upload's journal, the download's partial body). Nothing here is ever in the clear.
//!
//! Whoever names a folder may name one with other things in it. So only a folder with a slot's name and a lock is a slot, only files with our names
//! are removed, and no folder that was there is given other rights.

mod folder;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::error::Error;
use folder::{TryLock, check_root, is_real_folder, kind_folder, private, remove_if_there, sync_folder};

/// The variable that names the folder.
pub const STATE_VARIABLE: &str = "CHARTSEAL_STATE";
/// The file of a slot that is locked by whoever has the slot.
const LOCK: &str = "lock";
/// What a transfer has encrypted, or received of a body.
pub(crate) const BODY: &str = "body";
/// How far an upload came.
pub(crate) const JOURNAL: &str = "journal.json";
/// A file that is being written begins with this, and then has so many more characters.
const NEW: &str = "new-";
const NEW_RANDOM: usize = 6;
/// A slot's name: a SHA-256 in lower-case hexadecimal digits.
const NAME_DIGITS: usize = 64;
/// Where files cannot be locked, what was written since is perhaps still being written.
const UNLOCKED_AGE: Duration = Duration::from_hours(24);

/// Where transfers keep what they would need to go on after a crash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// In a folder of its own for each call, which is gone at its end: nothing can go on later.
    #[default]
    Temporary,
    /// In this folder, across runs of the program.
    Kept(PathBuf),
}

/// A folder of slots.
#[derive(Debug)]
pub(crate) struct Slots {
    path: PathBuf,
    /// Locks a file; tests have a file system that cannot.
    try_lock: TryLock,
    /// Removes the folder when it is dropped.
    _temporary: Option<TempDir>,
}

/// A folder for one transfer, locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    _lock: File,
    /// Whether the lock keeps others out.
    is_locked: bool,
}

impl State {
    /// The folder of this machine's user: `CHARTSEAL_STATE`, else `chartseal` in the XDG Base Directory specification's state folder. Where there is
    /// no home, nothing is kept.
    pub fn of_environment() -> Self {
        let named = std::env::var_os(STATE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = named
            .or_else(|| absolute("XDG_STATE_HOME").map(|path| path.join("chartseal")))
            .or_else(|| absolute("HOME").map(|path| path.join(".local/state/chartseal")));
        folder.map_or(Self::Temporary, Self::Kept)
    }

    /// Whether anything can go on later.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Kept(_))
    }

    /// The slots of a kind of transfer.
    pub(crate) fn slots(&self, kind: &str) -> Result<Slots, Error> {
        let (root, temporary) = match self {
            Self::Kept(folder) => (folder.clone(), None),
            Self::Temporary => {
                let made = tempfile::Builder::new().prefix("chartseal-").tempdir();
                let made = made.map_err(Error::spool(std::env::temp_dir()))?;
                (made.path().to_owned(), Some(made))
            }
        };
        let path = root.join(kind);
        kind_folder(&path).map_err(Error::spool(&path))?;
        check_root(&root).map_err(Error::spool(&root))?;
        Ok(Slots { path, try_lock: File::try_lock, _temporary: temporary })
    }

    /// The slots of a kind, where there are any: for looking, which makes no folder.
    pub(crate) fn existing(&self, kind: &str) -> Result<Option<Slots>, Error> {
        match self {
            Self::Kept(folder) if folder.join(kind).is_dir() => self.slots(kind).map(Some),
            _ => Ok(None),
        }
    }
}

impl Slots {
    /// Takes the slot of this name; none if another process has it.
    pub(crate) fn claim(&self, name: &str) -> Result<Option<Slot>, Error> {
        let path = self.path.join(name);
        let claimed = folder::claim(&path, self.try_lock).map_err(Error::spool(&path))?;
        Ok(claimed.map(|(lock, is_locked)| Slot { path, _lock: lock, is_locked }))
    }

    /// Takes a slot to put it aside; none if another process has it, or may have it where nothing tells.
    pub(crate) fn claim_idle(&self, name: &str) -> Result<Option<Slot>, Error> {
        Ok(self.claim(name)?.filter(|slot| slot.is_locked || slot.age().is_some_and(|age| age > UNLOCKED_AGE)))
    }

    /// The names of all slots. Whatever else is in the folder is none of ours.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(Error::spool(&self.path))? {
            let entry = entry.map_err(Error::spool(&self.path))?;
            names.extend(entry.file_name().into_string().ok().filter(|name| self.is_slot(name)));
        }
        names.sort();
        Ok(names)
    }

    fn is_slot(&self, name: &str) -> bool {
        let path = self.path.join(name);
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        name.len() == NAME_DIGITS
            && name.bytes().all(is_digit)
            && is_real_folder(&path)
            && path.join(LOCK).symlink_metadata().is_ok_and(|metadata| metadata.is_file())
    }

    /// Removes the slots whose file of this name was not written to for so long, or is not there at all. What cannot be removed is in nobody's way.
    pub(crate) fn sweep(&self, file: &str, max_age: Duration) {
        let is_stale = |name: &str| match self.path.join(name).join(file).symlink_metadata() {
            Ok(metadata) => age(&metadata).is_some_and(|age| age > max_age),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        for name in self.names().unwrap_or_default().iter().filter(|name| is_stale(name)) {
            // Looked at again: it may have been begun in between.
            if let Ok(Some(slot)) = self.claim_idle(name)
                && is_stale(name)
            {
                slot.remove();
            }
        }
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Slot {
    /// Its name.
    pub(crate) fn name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A fresh, empty file that only its owner can read.
    pub(crate) fn create(&self, name: &str) -> Result<File, Error> {
        let path = self.file(name);
        // An old one may have other rights.
        remove_if_there(&path)
            .and_then(|()| private(OpenOptions::new().read(true).write(true).create_new(true)).open(&path))
            .map_err(Error::spool(&path))
    }

    /// A file that is there, to read and go on writing; none if it is not there. A link is no file of ours.
    pub(crate) fn open(&self, name: &str) -> Result<Option<File>, Error> {
        let path = self.file(name);
        let opened = path.symlink_metadata().and_then(|metadata| {
            if metadata.is_symlink() {
                return Err(io::ErrorKind::NotFound.into());
            }
            OpenOptions::new().read(true).write(true).open(&path)
        });
        match opened {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::spool(&path)(error)),
        }
    }

    /// Removes a file that is of no use. What cannot be removed goes with the slot.
    pub(crate) fn discard(&self, name: &str) {
        let _ = remove_if_there(&self.file(name));
    }

    /// Writes a small file: what was there before stays until the new one is whole and durable.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let written = || -> io::Result<()> {
            let mut file = tempfile::Builder::new().prefix(NEW).rand_bytes(NEW_RANDOM).tempfile_in(&self.path)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(self.file(name)).map_err(|error| error.error)?;
            sync_folder(&self.path)
        };
        written().map_err(Error::spool(self.file(name)))
    }

    /// Reads a small file of at most so many bytes; none if it is not there or larger.
    pub(crate) fn read(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>, Error> {
        let Some(file) = self.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(max_bytes + 1).read_to_end(&mut bytes).map_err(Error::spool(self.file(name)))?;
        Ok((bytes.len() as u64 <= max_bytes).then_some(bytes))
    }

    /// How long ago its last file was written to.
    fn age(&self) -> Option<Duration> {
        let entries = fs::read_dir(&self.path).ok()?;
        entries.filter_map(|entry| age(&entry.ok()?.metadata().ok()?)).min()
    }

    /// Removes what is ours in it; the slot stays taken.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let cleared = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name().to_str().is_some_and(is_ours) {
                    remove_if_there(&entry.path())?;
                }
            }
            Ok(())
        };
        cleared().map_err(Error::spool(&self.path))
    }

    /// Removes the slot, but for what is not ours. What cannot be removed is swept later.
    pub(crate) fn remove(self) {
        // In this order: as long as the lock's name is there, nobody else has the slot.
        if self.clear().is_ok() {
            let _ = remove_if_there(&self.file(LOCK));
            // It stays if anything else is in it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Whether a file in a slot, beside the lock, is one that this program writes.
fn is_ours(name: &str) -> bool {
    let is_new = |random: &str| random.len() == NEW_RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    name == BODY || name == JOURNAL || name.strip_prefix(NEW).is_some_and(is_new)
}

/// How long ago it was written to; none where the clock does not tell.
fn age(metadata: &fs::Metadata) -> Option<Duration> {
    SystemTime::now().duration_since(metadata.modified().ok()?).ok()
}

#[cfg(test)]
mod tests;
