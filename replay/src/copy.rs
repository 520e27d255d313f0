//! The copy: everything of a log that was checked, in one file that is changed in transactions. A kill at any moment leaves what was there after the last
//! one.
//!
//! In scope: what is kept and how it is read. [`Copy`](struct@Copy) is the one that writes, and each of its commits makes a new [`Snapshot`], which any number of
//! threads may read. Not in scope: whether something may come in: [`crate::Replay`] judges that. What is read is as good as the file: whoever did not
//! write it checks it again (`docs/AUDIT.md`).
//!
//! The tables: blocks by height (seal and leaf hashes), bodies by index, a place's index, a leaf hash' index, full tiles, the map's pages, findings; and
//! the state, which is small.

mod snapshot;
mod tables;
mod write;

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use chartseal_events::{EventRef, Hash, StreamId};
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{Builder, Database, ReadableDatabase as _, StorageBackend};
use serde::{Deserialize, Serialize};

pub use snapshot::{CopiedBlock, Snapshot};
pub(crate) use write::{Announced, Judged};

/// The file inside the folder.
const FILE: &str = "log.redb";
/// What the file is called until it is whole.
const NEW_FILE: &str = "log.redb.new";
/// The version of the tables.
const FORMAT: u32 = 1;
/// What the database may keep in memory.
const CACHE_BYTES: usize = 48 << 20;

/// A copy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The file cannot be read or written.
    #[error("the copy cannot be read or written: {0}")]
    Store(#[source] Box<redb::Error>),
    /// The folder cannot be made.
    #[error("the copy's folder cannot be made: {0}")]
    Folder(#[from] std::io::Error),
    /// It is of another log.
    #[error("the copy is of another log, whose key is {0}")]
    OtherLog(String),
    /// It was made by another version of this program.
    #[error("the copy has a form that is not known here")]
    Format,
    /// It is not as it was written.
    #[error("the copy was changed, or is damaged: {0}")]
    Damaged(String),
}

impl CopyError {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Store(_) | Self::Folder(_) => "copy-unreadable",
            Self::OtherLog(_) => "copy-of-another-log",
            Self::Format => "copy-form",
            Self::Damaged(_) => "copy-damaged",
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "errors are mapped with it")]
    pub(crate) fn damaged(what: impl ToString) -> Self {
        Self::Damaged(what.to_string())
    }
}

impl<E: Into<redb::Error>> From<E> for CopyError
where
    E: NotOurs,
{
    fn from(error: E) -> Self {
        Self::Store(Box::new(error.into()))
    }
}

/// The database's own errors.
pub trait NotOurs {}
impl NotOurs for redb::DatabaseError {}
impl NotOurs for redb::TransactionError {}
impl NotOurs for redb::TableError {}
impl NotOurs for redb::StorageError {}
impl NotOurs for redb::CommitError {}

/// What is small and changes with every commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub format: u32,
    /// The log's verifier key.
    pub log: String,
    /// How many blocks are judged, with all that their events say.
    pub judged: u64,
    /// The map's root after them.
    pub map_root: Hash,
    /// Commands that have led to one event of several so far, by the command's digest.
    pub halves: BTreeMap<Hash, Half>,
    /// How many events of each type.
    pub types: BTreeMap<String, u64>,
    /// How many streams have begun.
    pub streams: u64,
}

/// A command whose other events are still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Half {
    /// The event that is there.
    pub stream: StreamId,
    pub seq: u64,
    pub height: u64,
    pub index: u64,
    /// When it was accepted, and when its block was sealed.
    pub at_ms: u64,
    pub sealed_ms: u64,
    /// Where the others belong.
    pub wanted: Vec<StreamId>,
    /// It has been said already.
    pub said: bool,
}

impl Half {
    pub fn place(&self) -> EventRef {
        EventRef { stream: self.stream, seq: self.seq }
    }
}

/// A copy that can be written.
#[derive(Debug)]
pub struct Copy {
    db: Database,
    snapshot: Arc<Snapshot>,
}

impl Copy {
    /// The copy in a folder, which is made where it is not there.
    pub fn open(folder: &Path) -> Result<Self, CopyError> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(FILE);
        if !file.try_exists()? {
            // A database that is killed while it is made is none: it gets its name when it is one.
            let new = folder.join(NEW_FILE);
            match std::fs::remove_file(&new) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => drop(Self::of(builder().create(&new)?)?),
            }
            std::fs::rename(new, &file)?;
        }
        Self::of(builder().open(file)?)
    }

    /// A copy in a file without a name, which is gone when the process ends.
    pub fn in_file(file: File) -> Result<Self, CopyError> {
        Self::on(FileBackend::new(file)?)
    }

    /// A copy in memory.
    pub fn in_memory() -> Result<Self, CopyError> {
        Self::on(InMemoryBackend::new())
    }

    /// A copy on any storage.
    pub fn on(backend: impl StorageBackend) -> Result<Self, CopyError> {
        Self::of(builder().create_with_backend(backend)?)
    }

    fn of(db: Database) -> Result<Self, CopyError> {
        tables::create(&db)?;
        let snapshot = Arc::new(Snapshot::read(&db.begin_read()?)?);
        Ok(Self { db, snapshot })
    }

    /// The copy as it is now, for other threads.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.clone()
    }
}

impl Deref for Copy {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
