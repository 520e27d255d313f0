//! Ports with a defect, for the controls: what a store must not do, it does. Everything else is the twin in memory.

use std::future::Future;
use std::ops::RangeInclusive;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, StreamId};
use chartseal_infra::layout::list_name;
use chartseal_infra::memory::{Landing, MemoryVault};
use chartseal_infra::ports::{
    Aborted, Append, BlobHead, Blobs, Clock, ClockKey, Completion, DataKeyOpener, DataKeyPair, DataKeys, Due,
    EventStore, Index, IndexEntry, IndexList, KeyContext, KeyTable, LogKey, Page, Part, PartsUpload, Presigned,
    SearchKeyVault, StoreError, StoredPart, Timed, WorkList, Workflow,
};
use serde_json::Value;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// A place that is taken is written over.
    WritesOver,
    /// Of several events only the first is written.
    HalfOfTheEvents,
    /// Private values are not written with the events.
    NoPrivateValues,
    /// Keys and headers are not written with the events.
    NoKeys,
    /// It says that it wrote, and did not.
    WritesNothing,
    /// Index entries are not kept.
    NoIndex,
    /// Index entries are never removed.
    StaleIndex,
    /// Nothing is ever due.
    NoDue,
    /// What was dealt with stays due.
    DueForEver,
    /// Workflows are not started.
    NoWorkflow,
    /// Workflows are not told.
    DeafWorkflow,
    /// Uploads are not aborted.
    NoAbort,
    /// A batch of index entries breaks off after its first, and it says that all is done.
    FirstIsAll,
    /// Where the first of a batch of index entries is there, all are taken to be there.
    TrustsTheFirst,
    /// Where the last is, they are.
    TrustsTheLast,
    /// Where some uploads of a key are aborted, all are taken to be.
    AbortsOnce,
    /// Objects are not deleted.
    NoDelete,
}

/// The twin in memory with a defect.
#[derive(Clone)]
pub struct Broken {
    pub vault: MemoryVault,
    pub defect: Defect,
}

impl Broken {
    fn is_there(&self, entry: Option<&(IndexList, IndexEntry)>) -> bool {
        entry.is_some_and(|(list, entry)| {
            let index = self.vault.index();
            index.get(&list_name(list)).is_some_and(|entries| entries.contains(entry))
        })
    }
}

macro_rules! as_it_is {
    ($($method:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+) => {
        $(fn $method(&self, $($arg: $type),*) -> impl Future<Output = Result<$answer, StoreError>> + Send {
            self.vault.$method($($arg),*)
        })+
    };
}

impl EventStore for Broken {
    as_it_is! {
        load(stream: &StreamId) -> Vec<StoredEvent>;
        load_tail(stream: &StreamId, since_ms: u64) -> Vec<StoredEvent>;
        load_from(stream: &StreamId, first_seq: u64, limit: u32) -> Vec<StoredEvent>;
        fetch(places: &[EventRef]) -> Vec<Option<StoredEvent>>;
        private(place: &EventRef) -> PrivatePart;
        by_time(from_ms: u64, to_ms: u64) -> Vec<EventRef>;
    }

    async fn append(&self, append: &Append) -> Result<(), StoreError> {
        let mut append = append.clone();
        match self.defect {
            Defect::WritesOver => {
                let taken = self.vault.events();
                for event in append.events.iter().filter(|event| taken.iter().any(|other| other.at == event.at)) {
                    self.vault.tamper(event.at, event.body.clone());
                }
                append.events.retain(|event| taken.iter().all(|other| other.at != event.at));
            }
            Defect::HalfOfTheEvents => append.events.truncate(1),
            Defect::NoPrivateValues => append.private.clear(),
            Defect::NoKeys => append.keys.clear(),
            Defect::WritesNothing => append.events.clear(),
            _ => {}
        }
        self.vault.append(&append).await
    }
}

impl KeyTable for Broken {
    as_it_is! {
        wrapped(record: Id, version: u32) -> Option<Vec<u8>>;
        header(record: Id, version: u32, message_id: &Bytes<32>) -> Option<Vec<u8>>;
    }
}

impl Index for Broken {
    async fn add(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        match self.defect {
            Defect::NoIndex => Ok(()),
            Defect::FirstIsAll => {
                self.vault.cut_next(Landing::First);
                self.vault.add(entries).await.or(Ok(()))
            }
            Defect::TrustsTheFirst if self.is_there(entries.first()) => Ok(()),
            Defect::TrustsTheLast if self.is_there(entries.last()) => Ok(()),
            _ => self.vault.add(entries).await,
        }
    }

    async fn remove(&self, entries: &[(IndexList, IndexEntry)]) -> Result<(), StoreError> {
        if self.defect == Defect::StaleIndex { Ok(()) } else { self.vault.remove(entries).await }
    }

    as_it_is! { page(list: &IndexList, cursor: Option<&str>, limit: u32) -> Page<IndexEntry>; }
}

impl WorkList for Broken {
    async fn add_due(&self, due: Due) -> Result<(), StoreError> {
        if self.defect == Defect::NoDue { Ok(()) } else { self.vault.add_due(due).await }
    }

    async fn remove_due(&self, due: Due) -> Result<(), StoreError> {
        if self.defect == Defect::DueForEver { Ok(()) } else { self.vault.remove_due(due).await }
    }

    as_it_is! {
        put_task_token(request: Id, token: &str, attempt: &str) -> ();
        task_token(request: Id) -> Option<String>;
        due(until_ms: u64, limit: u32) -> Vec<Due>;
        sweep_cursor() -> Option<u64>;
        set_sweep_cursor(at_ms: u64) -> ();
        count_tokens(provider: Id, minute: u64, amount: u32, limit: u32) -> bool;
    }
}

impl Blobs for Broken {
    async fn delete(&self, key: &str, version_id: &str) -> Result<(), StoreError> {
        if self.defect == Defect::NoDelete { Ok(()) } else { self.vault.delete(key, version_id).await }
    }

    async fn abort_uploads(&self, key: &str) -> Result<Aborted, StoreError> {
        let aborted_once = self.vault.cut_batches().iter().any(|(landed, _)| *landed > 0);
        if self.defect == Defect::NoAbort || (self.defect == Defect::AbortsOnce && aborted_once) {
            return Ok(Aborted { count: 0, more: false });
        }
        self.vault.abort_uploads(key).await
    }

    as_it_is! {
        presign_put(key: &str, size_bytes: u64, sha256: [u8; 32], now_ms: u64, life_s: u32) -> Presigned;
        presign_get(key: &str, version_id: &str, now_ms: u64, life_s: u32) -> Presigned;
        presign_part(upload: PartsUpload<'_>, part: &Part, now_ms: u64, life_s: u32) -> Presigned;
        head(key: &str) -> Option<BlobHead>;
        count_uploads(key: &str, most: usize) -> usize;
        begin_upload(key: &str) -> String;
        stored_parts(upload: PartsUpload<'_>, numbers: RangeInclusive<u32>) -> Option<Vec<StoredPart>>;
        complete_upload(upload: PartsUpload<'_>, parts: &[StoredPart]) -> Completion;
    }
}

impl DataKeys for Broken {
    fn key_arn(&self) -> &str {
        DataKeys::key_arn(&self.vault)
    }

    as_it_is! { generate(context: &KeyContext) -> DataKeyPair; }
}

impl DataKeyOpener for Broken {
    fn key_arn(&self) -> &str {
        DataKeyOpener::key_arn(&self.vault)
    }

    as_it_is! { unwrap(context: &KeyContext, wrapped: &[u8]) -> zeroize::Zeroizing<[u8; 32]>; }
}

impl SearchKeyVault for Broken {
    as_it_is! {
        keep(epoch: u32, key: &[u8; 32], public_key: &Bytes<32>) -> Bytes<32>;
        open(epoch: u32) -> Option<zeroize::Zeroizing<[u8; 32]>>;
    }
}

impl LogKey for Broken {
    as_it_is! { public_key() -> Bytes<32>; }
}

impl ClockKey for Broken {
    as_it_is! { clock_key() -> Bytes<32>; cosign(message: &[u8]) -> Timed; }
}

impl Workflow for Broken {
    async fn start(&self, request: Id, trace: Option<Id>) -> Result<(), StoreError> {
        if self.defect == Defect::NoWorkflow { Ok(()) } else { self.vault.start(request, trace).await }
    }

    async fn tell(&self, task_token: &str, output: &Value) -> Result<bool, StoreError> {
        if self.defect == Defect::DeafWorkflow { Ok(false) } else { self.vault.tell(task_token, output).await }
    }
}

impl Clock for Broken {
    fn now_ms(&self) -> u64 {
        self.vault.now_ms()
    }
}
