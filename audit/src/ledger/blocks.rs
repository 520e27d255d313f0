//! The Blocks table: every item is a block of this log, each follows the one before, and seals events that stand in the Events table.

use chartseal_events::{EventRef, Hash};
use chartseal_infra::aws::{Bucket, Place, Position, Raw, RawItem};
use chartseal_infra::ports::StoreError;
use chartseal_ledger::block::{Block, BlockError, FullTile, SealedEvent};
use chartseal_ledger::map::{Operation, operations_of_sealed};
use chartseal_ledger::note::MAX_NOTE_BYTES;

use super::files::CHECKPOINT;
use super::{Ledger, Standing, Stands, Tile};
use crate::account::{Account, Thing};
use crate::report::{Flaw, Report};
use crate::tables::{each_page, key_text, number, text};
use crate::{Reading, Round, named};

/// What is wrong with a block.
type Faults = Vec<(Flaw, String)>;

/// What there was before the events were read.
#[derive(Default)]
pub(crate) struct Before {
    newest: Option<u64>,
    /// The checkpoint's text.
    published: Option<String>,
}

impl Before {
    #[cfg(test)]
    pub const fn of(newest: u64) -> Self {
        Self { newest: Some(newest), published: None }
    }

    /// The checkpoint first: whatever is published was a block before.
    pub async fn read(round: &Round<'_>) -> Result<Self, StoreError> {
        let inventory = round.inventory;
        let published = match inventory.newest_version(Bucket::Ledger, CHECKPOINT).await? {
            Some(version) => inventory.object(Bucket::Ledger, CHECKPOINT, &version, MAX_NOTE_BYTES).await?,
            None => None,
        };
        let published = published.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(Self { newest: inventory.newest_height().await?, published })
    }
}

/// Reads all blocks.
pub(crate) async fn read(round: &Round<'_>, account: &mut Account, report: &mut Report) -> Result<(), StoreError> {
    let ledger = &mut account.ledger;
    if let (Some((_, policy)), Some(note)) = (&ledger.log, &ledger.before.published) {
        // One that is not the log's is a finding when the bucket is read.
        ledger.published_size = policy.accept(note.as_bytes()).map_or(0, |accepted| accepted.checkpoint.size());
    }
    let table = account.place(Thing::Block).to_owned();
    each_page(round, Place::Blocks, |items| {
        for item in items.iter().filter(|item| text(item, "log") != Some("log") || height(item).is_none()) {
            report.foreign(Thing::Block, &table, &key_text(item, &["log", "height"]), "no block has that place");
        }
    })
    .await?;
    read_on(round, account, report).await
}

/// Reads the blocks that have come since.
pub(crate) async fn read_on(round: &Round<'_>, account: &mut Account, report: &mut Report) -> Result<(), StoreError> {
    if account.ledger.broken.is_some() {
        return Ok(());
    }
    let mut read = account.ledger.blocks.len() as u64;
    let mut start = read.checked_sub(1).map(Position::after_block);
    loop {
        let (items, next) = round.inventory.blocks(start).await?;
        read += items.len() as u64;
        round.tell(Reading::Items(Place::Blocks), read);
        for item in &items {
            one(item, account, report);
        }
        start = next;
        if start.is_none() {
            return Ok(());
        }
    }
}

fn height(item: &RawItem) -> Option<u64> {
    number(item, "height")
}

pub(super) fn one(item: &RawItem, account: &mut Account, report: &mut Report) {
    let Some(height) = height(item) else { return };
    if account.ledger.broken.is_some() {
        report.unjudged(Thing::Block, 1);
        return;
    }
    let (table, due) = (account.place(Thing::Block).to_owned(), account.ledger.blocks.len() as u64);
    if height != due {
        account.ledger.broken = Some(due);
        report.find(Thing::Block, Flaw::Missing, &table, &name(due), format!("the log goes on with block {height}"));
        report.unjudged(Thing::Block, 1);
        return;
    }
    match followed(item, height, &account.ledger) {
        Err((flaw, what)) => {
            account.ledger.broken = Some(height);
            let what = format!("{what}; what follows was not looked at");
            report.wrong(Thing::Block, flaw, &table, &name(height), what);
        }
        Ok((block, tiles)) => {
            let faults = take(block, tiles, account, report);
            if faults.is_empty() {
                report.accounted(Thing::Block);
            }
            for (number, (flaw, what)) in faults.into_iter().enumerate() {
                if number == 0 {
                    report.wrong(Thing::Block, flaw, &table, &name(height), what);
                } else {
                    report.find(Thing::Block, flaw, &table, &name(height), what);
                }
            }
            if item.len() != 3 {
                report.foreign(Thing::Block, &table, &name(height), "it has further attributes");
            }
        }
    }
}

/// A block's key in words.
pub(super) fn name(height: u64) -> String {
    format!("log\0{height}")
}

/// The block of an item, if it follows the last one, with the tiles that became full.
fn followed(item: &RawItem, height: u64, ledger: &Ledger) -> Result<(Block, Vec<FullTile>), (Flaw, String)> {
    let Some(Raw::Bytes(bytes)) = item.get("block") else {
        return Err((Flaw::Damaged, "it has no bytes".to_owned()));
    };
    let block = Block::from_bytes(bytes).map_err(|error| (Flaw::Damaged, error.to_string()))?;
    if block.seal().height() != height {
        return Err((Flaw::Damaged, format!("its seal says height {}", block.seal().height())));
    }
    let tiles = block.follow(ledger.last.as_ref()).map_err(|error| match error {
        BlockError::Chain(_) => (Flaw::Unlinked, error.to_string()),
        _ => (Flaw::Damaged, error.to_string()),
    })?;
    Ok((block, tiles))
}

/// Takes a block in that follows: its events, its tiles, what it does to the map.
fn take(block: Block, tiles: Vec<FullTile>, account: &mut Account, report: &mut Report) -> Faults {
    let mut faults = Faults::new();
    let seal = block.seal();
    let (height, size, at_ms) = (seal.height(), seal.size(), seal.timestamp_ms());
    let settled = size <= account.ledger.published_size || account.late(at_ms) <= account.now_ms;
    let places: Vec<Option<EventRef>> = (seal.first_index()..)
        .zip(block.events())
        .map(|(index, event)| sealed(index, height, event, &mut faults, account, report))
        .collect();
    let ledger = &mut account.ledger;
    for FullTile { address, hashes } in tiles {
        let bytes: Vec<&[u8]> = hashes.iter().map(|hash| hash.0.as_slice()).collect();
        ledger.tiles.insert(address, Tile { bytes: Hash::of(&bytes), height, found: false, right: false });
    }
    let made = made(&block, &places, ledger);
    let own = block.operations().iter().map(|bytes| Operation::from_bytes(bytes).ok()).collect();
    if made.is_some() && own != made {
        faults.push((Flaw::Changed, "its operations on the map are not those that its events make".to_owned()));
    }
    if !ledger.map.follow(&block, [made, own], settled) {
        faults.push((Flaw::Changed, "its map is not the one that its events make".to_owned()));
    }
    ledger.blocks.push(Standing { at_ms, size, root: block.edge().root(), settled });
    ledger.last = Some(block);
    faults
}

/// Takes a sealed event in. Gives where it stands in the Events table.
fn sealed(
    index: u64,
    height: u64,
    event: &SealedEvent,
    faults: &mut Faults,
    account: &mut Account,
    report: &mut Report,
) -> Option<EventRef> {
    let place = match account.ledger.stands(event) {
        Stands::There => Some(event.place),
        Stands::Elsewhere(place) => {
            let what = format!("the event at index {index} of the log stands at {place}, and not at {}", event.place);
            faults.push((Flaw::Changed, what));
            Some(place)
        }
        Stands::AnotherThere => {
            let what = format!("block {height} has sealed another one there, at index {index} of the log");
            report.find(Thing::Event, Flaw::Changed, account.place(Thing::Event), &named(event.place), what);
            None
        }
        Stands::NotThere => {
            if account.ledger.before.newest.is_some_and(|newest| height <= newest) {
                let what = format!("block {height} has sealed it, at index {index} of the log, and it is not there");
                report.find(Thing::Event, Flaw::Missing, account.place(Thing::Event), &named(event.place), what);
            }
            None
        }
    };
    account.ledger.seal(index, height, SealedEvent { place: place.unwrap_or(event.place), ..*event }, faults);
    place
}

impl Ledger {
    /// Puts down that an event is sealed: each once, in the order of its stream, after what it has seen.
    fn seal(&mut self, index: u64, height: u64, event: SealedEvent, faults: &mut Faults) {
        let SealedEvent { place, leaf } = event;
        let next = self.heads.get(&place.stream).map_or(0, |head| head + 1);
        if place.seq < next {
            faults.push((Flaw::Repeated, format!("{place}, at index {index} of the log, was sealed before")));
        } else {
            if place.seq > next {
                let what =
                    format!("{place}, at index {index} of the log, comes before the one before it in its stream");
                faults.push((Flaw::Impossible, what));
            }
            self.heads.insert(place.stream, place.seq);
        }
        let seen = self.known(place).filter(|known| known.leaf == leaf).map_or(&[][..], |known| &known.seen);
        let unsealed = |(stream, seq): &&(_, u64)| self.heads.get(stream).is_none_or(|head| head < seq);
        if let Some((stream, seq)) = seen.iter().find(unsealed) {
            let seen = EventRef { stream: *stream, seq: *seq };
            let what = format!("{place}, at index {index} of the log, comes before {seen}, which it has seen");
            faults.push((Flaw::Impossible, what));
        }
        let entry = self.leaves.entry(leaf).or_insert(super::Leaf { place, sealed: None, found: false });
        entry.sealed.get_or_insert((index, height));
    }
}

/// The operations that a block's events make, as they stand in the Events table; none where not all of them do.
fn made(block: &Block, places: &[Option<EventRef>], ledger: &Ledger) -> Option<Vec<Operation>> {
    let (origin, _) = ledger.log.as_ref()?;
    let mut events = Vec::with_capacity(places.len());
    for (place, event) in places.iter().zip(block.events()) {
        let place = (*place)?;
        ledger.known(place)?.at_ms?;
        events.push((SealedEvent { place, leaf: event.leaf }, ledger.outcomes.get(&place)));
    }
    Some(operations_of_sealed(origin, block.seal().first_index(), events))
}
