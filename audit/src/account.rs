//! The account: what the events say must be there, may be there, or must be gone, and since when. What is there is checked off against it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chartseal_events::{EventRef, Hash, Id, StreamId};
use chartseal_infra::aws::{Bucket, Place};
use chartseal_infra::ports::Checksum;

use crate::Round;
use crate::ledger::Ledger;
use crate::report::{Flaw, Report};

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Thing {
    /// An event.
    Event,
    /// Its key in the index over time.
    ByTime,
    /// Private values.
    Private,
    /// A wrapped data key.
    WrappedKey,
    /// A message header.
    Header,
    /// A wrapped search key.
    SearchKey,
    /// An entry of a list.
    Posting,
    /// Something that is due.
    Due,
    /// A task token.
    Task,
    /// The sweep's cursor.
    Cursor,
    /// A count of tokens.
    Rate,
    /// A version of an object.
    Object,
    /// A delete marker.
    DeleteMarker,
    /// An unfinished upload in parts.
    Upload,
    /// A request, or the grant that followed.
    Grant,
    /// A block of the ledger.
    Block,
    /// Where a sealed event stands in the log.
    Leaf,
    /// A page of the map.
    Page,
    /// Up to when everything is sealed.
    SealedUntil,
    /// What witnesses have cosigned.
    Cosigned,
    /// A tile of the log, a version of it.
    Tile,
    /// A signed head of the log, a version of it.
    Checkpoint,
}

impl Thing {
    /// The word for it in reports and codes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::ByTime => "by-time",
            Self::Private => "private",
            Self::WrappedKey => "key",
            Self::Header => "header",
            Self::SearchKey => "search-key",
            Self::Posting => "posting",
            Self::Due => "due",
            Self::Task => "task",
            Self::Cursor => "cursor",
            Self::Rate => "rate",
            Self::Object => "object",
            Self::DeleteMarker => "delete-marker",
            Self::Upload => "upload",
            Self::Grant => "grant",
            Self::Block => "block",
            Self::Leaf => "leaf",
            Self::Page => "page",
            Self::SealedUntil => "sealed-until",
            Self::Cosigned => "cosigned",
            Self::Tile => "tile",
            Self::Checkpoint => "checkpoint",
        }
    }

    /// Whether it is kept in the ledger's bucket.
    const fn is_of_the_log(self) -> bool {
        matches!(self, Self::Tile | Self::Checkpoint)
    }

    /// The table in which it is kept; none for the buckets.
    const fn table(self) -> Option<Place> {
        match self {
            Self::Event | Self::Grant => Some(Place::Events),
            Self::ByTime => Some(Place::ByTime),
            Self::Private => Some(Place::Private),
            Self::WrappedKey | Self::Header => Some(Place::Keys),
            Self::SearchKey => Some(Place::SearchKeys),
            Self::Posting => Some(Place::Index),
            Self::Due | Self::Task | Self::Cursor | Self::Rate => Some(Place::Work),
            Self::Block => Some(Place::Blocks),
            Self::Leaf | Self::Page | Self::SealedUntil | Self::Cosigned => Some(Place::Sealed),
            Self::Object | Self::DeleteMarker | Self::Upload | Self::Tile | Self::Checkpoint => None,
        }
    }
}

/// What the events say of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// On account of which event.
    pub event: EventRef,
    /// A hash of what it must hold; none where the name says it all.
    pub content: Option<Hash>,
    /// It must be there from then on, Unix milliseconds; none where it need not be.
    pub from_ms: Option<u64>,
    /// It must be gone from then on; none where it may stay.
    pub until_ms: Option<u64>,
    found: bool,
}

impl Entry {
    /// It must be there, at once and for ever.
    pub const fn always(event: EventRef) -> Self {
        Self { event, content: None, from_ms: Some(0), until_ms: None, found: false }
    }

    /// And must hold this.
    #[must_use]
    pub const fn holding(mut self, content: Hash) -> Self {
        self.content = Some(content);
        self
    }

    /// Between these times, as far as they are given.
    #[must_use]
    pub const fn within(mut self, from_ms: Option<u64>, until_ms: Option<u64>) -> Self {
        self.from_ms = from_ms;
        self.until_ms = until_ms;
        self
    }

    /// But not before this time.
    #[must_use]
    pub const fn from(mut self, from_ms: u64) -> Self {
        self.from_ms = Some(from_ms);
        self
    }
}

/// An item that is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub thing: Thing,
    pub name: &'a str,
    /// The stream that it belongs to, as its name says.
    pub stream: Option<StreamId>,
}

/// What the objects under one key must be.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub announced: EventRef,
    pub size_bytes: u64,
    pub checksum: Checksum,
    pub frame_bytes: u32,
    pub frames_root: Hash,
    pub parts_root: Hash,
    /// The version that was pinned, once it was uploaded.
    pub pinned: Option<String>,
    /// Until when something else may be there: an object that is on its way in or out, an unfinished upload.
    pub until_ms: u64,
    /// Whether it is sent in parts.
    pub in_parts: bool,
    pub found: bool,
}

/// The postings that an announcement's tokens make, once they are known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Posts {
    pub at_ms: u64,
    pub version: u32,
    /// The same as in [`Entry`].
    pub from_ms: Option<u64>,
    pub until_ms: Option<u64>,
}

/// Everything that the events account for.
pub(crate) struct Account {
    pub now_ms: u64,
    /// When the page that is looked at was read.
    pub(crate) read_ms: u64,
    pub grace_ms: u64,
    entries: HashMap<(Thing, String), Entry>,
    /// How many events each stream has.
    pub lengths: BTreeMap<StreamId, u64>,
    /// Streams that could not be read to their end: what belongs to them is not judged.
    pub broken: BTreeSet<StreamId>,
    pub providers: BTreeSet<Id>,
    pub bodies: BTreeMap<String, Body>,
    pub posts: HashMap<EventRef, Posts>,
    /// The vault's origin.
    pub origin: Option<String>,
    /// The public key of the search key's first epoch, as the genesis event has it.
    pub search_key: Option<Hash>,
    /// What the blocks say of events, and what follows from them.
    pub(crate) ledger: Ledger,
    names: BTreeMap<Place, String>,
    bucket: String,
    ledger_bucket: String,
}

impl Account {
    pub(crate) fn new(round: &Round<'_>) -> Self {
        use Place::{Blocks, ByTime, Events, Index, Keys, Private, Sealed, SearchKeys, Work};
        let name = |place: Place| {
            let table = round.inventory.name(place).to_owned();
            (place, if place == ByTime { format!("{table} by_time") } else { table })
        };
        Self {
            now_ms: round.now_ms,
            read_ms: round.now_ms,
            grace_ms: round.settings.grace_ms,
            entries: HashMap::new(),
            lengths: BTreeMap::new(),
            broken: BTreeSet::new(),
            providers: BTreeSet::new(),
            bodies: BTreeMap::new(),
            posts: HashMap::new(),
            origin: None,
            search_key: None,
            ledger: Ledger::default(),
            names: [Events, ByTime, Private, Keys, SearchKeys, Index, Work, Blocks, Sealed].map(name).into(),
            bucket: round.inventory.bucket(Bucket::Bodies).to_owned(),
            ledger_bucket: round.inventory.bucket(Bucket::Ledger).to_owned(),
        }
    }

    /// What the place of a thing is called.
    pub(crate) fn place(&self, thing: Thing) -> &str {
        let table = thing.table().and_then(|table| self.names.get(&table));
        table.map_or_else(|| if thing.is_of_the_log() { &self.ledger_bucket } else { &self.bucket }, String::as_str)
    }

    /// Some time later, and the workers' lateness.
    pub(crate) fn late(&self, at_ms: u64) -> u64 {
        at_ms.saturating_add(self.grace_ms)
    }

    /// Whether there is an event at this place.
    pub(crate) fn has(&self, event: EventRef) -> bool {
        self.lengths.get(&event.stream).is_some_and(|length| event.seq < *length)
    }

    pub(crate) fn expect(&mut self, thing: Thing, name: impl Into<String>, entry: Entry) {
        self.entries.insert((thing, name.into()), entry);
    }

    /// Checks an item off that belongs to a stream. `content` is the hash of what it holds.
    pub(crate) fn check_off(&mut self, item: &Item<'_>, content: Option<Hash>, report: &mut Report) {
        let Item { thing, name, stream } = *item;
        let place = self.place(thing).to_owned();
        let Some(entry) = self.entries.get_mut(&(thing, name.to_owned())) else {
            if stream.is_some_and(|stream| self.broken.contains(&stream)) {
                report.unjudged(thing, 1);
            } else {
                report.wrong(thing, Flaw::Orphan, &place, name, "no event accounts for it");
            }
            return;
        };
        entry.found = true;
        let entry = *entry;
        if entry.content.is_some() && entry.content != content {
            report.wrong(thing, Flaw::Changed, &place, name, format!("it does not hold what {} says", entry.event));
            return;
        }
        match entry.until_ms {
            Some(until_ms) if until_ms <= self.now_ms => {
                let what = format!("it is still there, although {} is over and done with", entry.event);
                report.wrong(thing, Flaw::Overdue, &place, name, what);
            }
            Some(until_ms) => {
                let tally = report.tally(thing);
                tally.read += 1;
                tally.pending += 1;
                report.wait(thing, name, until_ms);
            }
            None => report.accounted(thing),
        }
    }

    /// Says that a thing is there whose item has another name.
    pub(crate) fn note_found(&mut self, thing: Thing, name: &str) {
        if let Some(entry) = self.entries.get_mut(&(thing, name.to_owned())) {
            entry.found = true;
        }
    }

    /// What was not found is missing, or still to come.
    pub(crate) fn close(&self, report: &mut Report) {
        for ((thing, name), entry) in self.entries.iter().filter(|(_, entry)| !entry.found) {
            let Some(from_ms) = entry.from_ms else { continue };
            if self.now_ms < from_ms {
                report.wait(*thing, name, from_ms);
            } else {
                let what = format!("{} tells of it, and it is not there", entry.event);
                report.find(*thing, Flaw::Missing, self.place(*thing), name, what);
            }
        }
        for (key, body) in &self.bodies {
            if let (Some(pinned), false) = (&body.pinned, body.found) {
                let what = format!("version {pinned} was pinned for {}, and is not there", body.announced);
                report.find(Thing::Object, Flaw::Missing, &self.bucket, key, what);
            }
        }
    }
}
