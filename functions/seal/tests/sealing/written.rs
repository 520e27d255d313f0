//! Events that are written by hand, where a story would be too long or too honest.

use std::collections::BTreeMap;

use chartseal_events::event::{Envelope, Head, RecordDownloaded, Seen, StoredEvent};
use chartseal_events::{Bytes, EventRef, Hash, Id, Outcome, StreamId};
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Append, Clock as _, EventStore as _};

/// A stream of a record.
pub fn record(number: u64) -> StreamId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    StreamId::Record(Id::from_parts(chartseal_infra::memory::START_MS, random))
}

/// What the events say; nobody here minds.
pub fn outcome() -> Outcome {
    RecordDownloaded { record: Id::from_parts(0, [1; 10]), version: 1 }.into()
}

/// Writes events at the ends of streams.
pub struct Pen<'a> {
    vault: &'a MemoryVault,
    heads: BTreeMap<StreamId, Head>,
}

impl<'a> Pen<'a> {
    pub fn new(vault: &'a MemoryVault) -> Self {
        let heads = vault.events().iter().map(|event| (event.at.stream, event.head())).collect();
        Self { vault, heads }
    }

    /// The last event of a stream, as others see it.
    pub fn seen(&self, stream: StreamId) -> Seen {
        let head = self.heads[&stream];
        Seen(stream, head.seq, head.leaf)
    }

    /// The next event of a stream, which has seen these; appended.
    pub async fn write(&mut self, stream: StreamId, seen: &[Seen]) -> EventRef {
        let prev = self.heads.get(&stream).map_or(Hash::ZERO, |head| head.leaf);
        self.write_after(prev, stream, seen).await
    }

    /// The same, naming another event before it.
    pub async fn write_after(&mut self, prev: Hash, stream: StreamId, seen: &[Seen]) -> EventRef {
        let seq = self.heads.get(&stream).map_or(0, |head| head.seq + 1);
        let (place, at_ms) = (EventRef { stream, seq }, self.vault.now_ms());
        let envelope = Envelope { place, prev, at_ms, seen, nonce: Bytes([7; 16]), command: None };
        self.append(StoredEvent::write(envelope, &outcome()).unwrap()).await
    }

    /// Bytes that are no event.
    pub async fn scribble(&mut self, stream: StreamId) -> EventRef {
        let seq = self.heads.get(&stream).map_or(0, |head| head.seq + 1);
        self.append(StoredEvent::new(EventRef { stream, seq }, "no event".to_owned())).await
    }

    /// Leaves a place of a stream empty.
    pub fn skip(&mut self, stream: StreamId) {
        let head = self.heads.get_mut(&stream).unwrap();
        head.seq += 1;
    }

    async fn append(&mut self, event: StoredEvent) -> EventRef {
        self.heads.insert(event.at.stream, event.head());
        let (place, at_ms) = (event.at, self.vault.now_ms());
        self.vault.append(&Append { events: vec![event], at_ms, ..Append::default() }).await.unwrap();
        place
    }
}
