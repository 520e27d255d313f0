//! The reaction to an event, by its type.

use chartseal_events::event::{AccessRequested, Event, EventRef, Outcome};
use chartseal_events::{Command, Id, StreamId};
use chartseal_infra::ports::{Due, EventStore, Index, IndexEntry, IndexList, StoreError, WorkList, Workflow};
use chartseal_infra::telemetry::{fields, note};
use futures_util::future::{try_join, try_join3};

use crate::{fetch, look, postings, tell};

/// What reactions work on.
#[derive(Debug)]
pub struct React<'a, E, I, W, F> {
    /// The streams.
    pub events: &'a E,
    /// The index.
    pub index: &'a I,
    /// The work lists.
    pub work: &'a W,
    /// The approval workflow.
    pub workflow: &'a F,
}

/// Whether there was something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is done now, and would be done again.
    Done,
    /// Nothing follows from this event.
    Nothing,
    /// There is no event at this place.
    NoEvent,
}

/// Whether anything can follow from events of this stream; spares reading the others.
pub const fn concerns(stream: &StreamId) -> bool {
    matches!(stream, StreamId::Record(_) | StreamId::Request(_))
}

impl<E: EventStore, I: Index, W: WorkList, F: Workflow> React<'_, E, I, W, F> {
    /// Reacts to the event at a place, of which it has just been told.
    pub async fn to(&self, place: EventRef) -> Result<Effect, StoreError> {
        note::seen(&place);
        if !concerns(&place.stream) {
            return Ok(Effect::Nothing);
        }
        match fetch(self.events, place).await? {
            Some(event) => {
                note::since(&fields::STREAM_LAG_MS, event.at_ms);
                self.to_event(&event).await
            }
            None => Ok(Effect::NoEvent),
        }
    }

    /// Reacts to an event that has just been read.
    pub async fn to_event(&self, event: &Event) -> Result<Effect, StoreError> {
        match (&event.outcome, event.place.stream) {
            (Outcome::RecordCreated(created), StreamId::Record(_)) if created.version == 1 => {
                self.list(event, [IndexList::Records, IndexList::RecordsOf(created.owner)]).await?;
            }
            (Outcome::RecordAnnounced(announced), StreamId::Record(_)) => self.due(event, announced.expires_at).await?,
            (Outcome::RecordUploaded(uploaded), StreamId::Record(record)) => {
                postings::post(self.events, self.index, record, uploaded.version, uploaded.announced).await?;
            }
            (Outcome::AccessRequested(asked), StreamId::Request(request)) => {
                self.to_request(event, request, asked).await?;
            }
            (Outcome::AccessApproved(approved), StreamId::Request(request)) => {
                try_join(self.due(event, approved.until), self.tell(request)).await?;
            }
            (Outcome::AccessDenied(_) | Outcome::AccessExpired(_), StreamId::Request(request)) => {
                self.tell(request).await?;
            }
            _ => return Ok(Effect::Nothing),
        }
        Ok(Effect::Done)
    }

    async fn to_request(&self, event: &Event, request: Id, asked: &AccessRequested) -> Result<(), StoreError> {
        let lists = [IndexList::Requests, IndexList::RequestsOf(asked.requester), IndexList::RequestsOf(asked.owner)];
        // A workflow's name is free again some time after its end: never start one for a request that has been decided.
        let look = look(self.events, event.place.stream);
        let (.., view) = try_join3(self.list(event, lists), self.due(event, asked.expires_at), look).await?;
        if view.request(request).is_some_and(|request| request.state.is_open()) {
            let trace = event.command.as_ref().map(Command::trace);
            self.workflow.start(request, trace).await?;
        }
        Ok(())
    }

    /// Tells the request's workflow what has been decided.
    pub async fn tell(&self, request: Id) -> Result<(), StoreError> {
        // Nobody listening is the usual case when it is told again.
        tell(self.events, self.work, self.workflow, request).await.map(|_| ())
    }

    async fn due(&self, event: &Event, at_ms: u64) -> Result<(), StoreError> {
        self.work.add_due(Due { at_ms, event: event.place }).await
    }

    async fn list<const N: usize>(&self, event: &Event, lists: [IndexList; N]) -> Result<(), StoreError> {
        let entry = IndexEntry { at_ms: event.at_ms, event: event.place, version: 0 };
        self.index.add(&lists.map(|list| (list, entry))).await
    }
}
