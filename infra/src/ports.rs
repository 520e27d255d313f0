//! Ports: what the vault needs of the world, as narrow as it can be. Every implementation, the memory twins included, passes the same contract
//! suite (`infra/tests`).

mod blobs;
mod ledger;

use std::future::Future;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, StreamId};
use zeroize::Zeroizing;

pub use blobs::{
    Aborted, BlobHead, Blobs, Checksum, Completion, MAX_ABORTED, Part, PartsUpload, Presigned, StoredPart,
};

pub use ledger::{
    BlockStore, ClockKey, Cosignatures, Cosigned, Heard, LeafPlace, LogFiles, LogSigner, MapPage, Newest, PageChange,
    Published, Race, SealedIndex, Timed,
};

/// Why a call to a service did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote to this place first. Load again and decide again.
    #[error("somebody else wrote to {0} first")]
    Conflict(EventRef),
    /// What is stored is not what can be there: somebody changed it behind the vault's back.
    #[error("stored data is damaged: {what}")]
    Damaged {
        /// What was looked at; never what it holds.
        what: String,
    },
    /// The service did not answer, or refused; whether the call took effect is unknown where it writes.
    #[error("{service} failed: {source}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// Its own words, for the log alone.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The wrapped data key of a version, or the message header of an encryption run. Erasable: deleting them shreds the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyItem {
    /// A data key as KMS wrapped it.
    Wrapped {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
        /// KMS ciphertext.
        wrapped: Vec<u8>,
    },
    /// A message header.
    Header {
        /// The record.
        record: Id,
        /// Its version.
        version: u32,
        /// The encryption run.
        message_id: Bytes<32>,
        /// The header's bytes.
        header: Vec<u8>,
    },
}

/// What is written together, all or nothing.
#[derive(Debug, Clone, Default)]
pub struct Append {
    /// One to four events, each at the next place of its stream.
    pub events: Vec<StoredEvent>,
    /// When they were accepted, Unix milliseconds: the events' own `at`.
    pub at_ms: u64,
    /// The command's private values; they stand beside the first event.
    pub private: PrivatePart,
    /// Keys and headers that the events tell of.
    pub keys: Vec<KeyItem>,
}

/// A page of something, with where to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Give it back for the next page; none at the end.
    pub next: Option<String>,
}

/// Events in DynamoDB.
pub trait EventStore: Send + Sync {
    /// A whole stream, in order; empty where it has not begun. Strongly consistent.
    fn load(&self, stream: &StreamId) -> impl Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send;

    /// The end of a stream: every event accepted at or after `since_ms`, and the last one in any case. In order, strongly consistent.
    fn load_tail(
        &self,
        stream: &StreamId,
        since_ms: u64,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send;

    /// The events of a stream from this place on, at most so many; in order, strongly consistent.
    fn load_from(
        &self,
        stream: &StreamId,
        first_seq: u64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<StoredEvent>, StoreError>> + Send;

    /// The events at these places, in the same order; none where there is none. Strongly consistent.
    fn fetch(&self, places: &[EventRef]) -> impl Future<Output = Result<Vec<Option<StoredEvent>>, StoreError>> + Send;

    /// Appends, all or nothing. A place that is taken is a [`StoreError::Conflict`], unless by these very bytes: then it had been done.
    fn append(&self, append: &Append) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The private values beside an event; empty where there are none or they were erased.
    fn private(&self, place: &EventRef) -> impl Future<Output = Result<PrivatePart, StoreError>> + Send;

    /// Places of the events accepted in `[from_ms, to_ms)`, in order of time within a page run; eventually consistent. For sweeps.
    fn by_time(&self, from_ms: u64, to_ms: u64) -> impl Future<Output = Result<Vec<EventRef>, StoreError>> + Send;
}

/// Wrapped keys and headers in DynamoDB. They are written with [`EventStore::append`].
pub trait KeyTable: Send + Sync {
    /// The wrapped data key of a version.
    fn wrapped(&self, record: Id, version: u32) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// The message header of an encryption run.
    fn header(
        &self,
        record: Id,
        version: u32,
        message_id: &Bytes<32>,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;
}

/// A list of the index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndexList {
    /// Records that carry a term token (base64url of 32 bytes).
    Token(String),
    /// Records of a provider.
    RecordsOf(Id),
    /// All records, for operators.
    Records,
    /// Requests that a provider made, or that are for its records.
    RequestsOf(Id),
    /// All requests, for operators.
    Requests,
}

/// An entry of the index: hints, written from the events and never believed without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// When the event was accepted, Unix milliseconds.
    pub at_ms: u64,
    /// The event: `record.announced.v1` for tokens, the first of its stream for lists.
    pub event: EventRef,
    /// The record's version, for tokens; 0 for lists.
    pub version: u32,
}

/// The index in DynamoDB.
pub trait Index: Send + Sync {
    /// Adds entries; adding one again changes nothing.
    fn add(&self, entries: &[(IndexList, IndexEntry)]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes entries; removing one that is not there changes nothing.
    fn remove(&self, entries: &[(IndexList, IndexEntry)]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// A page of a list, newest first, after `cursor`. A cursor that is not one of ours gives the first page.
    fn page(
        &self,
        list: &IndexList,
        cursor: Option<&str>,
        limit: u32,
    ) -> impl Future<Output = Result<Page<IndexEntry>, StoreError>> + Send;
}

/// Something that has to be looked at again at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// On account of which event.
    pub event: EventRef,
}

/// Work lists in DynamoDB: what is waited for. All of it can be lost and made anew from the events.
pub trait WorkList: Send + Sync {
    /// Keeps the task token that a request's workflow waits with, unless a newer one is kept: that of an attempt that sorts behind this one. A call that
    /// comes late never brings back a token that nobody waits with any more.
    fn put_task_token(
        &self,
        request: Id,
        token: &str,
        attempt: &str,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The task token of a request's workflow.
    fn task_token(&self, request: Id) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// Notes that something is due; noting it again changes nothing.
    fn add_due(&self, due: Due) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// What is due until `until_ms`, oldest first, at most `limit`.
    fn due(&self, until_ms: u64, limit: u32) -> impl Future<Output = Result<Vec<Due>, StoreError>> + Send;

    /// It has been dealt with.
    fn remove_due(&self, due: Due) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How far the sweep by time has come, Unix milliseconds.
    fn sweep_cursor(&self) -> impl Future<Output = Result<Option<u64>, StoreError>> + Send;

    /// Moves the sweep's cursor on.
    fn set_sweep_cursor(&self, at_ms: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts `amount` against a provider's limit of this minute; false (and nothing counted) where the limit would be passed.
    fn count_tokens(
        &self,
        provider: Id,
        minute: u64,
        amount: u32,
        limit: u32,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// What KMS authenticates with a data key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyContext {
    /// The vault's origin.
    pub tenant: String,
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
}

/// A new data key.
pub struct DataKeyPair {
    /// The key: for the uploader's eyes alone.
    pub plaintext: Zeroizing<[u8; 32]>,
    /// The key as KMS wrapped it.
    pub wrapped: Vec<u8>,
}

/// The record key in KMS: makes data keys. Held by `records`.
pub trait DataKeys: Send + Sync {
    /// The KMS key's ARN; it goes into message headers.
    fn key_arn(&self) -> &str;

    /// A new data key.
    fn generate(&self, context: &KeyContext) -> impl Future<Output = Result<DataKeyPair, StoreError>> + Send;
}

/// The record key in KMS: unwraps data keys. Held by `issue-key` alone.
pub trait DataKeyOpener: Send + Sync {
    /// The KMS key's ARN, as message headers name it.
    fn key_arn(&self) -> &str;

    /// Unwraps a data key. A context or ciphertext that is not the one it was wrapped with is [`StoreError::Damaged`].
    fn unwrap(
        &self,
        context: &KeyContext,
        wrapped: &[u8],
    ) -> impl Future<Output = Result<Zeroizing<[u8; 32]>, StoreError>> + Send;
}

/// The search key: wrapped by KMS, kept in a table, one for each epoch. `genesis` makes it, `tokens` opens it.
pub trait SearchKeyVault: Send + Sync {
    /// Wraps and keeps the key of an epoch beside its public key, unless there is one; gives the public key of the one that is kept. Opens nothing.
    fn keep(
        &self,
        epoch: u32,
        key: &[u8; 32],
        public_key: &Bytes<32>,
    ) -> impl Future<Output = Result<Bytes<32>, StoreError>> + Send;

    /// The key of an epoch.
    fn open(&self, epoch: u32) -> impl Future<Output = Result<Option<Zeroizing<[u8; 32]>>, StoreError>> + Send;
}

/// The key that signs the ledger's checkpoints.
pub trait LogKey: Send + Sync {
    /// Its Ed25519 public key.
    fn public_key(&self) -> impl Future<Output = Result<Bytes<32>, StoreError>> + Send;
}

/// The approval workflow in Step Functions. It reminds; the streams decide.
pub trait Workflow: Send + Sync {
    /// Starts a request's workflow; starting it again changes nothing. It is told what the command is called in logs that made the request.
    fn start(&self, request: Id, trace: Option<Id>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Tells a waiting workflow the decision. False where it no longer waits.
    fn tell(
        &self,
        task_token: &str,
        output: &serde_json::Value,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// The time.
pub trait Clock: Send + Sync {
    /// Unix milliseconds.
    fn now_ms(&self) -> u64;
}
