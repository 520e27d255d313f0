//! Which of the gathered events come into the next block, and in which order: what an event has seen comes before it, and otherwise the older event first.
//! It fills the block as far as it goes.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::{Event, Head, Seen};
use chartseal_events::{EventRef, StreamId};
use chartseal_ledger::block::{MAX_BLOCK_BYTES, MAX_BLOCK_OPERATIONS};
use chartseal_ledger::map::operations_of;
use chartseal_ledger::seal::{MAX_BLOCK_EVENTS, SEAL_BYTES};

use crate::defect::{Defect, planted};
use crate::gather::{Gathered, Wanted, want_all};
use crate::line::End;
use crate::refusal::Fault;

/// A block's events, and what becomes of the others.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    /// The block's events, in its order.
    pub events: Vec<Event>,
    /// Streams that have more to seal, beginning with the next block.
    pub more: Wanted,
    /// What cannot be sealed, and why.
    pub broken: BTreeMap<EventRef, Fault>,
    /// Streams that wait for what cannot be sealed.
    pub waiting: BTreeSet<StreamId>,
}

/// The order of the next block. `first_index` is the log's size; at 0 the vault's first event goes before everything.
pub(crate) fn order(origin: &str, first_index: u64, gathered: Gathered) -> Ordered {
    let mut queue =
        Queue { next: BTreeMap::new(), ready: BTreeSet::new(), waiting: BTreeMap::new(), sealed: gathered.sealed };
    let (mut ends, mut cut) = (BTreeMap::new(), Wanted::new());
    for (stream, line) in gathered.lines {
        ends.insert(stream, line.end);
        if line.end == End::Cut {
            cut.insert(stream, line.to);
        }
        queue.next.insert(stream, line.events.into());
        queue.line_up(stream);
    }
    let mut room = Room::new(origin, first_index);
    let mut ordered = Ordered::default();
    if first_index == 0 {
        // Whatever there is has the genesis before it, though it may not have looked at it.
        queue.ready.retain(|(_, stream)| *stream == StreamId::Vault);
    }
    while let Some((_, stream)) = queue.ready.pop_first() {
        let Some(event) = queue.next.get(&stream).and_then(|line| line.front()) else { continue };
        if let Some(needed) = queue.unsealed(event) {
            queue.waiting.entry(needed.stream).or_default().insert(stream);
            continue;
        }
        if !room.take(event) {
            ordered.more = queue.left();
            break;
        }
        let begins = first_index == 0 && ordered.events.is_empty();
        ordered.events.extend(queue.take(stream));
        if begins {
            queue.next.keys().copied().collect::<Vec<_>>().into_iter().for_each(|stream| queue.line_up(stream));
        }
    }
    let full = !ordered.more.is_empty();
    for end in ends.values() {
        if let End::Broken(place, fault) = end {
            ordered.broken.insert(*place, *fault);
        }
    }
    want_all(&mut ordered.more, cut);
    if full {
        return ordered;
    }
    if !ordered.more.is_empty() && !ordered.events.is_empty() {
        want_all(&mut ordered.more, queue.left());
        return ordered;
    }
    ordered.more.clear();
    queue.explain(&ends, &mut ordered);
    ordered
}

/// Events that wait for their turn.
struct Queue {
    next: BTreeMap<StreamId, std::collections::VecDeque<Event>>,
    /// Streams whose next event may be taken, by its time.
    ready: BTreeSet<(u64, StreamId)>,
    /// By stream, those that wait for one of its events.
    waiting: BTreeMap<StreamId, BTreeSet<StreamId>>,
    sealed: BTreeMap<StreamId, Option<Head>>,
}

impl Queue {
    fn line_up(&mut self, stream: StreamId) {
        if let Some(event) = self.next.get(&stream).and_then(|line| line.front()) {
            self.ready.insert((event.at_ms, stream));
        }
    }

    /// The first of what an event has seen that is not sealed.
    fn unsealed(&self, event: &Event) -> Option<EventRef> {
        let sealed = |stream: &StreamId| self.sealed.get(stream).copied().flatten();
        let missing = |Seen(stream, seq, _): &Seen| {
            let is_sealed = sealed(stream).is_some_and(|head| head.seq >= *seq);
            (!is_sealed && !planted(Defect::IgnoresSeen)).then_some(EventRef { stream: *stream, seq: *seq })
        };
        event.seen.iter().find_map(missing)
    }

    /// Takes a stream's next event. Those that waited for the stream may have another look.
    fn take(&mut self, stream: StreamId) -> Option<Event> {
        let event = self.next.get_mut(&stream)?.pop_front()?;
        self.sealed.insert(stream, Some(Head { seq: event.place.seq, leaf: event.leaf }));
        for stream in self.waiting.remove(&stream).into_iter().flatten().chain([stream]) {
            self.line_up(stream);
        }
        Some(event)
    }

    /// The streams with events that were not taken.
    fn left(&self) -> Wanted {
        self.next.iter().filter_map(|(stream, line)| Some((*stream, line.back()?.place.seq))).collect()
    }

    /// Says of each event that was not taken why.
    fn explain(&self, ends: &BTreeMap<StreamId, End>, ordered: &mut Ordered) {
        for (stream, line) in &self.next {
            let Some(event) = line.front() else { continue };
            let nothing = self.unsealed(event).filter(|needed| {
                let read_to_the_end = ends.get(&needed.stream) == Some(&End::Reached);
                let last = self.next.get(&needed.stream).and_then(|line| line.back());
                read_to_the_end && last.is_none_or(|last| last.place.seq < needed.seq)
            });
            match nothing {
                Some(needed) => drop(ordered.broken.insert(event.place, Fault::SeenNothing(needed))),
                None => drop(ordered.waiting.insert(*stream)),
            }
        }
    }
}

/// What still goes into a block.
struct Room<'a> {
    origin: &'a str,
    first_index: u64,
    events: u64,
    operations: usize,
    bytes: usize,
    streams: BTreeSet<StreamId>,
}

impl<'a> Room<'a> {
    fn new(origin: &'a str, first_index: u64) -> Self {
        // The version, the seal, and the number of operations.
        let bytes = 1 + SEAL_BYTES + 2;
        Self { origin, first_index, events: 0, operations: 0, bytes, streams: BTreeSet::new() }
    }

    /// Takes an event in, if it fits.
    fn take(&mut self, event: &Event) -> bool {
        let stream = event.place.stream;
        let index = self.first_index + self.events;
        let mut operations = operations_of(self.origin, index, std::slice::from_ref(event));
        if self.streams.contains(&stream) {
            // The last one is the stream's head, of which a block has one.
            operations.pop();
        }
        let own = 1 + stream.to_string().len() + 8 + 32;
        let bytes = self.bytes + own + operations.iter().map(|operation| 2 + operation.to_bytes().len()).sum::<usize>();
        let operations = operations.len();
        // The event, and the seal after it.
        let edge = edge_bytes(index + 2);
        let fits = self.events < u64::from(MAX_BLOCK_EVENTS)
            && self.operations + operations <= MAX_BLOCK_OPERATIONS
            && bytes + edge <= MAX_BLOCK_BYTES;
        if fits {
            (self.events, self.operations, self.bytes) = (self.events + 1, self.operations + operations, bytes);
            self.streams.insert(stream);
        }
        fits
    }
}

/// The bytes of the edge of a log of this size: each of the size's bytes says how wide a partial tile is.
fn edge_bytes(size: u64) -> usize {
    8 + size.to_be_bytes().into_iter().map(|width| usize::from(width) * 32).sum::<usize>()
}
