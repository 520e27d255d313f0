//! Blocks that only a sealer could make that is not the vault's: they follow one another, and are wrong. What somebody does to stored ones is in the
//! stories (`tests/stories/audited/ledger.rs`).

use std::collections::BTreeMap;
use std::fmt::Display;

use chartseal_events::event::{Envelope, RecordUploaded, Seen, StoredEvent};
use chartseal_events::{Bytes, EventRef, Hash, Id, Outcome, StreamId};
use chartseal_infra::aws::{Inventory, ObjectVersion, Raw, RawItem, StoreNames, config};
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::map::{MAP_VERSION, Operation, Page, PageId, operations_of_sealed, update};
use chartseal_ledger::note::{SignatureType, VerifierKey};
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::MapState;
use ed25519_dalek::{Signer as _, SigningKey};

use super::{blocks, close, files, sealed};
use crate::account::Account;
use crate::report::Report;
use crate::{Round, Settings};

const NOW_MS: u64 = 1_800_000_000_000;
const ORIGIN: &str = "vault.example";

/// A log that is made here and audited at once.
struct Log {
    account: Account,
    report: Report,
    last: Option<Block>,
    root: Hash,
    pages: BTreeMap<PageId, Page>,
    versions: Vec<(String, String)>,
}

fn height_of(block: &Block) -> String {
    block.seal().height().to_string()
}

fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn log_key() -> VerifierKey {
    VerifierKey::new(ORIGIN, SignatureType::Ed25519, &signing_key().verifying_key().to_bytes()).expect("a key")
}

fn place(stream: u8, seq: u64) -> EventRef {
    let stream = if stream == 0 { StreamId::Vault } else { StreamId::Record(Id::from_parts(1, [stream; 10])) };
    EventRef { stream, seq }
}

impl Log {
    fn new() -> Self {
        let names = StoreNames {
            events: "events".to_owned(),
            private: "private".to_owned(),
            keys: "keys".to_owned(),
            search_keys: "search-keys".to_owned(),
            index: "index".to_owned(),
            work: "work".to_owned(),
            blocks: "blocks".to_owned(),
            sealed: "sealed".to_owned(),
            bucket: "bodies".to_owned(),
            ledger_bucket: "log".to_owned(),
        };
        let inventory = Inventory::new(&config(), names);
        let settings = Settings { grace_ms: 0, ..Settings::default() };
        let (clock, progress) = (|| NOW_MS, |_| ());
        let round =
            Round { inventory: &inventory, settings, clock: &clock, now_ms: NOW_MS, number: 1, progress: &progress };
        let mut account = Account::new(&round);
        let policy = Policy::new(log_key(), None, Vec::new(), 0).expect("a policy");
        account.ledger.log = Some((ORIGIN.to_owned(), policy));
        account.ledger.before = blocks::Before::of(u64::MAX);
        let (root, report) = (Hash::ZERO, Report::new(NOW_MS, 0));
        Self { account, report, last: None, root, pages: BTreeMap::new(), versions: Vec::new() }
    }

    /// An event that stands in the table.
    fn event(&mut self, place: EventRef, seen: &[SealedEvent]) -> SealedEvent {
        let seen: Vec<Seen> = seen.iter().map(|seen| Seen(seen.place.stream, seen.place.seq, seen.leaf)).collect();
        let outcome = RecordUploaded { version: 1, announced: 0, version_id: "v".to_owned() };
        let (at_ms, nonce) = (NOW_MS - 1_000, Bytes([7; 16]));
        let envelope = Envelope { place, prev: Hash::ZERO, at_ms, seen: &seen, nonce, command: None };
        let stored = StoredEvent::write(envelope, &Outcome::from(outcome)).expect("an event");
        self.account.ledger.note(&stored);
        SealedEvent { place, leaf: stored.leaf }
    }

    /// A block of these events, whose map is made by these operations on top of theirs.
    fn seal_with(&mut self, events: &[SealedEvent], more: &[Operation]) {
        let first_index = self.last.as_ref().map_or(0, |last| last.seal().size());
        let events_and = events.iter().map(|event| (*event, None));
        let operations = [&operations_of_sealed(ORIGIN, first_index, events_and)[..], more].concat();
        let updated = update(self.root, &self.pages, &operations).expect("a map");
        self.root = updated.root;
        self.pages.extend(updated.pages);
        let operations = operations.iter().map(Operation::to_bytes).collect();
        let map = MapState { root: self.root, version: MAP_VERSION };
        let block = Block::next(self.last.as_ref(), NOW_MS - 1_000, events.to_vec(), map, operations).expect("a block");
        self.stands(&height_of(&block), block.to_bytes());
        self.publish(&height_of(&block), block.seal().size(), block.edge().root());
        self.last = Some(block);
    }

    /// These bytes stand in the table as a block.
    fn stands(&mut self, height: &str, bytes: Vec<u8>) {
        let item: RawItem = [
            ("log".to_owned(), Raw::Text("log".to_owned())),
            ("height".to_owned(), Raw::Number(height.to_owned())),
            ("block".to_owned(), Raw::Bytes(bytes)),
        ]
        .into();
        blocks::one(&item, &mut self.account, &mut self.report);
    }

    /// The sweep's mark says this time.
    fn swept_until(&mut self, at_ms: u64) {
        let item: RawItem = [
            ("item".to_owned(), Raw::Text("sealed-until".to_owned())),
            ("at".to_owned(), Raw::Number(at_ms.to_string())),
        ]
        .into();
        sealed::item(&item, &mut self.account, &mut self.report);
    }

    fn seal(&mut self, events: &[SealedEvent]) {
        self.seal_with(events, &[]);
    }

    /// A version of the checkpoint, the newest so far, of a log with this root.
    fn publish(&mut self, version: &str, size: u64, root: Hash) {
        let checkpoint = Checkpoint::new(ORIGIN, size, root).expect("a checkpoint");
        let mut note = checkpoint.to_note();
        let signature = signing_key().sign(note.text().as_bytes()).to_bytes();
        note.sign(&log_key(), &signature).expect("signed");
        self.versions.push((version.to_owned(), note.to_string()));
    }

    /// The newest block's size and root.
    fn head(&self) -> (u64, Hash) {
        self.last.as_ref().map_or((0, Hash::ZERO), |last| (last.seal().size(), last.edge().root()))
    }

    /// What is found in blocks, events, checkpoints and what is cosigned.
    fn found(self) -> Vec<(String, String)> {
        self.found_of(&["block", "event", "checkpoint", "cosigned"])
    }

    /// What is found of these things.
    fn found_of(mut self, things: &[&str]) -> Vec<(String, String)> {
        // As S3 lists them.
        for (version_id, note) in self.versions.into_iter().rev() {
            let version = ObjectVersion { key: "checkpoint".to_owned(), version_id, is_delete_marker: false };
            files::take(version, Some(note.into_bytes()), &mut self.account, &mut self.report);
        }
        close(&mut self.account, &mut self.report);
        self.report.finish();
        let of_these = |code: &str| things.iter().any(|thing| code.starts_with(thing));
        let findings = self.report.findings.into_iter().filter(|finding| of_these(&finding.code));
        findings.map(|finding| (finding.code, finding.item)).collect()
    }
}

fn is(code: &str, item: &dyn Display) -> (String, String) {
    (code.to_owned(), item.to_string())
}

#[test]
fn a_log_of_the_events_that_stand_there_is_sound() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[first]);
    let next = log.event(place(1, 1), &[first, record]);
    log.seal(&[first, record]);
    log.seal(&[next]);
    assert_eq!(log.found(), []);
}

#[test]
fn an_event_is_sealed_once_in_its_order_and_after_what_it_has_seen() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let other = log.event(place(2, 0), &[]);
    let record = log.event(place(1, 0), &[other]);
    let skipped = log.event(place(3, 0), &[]);
    let after = log.event(place(3, 1), &[]);
    log.seal(&[first, record]);
    log.seal(&[other]);
    log.seal(&[record]);
    log.seal(&[after]);
    assert_ne!(skipped, after);
    let expected = [is("block-impossible", &"log 0"), is("block-impossible", &"log 3"), is("block-repeated", &"log 2")];
    assert_eq!(log.found(), expected);
}

#[test]
fn an_event_that_no_block_has_is_overdue_and_one_that_is_another_or_gone_is_named() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[]);
    let open = log.event(place(2, 0), &[]);
    let elsewhere = log.event(place(3, 0), &[]);
    let gone = SealedEvent { place: place(4, 0), leaf: Hash([4; 32]) };
    let another = SealedEvent { leaf: Hash([1; 32]), ..record };
    log.seal(&[first, another, gone]);
    log.seal(&[SealedEvent { place: place(5, 0), ..elsewhere }]);
    let expected = [
        is("block-changed", &"log 1"),
        is("event-changed", &record.place),
        is("event-missing", &gone.place),
        is("event-overdue", &open.place),
    ];
    assert_eq!(log.found(), expected);
}

#[test]
fn a_map_that_has_more_than_the_events_make_of_it_is_named() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[]);
    let invented = operations_of_sealed(ORIGIN, 0, [(SealedEvent { place: place(9, 9), leaf: Hash([9; 32]) }, None)]);
    log.seal(&[first]);
    log.seal_with(&[record], &invented);
    assert_eq!(log.found(), [is("block-changed", &"log 1")]);
}

#[test]
fn nothing_is_said_of_what_follows_a_gap() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[]);
    let next = log.event(place(1, 1), &[]);
    log.seal(&[first]);
    let seen = (std::mem::replace(&mut log.account, Log::new().account), log.report.clone());
    log.seal(&[record]);
    (log.account, log.report) = seen;
    log.seal(&[next]);
    assert_eq!(log.found(), [is("block-missing", &"log 1")]);
}

#[test]
fn a_signed_log_that_is_not_the_blocks_is_named() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[]);
    log.seal(&[first]);
    let (size, root) = log.head();
    // Two leaves, of which the second is no seal; another log of the right size; one that goes back; two that go on, and are not one.
    log.publish("inside", size - 1, root);
    log.publish("fork", size, Hash([9; 32]));
    log.seal(&[record]);
    log.publish("back", size, root);
    log.publish("beyond", 9, Hash([1; 32]));
    log.publish("again", 9, Hash([1; 32]));
    log.publish("another", 9, Hash([2; 32]));
    let expected = [
        is("block-missing", &"log 2"),
        is("checkpoint-changed", &"checkpoint version another"),
        is("checkpoint-changed", &"checkpoint version fork"),
        is("checkpoint-changed", &"checkpoint version inside"),
        is("checkpoint-unlinked", &"checkpoint version back"),
    ];
    assert_eq!(log.found(), expected);
}

#[test]
fn a_block_that_nobody_signed_is_overdue() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[]);
    log.seal(&[first]);
    log.seal(&[record]);
    log.versions.pop();
    assert_eq!(log.found(), [is("checkpoint-overdue", &"checkpoint")]);
}

#[test]
fn what_witnesses_have_cosigned_is_a_log_after_a_block() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    log.seal(&[first]);
    let (_, note) = log.versions[0].clone();
    let items = [
        ("cosigned", vec![("size", "2"), ("witnesses", "3")], Some(("note", note.clone()))),
        ("witness/0a1b2c3d", vec![("size", "2")], Some(("line", "a line".to_owned()))),
        ("witness/00000000", vec![("size", "1")], Some(("line", "a line".to_owned()))),
        ("witness/11111111", vec![("size", "2")], None),
        ("witness/nonsense", vec![("size", "2")], Some(("line", "a line".to_owned()))),
    ];
    for (name, numbers, words) in items {
        let mut item = RawItem::from([("item".to_owned(), Raw::Text(name.to_owned()))]);
        item.extend(numbers.into_iter().map(|(name, digits)| (name.to_owned(), Raw::Number(digits.to_owned()))));
        item.extend(words.map(|(name, words)| (name.to_owned(), Raw::Text(words))));
        sealed::item(&item, &mut log.account, &mut log.report);
    }
    let expected = [is("cosigned-changed", &"witness/00000000"), is("cosigned-changed", &"witness/11111111")];
    assert_eq!((log.report.foreign, log.found()), (1, expected.to_vec()));
}

/// A log of two blocks, with an event in each.
fn two_blocks() -> Log {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let record = log.event(place(1, 0), &[]);
    log.seal(&[first]);
    log.seal(&[record]);
    log
}

#[test]
fn a_tile_that_is_not_there_is_missed() {
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    let more: Vec<SealedEvent> = (0..256).map(|seq| log.event(place(1, seq), &[])).collect();
    log.seal(&[first]);
    log.seal(&more);
    assert_eq!(log.found_of(&["tile"]), [is("tile-missing", &"tile/0/000")]);
}

#[test]
fn the_sweeps_mark_is_missed_and_must_move_and_stays_behind_the_clock() {
    const HOUR_MS: u64 = 3_600_000;
    let found = |marked: Option<u64>| {
        let mut log = two_blocks();
        log.account.now_ms += HOUR_MS;
        log.account.read_ms += HOUR_MS;
        if let Some(at_ms) = marked {
            log.swept_until(at_ms);
        }
        log.found_of(&["sealed-until"])
    };
    assert_eq!(found(None), [is("sealed-until-missing", &"sealed-until")]);
    assert_eq!(found(Some(NOW_MS - HOUR_MS)), [is("sealed-until-overdue", &"sealed-until")]);
    assert_eq!(found(Some(NOW_MS + 2 * HOUR_MS)), [is("sealed-until-changed", &"sealed-until")]);
    assert_eq!(found(Some(NOW_MS + HOUR_MS - 60_000)), []);
}

#[test]
fn a_log_that_nobody_ever_signed_is_missed() {
    let mut log = two_blocks();
    log.account.now_ms += 3_600_000;
    log.versions.clear();
    assert_eq!(log.found(), [is("checkpoint-missing", &"checkpoint")]);
}

#[test]
fn a_block_that_is_none_or_of_another_log_is_named() {
    let mut log = two_blocks();
    log.stands("2", b"no block".to_vec());
    assert_eq!(log.found_of(&["block"]), [is("block-damaged", &"log 2")]);

    let mut other = Log::new();
    let [first, record, next] = [place(0, 0), place(1, 0), place(2, 0)].map(|place| other.event(place, &[]));
    other.seal(&[first, record]);
    other.seal(&[next]);
    let mut log = Log::new();
    let first = log.event(place(0, 0), &[]);
    log.seal(&[first]);
    log.stands("1", other.last.expect("a block").to_bytes());
    assert_eq!(log.found_of(&["block-unlinked", "block-damaged"]), [is("block-unlinked", &"log 1")]);
}
