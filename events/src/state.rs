//! States: what a stream's events add up to. A state is a fold, computed anew from the stream; nothing else is ever believed.

mod people;
mod record;
mod request;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use people::{Operators, Provider, ProviderStatus, Registration, Staff};
pub use record::{Announced, AnnouncedStatus, Record, Uploaded, Version};
pub use request::{Request, RequestState};

use crate::codes::{Code, Refusal};
use crate::command::Command;
use crate::encoding::Hash;
use crate::event::{Event, EventError, EventRef, Head, Outcome, StoredEvent};
use crate::id::{Id, Kid};
use crate::stream::StreamId;

/// The commands a stream has taken: `(kid, jti)` to the first event each led to and the command's digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands(BTreeMap<(Kid, Id), (u64, Hash)>);

impl Commands {
    fn note(&mut self, event: &Event) {
        if let Some(command) = &event.command {
            self.0.entry((command.kid(), command.claims.jti)).or_insert((event.place.seq, command.digest()));
        }
    }

    /// Where this same command was taken before; another command under its `jti` is refused.
    pub fn find(&self, command: &Command) -> Result<Option<u64>, Refusal> {
        match self.0.get(&(command.kid(), command.claims.jti)) {
            Some((seq, digest)) if *digest == command.digest() => Ok(Some(*seq)),
            Some(_) => Err(Code::JtiReused.into()),
            None => Ok(None),
        }
    }
}

/// Why a stream's bytes are no sound stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// An event cannot be read.
    #[error("{0}: {1}")]
    Event(EventRef, EventError),
    /// An event does not follow the one before it.
    #[error("{0}: does not follow the event before it (order or hash link)")]
    Link(EventRef),
    /// An event that cannot happen in this state.
    #[error("{0}: cannot happen here")]
    Impossible(EventRef),
}

/// What a stream's events add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// `vault`
    Vault(Operators),
    /// `provider/<id>`
    Provider(Provider),
    /// `staff/<id>`
    Staff(Staff),
    /// `record/<id>`
    Record(Record),
    /// `request/<id>`
    Request(Request),
    /// `search/<provider>/<day>/<shard>`
    Search,
}

/// A stream, folded: its head, its state, the commands it has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Its name.
    pub stream: StreamId,
    /// Its last event; none for a stream that has not begun.
    pub head: Option<Head>,
    /// What its events add up to; none for a stream that has not begun.
    pub state: Option<State>,
    /// The commands it has taken.
    pub commands: Commands,
}

impl History {
    /// A stream that has not begun.
    pub fn empty(stream: StreamId) -> Self {
        Self { stream, head: None, state: None, commands: Commands::default() }
    }

    /// Folds a whole stream, from its first event on. Checks order, hash links, and that each event can happen.
    pub fn fold(stream: StreamId, events: &[StoredEvent]) -> Result<Self, FoldError> {
        let mut history = Self::empty(stream);
        for stored in events {
            history.apply(stored)?;
        }
        Ok(history)
    }

    /// Folds the end of a search stream, which is loaded from its last events only. Links are checked from the first one given.
    pub fn fold_tail(stream: StreamId, events: &[StoredEvent]) -> Result<Self, FoldError> {
        let mut history = Self::empty(stream);
        if let Some(first) = events.first().filter(|first| first.at.seq > 0) {
            let event = first.open().map_err(|error| FoldError::Event(first.at, error))?;
            history.head = Some(Head { seq: first.at.seq - 1, leaf: event.prev });
        }
        for stored in events {
            history.apply(stored)?;
        }
        Ok(history)
    }

    /// Applies the next event.
    pub fn apply(&mut self, stored: &StoredEvent) -> Result<Event, FoldError> {
        let event = stored.open().map_err(|error| FoldError::Event(stored.at, error))?;
        self.follow(&event)?;
        Ok(event)
    }

    /// Applies the next event, which has been opened. One that does not follow leaves the history as it was; one that cannot happen takes its state away.
    pub fn follow(&mut self, event: &Event) -> Result<(), FoldError> {
        let place = event.place;
        let (next_seq, prev) = self.next();
        if place != (EventRef { stream: self.stream, seq: next_seq }) || event.prev != prev {
            return Err(FoldError::Link(place));
        }
        let state = self.state.take();
        self.state = Some(next_state(state, self.stream, event).ok_or(FoldError::Impossible(place))?);
        self.commands.note(event);
        self.head = Some(Head { seq: place.seq, leaf: event.leaf });
        Ok(())
    }

    /// The `seq` and `prev` of the next event.
    pub fn next(&self) -> (u64, Hash) {
        self.head.map_or((0, Hash::ZERO), |head| (head.seq + 1, head.leaf))
    }
}

/// The state after an event, or none where the event cannot happen.
fn next_state(state: Option<State>, stream: StreamId, event: &Event) -> Option<State> {
    match (state, stream) {
        (None, StreamId::Vault) => Operators::begin(event).map(State::Vault),
        (None, StreamId::Provider(id)) => Provider::begin(id, event).map(State::Provider),
        (None, StreamId::Staff(id)) => Staff::begin(id, event).map(State::Staff),
        (None, StreamId::Record(id)) => Record::begin(id, event).map(State::Record),
        (None, StreamId::Request(id)) => Request::begin(id, event).map(State::Request),
        (_, StreamId::Search { .. }) => matches!(event.outcome, Outcome::SearchPerformed(_)).then_some(State::Search),
        (Some(State::Vault(operators)), StreamId::Vault) => operators.then(event).map(State::Vault),
        (Some(State::Provider(provider)), StreamId::Provider(_)) => provider.then(event).map(State::Provider),
        (Some(State::Record(record)), StreamId::Record(_)) => record.then(event).map(State::Record),
        (Some(State::Request(request)), StreamId::Request(_)) => request.then(event).map(State::Request),
        _ => None,
    }
}

/// The streams that a decision looks at, folded. Histories are shared: a view costs no copy of what long streams add up to.
#[derive(Debug, Clone, Default)]
pub struct View(BTreeMap<StreamId, Arc<History>>);

impl View {
    /// A view of these streams. Streams that have not begun belong into it too, as [`History::empty`].
    pub fn new(histories: impl IntoIterator<Item = impl Into<Arc<History>>>) -> Self {
        Self(histories.into_iter().map(Into::into).map(|history| (history.stream, history)).collect())
    }

    /// Every stream in view.
    pub fn histories(&self) -> impl Iterator<Item = &History> {
        self.0.values().map(Arc::as_ref)
    }

    /// A stream in view.
    pub fn history(&self, stream: &StreamId) -> Option<&History> {
        self.0.get(stream).map(Arc::as_ref)
    }

    fn state(&self, stream: StreamId) -> Option<&State> {
        self.0.get(&stream).and_then(|history| history.state.as_ref())
    }

    /// The vault and its operators.
    pub fn operators(&self) -> Option<&Operators> {
        match self.state(StreamId::Vault) {
            Some(State::Vault(operators)) => Some(operators),
            _ => None,
        }
    }

    /// A provider.
    pub fn provider(&self, id: Id) -> Option<&Provider> {
        match self.state(StreamId::Provider(id)) {
            Some(State::Provider(provider)) => Some(provider),
            _ => None,
        }
    }

    /// A person.
    pub fn staff(&self, id: Id) -> Option<&Staff> {
        match self.state(StreamId::Staff(id)) {
            Some(State::Staff(staff)) => Some(staff),
            _ => None,
        }
    }

    /// A record.
    pub fn record(&self, id: Id) -> Option<&Record> {
        match self.state(StreamId::Record(id)) {
            Some(State::Record(record)) => Some(record),
            _ => None,
        }
    }

    /// A request.
    pub fn request(&self, id: Id) -> Option<&Request> {
        match self.state(StreamId::Request(id)) {
            Some(State::Request(request)) => Some(request),
            _ => None,
        }
    }
}
