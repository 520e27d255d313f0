//! Evidence: the exact bytes of the streams that something rests on, checked by whoever receives them. Every hash link is followed, every
//! command's signature verified under the key that the streams give, and every decision made again: it must come to the same event. All of it
//! is proven back to one value that the reader holds: the leaf hash of the vault's genesis event.
//!
//! Out of scope: that nothing newer was hidden, and that everybody is shown the same streams. Inclusion proofs say that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::codes::Refusal;
use crate::decide::{Cause, Decision, Draft, Facts, Observation, authenticate, decide};
use crate::encoding::Hash;
use crate::event::{Event, EventRef, Outcome, Seen, StoredEvent};
use crate::id::Kid;
use crate::state::{FoldError, History, State, View};
use crate::stream::StreamId;

/// Streams with the bodies of their events, from the first on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence(pub BTreeMap<StreamId, Vec<String>>);

/// What is wrong with evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// A stream's bytes do not add up.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// The vault's stream is missing or begins otherwise than the reader knows.
    #[error("the vault's genesis event is not the one that is trusted here")]
    Genesis,
    /// An event relies on one that is not there, or is another.
    #[error("{0}: relies on {1}, which is not in the evidence as it says")]
    Seen(EventRef, EventRef),
    /// An event names a stream twice, or one that its decision does not look at.
    #[error("{0}: names {1}, which its decision does not look at, or names it twice")]
    SeenIdly(EventRef, StreamId),
    /// One of the two events that a registration writes together.
    #[error("{0}: stands alone, and was written together with another event")]
    Alone(EventRef),
    /// The decision cannot be made: bad signature, missing right, wrong state.
    #[error("{0}: could not be decided: {1}")]
    Refused(EventRef, Refusal),
    /// The decision comes to something else.
    #[error("{0}: its command and history lead to another event")]
    OtherOutcome(EventRef),
}

/// Evidence that has been checked.
#[derive(Debug, Clone)]
pub struct Sound {
    /// The streams' states, at their last events.
    pub view: View,
    /// Every event, in its stream's order.
    pub events: BTreeMap<StreamId, Vec<Event>>,
    /// Events that could not be decided again, because the evidence shows no records. Their links and signatures hold. Whoever was shown a record
    /// has none of these.
    pub undecided: Vec<EventRef>,
}

impl Sound {
    /// An event that was checked.
    pub fn event(&self, stream: &StreamId, seq: u64) -> Option<&Event> {
        self.events.get(stream)?.get(usize::try_from(seq).ok()?)
    }
}

/// A stream with its fold after each event.
struct Folded {
    events: Vec<Event>,
    histories: Vec<Arc<History>>,
}

impl Evidence {
    /// Checks everything, back to the genesis event with this leaf hash.
    pub fn verify(&self, genesis: &Hash) -> Result<Sound, Unsound> {
        let mut streams = BTreeMap::new();
        for (stream, bodies) in &self.0 {
            streams.insert(*stream, fold(*stream, bodies)?);
        }
        let vault = streams.get(&StreamId::Vault).and_then(|folded| folded.events.first());
        let origin = match vault.map(|event| (&event.outcome, event.leaf)) {
            Some((Outcome::Genesis(outcome), leaf)) if leaf == *genesis => outcome.origin.clone(),
            _ => return Err(Unsound::Genesis),
        };
        let mut undecided = Vec::new();
        for folded in streams.values() {
            for (event, before) in folded.events.iter().zip(&folded.histories) {
                let (view, whole) = view_of(event, before, &streams)?;
                if whole {
                    rerun(event, &view, &origin).map(drop)?;
                } else {
                    check_signature(event, &view, &origin)?;
                    undecided.push(event.place);
                }
            }
        }
        check_together(&streams)?;
        let view = View::new(streams.values().filter_map(|folded| folded.histories.last().cloned()));
        let events = streams.into_iter().map(|(stream, folded)| (stream, folded.events)).collect();
        Ok(Sound { view, events, undecided })
    }
}

/// A registration writes two events, of which each leads to the other: the person stands in the provider's stream, the provider in the person's.
fn check_together(streams: &BTreeMap<StreamId, Folded>) -> Result<(), Unsound> {
    let command = |event: &Event| event.command.as_ref().map(crate::Command::digest);
    for event in streams.values().flat_map(|folded| &folded.events) {
        let twin = match (&event.outcome, event.place.stream) {
            (Outcome::ProviderRegistered(registered), _) => {
                // Evidence need not have every person.
                let Some(folded) = streams.get(&StreamId::Staff(registered.staff)) else { continue };
                folded.events.first()
            }
            (Outcome::StaffAdded(added), StreamId::Staff(person)) => {
                let registered =
                    |event: &&Event| matches!(&event.outcome, Outcome::ProviderRegistered(of) if of.staff == person);
                streams
                    .get(&StreamId::Provider(added.provider))
                    .and_then(|folded| folded.events.iter().find(registered))
            }
            _ => continue,
        };
        if twin.is_none_or(|twin| command(twin) != command(event)) {
            return Err(Unsound::Alone(event.place));
        }
    }
    Ok(())
}

/// What an event has seen: each stream once, and none that the decision does not look at.
fn check_seen(event: &Event, reads: impl IntoIterator<Item = StreamId>) -> Result<(), Unsound> {
    let mut reads: BTreeSet<StreamId> = reads.into_iter().collect();
    match event.seen.iter().find(|seen| !reads.remove(&seen.0)) {
        Some(idle) => Err(Unsound::SeenIdly(event.place, idle.0)),
        None => Ok(()),
    }
}

fn fold(stream: StreamId, bodies: &[String]) -> Result<Folded, FoldError> {
    let mut histories = vec![Arc::new(History::empty(stream))];
    let mut events = Vec::with_capacity(bodies.len());
    for (seq, body) in (0u64..).zip(bodies) {
        let mut next = History::clone(&histories[histories.len() - 1]);
        events.push(next.apply(&StoredEvent::new(EventRef { stream, seq }, body.clone()))?);
        histories.push(next.into());
    }
    Ok(Folded { events, histories })
}

/// The view that the event says it was decided in, and whether it is whole: evidence may withhold records, all or none.
fn view_of(
    event: &Event,
    before: &Arc<History>,
    streams: &BTreeMap<StreamId, Folded>,
) -> Result<(View, bool), Unsound> {
    let mut whole = true;
    let is_record = |stream: &StreamId| matches!(stream, StreamId::Record(_));
    let records_withheld = !streams.keys().any(is_record);
    let mut seen = Vec::new();
    for Seen(stream, seq, _) in &event.seen {
        if is_record(stream) && records_withheld {
            whole = false;
            continue;
        }
        let index = usize::try_from(*seq).ok().and_then(|seq| seq.checked_add(1));
        let history = index.and_then(|index| streams.get(stream)?.histories.get(index));
        seen.push(history.cloned().ok_or(Unsound::Seen(event.place, EventRef { stream: *stream, seq: *seq }))?);
    }
    Ok((view_at(event, before.clone(), seen)?, whole))
}

/// The view that an event was decided in: its own stream up to it, and the histories `seen`, each cut off where the event says. A history that is
/// not as the event saw it is refused; which ones are left out is for the caller to judge.
pub fn view_at(
    event: &Event,
    before: impl Into<Arc<History>>,
    seen: impl IntoIterator<Item = impl Into<Arc<History>>>,
) -> Result<View, Unsound> {
    let mut histories = vec![before.into()];
    let seen = seen.into_iter().map(Into::into);
    for history in seen {
        let head = history.head.map(|head| Seen(history.stream, head.seq, head.leaf));
        if history.stream == event.place.stream || !head.is_some_and(|head| event.seen.contains(&head)) {
            let seq = head.map_or(0, |head| head.1);
            return Err(Unsound::Seen(event.place, EventRef { stream: history.stream, seq }));
        }
        histories.push(history);
    }
    // What is read but was not seen had not begun.
    let reads = match &event.command {
        Some(command) => command.reads().map_err(|refusal| Unsound::Refused(event.place, refusal))?,
        None => BTreeSet::default(),
    };
    for stream in reads {
        if histories.iter().all(|history| history.stream != stream) {
            histories.push(History::empty(stream).into());
        }
    }
    Ok(View::new(histories))
}

/// What can be checked of an event whose record is withheld: that its command was signed, in time, for this vault, by who may sign. An event without
/// a command never relies on a record of another stream.
fn check_signature(event: &Event, view: &View, origin: &str) -> Result<(), Unsound> {
    let refused = |refusal| Unsound::Refused(event.place, refusal);
    let command = event.command.as_ref().ok_or(Unsound::OtherOutcome(event.place))?;
    check_seen(event, command.reads().map_err(refused)?)?;
    command.check_claims(origin, event.at_ms).map_err(refused)?;
    authenticate(view, command).map(|_| ()).map_err(refused)
}

/// Decides again and compares. Gives all that the decision comes to: this event, and those that were written together with it.
pub fn rerun(event: &Event, view: &View, origin: &str) -> Result<Vec<Draft>, Unsound> {
    let refused = |refusal| Unsound::Refused(event.place, refusal);
    let observation;
    let cause = if let Some(command) = &event.command {
        check_seen(event, command.reads().map_err(refused)?)?;
        command.check_claims(origin, event.at_ms).map_err(refused)?;
        Cause::Command(command)
    } else {
        observation = observed(event, view).ok_or(Unsound::OtherOutcome(event.place))?;
        check_seen(event, observation.reads())?;
        Cause::Observation(&observation)
    };
    let draft = Draft { stream: event.place.stream, outcome: event.outcome.clone() };
    match decide(view, cause, &facts_of(&event.outcome), event.at_ms).map_err(refused)? {
        Decision::Append(drafts) if drafts.contains(&draft) => Ok(drafts),
        _ => Err(Unsound::OtherOutcome(event.place)),
    }
}

fn facts_of(outcome: &Outcome) -> Facts {
    let mut facts = Facts::default();
    match outcome {
        Outcome::RecordCreated(created) => facts.wrapped_sha256 = Some(created.wrapped_sha256),
        Outcome::RecordAnnounced(announced) => facts.expires_at_ms = Some(announced.expires_at),
        Outcome::AccessRequested(requested) => facts.expires_at_ms = Some(requested.expires_at),
        Outcome::SearchPerformed(performed) => facts.hits = Some(performed.hits),
        _ => {}
    }
    facts
}

/// The observation that an event without a command states. Types that need a command give none.
fn observed(event: &Event, view: &View) -> Option<Observation> {
    let state = view.history(&event.place.stream).and_then(|history| history.state.as_ref());
    match (&event.outcome, event.place.stream, state) {
        (Outcome::Genesis(genesis), StreamId::Vault, _) => Some(Observation::Deployed(genesis.clone())),
        (Outcome::RecordUploaded(uploaded), StreamId::Record(record), _) => Some(Observation::ObjectFound {
            record,
            announced: uploaded.announced,
            version_id: uploaded.version_id.clone(),
        }),
        (Outcome::UploadExpired(expired), StreamId::Record(record), _) => {
            Some(Observation::ObjectMissing { record, announced: expired.announced })
        }
        (
            Outcome::AccessVerified(_) | Outcome::AccessDenied(_),
            StreamId::Request(id),
            Some(State::Request(request)),
        ) => {
            let Kid::Person(person) = request.by else { return None };
            Some(Observation::RequesterChecked { request: id, requester: request.asked.requester, person })
        }
        (Outcome::AccessExpired(_), StreamId::Request(request), _) => Some(Observation::DeadlineReached { request }),
        _ => None,
    }
}
