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
use chartseal_events::{Event, EventRef, StreamId, View};
use chartseal_infra::ports::{EventStore, StoreError};

pub use chartseal_infra::road::Failure;
pub use react::{Effect, React, concerns};
pub use settle::{Orphans, Settled, settle_upload};
pub use tell::{decision, tell, tell_waiting};

/// The event at a place, read anew; none where there is none.
pub async fn fetch<E: EventStore>(events: &E, place: EventRef) -> Result<Option<Event>, StoreError> {
    let stored = events.fetch(&[place]).await?.into_iter().flatten().next();
    stored.map(|stored| open(&stored)).transpose()
}

/// Reads an event's bytes.
fn open(stored: &StoredEvent) -> Result<Event, StoreError> {
    stored.open().map_err(|error| StoreError::Damaged { what: format!("{}: {error}", stored.at) })
}

/// One stream, folded as it is now.
pub async fn look<E: EventStore>(events: &E, stream: StreamId) -> Result<View, StoreError> {
    let history = History::fold(stream, &events.load(&stream).await?);
    Ok(View::new([history.map_err(|error| StoreError::Damaged { what: error.to_string() })?]))
}
