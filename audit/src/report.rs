//! What an audit found: findings, what is pending, and counts. No text here holds a private value, a token's meaning or a body.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::account::Thing;

/// Longest name of an item that is printed: whoever put a foreign item there chose its name.
const MAX_NAME_CHARS: usize = 200;

/// What is wrong with a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flaw {
    /// An event tells of it, and it is not there.
    Missing,
    /// It is there, and is not what the events say.
    Changed,
    /// It is there, and nothing accounts for it.
    Orphan,
    /// It should have been dealt with by now.
    Overdue,
    /// It is no item that the vault writes.
    Foreign,
    /// It cannot be read, or says that it stands elsewhere.
    Damaged,
    /// It does not follow the event before it.
    Unlinked,
    /// It cannot happen after what happened before.
    Impossible,
    /// It could not be decided again: a bad signature, a missing right, or what it relies on is not there.
    Undecidable,
    /// The decision comes to another event.
    Undue,
    /// Its command was taken before in the same stream.
    Repeated,
}

impl Flaw {
    /// The word for it in codes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::Orphan => "orphan",
            Self::Overdue => "overdue",
            Self::Foreign => "foreign",
            Self::Damaged => "damaged",
            Self::Unlinked => "unlinked",
            Self::Impossible => "impossible",
            Self::Undecidable => "undecidable",
            Self::Undue => "undue",
            Self::Repeated => "repeated",
        }
    }
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `<thing>-<flaw>`, for programs.
    pub code: String,
    /// The table or bucket.
    pub place: String,
    /// The item: its key as the place has it.
    pub item: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub advice: &'static str,
    /// Which thing, and whether it is in the tally: what is missing is not.
    #[serde(skip)]
    thing: &'static str,
    #[serde(skip)]
    counted: bool,
}

/// Something that the workers have not come to yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The thing.
    pub thing: &'static str,
    /// Its key.
    pub item: String,
    /// A finding from then on, Unix milliseconds.
    pub until_ms: u64,
}

/// The items of a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Read.
    pub read: u64,
    /// Accounted for by the events, and right.
    pub accounted: u64,
    /// Not yet dealt with, in time.
    pub pending: u64,
    /// With a finding.
    pub wrong: u64,
    /// Emptied on purpose: the item is there, its values were erased.
    pub erased: u64,
    /// Of a stream that could not be read to its end; there is a finding about that stream.
    pub unjudged: u64,
    /// Right in one round and not in the other: it was written or removed while the store was read.
    pub moved: u64,
}

/// What an audit comes to.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether there are no findings, and nothing was left unjudged.
    pub sound: bool,
    /// When the last round began, Unix milliseconds.
    pub at_ms: u64,
    /// How late the workers may be, milliseconds.
    pub grace_ms: u64,
    /// Items by kind of thing.
    pub things: BTreeMap<&'static str, Tally>,
    /// Items that no kind of thing takes in: foreign ones.
    pub foreign: u64,
    /// Streams by kind.
    pub streams: BTreeMap<&'static str, u64>,
    /// Events by type.
    pub events: BTreeMap<&'static str, u64>,
    /// Bodies that were read, byte for byte.
    pub bodies_read: u64,
    /// What is not as it must be.
    pub findings: Vec<Finding>,
    /// What the workers have not come to yet.
    pub pending: Vec<Pending>,
}

impl Report {
    pub(crate) fn new(at_ms: u64, grace_ms: u64) -> Self {
        Self {
            sound: true,
            at_ms,
            grace_ms,
            things: BTreeMap::new(),
            foreign: 0,
            streams: BTreeMap::new(),
            events: BTreeMap::new(),
            bodies_read: 0,
            findings: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub(crate) fn tally(&mut self, thing: Thing) -> &mut Tally {
        self.things.entry(thing.name()).or_default()
    }

    /// An item that is there and right.
    pub(crate) fn accounted(&mut self, thing: Thing) {
        let tally = self.tally(thing);
        tally.read += 1;
        tally.accounted += 1;
    }

    /// An item that was read and is not as it must be.
    pub(crate) fn wrong(&mut self, thing: Thing, flaw: Flaw, place: &str, item: &str, what: impl Into<String>) {
        let tally = self.tally(thing);
        tally.read += 1;
        tally.wrong += 1;
        self.find(thing, flaw, place, item, what);
        if let Some(finding) = self.findings.last_mut() {
            finding.counted = true;
        }
    }

    /// Items that follow from what could not be read.
    pub(crate) fn unjudged(&mut self, thing: Thing, count: u64) {
        let tally = self.tally(thing);
        tally.read += count;
        tally.unjudged += count;
    }

    /// An item of nobody's.
    pub(crate) fn foreign(&mut self, thing: Thing, place: &str, item: &str, what: impl Into<String>) {
        self.foreign += 1;
        self.find(thing, Flaw::Foreign, place, item, what);
    }

    /// A finding about something that was counted, or is not there.
    pub(crate) fn find(&mut self, thing: Thing, flaw: Flaw, place: &str, item: &str, what: impl Into<String>) {
        self.findings.push(Finding {
            code: format!("{}-{}", thing.name(), flaw.name()),
            place: place.to_owned(),
            item: printable(item),
            what: what.into(),
            advice: advice(thing, flaw),
            thing: thing.name(),
            counted: false,
        });
    }

    pub(crate) fn wait(&mut self, thing: Thing, item: &str, until_ms: u64) {
        self.pending.push(Pending { thing: thing.name(), item: printable(item), until_ms });
    }

    /// A finding counts that both rounds made.
    /// Whether this found something that the other did not.
    pub(crate) fn found_more_than(&self, other: &Self) -> bool {
        let same = |one: &Finding, two: &Finding| one.code == two.code && one.item == two.item;
        self.findings.iter().any(|finding| !other.findings.iter().any(|before| same(before, finding)))
    }

    pub(crate) fn keep_what_both_found(&mut self, other: &Self) {
        let before: BTreeSet<(&str, &str)> =
            other.findings.iter().map(|finding| (finding.code.as_str(), finding.item.as_str())).collect();
        let both = |finding: &Finding| before.contains(&(finding.code.as_str(), finding.item.as_str()));
        let (kept, dropped): (Vec<Finding>, Vec<Finding>) =
            std::mem::take(&mut self.findings).into_iter().partition(both);
        self.findings = kept;
        for finding in dropped.iter().filter(|finding| finding.counted) {
            if let Some(tally) = self.things.get_mut(finding.thing) {
                tally.wrong -= 1;
                tally.moved += 1;
            }
        }
        self.finish();
    }

    pub(crate) fn finish(&mut self) {
        self.findings.sort_by(|a, b| (&a.code, &a.item).cmp(&(&b.code, &b.item)));
        // The same may be seen from two sides.
        self.findings.dedup_by(|again, first| {
            let same = again.code == first.code && again.item == first.item && again.place == first.place;
            if same && again.what != first.what {
                first.what = [first.what.as_str(), "; ", again.what.as_str()].concat();
                first.counted |= again.counted;
            }
            same
        });
        self.pending.sort_by_key(|pending| pending.until_ms);
        self.sound = self.findings.is_empty() && self.things.values().all(|tally| tally.unjudged == 0);
    }

    /// The report in words.
    pub fn in_words(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:<14}{:>10}{:>12}{:>10}{:>8}{:>10}{:>8}{:>8}",
            "", "read", "accounted", "pending", "erased", "unjudged", "moved", "wrong"
        );
        for (thing, tally) in &self.things {
            let Tally { read, accounted, pending, wrong, erased, unjudged, moved } = tally;
            let _ = writeln!(
                text,
                "{thing:<14}{read:>10}{accounted:>12}{pending:>10}{erased:>8}{unjudged:>10}{moved:>8}{wrong:>8}"
            );
        }
        let streams: Vec<String> = self.streams.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let _ = writeln!(text, "streams: {}", streams.join(", "));
        if self.bodies_read > 0 {
            let _ = writeln!(text, "bodies that were read whole: {}", self.bodies_read);
        }
        for pending in &self.pending {
            let left_s = pending.until_ms.saturating_sub(self.at_ms) / 1000;
            let _ = writeln!(text, "pending: {} {}: a finding in {left_s} s", pending.thing, pending.item);
        }
        for finding in &self.findings {
            let Finding { code, place, item, what, advice, .. } = finding;
            let _ = writeln!(text, "{code}: {place}: {item}\n  {what}\n  {advice}");
        }
        let _ = match self.findings.len() {
            0 => writeln!(text, "sound: every item is accounted for, and everything is there"),
            count => writeln!(text, "not sound: {count} findings"),
        };
        text
    }
}

/// A name that somebody else may have chosen: control characters are escaped, and it is cut off. The parts of a key are put together with zeros.
fn printable(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        match c {
            '\0' => text.push(' '),
            c if c.is_control() => text.extend(c.escape_default()),
            c => text.push(c),
        }
    }
    if text.chars().count() > MAX_NAME_CHARS {
        text = text.chars().take(MAX_NAME_CHARS).chain("...".chars()).collect();
    }
    text
}

/// What to do about it.
const fn advice(thing: Thing, flaw: Flaw) -> &'static str {
    match (thing, flaw) {
        (_, Flaw::Foreign) => "find out who wrote it (CloudTrail), keep a copy, then delete it",
        (Thing::Event | Thing::SealedUntil | Thing::Checkpoint, Flaw::Overdue)
        | (Thing::Leaf | Thing::Page | Thing::SealedUntil | Thing::Tile, Flaw::Missing) => {
            "the sealer should have written it: look at its log, which says what it refuses and why"
        }
        (Thing::Posting | Thing::Due | Thing::Cursor, Flaw::Missing) => {
            "the sweeper should have written it: look at its log and its queue of failures"
        }
        (_, Flaw::Overdue) => "the sweeper should have dealt with it: look at its log and its queue of failures",
        (Thing::Posting | Thing::Due | Thing::Task | Thing::Rate, _) => {
            "a hint, and made anew from the events: delete it, and find out who wrote it (CloudTrail)"
        }
        (Thing::Object | Thing::DeleteMarker | Thing::Upload, Flaw::Orphan) => {
            "nobody can download it through the vault: find out who put it there (CloudTrail), then delete this version"
        }
        (Thing::Private | Thing::WrappedKey | Thing::Header | Thing::Object, Flaw::Missing | Flaw::Changed) => {
            "restore this item from the point-in-time backup or the bucket's noncurrent version, and find out who changed it"
        }
        (Thing::Private | Thing::WrappedKey | Thing::Header, Flaw::Orphan) => {
            "its event is gone, or it was never written by the vault: do not delete it before that is known"
        }
        (Thing::Block, _) => {
            "stop the sealer, restore the table to a copy, and compare: a block never changes. Never let anything be signed that is not a continuation"
        }
        (Thing::Leaf | Thing::Page | Thing::SealedUntil, _) => {
            "stop the sealer, and find out who changed it (CloudTrail): all of the table follows from the blocks, and can be restored from a backup"
        }
        (Thing::Cosigned, _) => {
            "witnesses are asked again for what is lost: delete it, and find out who wrote it (CloudTrail)"
        }
        (Thing::Tile, _) => {
            "readers get the newest version, and notice: find out who wrote it (CloudTrail), and put the right bytes back as the newest version"
        }
        (Thing::Checkpoint, _) => {
            "stop the sealer; the versions before it are locked: find out who wrote it (CloudTrail), and whether the log's key signed it (KMS)"
        }
        (Thing::Event, _) => {
            "stop writing to this stream, restore the table to a copy, and compare: an event never changes"
        }
        _ => "find out who changed it (CloudTrail), and restore it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_else_chose_cannot_write_to_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb\0c"), "a\\u{1b}[2J\\nb c");
        assert_eq!(printable(&"x".repeat(500)).chars().count(), MAX_NAME_CHARS + 3);
    }
}
