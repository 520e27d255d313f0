//! Links, places, signatures, decisions: as `Evidence::verify` does for whole streams, here for the events that are new. What an event rests on is
//! covered by its leaf hash, so what was checked once stays checked.

use std::collections::BTreeMap;
use std::sync::Arc;

use chartseal_events::event::{Event, Seen, StoredEvent};
use chartseal_events::evidence::{Evidence, rerun};
use chartseal_events::state::History;
use chartseal_events::{EventRef, Hash, Outcome, StreamId, View};

use super::{Breach, Invariant, Known};

/// An event that was read, with its stream as it was before and after.
#[derive(Debug)]
pub struct Checked {
    pub event: Event,
    before: History,
    after: History,
}

impl Checked {
    /// An event by itself: nothing is checked.
    pub fn of(stored: &StoredEvent) -> Option<Self> {
        let empty = History::empty(stored.at.stream);
        stored.open().ok().map(|event| Self { event, before: empty.clone(), after: empty })
    }
}

type Events = BTreeMap<EventRef, Arc<Checked>>;

/// Every event, and every stream at its end.
pub fn check_sound(known: &Known, stored: &[StoredEvent]) -> Result<(Events, View), Breach> {
    let unsound = |what: String| Breach::new(Invariant::Sound, what);
    let by_place: BTreeMap<EventRef, &StoredEvent> = stored.iter().map(|event| (event.at, event)).collect();
    let (mut events, mut fresh) = (Events::new(), Vec::new());
    let mut ends: BTreeMap<StreamId, Arc<Checked>> = BTreeMap::new();
    for (place, stored) in by_place {
        let before = ends.get(&place.stream).map_or_else(|| History::empty(place.stream), |end| end.after.clone());
        let checked = match known.checked.get(&stored.leaf) {
            Some(checked) if checked.event.place == place && checked.before.head == before.head => checked.clone(),
            _ => {
                let mut after = before.clone();
                let event = after.apply(stored).map_err(|error| unsound(error.to_string()))?;
                fresh.push(place);
                Arc::new(Checked { event, before, after })
            }
        };
        ends.insert(place.stream, checked.clone());
        events.insert(place, checked);
    }
    let origin = origin(known, &events)?;
    for place in fresh {
        let checked = &events[&place];
        let view = view_of(checked, &events).ok_or_else(|| unsound(format!("{place} relies on what is not stored")))?;
        rerun(&checked.event, &view, &origin).map_err(|error| unsound(error.to_string()))?;
    }
    let view = View::new(ends.into_values().map(|end| end.after.clone()));
    Ok((events, view))
}

/// The vault's name, from the genesis event that was heard of.
fn origin(known: &Known, events: &Events) -> Result<String, Breach> {
    let first = events.get(&EventRef { stream: StreamId::Vault, seq: 0 });
    match first.map(|checked| (&checked.event.outcome, Some(checked.event.leaf) == known.genesis)) {
        Some((Outcome::Genesis(genesis), true)) => Ok(genesis.origin.clone()),
        _ => Err(Breach::new(Invariant::Sound, "the vault does not begin as it said")),
    }
}

fn view_of(checked: &Checked, events: &Events) -> Option<View> {
    let mut histories = vec![checked.before.clone()];
    for Seen(stream, seq, leaf) in &checked.event.seen {
        let seen = events.get(&EventRef { stream: *stream, seq: *seq })?;
        if seen.event.leaf != *leaf || *stream == checked.event.place.stream {
            return None;
        }
        histories.push(seen.after.clone());
    }
    let command = checked.event.command.as_ref();
    for stream in command.map(|command| command.reads().ok()).unwrap_or_default().unwrap_or_default() {
        if histories.iter().all(|history| history.stream != stream) {
            histories.push(History::empty(stream));
        }
    }
    Some(View::new(histories))
}

/// The same by what everybody else checks with: all streams as one piece of evidence.
pub fn check_evidence(genesis: &Hash, stored: &[StoredEvent]) -> Result<(), Breach> {
    let mut streams: BTreeMap<StreamId, Vec<String>> = BTreeMap::new();
    for (place, stored) in stored.iter().map(|event| (event.at, event)).collect::<BTreeMap<_, _>>() {
        streams.entry(place.stream).or_default().push(stored.body.clone());
    }
    match Evidence(streams).verify(genesis) {
        Ok(sound) if sound.undecided.is_empty() => Ok(()),
        Ok(sound) => Err(Breach::new(Invariant::Sound, format!("{:?} were not decided again", sound.undecided))),
        Err(error) => Err(Breach::new(Invariant::Sound, error.to_string())),
    }
}
