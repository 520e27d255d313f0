//! Streams, folded: the newest state of those that were in use lately, and older states that events have seen. What is not in memory is folded anew from
//! the copy. So memory does not grow with the log.

use std::collections::HashMap;
use std::hash::Hash as Key;
use std::sync::Arc;

use chartseal_events::event::{Head, leaf_hash};
use chartseal_events::state::History;
use chartseal_events::{Event, EventRef, Hash, StreamId};

use crate::copy::{CopyError, Judged, Snapshot};

/// What one half of the memory may weigh: about 200 bytes each.
const MAX_WEIGHT: u64 = 120_000;
/// Of a search stream so much is folded anew, counted back from its newest event.
const SEARCHES_MS: u64 = 3_600_000;
/// What a history weighs beside its events.
const OWN_WEIGHT: u64 = 8;

/// Everything that was judged: in the copy, since its last commit, and in the block that is being judged.
#[derive(Clone, Copy)]
pub(crate) struct Book<'a> {
    pub copy: &'a Snapshot,
    /// From this index on this run has judged what is in the copy, and nobody else has had the file meanwhile.
    pub own_from: u64,
    pub pending: &'a Judged,
    pub block: &'a Judged,
}

impl Book<'_> {
    fn pending_index(&self, place: EventRef) -> Option<u64> {
        self.block.places.get(&place).or_else(|| self.pending.places.get(&place)).copied()
    }

    /// The event at a place; none where none has been judged.
    pub fn event(&self, place: EventRef) -> Result<Option<Event>, CopyError> {
        let index = match self.pending_index(place) {
            Some(index) => Some(index),
            None => self.copy.index_of(place)?,
        };
        index.map(|index| self.event_at(index)).transpose()
    }

    fn event_at(&self, index: u64) -> Result<Event, CopyError> {
        let damaged = || CopyError::damaged(format!("the event at index {index}"));
        let pending = self.block.bodies.get(&index).or_else(|| self.pending.bodies.get(&index));
        let body = match pending {
            Some(body) => body.clone(),
            None => self.copy.body(index)?.ok_or_else(damaged)?.into(),
        };
        Event::read(&body, leaf_hash(body.as_bytes())).map_err(|_| damaged())
    }

    /// The last event of a stream that is folded from the copy is under the signed root. The others are proven by the links from it back.
    fn check_last(&self, index: u64, leaf: Hash) -> Result<(), CopyError> {
        if index < self.own_from { self.copy.check_included(index, leaf) } else { Ok(()) }
    }

    /// The end of a search stream: a provider's day may have thousands of searches, of which a decision looks at the commands alone, and only a command of
    /// about the same time can be the same. A command's `jti`, `iat` and its event's `at` are at most 120 s apart.
    fn fold_searches(&self, stream: StreamId) -> Result<Option<History>, CopyError> {
        let mut places: Vec<u64> = self.copy.stream(stream, u64::MAX)?;
        let stored = places.len();
        let pending = |seq: usize| self.pending_index(EventRef { stream, seq: seq as u64 });
        while let Some(index) = pending(places.len()) {
            places.push(index);
        }
        let mut tail: Vec<Event> = Vec::new();
        for &index in places.iter().rev() {
            let event = self.event_at(index)?;
            let newest_ms = tail.first().map_or(event.at_ms, |newest| newest.at_ms);
            let old = newest_ms.saturating_sub(event.at_ms) > SEARCHES_MS;
            tail.push(event);
            if old {
                break;
            }
        }
        let Some(first) = tail.last() else { return Ok(None) };
        let head = first.place.seq.checked_sub(1).map(|seq| Head { seq, leaf: first.prev });
        let mut history = History { head, ..History::empty(stream) };
        for event in tail.into_iter().rev() {
            let (leaf, seq) = (event.leaf, event.place.seq);
            history.follow(&event).map_err(CopyError::damaged)?;
            if seq + 1 == stored as u64 {
                self.check_last(places[stored - 1], leaf)?;
            }
        }
        Ok(Some(history))
    }

    /// A stream up to a place; none where it does not reach that far.
    fn fold(&self, stream: StreamId, last_seq: u64) -> Result<Option<History>, CopyError> {
        let mut history = History::empty(stream);
        let stored = self.copy.stream(stream, last_seq)?;
        for &index in &stored {
            let event = self.event_at(index)?;
            history.follow(&event).map_err(CopyError::damaged)?;
        }
        if let (Some(head), Some(&index)) = (history.head, stored.last()) {
            self.check_last(index, head.leaf)?;
        }
        while history.next().0 <= last_seq {
            let Some(index) = self.pending_index(EventRef { stream, seq: history.next().0 }) else { break };
            let event = self.event_at(index)?;
            history.follow(&event).map_err(CopyError::damaged)?;
        }
        Ok(history.head.is_some().then_some(history))
    }
}

/// The folded streams.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    latest: Kept<StreamId>,
    older: Kept<EventRef>,
}

impl Histories {
    /// A stream's newest state; none where it has not begun.
    pub fn latest(&mut self, book: Book<'_>, stream: StreamId) -> Result<Option<Arc<History>>, CopyError> {
        if let Some(history) = self.latest.get(&stream) {
            return Ok(Some(history));
        }
        let history = match stream {
            StreamId::Search { .. } => book.fold_searches(stream)?,
            _ => book.fold(stream, u64::MAX)?,
        };
        let history = history.map(Arc::new);
        if let Some(history) = &history {
            self.latest.put(stream, history.clone());
        }
        Ok(history)
    }

    /// A stream as it was after the event at `place`; none where there is none. And whether it went on after that.
    pub fn at(&mut self, book: Book<'_>, place: EventRef) -> Result<Option<(Arc<History>, bool)>, CopyError> {
        let Some(latest) = self.latest(book, place.stream)? else { return Ok(None) };
        match latest.head {
            Some(head) if head.seq == place.seq => return Ok(Some((latest, false))),
            Some(head) if head.seq > place.seq => {}
            _ => return Ok(None),
        }
        if let Some(history) = self.older.get(&place) {
            return Ok(Some((history, true)));
        }
        let history = book.fold(place.stream, place.seq)?.map(Arc::new);
        if let Some(history) = &history {
            self.older.put(place, history.clone());
        }
        Ok(history.map(|history| (history, true)))
    }

    /// Takes a stream's newest state out, to be changed and put back.
    pub fn take(&mut self, stream: StreamId) -> Option<Arc<History>> {
        self.latest.take(&stream)
    }

    pub fn put(&mut self, history: Arc<History>) {
        self.latest.put(history.stream, history);
    }
}

/// What was in use lately, in two halves: when the new one is full, the old one is forgotten.
#[derive(Debug)]
struct Kept<K> {
    new: HashMap<K, Arc<History>>,
    old: HashMap<K, Arc<History>>,
    weight: u64,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { new: HashMap::new(), old: HashMap::new(), weight: 0 }
    }
}

impl<K: Key + Eq + Copy> Kept<K> {
    fn get(&mut self, key: &K) -> Option<Arc<History>> {
        if let Some(history) = self.new.get(key) {
            return Some(history.clone());
        }
        let history = self.old.remove(key)?;
        self.put(*key, history.clone());
        Some(history)
    }

    fn take(&mut self, key: &K) -> Option<Arc<History>> {
        if let Some(history) = self.new.remove(key) {
            self.weight = self.weight.saturating_sub(weight(&history));
            return Some(history);
        }
        self.old.remove(key)
    }

    fn put(&mut self, key: K, history: Arc<History>) {
        self.weight += weight(&history);
        if let Some(replaced) = self.new.insert(key, history) {
            self.weight = self.weight.saturating_sub(weight(&replaced));
        }
        if self.weight > MAX_WEIGHT {
            self.old = std::mem::take(&mut self.new);
            self.weight = 0;
        }
    }
}

fn weight(history: &History) -> u64 {
    OWN_WEIGHT + history.next().0
}
