//! The road of a command: load what it relies on, decide, append; on a lost race load and decide again. Observations take the same road.

use std::collections::BTreeMap;

use chartseal_events::decide::{Writing, write};
use chartseal_events::event::StoredEvent;
use chartseal_events::evidence::Evidence;
use chartseal_events::limits::MAX_CLOCK_SKEW_MS;
use chartseal_events::private::PrivatePart;
use chartseal_events::state::History;
use chartseal_events::{
    Bytes, Cause, Code, Command, Decision, EventRef, Facts, Observation, Refusal, StreamId, View, decide,
};
use futures_util::future::try_join_all;

use crate::ports::{Append, Clock, EventStore, KeyItem, StoreError};
use crate::telemetry::{fields, note};

/// How often a lost race is run again before the caller is told.
const MAX_ATTEMPTS: u32 = 8;

/// Why the road did not lead to an event.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A service failed, or stored data is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// A command that was taken, or had been taken before.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The event that stands for it: the first one appended, or the one it led to before.
    pub event: StoredEvent,
    /// Whether it had been taken before.
    pub repeated: bool,
    /// What was looked at, with the appended events applied.
    pub view: View,
}

/// What goes along with a command.
#[derive(Debug, Clone, Default)]
pub struct Luggage {
    /// What the vault adds.
    pub facts: Facts,
    /// The command's private values.
    pub private: PrivatePart,
    /// Keys and headers that are written with the event.
    pub keys: Vec<KeyItem>,
}

/// Loads and folds streams, all at once.
pub async fn look<S: EventStore>(
    store: &S,
    streams: impl IntoIterator<Item = StreamId>,
    now_ms: u64,
) -> Result<View, Failure> {
    let histories = try_join_all(streams.into_iter().map(|stream| history(store, stream, now_ms))).await?;
    Ok(View::new(histories))
}

/// The same with the exact bytes that were folded, for whoever wants to check them.
pub async fn look_with_evidence<S: EventStore>(
    store: &S,
    streams: impl IntoIterator<Item = StreamId>,
    now_ms: u64,
) -> Result<(View, Evidence), Failure> {
    let loads = streams.into_iter().map(|stream| async move {
        let events = load(store, stream, now_ms).await?;
        Ok::<_, StoreError>((fold(stream, &events)?, (stream, events.into_iter().map(|event| event.body).collect())))
    });
    let (histories, evidence): (Vec<_>, _) = try_join_all(loads).await?.into_iter().unzip();
    Ok((View::new(histories), Evidence(evidence)))
}

async fn history<S: EventStore>(store: &S, stream: StreamId, now_ms: u64) -> Result<History, StoreError> {
    fold(stream, &load(store, stream, now_ms).await?)
}

async fn load<S: EventStore>(store: &S, stream: StreamId, now_ms: u64) -> Result<Vec<StoredEvent>, StoreError> {
    if matches!(stream, StreamId::Search { .. }) {
        // A repeated search can only repeat a command that is still taken: look back that far.
        return store.load_tail(&stream, now_ms.saturating_sub(4 * MAX_CLOCK_SKEW_MS)).await;
    }
    store.load(&stream).await
}

fn fold(stream: StreamId, events: &[StoredEvent]) -> Result<History, StoreError> {
    let folded = if matches!(stream, StreamId::Search { .. }) {
        History::fold_tail(stream, events)
    } else {
        History::fold(stream, events)
    };
    folded.map_err(|error| StoreError::Damaged { what: error.to_string() })
}

/// Takes a command whose claims and private part have been admitted.
pub async fn take<S: EventStore, C: Clock>(
    store: &S,
    clock: &C,
    command: &Command,
    luggage: &Luggage,
) -> Result<Taken, Failure> {
    let streams = command.reads()?;
    travel(store, clock, Cause::Command(command), streams.into_iter().collect(), luggage).await
}

/// The same for who has just looked at what the command relies on: looked at again only when a race was lost meanwhile.
pub async fn take_seen<S: EventStore, C: Clock>(
    store: &S,
    clock: &C,
    command: &Command,
    luggage: &Luggage,
    seen: View,
) -> Result<Taken, Failure> {
    let streams = command.reads()?;
    travel_from(Some(seen), store, clock, Cause::Command(command), streams.into_iter().collect(), luggage).await
}

/// Writes down something that the vault found out.
pub async fn observe<S: EventStore, C: Clock>(
    store: &S,
    clock: &C,
    observation: &Observation,
) -> Result<Taken, Failure> {
    travel(store, clock, Cause::Observation(observation), observation.reads(), &Luggage::default()).await
}

/// The same for who has just looked at the streams that the observation is about.
pub async fn observe_seen<S: EventStore, C: Clock>(
    store: &S,
    clock: &C,
    observation: &Observation,
    seen: View,
) -> Result<Taken, Failure> {
    let (cause, streams) = (Cause::Observation(observation), observation.reads());
    travel_from(Some(seen), store, clock, cause, streams, &Luggage::default()).await
}

async fn travel<S: EventStore, C: Clock>(
    store: &S,
    clock: &C,
    cause: Cause<'_>,
    streams: Vec<StreamId>,
    luggage: &Luggage,
) -> Result<Taken, Failure> {
    travel_from(None, store, clock, cause, streams, luggage).await
}

/// `seen` stands for a first look of one's own. What was appended meanwhile to the stream that is written to makes the append a conflict, and after that
/// everything is looked at anew; what was appended to other streams is not noticed, so `seen` must be as young as the caller's reads allow.
async fn travel_from<S: EventStore, C: Clock>(
    mut seen: Option<View>,
    store: &S,
    clock: &C,
    cause: Cause<'_>,
    streams: Vec<StreamId>,
    luggage: &Luggage,
) -> Result<Taken, Failure> {
    for _ in 0..MAX_ATTEMPTS {
        let now_ms = clock.now_ms();
        let view = match seen.take() {
            Some(view) => view,
            None => look(store, streams.iter().copied(), now_ms).await?,
        };
        let drafts = match decide(&view, cause, &luggage.facts, now_ms)? {
            Decision::Append(drafts) => drafts,
            Decision::Existing(place) => {
                note::add(&fields::REPEATED, 1);
                let event = find(store, place).await?;
                return Ok(Taken { event, repeated: true, view });
            }
        };
        let command = match cause {
            Cause::Command(command) => Some(command),
            Cause::Observation(_) => None,
        };
        let nonces = nonces(drafts.len())?;
        let events = write(&view, &drafts, Writing { at_ms: now_ms, nonces: &nonces, command })?;
        let append = Append { events, at_ms: now_ms, private: luggage.private.clone(), keys: luggage.keys.clone() };
        match store.append(&append).await {
            Ok(()) => return arrived(&view, append.events),
            Err(StoreError::Conflict(_)) => note::add(&fields::CONFLICTS, 1),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Code::Conflict.into())
}

async fn find<S: EventStore>(store: &S, place: EventRef) -> Result<StoredEvent, Failure> {
    let found = store.fetch(&[place]).await?.into_iter().flatten().next();
    found.ok_or_else(|| StoreError::Damaged { what: format!("{place} is gone") }.into())
}

fn arrived(view: &View, events: Vec<StoredEvent>) -> Result<Taken, Failure> {
    let mut histories: BTreeMap<StreamId, History> = view.histories().map(|h| (h.stream, h.clone())).collect();
    for event in &events {
        note::appended(&event.at);
        let history = histories.get_mut(&event.at.stream).ok_or(Code::Internal)?;
        history.apply(event).map_err(|error| StoreError::Damaged { what: error.to_string() })?;
    }
    let event = events.into_iter().next().ok_or(Code::Internal)?;
    Ok(Taken { event, repeated: false, view: View::new(histories.into_values()) })
}

fn nonces(count: usize) -> Result<Vec<Bytes<16>>, Failure> {
    let mut nonces = vec![Bytes([0; 16]); count];
    for nonce in &mut nonces {
        getrandom::fill(&mut nonce.0).map_err(|_| Code::Internal)?;
    }
    Ok(nonces)
}
