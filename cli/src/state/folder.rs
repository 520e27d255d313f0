//! The file system under the state folder: folders with the rights they need, locks, durable renames.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::LOCK;

/// How often a slot is tried that vanishes each time it is opened.
const MAX_CLAIMS: u32 = 16;

/// Locks a file, or says why not.
pub(super) type TryLock = fn(&File) -> Result<(), TryLockError>;

/// Takes a slot; also says whether its lock keeps others out.
pub(super) fn claim(path: &Path, try_lock: TryLock) -> io::Result<Option<(File, bool)>> {
    for _ in 0..MAX_CLAIMS {
        slot_folder(path)?;
        let lock = path.join(LOCK);
        let file = match private(OpenOptions::new().write(true).create(true).truncate(false)).open(&lock) {
            Ok(file) => file,
            // Whoever had the slot has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let is_locked = match try_lock(&file) {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Some network file systems know no locks; there a slot is whoever's comes first.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => false,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        if is_still(&file, &lock) {
            return Ok(Some((file, is_locked)));
        }
    }
    Ok(None)
}

/// Whether a file still has this name: one that was removed before it was locked guards nothing.
#[cfg(unix)]
pub(super) fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
pub(super) fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Makes a folder for slots, and those above it, for their owner only. One that was there is taken as it is, or not at all.
pub(super) fn kind_folder(path: &Path) -> io::Result<()> {
    private_builder(DirBuilder::new().recursive(true)).create(path)?;
    check_folder(&path.metadata()?)
}

/// Makes the folder of a slot. A link to one elsewhere is refused.
fn slot_folder(path: &Path) -> io::Result<()> {
    match private_builder(&mut DirBuilder::new()).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match path.symlink_metadata() {
            // Whoever had the slot has just removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            metadata => check_folder(&metadata?),
        },
        made => made,
    }
}

/// Refuses the state folder where everybody can put another folder in the place of ours.
pub(super) fn check_root(path: &Path) -> io::Result<()> {
    // In a folder like /tmp, nobody can do so (the sticky bit).
    if mode(&path.metadata()?) & 0o1002 == 0o002 { Err(writable()) } else { Ok(()) }
}

fn check_folder(metadata: &Metadata) -> io::Result<()> {
    if !metadata.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if mode(metadata) & 0o022 == 0 { Ok(()) } else { Err(writable()) }
}

fn writable() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "others can write to this folder")
}

pub(super) fn is_real_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions())
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0
}

#[cfg(unix)]
fn private_builder(builder: &mut DirBuilder) -> &mut DirBuilder {
    std::os::unix::fs::DirBuilderExt::mode(builder, 0o700)
}

#[cfg(not(unix))]
fn private_builder(builder: &mut DirBuilder) -> &mut DirBuilder {
    builder
}

/// Makes a rename durable.
#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
