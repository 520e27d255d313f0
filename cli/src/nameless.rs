//! The file that a download is decrypted into: it has no name before it is whole, so that nothing stays behind however the program ends.
//!
//! Linux makes such files (open(2), `O_TMPFILE`) and names them later (linkat(2)). Where the system or the file system cannot, a temporary
//! file stands in for it; that one stays behind if the program is killed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::wallet::folder_of;

/// How names begin that last only for a moment.
const PREFIX: &str = ".chartseal-";

/// A file that is written where it will stand, and has no name yet. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Nameless {
    kind: Kind,
    out: PathBuf,
    replace: bool,
}

#[derive(Debug)]
enum Kind {
    #[cfg(target_os = "linux")]
    Unlinked(File),
    Temporary(NamedTempFile),
}

impl Nameless {
    /// Opens a file that can be named `out`. What is there already is in the way unless it is a file that is to be replaced.
    pub(crate) fn open(out: &Path, replace: bool) -> Result<Self, Error> {
        let folder = folder_of(out);
        let name = out.file_name().filter(|_| !is_folder(out));
        let Some(name) = name else {
            return Err(Error::NotAFile { path: out.to_owned(), is: "a folder" });
        };
        match out.symlink_metadata() {
            Ok(_) if !replace => return Err(Error::OutExists(out.to_owned())),
            // Root could put a file in the place of a device.
            Ok(there) if !there.is_file() && !there.is_symlink() => {
                return Err(Error::NotAFile { path: out.to_owned(), is: "a device or a pipe" });
            }
            _ => {}
        }
        let kind = match unlinked(folder) {
            Some(made) => made.map_err(Error::file(folder))?,
            None => temporary(folder).map_err(Error::file(folder))?,
        };
        Ok(Self { kind, out: folder.join(name), replace })
    }

    /// The file.
    pub(crate) fn file(&mut self) -> &mut File {
        match &mut self.kind {
            #[cfg(target_os = "linux")]
            Kind::Unlinked(file) => file,
            Kind::Temporary(file) => file.as_file_mut(),
        }
    }

    /// Makes the file durable and gives it its name.
    pub(crate) fn name(mut self) -> Result<(), Error> {
        self.file().sync_all().map_err(Error::file(&self.out))?;
        let named = match self.kind {
            #[cfg(target_os = "linux")]
            Kind::Unlinked(file) => link(&file, &self.out, self.replace),
            Kind::Temporary(file) if self.replace => file.persist(&self.out).map(drop).map_err(|error| error.error),
            Kind::Temporary(file) => file.persist_noclobber(&self.out).map(drop).map_err(|error| error.error),
        };
        named.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::OutExists(self.out.clone()),
            _ => Error::file(&self.out)(error),
        })
    }
}

/// Whether a path is a folder, or says that it is meant as one.
fn is_folder(path: &Path) -> bool {
    let says_so = path.as_os_str().as_encoded_bytes().last().is_some_and(|&last| std::path::is_separator(last.into()));
    says_so || path.is_dir()
}

fn temporary(folder: &Path) -> io::Result<Kind> {
    tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder).map(Kind::Temporary)
}

#[cfg(not(target_os = "linux"))]
fn unlinked(_: &Path) -> Option<io::Result<Kind>> {
    None
}

/// A file without a name in this folder; none where such files cannot be made or not be named.
#[cfg(target_os = "linux")]
fn unlinked(folder: &Path) -> Option<io::Result<Kind>> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use rustix::io::Errno;

    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(made) => {
            let file = File::from(made);
            // It is named through /proc, which a container may lack.
            proc_path(&file).exists().then_some(Ok(Kind::Unlinked(file)))
        }
        // What open(2) says of file systems and kernels that do not know the flag.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => None,
        Err(error) => Some(Err(error.into())),
    }
}

#[cfg(target_os = "linux")]
fn proc_path(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;

    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Gives a file without a name this one.
#[cfg(target_os = "linux")]
fn link(file: &File, out: &Path, replace: bool) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use rustix::io::Errno;

    let from = proc_path(file);
    let link_to = |name: &Path| linkat(CWD, &from, CWD, name, AtFlags::SYMLINK_FOLLOW);
    match link_to(out) {
        Err(Errno::EXIST) if replace => {}
        outcome => return Ok(outcome?),
    }
    // A link never replaces, a rename does: for a moment the file, whole by now, has another name.
    let mut builder = tempfile::Builder::new();
    let momentary = builder.prefix(PREFIX).make_in(folder_of(out), |name| Ok(link_to(name)?))?;
    momentary.persist(out).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    /// Both kinds, so that the one this machine does not use is tested too.
    fn both(folder: &Path, replace: bool) -> [Nameless; 2] {
        let out = folder.join("out");
        let mut files = [(); 2].map(|()| Nameless::open(&out, replace).expect("opened"));
        files[1].kind = temporary(folder).expect("a file");
        for file in &mut files {
            file.file().write_all(b"new").expect("written");
        }
        files
    }

    #[test]
    fn nothing_is_there_before_it_is_named_or_when_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let [unlinked, temporary] = both(folder.path(), false);
        drop(temporary);
        #[cfg(target_os = "linux")]
        {
            assert!(matches!(unlinked.kind, Kind::Unlinked(_)), "the test's folder is on a file system that can");
            assert!(names(folder.path()).is_empty(), "{:?}", names(folder.path()));
        }
        drop(unlinked);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_name_is_given_once_and_never_taken() {
        for which in 0..2 {
            let folder = tempfile::tempdir().expect("a folder");
            let [first, second] = [(); 2].map(|()| {
                let [unlinked, temporary] = both(folder.path(), false);
                if which == 0 { unlinked } else { temporary }
            });
            first.name().expect("named");
            assert_eq!(std::fs::read(folder.path().join("out")).expect("there"), b"new");
            std::fs::write(folder.path().join("out"), b"mine").expect("written");
            assert!(matches!(second.name(), Err(Error::OutExists(_))));
            assert!(matches!(Nameless::open(&folder.path().join("out"), false), Err(Error::OutExists(_))));
            assert_eq!(std::fs::read(folder.path().join("out")).expect("there"), b"mine");
            assert_eq!(names(folder.path()), ["out"]);
        }
    }

    #[test]
    fn a_file_is_replaced_when_that_was_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let out = folder.path().join("out");
        for file in both(folder.path(), true) {
            std::fs::write(&out, b"mine").expect("written");
            file.name().expect("named");
            assert_eq!(std::fs::read(&out).expect("there"), b"new");
        }
        assert_eq!(names(folder.path()), ["out"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        for file in both(folder.path(), true) {
            file.name().expect("named");
            let mode = std::fs::metadata(folder.path().join("out")).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn folders_and_places_that_are_not_there_are_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for replace in [false, true] {
            for name in [".", "..", "new/"] {
                let refused = Nameless::open(&folder.path().join(name), replace);
                assert!(matches!(refused, Err(Error::NotAFile { is: "a folder", .. })), "{name}: {refused:?}");
            }
            let refused = Nameless::open(&folder.path().join("no-such/out"), replace);
            assert!(matches!(refused, Err(Error::File { .. })), "{refused:?}");
        }
        #[cfg(target_os = "linux")]
        assert!(matches!(Nameless::open(Path::new("/dev/null"), true), Err(Error::NotAFile { .. })));
        assert!(names(folder.path()).is_empty());
    }
}
