//! The ledger: what its blocks say is held against the events as they stand, and what is kept beside the blocks against what the blocks make of it.
//!
//! 1. `blocks`: each follows the one before; its events are those of the Events table, each once, in the order of its stream, after what it has seen.
//! 2. `map`: the authenticated map, made again from the events, with the states that a page's item may have.
//! 3. `sealed`: the items of the Sealed table.
//! 4. `files`: tiles and checkpoints.
//!
//! Blocks are read after the events, and once more at the end: what stands in the table or the bucket may follow from blocks that were sealed
//! meanwhile. Only of blocks that were there before the events were read, all events must be found.

pub(crate) mod blocks;
pub(crate) mod files;
mod map;
pub(crate) mod sealed;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use chartseal_events::event::{Genesis, StoredEvent};
use chartseal_events::{EventRef, Hash, Outcome, StreamId};
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::map::operations_of;
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::tile::TileAddress;

use crate::account::{Account, Thing};
use crate::named;
use crate::report::{Flaw, Report};

/// What is known of the ledger.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The log's name and key, as the genesis event has them.
    log: Option<(String, Policy)>,
    /// Every event as it stands in the table, by stream, in order.
    events: BTreeMap<StreamId, Vec<Known>>,
    /// Where the events of the table stand, and where the sealed ones stand in the log.
    leaves: HashMap<Hash, Leaf>,
    /// Outcomes that change keys in the map: few do.
    outcomes: HashMap<EventRef, Outcome>,
    /// The last sealed event of each stream.
    heads: HashMap<StreamId, u64>,
    /// The blocks that follow one another from the first one on, by height.
    blocks: Vec<Standing>,
    /// The last of them.
    last: Option<Block>,
    /// The first block that is missing, damaged or does not follow: nothing from there on is judged.
    broken: Option<u64>,
    /// What was there before the events were read: so much must be found.
    pub before: blocks::Before,
    /// Under that checkpoint.
    published_size: u64,
    map: map::Map,
    tiles: BTreeMap<TileAddress, Tile>,
    sealed: sealed::Found,
    files: files::Found,
}

/// An event of the table.
struct Known {
    seq: u64,
    leaf: Hash,
    /// When it was accepted; none where it cannot be read.
    at_ms: Option<u64>,
    seen: Box<[(StreamId, u64)]>,
}

/// Where a leaf is.
struct Leaf {
    place: EventRef,
    /// Its index and its block.
    sealed: Option<(u64, u64)>,
    found: bool,
}

/// A block that stands.
struct Standing {
    at_ms: u64,
    size: u64,
    root: Hash,
    /// Whether all that follows from it must be there.
    settled: bool,
}

/// A full tile as the blocks make it.
struct Tile {
    bytes: Hash,
    height: u64,
    /// Whether there is a version of it, and whether there is one that is right.
    found: bool,
    right: bool,
}

/// How a sealed event stands in the Events table.
enum Stands {
    There,
    Elsewhere(EventRef),
    AnotherThere,
    NotThere,
}

impl Ledger {
    /// Which log it is.
    pub fn begin(&mut self, genesis: &Genesis) {
        let key = VerifierKey::new(&genesis.origin, SignatureType::Ed25519, &genesis.log_key.0);
        let policy = key.ok().and_then(|key| Policy::new(key, None, Vec::new(), 0).ok());
        self.log = policy.map(|policy| (genesis.origin.clone(), policy));
    }

    /// An event as it stands in the table, whether it can be read or not.
    pub fn note(&mut self, stored: &StoredEvent) {
        let EventRef { stream, seq } = stored.at;
        let (mut at_ms, mut seen) = (None, Vec::new());
        if let Ok(event) = stored.open() {
            at_ms = Some(event.at_ms);
            seen.extend(event.seen.iter().map(|seen| (seen.0, seen.1)));
            if operations_of("", 0, std::slice::from_ref(&event)).len() > 1 {
                self.outcomes.insert(stored.at, event.outcome);
            }
        }
        self.events.entry(stream).or_default().push(Known { seq, leaf: stored.leaf, at_ms, seen: seen.into() });
        self.leaves.insert(stored.leaf, Leaf { place: stored.at, sealed: None, found: false });
    }

    fn known(&self, place: EventRef) -> Option<&Known> {
        let events = self.events.get(&place.stream)?;
        let at = events.binary_search_by_key(&place.seq, |known| known.seq).ok()?;
        events.get(at)
    }

    fn stands(&self, event: &SealedEvent) -> Stands {
        match self.known(event.place) {
            Some(known) if known.leaf == event.leaf => Stands::There,
            known => match self.leaves.get(&event.leaf).filter(|leaf| leaf.sealed.is_none()) {
                Some(leaf) => Stands::Elsewhere(leaf.place),
                None if known.is_some() => Stands::AnotherThere,
                None => Stands::NotThere,
            },
        }
    }

    /// How many leaves the blocks have.
    fn size(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.size)
    }

    /// The block after which the log has this size.
    fn block_of(&self, size: u64) -> Option<&Standing> {
        let at = self.blocks.binary_search_by_key(&size, |block| block.size).ok()?;
        self.blocks.get(at)
    }

    fn at_ms(&self, height: u64) -> u64 {
        let block = usize::try_from(height).ok().and_then(|height| self.blocks.get(height));
        block.map_or(0, |block| block.at_ms)
    }
}

/// What follows from the whole of it.
pub(crate) fn close(account: &mut Account, report: &mut Report) {
    let oldest = unsealed(account, report);
    sealed::close(oldest, account, report);
    files::close(account, report);
}

/// The events that no block has. Gives the oldest of them.
fn unsealed(account: &Account, report: &mut Report) -> Option<(u64, EventRef)> {
    let ledger = &account.ledger;
    if ledger.broken.is_some() {
        return None;
    }
    let mut oldest: Option<(u64, EventRef)> = None;
    for (stream, events) in &ledger.events {
        // What follows a break in its stream cannot be sealed, and there is a finding about that.
        if account.broken.contains(stream) {
            continue;
        }
        let first = ledger.heads.get(stream).map_or(0, |head| head + 1);
        for known in events.iter().filter(|known| known.seq >= first) {
            let Some(at_ms) = known.at_ms else { continue };
            let place = EventRef { stream: *stream, seq: known.seq };
            oldest = Some(oldest.unwrap_or((at_ms, place)).min((at_ms, place)));
            let late_ms = account.late(at_ms);
            if account.now_ms < late_ms {
                report.wait(Thing::Event, &named(place), late_ms);
            } else {
                let what = format!("it was accepted at {at_ms}, and no block has it");
                report.find(Thing::Event, Flaw::Overdue, account.place(Thing::Event), &named(place), what);
            }
        }
    }
    oldest
}

impl Account {
    /// Whether what follows from a block must be there, or until when it may be missing.
    fn due_ms(&self, height: u64) -> Option<u64> {
        let block = usize::try_from(height).ok().and_then(|height| self.ledger.blocks.get(height));
        block.filter(|block| !block.settled).map(|block| self.late(block.at_ms))
    }

    /// Something that a block makes, and that is not there.
    fn not_there(&self, thing: Thing, name: &str, height: u64, report: &mut Report) {
        if let Some(due_ms) = self.due_ms(height) {
            report.wait(thing, name, due_ms);
        } else {
            let what = format!("block {height} makes it, and it is not there");
            report.find(thing, Flaw::Missing, self.place(thing), name, what);
        }
    }
}
