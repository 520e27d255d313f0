//! The twin in memory, but where AWS answers only what is so after a while, it is behind: the index over time, the lists of the index, the list of executions.
//! The emulator never is, so a test that looks once and believes it passes there, and fails here.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Mutex;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Hash, Id, StreamId};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{
    Append, BlockStore, Cosignatures, Cosigned, Due, EventStore, Heard, Index, IndexEntry, IndexList, KeyTable,
    LeafPlace, MapPage, Newest, Page, PageChange, Race, SealedIndex, StoreError, WorkList, Workflow,
};
use chartseal_ledger::block::Block;
use chartseal_ledger::map::PageId;
use chartseal_ledger::note::KeyId;
use serde_json::Value;

use crate::subject::{Memory, Subject};

/// Of so many reads after a write, the first and every second one show what was there before it: reads go to one copy or to another.
const BEHIND_READS: u32 = 5;

pub struct Lagging {
    memory: Memory,
    vault: MemoryVault,
    lag: Mutex<Lag>,
}

struct Lag {
    before: MemoryVault,
    reads: u32,
}

impl Lagging {
    pub fn new() -> Self {
        let memory = Memory::new();
        let vault = memory.store().clone();
        let lag = Mutex::new(Lag { before: vault.fork(), reads: 0 });
        Self { memory, vault, lag }
    }

    /// Where to write.
    fn written(&self) -> &MemoryVault {
        let mut lag = self.lag.lock().expect("no test panicked in here");
        if lag.reads == 0 {
            lag.before = self.vault.fork();
        }
        lag.reads = BEHIND_READS;
        drop(lag);
        &self.vault
    }

    /// Where to read what may be behind.
    fn copy(&self) -> MemoryVault {
        let mut lag = self.lag.lock().expect("no test panicked in here");
        let behind = lag.reads % 2 == 1;
        lag.reads = lag.reads.saturating_sub(1);
        if behind { lag.before.clone() } else { self.vault.clone() }
    }
}

macro_rules! of {
    ($where:ident: $($method:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+) => {
        $(fn $method(&self, $($arg: $type),*) -> impl Future<Output = Result<$answer, StoreError>> + Send {
            let vault = self.$where();
            async move { vault.$method($($arg),*).await }
        })+
    };
}

impl Lagging {
    const fn now(&self) -> &MemoryVault {
        &self.vault
    }
}

impl EventStore for Lagging {
    of! { now:
        load(stream: &StreamId) -> Vec<StoredEvent>;
        load_tail(stream: &StreamId, since_ms: u64) -> Vec<StoredEvent>;
        load_from(stream: &StreamId, first_seq: u64, limit: u32) -> Vec<StoredEvent>;
        fetch(places: &[EventRef]) -> Vec<Option<StoredEvent>>;
        private(place: &EventRef) -> PrivatePart;
    }
    of! { written: append(append: &Append) -> (); }
    of! { copy: by_time(from_ms: u64, to_ms: u64) -> Vec<EventRef>; }
}

impl KeyTable for Lagging {
    of! { now:
        wrapped(record: Id, version: u32) -> Option<Vec<u8>>;
        header(record: Id, version: u32, message_id: &Bytes<32>) -> Option<Vec<u8>>;
    }
}

impl Index for Lagging {
    of! { written:
        add(entries: &[(IndexList, IndexEntry)]) -> ();
        remove(entries: &[(IndexList, IndexEntry)]) -> ();
    }
    of! { copy: page(list: &IndexList, cursor: Option<&str>, limit: u32) -> Page<IndexEntry>; }
}

impl WorkList for Lagging {
    of! { now:
        put_task_token(request: Id, token: &str, attempt: &str) -> ();
        task_token(request: Id) -> Option<String>;
        add_due(due: Due) -> ();
        due(until_ms: u64, limit: u32) -> Vec<Due>;
        remove_due(due: Due) -> ();
        sweep_cursor() -> Option<u64>;
        set_sweep_cursor(at_ms: u64) -> ();
        count_tokens(provider: Id, minute: u64, amount: u32, limit: u32) -> bool;
    }
}

impl Workflow for Lagging {
    of! { written: start(request: Id, trace: Option<Id>) -> (); }
    of! { now: tell(task_token: &str, output: &Value) -> bool; }
}

/// The ledger is read consistently, all of it.
impl BlockStore for Lagging {
    of! { now:
        newest_block() -> Newest;
        block(height: u64) -> Option<Block>;
        put_block(block: &Block) -> Race;
    }
}

impl SealedIndex for Lagging {
    of! { now:
        leaf_places(leaves: &[Hash]) -> Vec<Option<LeafPlace>>;
        put_leaf_places(leaves: &[(Hash, LeafPlace)]) -> ();
        map_pages(ids: &[PageId], height: u64) -> BTreeMap<PageId, MapPage>;
        put_map_pages(height: u64, changes: &[PageChange]) -> ();
        sealed_until() -> Option<u64>;
        set_sealed_until(at_ms: u64) -> ();
    }
}

impl Cosignatures for Lagging {
    of! { now:
        heard(witnesses: &[KeyId]) -> (Option<Cosigned>, Vec<Option<Heard>>);
        put_heard(witness: KeyId, heard: &Heard) -> ();
        put_cosigned(cosigned: &Cosigned) -> ();
    }
}

impl Subject for Lagging {
    type Store = Self;
    type Blobs = MemoryVault;
    type Keys = MemoryVault;
    type Opener = MemoryVault;
    type SearchKeys = MemoryVault;
    type Log = MemoryVault;
    type Signer = MemoryVault;
    type Files = MemoryVault;
    type Workflow = Self;

    fn store(&self) -> &Self {
        self
    }
    fn blobs(&self) -> &MemoryVault {
        &self.vault
    }
    fn keys(&self) -> &MemoryVault {
        &self.vault
    }
    fn opener(&self) -> &MemoryVault {
        &self.vault
    }
    fn search_keys(&self) -> &MemoryVault {
        &self.vault
    }
    fn log(&self) -> &MemoryVault {
        &self.vault
    }
    fn signer(&self) -> &MemoryVault {
        &self.vault
    }
    fn files(&self) -> &MemoryVault {
        &self.vault
    }
    fn workflow(&self) -> &Self {
        self
    }
    fn now_ms(&self) -> u64 {
        self.memory.now_ms()
    }
    fn http(&self, method: &str, url: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> (u16, Vec<u8>) {
        self.memory.http(method, url, headers, body)
    }
    async fn waiting(&self, request: Id) -> String {
        self.memory.waiting(request).await
    }
    async fn started(&self, request: Id) -> usize {
        self.copy().workflow_starts().into_iter().filter(|started| *started == request).count()
    }
}

/// It is behind, and catches up.
#[tokio::test]
async fn what_was_just_written_is_missing_at_first() {
    let twin = Lagging::new();
    twin.start(crate::subject::id(1), None).await.expect("starts");
    let mut seen = Vec::new();
    for _ in 0..7 {
        seen.push(twin.started(crate::subject::id(1)).await);
    }
    assert_eq!(seen, [0, 1, 0, 1, 0, 1, 1]);
}
