//! What the contract is tested on.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use chartseal_events::event::StoredEvent;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::{Bytes, EventRef, Id, StreamId};
use chartseal_infra::faulty::Faulty;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    Append, Blobs, BlockStore, Clock, Cosignatures, DataKeyOpener, DataKeys, EventStore, Index, KeyTable, LogFiles,
    LogKey, LogSigner, SealedIndex, SearchKeyVault, WorkList, Workflow,
};

/// A set of ports, and what a test needs around them.
pub trait Subject {
    type Store: EventStore + KeyTable + Index + WorkList + BlockStore + SealedIndex + Cosignatures;
    type Blobs: Blobs;
    type Keys: DataKeys;
    type Opener: DataKeyOpener;
    type SearchKeys: SearchKeyVault;
    type Log: LogKey;
    type Signer: LogSigner;
    type Files: LogFiles;
    type Workflow: Workflow;

    fn store(&self) -> &Self::Store;
    fn blobs(&self) -> &Self::Blobs;
    fn keys(&self) -> &Self::Keys;
    fn opener(&self) -> &Self::Opener;
    fn search_keys(&self) -> &Self::SearchKeys;
    fn log(&self) -> &Self::Log;
    fn signer(&self) -> &Self::Signer;
    fn files(&self) -> &Self::Files;
    fn workflow(&self) -> &Self::Workflow;
    /// The time that presigned calls are made and checked at.
    fn now_ms(&self) -> u64;
    /// An HTTP call; the content length is the body's.
    fn http(&self, method: &str, url: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> (u16, Vec<u8>);
    /// The task token of a workflow that waits, started for this request.
    async fn waiting(&self, request: Id) -> String;
    /// How many workflows were started for this request.
    async fn started(&self, request: Id) -> usize;
}

/// The twins in memory, as they are or behind what fails nothing here.
pub struct Memory<P = MemoryVault> {
    vault: MemoryVault,
    ports: P,
}

impl Memory {
    pub fn new() -> Self {
        let vault = MemoryVault::new();
        Self { vault: vault.clone(), ports: vault }
    }
}

impl Memory<Faulty<MemoryVault>> {
    pub fn failing() -> Self {
        let vault = MemoryVault::new();
        Self { vault: vault.clone(), ports: Faulty::new(vault) }
    }
}

impl<P> Subject for Memory<P>
where
    P: EventStore + KeyTable + Index + WorkList + BlockStore + SealedIndex + Cosignatures,
    P: Blobs + DataKeys + DataKeyOpener + SearchKeyVault + LogKey + LogSigner + LogFiles + Workflow,
{
    type Store = P;
    type Blobs = P;
    type Keys = P;
    type Opener = P;
    type SearchKeys = P;
    type Log = P;
    type Signer = P;
    type Files = P;
    type Workflow = P;

    fn store(&self) -> &P {
        &self.ports
    }
    fn blobs(&self) -> &P {
        &self.ports
    }
    fn keys(&self) -> &P {
        &self.ports
    }
    fn opener(&self) -> &P {
        &self.ports
    }
    fn search_keys(&self) -> &P {
        &self.ports
    }
    fn log(&self) -> &P {
        &self.ports
    }
    fn signer(&self) -> &P {
        &self.ports
    }
    fn files(&self) -> &P {
        &self.ports
    }
    fn workflow(&self) -> &P {
        &self.ports
    }
    fn now_ms(&self) -> u64 {
        Clock::now_ms(&self.vault)
    }
    fn http(&self, method: &str, url: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> (u16, Vec<u8>) {
        let answer = self.vault.http(method, url, headers, body);
        (answer.status, answer.body)
    }
    async fn waiting(&self, request: Id) -> String {
        self.vault.start(request, None).await.expect("starts");
        let token = format!("token of {request}");
        self.vault.wait_with(&token);
        token
    }
    async fn started(&self, request: Id) -> usize {
        self.vault.workflow_starts().into_iter().filter(|started| *started == request).count()
    }
}

/// How long a read that may be behind is asked again: AWS needs less than a second, as a rule.
const CATCHES_UP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Asks a read that may be behind until its answer is this one; gives up after [`CATCHES_UP`].
pub async fn comes_to<T: PartialEq + Debug>(what: &str, expected: T, ask: impl AsyncFn() -> T) {
    answered(&format!("{what}, which is to be {expected:?}"), ask, |answer| *answer == expected).await;
}

/// The same until the answer is as it should be; gives it.
pub async fn answered<T: Debug>(what: &str, ask: impl AsyncFn() -> T, right: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + CATCHES_UP;
    loop {
        let answer = ask().await;
        if right(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: after {} s still {answer:?}", CATCHES_UP.as_secs());
        tokio::time::sleep(POLL).await;
    }
}

/// A time within an hour: 2026-11-23T00:30:00Z.
pub const AT_MS: u64 = 1_795_393_800_000;

pub fn id(number: u8) -> Id {
    Id::from_parts(AT_MS, [number; 10])
}

pub fn place(stream: StreamId, seq: u64) -> EventRef {
    EventRef { stream, seq }
}

pub fn record(number: u8) -> StreamId {
    StreamId::Record(id(number))
}

/// Stores keep bytes and do not read them, so any text is an event.
pub fn event(stream: StreamId, seq: u64, body: impl Into<String>) -> StoredEvent {
    StoredEvent::new(place(stream, seq), body.into())
}

pub fn single(event: StoredEvent, at_ms: u64) -> Append {
    Append { events: vec![event], at_ms, ..Append::default() }
}

pub fn private(value: &str) -> PrivatePart {
    BTreeMap::from([("reason".to_owned(), PrivateValue { salt: Bytes([9; 16]), value: value.to_owned() })])
}
