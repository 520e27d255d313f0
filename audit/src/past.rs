//! Other streams as an event saw them: folded from their first event up to the one that it names. Kept in memory as far as they are likely to be
//! asked for again: people are, records by the requests for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chartseal_events::StreamId;
use chartseal_events::event::{EventRef, StoredEvent};
use chartseal_events::state::History;
use chartseal_infra::aws::Inventory;
use chartseal_infra::ports::StoreError;

use crate::events::stored;

/// Most histories, and most streams of records, that are kept.
const MAX_KEPT: usize = 2_048;

/// A reader of pasts.
pub(crate) struct Past<'a> {
    inventory: &'a Inventory,
    histories: Mutex<HashMap<EventRef, Option<History>>>,
    streams: Mutex<HashMap<StreamId, Arc<Vec<StoredEvent>>>>,
}

impl<'a> Past<'a> {
    pub(crate) fn new(inventory: &'a Inventory) -> Self {
        Self { inventory, histories: Mutex::default(), streams: Mutex::default() }
    }

    /// A stream up to an event; none where it has no such event, or does not add up so far.
    pub(crate) async fn at(&self, place: EventRef) -> Result<Option<History>, StoreError> {
        if let Some(kept) = lock(&self.histories).get(&place) {
            return Ok(kept.clone());
        }
        let events = self.stream(place.stream).await?;
        let length = usize::try_from(place.seq).unwrap_or(usize::MAX).saturating_add(1);
        let history = events.get(..length).and_then(|events| History::fold(place.stream, events).ok());
        keep(&self.histories, place, history.clone());
        Ok(history)
    }

    async fn stream(&self, stream: StreamId) -> Result<Arc<Vec<StoredEvent>>, StoreError> {
        if let Some(kept) = lock(&self.streams).get(&stream) {
            return Ok(kept.clone());
        }
        let items = self.inventory.stream(&stream).await?;
        let events: Arc<Vec<StoredEvent>> = Arc::new(items.iter().map_while(|item| stored(stream, item)).collect());
        keep(&self.streams, stream, events.clone());
        Ok(events)
    }
}

/// A panic elsewhere leaves a map whole: entries are put in at once.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep<K: std::hash::Hash + Eq, V>(mutex: &Mutex<HashMap<K, V>>, key: K, value: V) {
    let mut kept = lock(mutex);
    if kept.len() >= MAX_KEPT {
        kept.clear();
    }
    kept.insert(key, value);
}
