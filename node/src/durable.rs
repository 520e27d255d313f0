//! Files that are whole or not there, and stay after a power cut: written beside, synced, renamed, and the folder synced.
//!
//! In scope: one writer at a time, which [`lock`] sees to. Not in scope: files that only grow ([`crate::copy`] has its own way).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file that a node cannot read or write.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Names the file of a failure.
    pub fn of(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self { path: path.to_owned(), source }
    }
}

/// Puts these bytes in the place of the file's. They are on the disk when it returns; before that, the old ones are. Only their owner may read them.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let next = beside(path);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&next)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&next, path)?;
        sync_folder(path)
    };
    write().map_err(FileError::of(path))
}

/// The same for a file that must not be there yet.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_folder(path)
    };
    write().map_err(FileError::of(path))
}

/// A file's bytes, if it is there and has at most so many.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    let read = || -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(Some(bytes)) }
    };
    read().map_err(FileError::of(path))
}

/// Keeps every other node out of a folder, as long as the answer is held: two with one key could sign against each other.
pub fn lock(folder: &Path) -> Result<File, FileError> {
    let path = folder.join("lock");
    let failed = FileError::of(&path);
    let file = match OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path) {
        Ok(file) => file,
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(failed(io::Error::other("another node works in this folder"))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".next");
    path.with_file_name(name)
}

/// A file's name is in its folder, which is a file of its own.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cosigned");
        assert_eq!(read(&path, 9).expect("nothing there"), None);
        create(&path, b"one").expect("written");
        assert!(create(&path, b"two").is_err(), "what is there is not made anew");
        replace(&path, b"two").expect("written");
        assert_eq!(read(&path, 9).expect("there"), Some(b"two".to_vec()));
        assert!(read(&path, 2).is_err(), "longer than it may be");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("there").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn one_node_works_in_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = lock(folder.path()).expect("the first one");
        assert!(lock(folder.path()).is_err(), "the second one");
        drop(first);
        lock(folder.path()).expect("the next one");
    }
}
