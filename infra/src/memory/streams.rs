//! Streams, private values, wrapped keys.

use std::ops::RangeInclusive;

use chartseal_events::event::StoredEvent;
use chartseal_events::private::PrivatePart;
use chartseal_events::{Bytes, EventRef, Id, StreamId};

use super::{MemoryVault, Stored};
use crate::layout::{key_name, moment};
use crate::ports::{Append, EventStore, KeyItem, KeyTable, StoreError};

/// Every place of a stream.
pub(super) fn places_of(stream: StreamId) -> RangeInclusive<EventRef> {
    EventRef { stream, seq: 0 }..=EventRef { stream, seq: u64::MAX }
}

impl EventStore for MemoryVault {
    async fn load(&self, stream: &StreamId) -> Result<Vec<StoredEvent>, StoreError> {
        Ok(self.world().events.range(places_of(*stream)).map(|(_, stored)| stored.event.clone()).collect())
    }

    async fn load_tail(&self, stream: &StreamId, since_ms: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let world = self.world();
        let newest_first = world.events.range(places_of(*stream)).rev().map(|(_, stored)| stored).enumerate();
        let tail = newest_first.take_while(|(age, stored)| *age == 0 || stored.at_ms >= since_ms);
        let mut events: Vec<StoredEvent> = tail.map(|(_, stored)| stored.event.clone()).collect();
        events.reverse();
        Ok(events)
    }

    async fn load_from(&self, stream: &StreamId, first_seq: u64, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let places = EventRef { stream: *stream, seq: first_seq }..=*places_of(*stream).end();
        let world = self.world();
        Ok(world.events.range(places).take(limit as usize).map(|(_, stored)| stored.event.clone()).collect())
    }

    async fn fetch(&self, places: &[EventRef]) -> Result<Vec<Option<StoredEvent>>, StoreError> {
        let world = self.world();
        Ok(places.iter().map(|place| world.events.get(place).map(|stored| stored.event.clone())).collect())
    }

    async fn append(&self, append: &Append) -> Result<(), StoreError> {
        let mut world = self.world();
        let taken = append.events.iter().find(|event| world.events.contains_key(&event.at)).map(|event| event.at);
        if let Some(taken) = taken {
            // The very same bytes everywhere: it had been done, and only the answer was lost.
            let ours =
                |event: &StoredEvent| world.events.get(&event.at).is_some_and(|stored| stored.event.body == event.body);
            return if append.events.iter().all(ours) { Ok(()) } else { Err(StoreError::Conflict(taken)) };
        }
        if let Some(key) = append.keys.iter().find(|key| world.keys.contains_key(&key_name(key))) {
            return Err(StoreError::Damaged { what: format!("the key table already holds {}", key_name(key)) });
        }
        let Some(first) = append.events.first() else { return Ok(()) };
        if !append.private.is_empty() {
            world.private.insert(first.at, append.private.clone());
        }
        for key in &append.keys {
            world.keys.insert(key_name(key), key.clone());
        }
        for event in &append.events {
            world.order.push(event.at);
            world.events.insert(event.at, Stored { at_ms: append.at_ms, event: event.clone() });
        }
        Ok(())
    }

    async fn private(&self, place: &EventRef) -> Result<PrivatePart, StoreError> {
        Ok(self.world().private.get(place).cloned().unwrap_or_default())
    }

    async fn by_time(&self, from_ms: u64, to_ms: u64) -> Result<Vec<EventRef>, StoreError> {
        let world = self.world();
        let within = world.events.iter().filter(|(_, stored)| (from_ms..to_ms).contains(&stored.at_ms));
        let mut moments: Vec<(String, EventRef)> =
            within.map(|(place, stored)| (moment(stored.at_ms, *place), *place)).collect();
        moments.sort();
        Ok(moments.into_iter().map(|(_, place)| place).collect())
    }
}

impl KeyTable for MemoryVault {
    async fn wrapped(&self, record: Id, version: u32) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(match self.world().keys.get(&format!("{record}/{version}")) {
            Some(KeyItem::Wrapped { wrapped, .. }) => Some(wrapped.clone()),
            _ => None,
        })
    }

    async fn header(&self, record: Id, version: u32, message_id: &Bytes<32>) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(match self.world().keys.get(&format!("{record}/{version}/{message_id}")) {
            Some(KeyItem::Header { header, .. }) => Some(header.clone()),
            _ => None,
        })
    }
}
