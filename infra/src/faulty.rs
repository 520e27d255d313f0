//! The twins that fail when a test says so. [`Faulty`] is the event store: an append fails before it took effect, after it did with the answer lost,
//! or with somebody else quicker; faults are given by the number of the append. [`FaultyBlobs`] is the bucket, and counts its calls.

mod blobs;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{EventRef, StreamId};

use crate::ports::{Append, EventStore, StoreError};

pub use blobs::{BlobCall, FaultyBlobs, Lost};

/// What happens to an append.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It fails and did not take effect.
    Before,
    /// It takes effect, and the answer is lost.
    After,
    /// Somebody else's append takes effect first.
    Overtaken(Append),
}

/// The error of a [`Fault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a test took the answer away")]
pub struct AnswerLost;

/// An event store that fails at chosen appends. Clones share the count.
#[derive(Clone)]
pub struct Faulty<S> {
    store: S,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    appends: u64,
    faults: BTreeMap<u64, Fault>,
}

impl<S> Faulty<S> {
    /// Fails nothing yet.
    pub fn new(store: S) -> Self {
        Self { store, plan: Arc::default() }
    }

    /// The append with this number, counted from 0 since the beginning, meets this fault.
    pub fn fail(&self, append: u64, fault: Fault) {
        self.plan().faults.insert(append, fault);
    }

    /// How many appends were tried.
    pub fn appends(&self) -> u64 {
        self.plan().appends
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        // Unwrap safety: a panic while the lock is held has failed the test already.
        self.plan.lock().expect("a test panicked inside the twin")
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable { service: "the failing twin", source: Box::new(AnswerLost) }
}

impl<S: EventStore> EventStore for Faulty<S> {
    async fn load(&self, stream: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.load(stream).await
    }

    async fn load_tail(&self, stream: &StreamId, since_ms: u64) -> Result<Vec<StoredEvent>, StoreError> {
        self.store.load_tail(stream, since_ms).await
    }

    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        self.store.fetch(places).await
    }

    async fn append(&self, append: &Append) -> Result<(), StoreError> {
        let fault = {
            let mut plan = self.plan();
            let number = plan.appends;
            plan.appends += 1;
            plan.faults.remove(&number)
        };
        match fault {
            None => self.store.append(append).await,
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => {
                self.store.append(append).await?;
                Err(lost())
            }
            Some(Fault::Overtaken(quicker)) => {
                self.store.append(&quicker).await?;
                self.store.append(append).await
            }
        }
    }

    async fn private(&self, place: &EventRef) -> Result<PrivatePart, StoreError> {
        self.store.private(place).await
    }

    async fn by_time(&self, from_ms: u64, to_ms: u64) -> Result<Vec<EventRef>, StoreError> {
        self.store.by_time(from_ms, to_ms).await
    }
}
