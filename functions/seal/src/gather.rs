//! Gathering what a block can be made of: the streams that are wanted, and all that their events have seen and that is not sealed either.
//!
//! Nothing that is gathered waits for something that was not looked at: so either the first events can be sealed, or they wait for a broken stream.

use std::collections::{BTreeMap, BTreeSet};

use chartseal_events::event::{Head, Seen};
use chartseal_events::{EventRef, Hash, StreamId};
use chartseal_infra::ports::{EventStore, SealedIndex};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::line::{End, Line, read_from};
use crate::pages::Map;
use crate::refusal::Stop;

/// Most events that are read of one stream, and of all wanted ones together before those that they have seen: a block's events.
const MAX_READ: u32 = chartseal_ledger::seal::MAX_BLOCK_EVENTS;
/// How many streams are read at the same time.
const MAX_CONCURRENT: usize = 8;

/// Streams that somebody says have something to seal, each with the last place that was named.
pub(crate) type Wanted = BTreeMap<StreamId, u64>;

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// By stream, what is next.
    pub lines: BTreeMap<StreamId, Line>,
    /// Each stream's last sealed event, of those that were asked for.
    pub sealed: BTreeMap<StreamId, Option<Head>>,
    /// Wanted streams that were left for another time.
    pub left: Wanted,
}

/// Reads what is wanted, and what that has seen.
pub(crate) async fn gather<E: EventStore, I: SealedIndex>(
    events: &E,
    map: &mut Map<'_, I>,
    origin: &str,
    wanted: &Wanted,
) -> Result<Gathered, Stop> {
    let mut gathered =
        Gathered { sealed: map.heads(origin, &wanted.keys().copied().collect()).await?, ..<_>::default() };
    let unsealed = |(stream, seq): (&StreamId, &u64)| {
        let done = gathered.sealed.get(stream).copied().flatten().is_some_and(|head| head.seq >= *seq);
        (!done).then_some((*stream, *seq))
    };
    let mut hinted: Vec<_> = wanted.iter().filter_map(unsealed).collect();
    let mut read = 0;
    let mut round = 0;
    let mut next: BTreeSet<StreamId> = BTreeSet::new();
    loop {
        while next.is_empty() && read < MAX_READ as usize && !hinted.is_empty() {
            let rest = hinted.split_off(hinted.len().min(MAX_CONCURRENT));
            next.extend(
                hinted.into_iter().map(|(stream, _)| stream).filter(|stream| !gathered.lines.contains_key(stream)),
            );
            hinted = rest;
        }
        if next.is_empty() {
            break;
        }
        read += gathered.read(events, std::mem::take(&mut next), round).await?;
        next = gathered.unread(map, origin).await?;
        round += 1;
    }
    gathered.left = hinted.into_iter().filter(|(stream, _)| !gathered.lines.contains_key(stream)).collect();
    let leaves = gathered.leaves();
    gathered.lines.values_mut().for_each(|line| line.check_seen(&leaves));
    Ok(gathered)
}

impl Gathered {
    /// Reads these streams anew. Gives how many events there were.
    async fn read<E: EventStore>(
        &mut self,
        events: &E,
        streams: BTreeSet<StreamId>,
        round: u32,
    ) -> Result<usize, Stop> {
        let sealed = |stream: &StreamId| self.sealed.get(stream).copied().flatten();
        let reads = streams.into_iter().map(|stream| (stream, sealed(&stream))).map(|(stream, sealed)| async move {
            // One more than is to be sealed: the last sealed event.
            let loaded = events.load_from(&stream, read_from(sealed), MAX_READ + 1).await?;
            Ok::<_, Stop>((stream, Line::of(stream, sealed, &loaded, MAX_READ + 1, round)))
        });
        let lines: Vec<_> = futures_util::stream::iter(reads).buffered(MAX_CONCURRENT).try_collect().await?;
        let read = lines.iter().map(|(_, line)| line.events.len()).sum();
        self.lines.extend(lines);
        Ok(read)
    }

    /// The streams that have to be read for what events have seen: those that were not read yet, or before the event was.
    async fn unread<I: SealedIndex>(&mut self, map: &mut Map<'_, I>, origin: &str) -> Result<BTreeSet<StreamId>, Stop> {
        let seen = self.lines.values().flat_map(|line| line.events.iter().flat_map(|event| &event.seen));
        let unknown: BTreeSet<_> =
            seen.map(|Seen(stream, ..)| *stream).filter(|stream| !self.sealed.contains_key(stream)).collect();
        if !unknown.is_empty() {
            self.sealed.extend(map.heads(origin, &unknown).await?);
        }
        let mut unread = BTreeSet::new();
        for line in self.lines.values() {
            for Seen(stream, seq, _) in line.events.iter().flat_map(|event| &event.seen) {
                let sealed = self.sealed.get(stream).copied().flatten();
                let is_sealed = sealed.is_some_and(|head| head.seq >= *seq);
                // It was appended before the event that has seen it was: who reads later, finds it.
                let was_read = self
                    .lines
                    .get(stream)
                    .is_some_and(|of| of.past(sealed) > *seq || of.end != End::Reached || of.round > line.round);
                if !is_sealed && !was_read {
                    unread.insert(*stream);
                }
            }
        }
        Ok(unread)
    }

    /// What stands where, as far as it is known.
    fn leaves(&self) -> BTreeMap<EventRef, Hash> {
        let sealed = self.sealed.iter().filter_map(|(stream, head)| head.map(|head| (*stream, head)));
        let sealed = sealed.map(|(stream, head)| (EventRef { stream, seq: head.seq }, head.leaf));
        let unsealed = self.lines.values().flat_map(|line| line.events.iter().map(|event| (event.place, event.leaf)));
        sealed.chain(unsealed).collect()
    }
}
