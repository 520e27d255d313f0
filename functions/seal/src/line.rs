//! What is next in one stream: the events after its last sealed one, as far as they can be sealed at all.

use std::collections::BTreeMap;

use chartseal_events::event::{Event, Head, Seen, StoredEvent};
use chartseal_events::{EventRef, Hash, StreamId};

use crate::defect::{Defect, planted};
use crate::refusal::Fault;

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing more is wanted, or there was nothing more when it was read.
    Reached,
    /// More is wanted: it was read so far and no further.
    Cut,
    /// What comes next cannot be sealed.
    Broken(EventRef, Fault),
}

/// The unsealed events of a stream, in order, each of which names the one before it.
#[derive(Debug)]
pub(crate) struct Line {
    /// The events.
    pub events: Vec<Event>,
    /// What is after them.
    pub end: End,
    /// The last place that is wanted.
    pub to: u64,
}

impl Line {
    /// The line of what was read of a stream, its last sealed event first.
    pub fn of(stream: StreamId, sealed: Option<Head>, loaded: &[StoredEvent], to: u64, is_cut: bool) -> Self {
        let mut line = Self { events: Vec::new(), end: End::Reached, to };
        let mut rest = loaded;
        let (mut seq, mut prev) = (0, Hash::ZERO);
        if let Some(head) = sealed {
            let place = EventRef { stream, seq: head.seq };
            match rest.split_first() {
                Some((event, after)) if event.at == place && event.leaf == head.leaf => rest = after,
                _ => line.end = End::Broken(place, Fault::Rewritten),
            }
            (seq, prev) = (head.seq + 1, head.leaf);
        }
        if line.end != End::Reached {
            return line;
        }
        for stored in rest {
            match link(stored, EventRef { stream, seq }, prev) {
                Ok(event) => line.events.push(event),
                Err(fault) => {
                    line.end = End::Broken(EventRef { stream, seq }, fault);
                    return line;
                }
            }
            (seq, prev) = (seq + 1, stored.leaf);
        }
        if is_cut {
            line.end = End::Cut;
        }
        line
    }

    /// The place after the last event that was read.
    pub fn past(&self, sealed: Option<Head>) -> u64 {
        self.events.last().map_or(sealed.map_or(0, |head| head.seq + 1), |event| event.place.seq + 1)
    }

    /// Ends the line before the first event that has seen something else than what stands there, of what is known.
    pub fn check_seen(&mut self, leaves: &BTreeMap<EventRef, Hash>) {
        let other = |Seen(stream, seq, leaf): &Seen| {
            let place = EventRef { stream: *stream, seq: *seq };
            leaves.get(&place).is_some_and(|known| known != leaf).then_some(place)
        };
        let wrong = self.events.iter().position(|event| event.seen.iter().any(|seen| other(seen).is_some()));
        if let Some(at) = wrong {
            let event = &self.events[at];
            // Unwrap safety: the event was found by it.
            let seen = event.seen.iter().find_map(other).unwrap();
            self.end = End::Broken(event.place, Fault::SeenOther(seen));
            self.events.truncate(at);
        }
    }
}

fn link(stored: &StoredEvent, place: EventRef, prev: Hash) -> Result<Event, Fault> {
    if stored.at != place {
        return Err(Fault::Gap);
    }
    let event = stored.open()?;
    if event.prev == prev || planted(Defect::IgnoresLinks) { Ok(event) } else { Err(Fault::Link) }
}
