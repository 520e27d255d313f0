//! The twin of the whole world in memory, for tests: one value that is every port, cheap to clone, with hooks to look inside and to do what
//! a damaged disk, an attacker or a patient's browser would.
//!
//! In scope: the same answers as the real services give, checked by the same contract suite. Out of scope: speed, and secrecy (its keys
//! are constants).
//!
//! ```
//! use chartseal_infra::memory::MemoryVault;
//! use chartseal_infra::ports::Clock as _;
//!
//! let vault = MemoryVault::new();
//! let start_ms = vault.now_ms();
//! vault.advance(60_000);
//! assert_eq!(vault.now_ms(), start_ms + 60_000);
//! assert!(vault.events().is_empty());
//! ```

mod blobs;
mod cut;
mod keys;
mod ledger;
mod lists;
mod look;
mod parts;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, StreamId};
use serde_json::Value;

use crate::ports::{Clock, KeyItem, StoreError, Workflow};

pub use blobs::HttpAnswer;
pub use cut::{CutOff, Landing};

/// What the clock of a new twin says: 2026-11-23T00:00:00Z.
pub const START_MS: u64 = 1_795_392_000_000;

/// Every port, in memory. Clones share one content.
#[derive(Clone)]
pub struct MemoryVault(Arc<Mutex<World>>);

#[derive(Clone)]
struct World {
    now_ms: u64,
    events: BTreeMap<EventRef, Stored>,
    /// Places in the order of their appends.
    order: Vec<EventRef>,
    private: BTreeMap<EventRef, PrivatePart>,
    keys: BTreeMap<String, KeyItem>,
    /// (list, moment) to version.
    index: BTreeMap<(String, String), u32>,
    /// The newest attempt, and its token.
    task_tokens: BTreeMap<Id, (String, String)>,
    due: BTreeSet<String>,
    sweep_cursor: Option<u64>,
    token_counts: BTreeMap<(Id, u64), u32>,
    blobs: BTreeMap<String, Vec<blobs::Blob>>,
    blob_versions: u64,
    /// Unfinished uploads in parts, by their number.
    uploads: BTreeMap<u64, parts::Upload>,
    upload_count: u64,
    search_keys: BTreeMap<u32, (Vec<u8>, Bytes<32>)>,
    wraps: u64,
    started: Vec<Id>,
    waiting: BTreeSet<String>,
    told: Vec<(String, Value)>,
    cut: cut::Cut,
    ledger: ledger::Ledger,
}

impl World {
    /// The time as a service says it: to the second.
    fn service_ms(&self) -> u64 {
        self.now_ms / 1_000 * 1_000
    }
}

#[derive(Clone)]
struct Stored {
    at_ms: u64,
    event: StoredEvent,
}

impl Default for MemoryVault {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryVault {
    /// Empty, at [`START_MS`].
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            now_ms: START_MS,
            events: BTreeMap::new(),
            order: Vec::new(),
            private: BTreeMap::new(),
            keys: BTreeMap::new(),
            index: BTreeMap::new(),
            task_tokens: BTreeMap::new(),
            due: BTreeSet::new(),
            sweep_cursor: None,
            token_counts: BTreeMap::new(),
            blobs: BTreeMap::new(),
            blob_versions: 0,
            uploads: BTreeMap::new(),
            upload_count: 0,
            search_keys: BTreeMap::new(),
            wraps: 0,
            started: Vec::new(),
            waiting: BTreeSet::new(),
            told: Vec::new(),
            cut: cut::Cut::default(),
            ledger: ledger::Ledger::default(),
        })))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Unwrap safety: a panic while the lock is held has failed the test already.
        self.0.lock().expect("a test panicked inside the twin")
    }

    /// A vault of its own that holds, and says, exactly the same.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.world().clone())))
    }

    /// Sets the clock.
    pub fn set_now(&self, now_ms: u64) {
        self.world().now_ms = now_ms;
    }

    /// Moves the clock on.
    pub fn advance(&self, by_ms: u64) {
        self.world().now_ms += by_ms;
    }

    /// Every event, in the order of the appends.
    pub fn events(&self) -> Vec<StoredEvent> {
        let world = self.world();
        world.order.iter().filter_map(|place| world.events.get(place)).map(|stored| stored.event.clone()).collect()
    }

    /// The types of a stream's events, in order: what most tests want to know.
    pub fn types(&self, stream: StreamId) -> Vec<&'static str> {
        let world = self.world();
        let events = world.events.range(streams::places_of(stream)).map(|(_, stored)| &stored.event);
        events.map(|event| event.open().map_or("(unreadable)", |event| event.outcome.typ())).collect()
    }

    /// What a damaged or hostile disk would do: other bytes at a place that is taken.
    ///
    /// # Panics
    /// Where there is no event.
    pub fn tamper(&self, place: EventRef, body: impl Into<String>) {
        let mut world = self.world();
        let stored = world.events.get_mut(&place).unwrap_or_else(|| panic!("nothing to tamper with at {place}"));
        stored.event = StoredEvent::new(place, body.into());
    }

    /// Removes an event, as nobody should be able to.
    ///
    /// # Panics
    /// Where there is no event.
    pub fn delete_event(&self, place: EventRef) {
        let mut world = self.world();
        assert!(world.events.remove(&place).is_some(), "nothing to delete at {place}");
        world.order.retain(|other| *other != place);
    }

    /// Replaces the private values beside an event; an empty part erases them.
    pub fn set_private(&self, place: EventRef, part: PrivatePart) {
        let mut world = self.world();
        if part.is_empty() {
            world.private.remove(&place)
        } else {
            world.private.insert(place, part)
        };
    }

    /// Every wrapped key and header.
    pub fn keys(&self) -> Vec<KeyItem> {
        self.world().keys.values().cloned().collect()
    }

    /// Puts a key or header in place of whatever is there.
    pub fn set_key(&self, key: KeyItem) {
        self.world().keys.insert(crate::layout::key_name(&key), key);
    }

    /// Deletes every wrapped key and header of a record: crypto-shredding.
    pub fn shred(&self, record: Id) {
        self.world().keys.retain(|name, _| !name.starts_with(&format!("{record}/")));
    }

    /// The requests whose workflow was started, in order.
    pub fn workflow_starts(&self) -> Vec<Id> {
        self.world().started.clone()
    }

    /// A workflow waits with this task token from now on. [`crate::ports::WorkList::put_task_token`] says so too.
    pub fn wait_with(&self, task_token: &str) {
        self.world().waiting.insert(task_token.to_owned());
    }

    /// What waiting workflows were told, in order: task token and output.
    pub fn told(&self) -> Vec<(String, Value)> {
        self.world().told.clone()
    }
}

impl Clock for MemoryVault {
    fn now_ms(&self) -> u64 {
        self.world().now_ms
    }
}

impl Workflow for MemoryVault {
    async fn start(&self, request: Id, _trace: Option<Id>) -> Result<(), StoreError> {
        let mut world = self.world();
        if !world.started.contains(&request) {
            world.started.push(request);
        }
        Ok(())
    }

    async fn tell(&self, task_token: &str, output: &Value) -> Result<bool, StoreError> {
        let mut world = self.world();
        if !world.waiting.remove(task_token) {
            return Ok(false);
        }
        world.told.push((task_token.to_owned(), output.clone()));
        Ok(true)
    }
}
