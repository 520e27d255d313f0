//! What follows from events. The consumer does it when the table's stream wakes it, the sweeper does it again for every event of the last
//! minutes and at deadlines: so each reaction can be done any number of times, at any time, and comes to the same end. Nothing that wakes a
//! worker is believed: the event, its stream and the object are read consistently.
//!
//! - [`React::to`]: index entries, due items, starting and telling the workflow (DESIGN section 7).
//! - [`tell`]: the two-sided handshake with a waiting workflow.
//! - [`settle_upload`]: what became of an announced body (DESIGN section 6, step 3).
//!
//! Out of scope: deciding anything. That is `chartseal_events::decide`.
#![forbid(unsafe_code)]

mod postings;
mod react;
mod settle;
mod tell;

use chartseal_events::event::StoredEvent;
use chartseal_events::state::History;
use chartseal_events::{Event, EventRef, Id, StreamId, View};
use chartseal_infra::ports::{EventStore, StoreError};
use chartseal_infra::telemetry::note;

pub use chartseal_infra::road::Failure;
pub use react::{Effect, React, concerns};
pub use settle::{Orphans, Settled, settle_upload};
pub use tell::{decision, tell, tell_waiting};

/// The event at a place, read anew; none where there is none.
pub async fn fetch<E: EventStore>(events: &E, place: EventRef) -> Result<Option<Event>, StoreError> {
    let stored = events.fetch(&[place]).await?.into_iter().flatten().next();
    let event = stored.map(|stored| open(&stored)).transpose()?;
    if let Some(command) = event.as_ref().and_then(|event| event.command.as_ref()) {
        note::trace(command.trace());
    }
    Ok(event)
}

/// What the command is called that the event at a place of a loaded stream is of; for what the vault observed, that it goes back to. Notes it.
fn trace_of(stream: &[StoredEvent], seq: u64) -> Option<Id> {
    let stored = stream.iter().find(|event| event.at.seq == seq)?;
    let trace = stored.open().ok()?.command?.trace();
    note::trace(trace);
    Some(trace)
}

/// Reads an event's bytes.
fn open(stored: &StoredEvent) -> Result<Event, StoreError> {
    stored.open().map_err(|error| StoreError::Damaged { what: format!("{}: {error}", stored.at) })
}

/// One stream, folded as it is now.
pub async fn look<E: EventStore>(events: &E, stream: StreamId) -> Result<View, StoreError> {
    let stored = events.load(&stream).await?;
    if matches!(stream, StreamId::Request(_)) {
        // What is done to a request also belongs to the command that made it.
        trace_of(&stored, 0);
    }
    fold(stream, &stored)
}

fn fold(stream: StreamId, stored: &[StoredEvent]) -> Result<View, StoreError> {
    let history = History::fold(stream, stored);
    Ok(View::new([history.map_err(|error| StoreError::Damaged { what: error.to_string() })?]))
}
