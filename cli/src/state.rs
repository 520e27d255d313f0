//! The state folder: where transfers keep ciphertext between two runs of the program, one slot for each.
//!
//! In scope: where the folder is, that only its owner can look into it, that one process at a time has a slot, and files that are written whole
//! or not at all. Not in scope: what stands in a slot (the upload's journal, the download's partial body). Nothing here is ever in the clear.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::Error;

/// The variable that names the folder.
pub const STATE_VARIABLE: &str = "CHARTSEAL_STATE";
/// The file of a slot that is locked by whoever has the slot.
const LOCK: &str = "lock";
/// How often a slot is tried that vanishes each time it is opened.
const MAX_CLAIMS: u32 = 16;

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
    /// Removes the folder when it is dropped.
    _temporary: Option<TempDir>,
}

/// A folder for one transfer, locked as long as this lives.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    _lock: File,
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
        let (path, temporary) = match self {
            Self::Kept(folder) => (folder.join(kind), None),
            Self::Temporary => {
                let made = tempfile::Builder::new().prefix("chartseal-").tempdir();
                let made = made.map_err(Error::spool(std::env::temp_dir()))?;
                (made.path().join(kind), Some(made))
            }
        };
        private_folder(&path).map_err(Error::spool(&path))?;
        Ok(Slots { path, _temporary: temporary })
    }

    /// The slots of a kind, where there are any: for looking, which makes no folder.
    pub(crate) fn existing(&self, kind: &str) -> Option<Slots> {
        let Self::Kept(folder) = self else { return None };
        let path = folder.join(kind);
        path.is_dir().then_some(Slots { path, _temporary: None })
    }
}

impl Slots {
    /// Takes the slot of this name; none if another process has it.
    pub(crate) fn claim(&self, name: &str) -> Result<Option<Slot>, Error> {
        let path = self.path.join(name);
        let claimed = claim(&path).map_err(Error::spool(&path))?;
        Ok(claimed.map(|lock| Slot { path, _lock: lock }))
    }

    /// The names of all slots.
    pub(crate) fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(Error::spool(&self.path))? {
            let entry = entry.map_err(Error::spool(&self.path))?;
            names.extend(entry.file_name().into_string().ok().filter(|_| entry.path().is_dir()));
        }
        names.sort();
        Ok(names)
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Slot {
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

    /// A file that is there, to read and go on writing; none if it is not there.
    pub(crate) fn open(&self, name: &str) -> Result<Option<File>, Error> {
        let path = self.file(name);
        match OpenOptions::new().read(true).write(true).open(&path) {
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
            let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(&self.path)?;
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

    /// Removes everything in it; the slot stays taken.
    pub(crate) fn clear(&self) -> Result<(), Error> {
        let cleared = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name() != LOCK {
                    remove_if_there(&entry.path())?;
                }
            }
            Ok(())
        };
        cleared().map_err(Error::spool(&self.path))
    }

    /// Removes the slot. What cannot be removed is swept later.
    pub(crate) fn remove(self) {
        // In this order: as long as the lock's name is there, nobody else has the slot.
        if self.clear().is_ok() {
            let _ = remove_if_there(&self.file(LOCK));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

fn claim(path: &Path) -> io::Result<Option<File>> {
    for _ in 0..MAX_CLAIMS {
        private_folder(path)?;
        let lock = path.join(LOCK);
        let file = match private(OpenOptions::new().write(true).create(true).truncate(false)).open(&lock) {
            Ok(file) => file,
            // Whoever had the slot has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Some network file systems know no locks; there a slot is whoever's comes first.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(Some(file)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if is_still(&file, &lock) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Whether a file still has this name: one that was removed before it was locked guards nothing.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a folder, and those above it, that only its owner can look into.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

        builder.mode(0o700).create(path)?;
        // One that was there may let others in.
        if path.metadata()?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }
    #[cfg(not(unix))]
    builder.create(path)
}

/// Makes a rename durable.
#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(folder: &Path) -> Slots {
        State::Kept(folder.join("state")).slots("uploads").expect("made")
    }

    #[test]
    fn a_slot_is_one_process_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let slots = slots(folder.path());
        let slot = slots.claim("a").expect("claimed").expect("free");
        assert!(
            slots.claim("a").expect("looked at").is_none(),
            "locks are of the open file, so this is as another process"
        );
        assert!(slots.claim("b").expect("claimed").is_some());
        drop(slot);
        let again = slots.claim("a").expect("claimed").expect("free again");
        again.remove();
        assert_eq!(slots.names().expect("read"), ["b"]);
        assert!(slots.claim("a").expect("claimed").is_some(), "a removed slot can be had anew");
    }

    #[test]
    fn a_lock_that_was_removed_guards_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let slots = slots(folder.path());
        let first = slots.claim("a").expect("claimed").expect("free");
        let stale = File::open(first.file(LOCK)).expect("there");
        first.remove();
        slots.claim("a").expect("claimed").expect("free");
        assert!(!is_still(&stale, &slots.path().join("a").join(LOCK)));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_look_into_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let open = folder.path().join("state/uploads/a");
        fs::create_dir_all(&open).expect("made");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).expect("set");
        let slot = slots(folder.path()).claim("a").expect("claimed").expect("free");
        fs::write(slot.file("body"), b"of an older program").expect("written");
        slot.create("body").expect("made");
        slot.write("journal.json", b"{}").expect("written");
        let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&open), 0o700);
        assert_eq!(mode(&folder.path().join("state/uploads")), 0o700);
        for name in [LOCK, "body", "journal.json"] {
            assert_eq!(mode(&slot.file(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn small_files_are_whole_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let slot = slots(folder.path()).claim("a").expect("claimed").expect("free");
        assert_eq!(slot.read("journal.json", 9).expect("looked for"), None);
        slot.write("journal.json", b"one").expect("written");
        slot.write("journal.json", b"two").expect("written");
        assert_eq!(slot.read("journal.json", 3).expect("read").as_deref(), Some(&b"two"[..]));
        assert_eq!(slot.read("journal.json", 2).expect("read"), None, "too large");
        slot.clear().expect("cleared");
        assert!(!slot.file("journal.json").exists() && slot.file(LOCK).exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_said_so() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("state"), b"a file").expect("written");
        let error = State::Kept(folder.path().join("state")).slots("uploads").expect_err("in the way");
        assert_eq!(error.code(), "spool");
        assert!(error.advice().contains(STATE_VARIABLE), "{}", error.advice());
    }

    #[test]
    fn what_is_temporary_is_gone() {
        let slots = State::Temporary.slots("uploads").expect("made");
        let path = slots.path().to_owned();
        slots.claim("a").expect("claimed").expect("free").write("journal.json", b"{}").expect("written");
        drop(slots);
        assert!(!path.exists());
    }
}
