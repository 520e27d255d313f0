//! Reading streams from their last sealed events up to the places that somebody has named: all of them in batches of places, whatever streams they are of.
//!
//! A place is named by a hint, by the index over time, or by an event that has seen it; so it is known how far to read, and nothing is asked that is not
//! wanted. A stream of which much is wanted is read by a query, whose pages hold more than a batch. So is one with a gap: a batch is no view of one moment, and
//! what was not there when its place was read may be there when the next one is.

use chartseal_events::event::{Head, StoredEvent};
use chartseal_events::{EventRef, StreamId};
use chartseal_infra::ports::EventStore;
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::gather::Wanted;
use crate::line::Line;
use crate::refusal::Stop;

/// Most events that are read of one stream, and of all wanted ones together before those that they have seen: a block's events.
pub(crate) const MAX_READ: u64 = chartseal_ledger::seal::MAX_BLOCK_EVENTS as u64;
/// Most places of one stream that are read by a batch, which has as many.
const MAX_PLACES: u64 = 100;
/// How many streams are queried at the same time.
const MAX_CONCURRENT: usize = 8;

/// What is read of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    stream: StreamId,
    sealed: Option<Head>,
    /// The last place that is wanted.
    to: u64,
}

impl Reach {
    pub fn of(stream: StreamId, sealed: Option<Head>, to: u64) -> Self {
        Self { stream, sealed, to }
    }

    /// The first place: the last sealed event once more, which must still be there.
    fn from(&self) -> u64 {
        self.sealed.map_or(0, |head| head.seq)
    }

    /// How many places are read. One more than is sealed at most: the last sealed event.
    pub fn places(&self) -> u64 {
        self.to.saturating_sub(self.from()).saturating_add(1).min(MAX_READ + 1)
    }

    fn each(&self) -> impl Iterator<Item = EventRef> {
        let (stream, from) = (self.stream, self.from());
        (from..from.saturating_add(self.places())).map(move |seq| EventRef { stream, seq })
    }

    fn line(&self, loaded: &[StoredEvent]) -> Line {
        let is_cut = loaded.last().is_some_and(|last| last.at.seq < self.to) && loaded.len() as u64 >= self.places();
        Line::of(self.stream, self.sealed, loaded, self.to, is_cut)
    }
}

/// Reads all of these.
pub(crate) async fn read<E: EventStore>(events: &E, reaches: Vec<Reach>) -> Result<Vec<(StreamId, Line)>, Stop> {
    let (near, mut far): (Vec<_>, Vec<_>) = reaches.into_iter().partition(|reach| reach.places() <= MAX_PLACES);
    let mut lines = Vec::with_capacity(near.len() + far.len());
    let places: Vec<EventRef> = near.iter().flat_map(Reach::each).collect();
    if !places.is_empty() {
        let mut found = events.fetch(&places).await?.into_iter();
        for reach in near {
            let own: Vec<_> = reach.each().map_while(|_| found.next()).collect();
            match without_gap(own) {
                Some(loaded) => lines.push((reach.stream, reach.line(&loaded))),
                None => far.push(reach),
            }
        }
    }
    let queries = far.into_iter().map(|reach| async move {
        // A block's events and one more.
        let limit = u32::try_from(reach.places()).unwrap_or(u32::MAX);
        let loaded = events.load_from(&reach.stream, reach.from(), limit).await?;
        Ok::<_, Stop>((reach.stream, reach.line(&loaded)))
    });
    lines.extend(futures_util::stream::iter(queries).buffered(MAX_CONCURRENT).try_collect::<Vec<_>>().await?);
    Ok(lines)
}

/// The events up to the first place where there is none; nothing where there are some after it.
fn without_gap(found: Vec<Option<StoredEvent>>) -> Option<Vec<StoredEvent>> {
    let mut found = found.into_iter();
    let loaded: Vec<StoredEvent> = found.by_ref().map_while(|event| event).collect();
    if found.any(|event| event.is_some()) { None } else { Some(loaded) }
}

/// As many of the wanted streams as are read for one block, and the others.
pub(crate) fn choose(wanted: impl Iterator<Item = Reach>) -> (Wanted, Wanted) {
    let (mut now, mut later, mut planned) = (Wanted::new(), Wanted::new(), 0);
    for reach in wanted {
        let chosen = if planned < MAX_READ { &mut now } else { &mut later };
        chosen.insert(reach.stream, reach.to);
        planned += reach.places();
    }
    (now, later)
}
