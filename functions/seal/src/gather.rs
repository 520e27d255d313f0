//! Gathering what a block can be made of: the streams that are wanted, and all that their events have seen and that is not sealed either.
//!
//! Nothing that is gathered waits for something that was not looked at: so either the first events can be sealed, or they wait for a broken stream.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::{Head, Seen};
use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_infra::ports::{EventStore, SealedIndex};

use crate::line::{End, Line};
use crate::pages::Map;
use crate::reach::{Reach, choose, read};
use crate::refusal::Stop;

/// Streams of which somebody says that they have something to seal, each with the last place that was named. Nothing past it is looked at: it is named by a
/// hint of its own, or by the sweep.
pub(crate) type Wanted = BTreeMap<StreamId, u64>;

/// Wants a stream up to this place, at least.
pub(crate) fn want(wanted: &mut Wanted, stream: StreamId, seq: u64) {
    let last = wanted.entry(stream).or_insert(seq);
    *last = seq.max(*last);
}

/// Wants all of this, too.
pub(crate) fn want_all(wanted: &mut Wanted, more: Wanted) {
    for (stream, seq) in more {
        want(wanted, stream, seq);
    }
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// By stream, what is next.
    pub lines: BTreeMap<StreamId, Line>,
    /// Each stream's last sealed event, of those that were asked for.
    pub sealed: BTreeMap<StreamId, Option<Head>>,
    /// Wanted streams that were left for another time.
    pub left: Wanted,
    /// In which round of reading each stream was read last.
    rounds: BTreeMap<StreamId, u32>,
    /// In which round each event was found first.
    found: BTreeMap<EventRef, u32>,
}

/// Reads what is wanted, and what that has seen.
pub(crate) async fn gather<E: EventStore, I: SealedIndex>(
    events: &E,
    map: &mut Map<'_, I>,
    origin: &str,
    wanted: &Wanted,
) -> Result<Gathered, Stop> {
    let sealed = map.heads(origin, &wanted.keys().copied().collect()).await?;
    let mut gathered = Gathered { sealed, ..<_>::default() };
    let unsealed = wanted.iter().filter(|(stream, seq)| gathered.sealed_at(stream).is_none_or(|head| head.seq < **seq));
    let (mut next, left) = choose(unsealed.map(|(stream, seq)| gathered.reach(*stream, *seq)));
    let mut round = 0;
    while !next.is_empty() {
        gathered.read(events, next, round).await?;
        next = gathered.unread(map, origin).await?;
        round += 1;
    }
    // What somebody has seen of them was read; how far they were wanted beyond that is not forgotten.
    let is_left = |stream: &StreamId, seq: &u64| gathered.lines.get(stream).is_none_or(|line| line.to < *seq);
    gathered.left = left.into_iter().filter(|(stream, seq)| is_left(stream, seq)).collect();
    let leaves = gathered.leaves();
    gathered.lines.values_mut().for_each(|line| line.check_seen(&leaves));
    Ok(gathered)
}

impl Gathered {
    fn sealed_at(&self, stream: &StreamId) -> Option<Head> {
        self.sealed.get(stream).copied().flatten()
    }

    fn reach(&self, stream: StreamId, to: u64) -> Reach {
        Reach::of(stream, self.sealed_at(&stream), to)
    }

    /// Reads these streams anew.
    async fn read<E: EventStore>(&mut self, events: &E, streams: Wanted, round: u32) -> Result<(), Stop> {
        let reaches = streams.into_iter().map(|(stream, to)| self.reach(stream, to)).collect();
        for (stream, line) in read(events, reaches).await? {
            for event in &line.events {
                self.found.entry(event.place).or_insert(round);
            }
            self.rounds.insert(stream, round);
            self.lines.insert(stream, line);
        }
        Ok(())
    }

    /// The streams that have to be read for what events have seen: those that were not read so far, or before the event was.
    async fn unread<I: SealedIndex>(&mut self, map: &mut Map<'_, I>, origin: &str) -> Result<Wanted, Stop> {
        let seen = self.lines.values().flat_map(|line| line.events.iter().flat_map(|event| &event.seen));
        let unknown: BTreeSet<_> =
            seen.map(|Seen(stream, ..)| *stream).filter(|stream| !self.sealed.contains_key(stream)).collect();
        if !unknown.is_empty() {
            self.sealed.extend(map.heads(origin, &unknown).await?);
        }
        let mut unread = Wanted::new();
        for event in self.lines.values().flat_map(|line| &line.events) {
            for Seen(stream, seq, _) in &event.seen {
                let sealed = self.sealed_at(stream);
                let line = self.lines.get(stream);
                if sealed.is_some_and(|head| head.seq >= *seq) || self.was_read(*stream, *seq, event.place) {
                    continue;
                }
                want(&mut unread, *stream, line.map_or(*seq, |line| line.to.max(*seq)));
            }
        }
        Ok(unread)
    }

    /// Whether it is known what stands at a place that this event has seen, or that it cannot be known now.
    fn was_read(&self, stream: StreamId, seq: u64, by: EventRef) -> bool {
        let Some(line) = self.lines.get(&stream) else { return false };
        // It was appended before the event that has seen it was: who reads later, finds it.
        let is_later = self.rounds.get(&stream) > self.found.get(&by);
        line.past(self.sealed_at(&stream)) > seq || line.end != End::Reached || (line.to >= seq && is_later)
    }

    /// What stands where, as far as it is known.
    fn leaves(&self) -> BTreeMap<EventRef, Hash> {
        let sealed = self.sealed.iter().filter_map(|(stream, head)| head.map(|head| (*stream, head)));
        let sealed = sealed.map(|(stream, head)| (EventRef { stream, seq: head.seq }, head.leaf));
        let unsealed = self.lines.values().flat_map(|line| line.events.iter().map(|event| (event.place, event.leaf)));
        sealed.chain(unsealed).collect()
    }
}
