//! Accounts for everything that a vault's tables and buckets hold. The events say what must be there; what is there is checked off against it, item by
//! item; what is left over on either side is a finding. An operator's tool: it reads the store directly, with an auditor's credentials, and writes
//! nothing. (Who has only the API, and trusts nobody, has the evidence that answers carry.)
//!
//! 1. `events`: every stream is folded, every signature verified and every decision made again; each event says what else must be there (`account`).
//! 2. `ledger`: the blocks are followed, and seal exactly these events; what they make is put down, too.
//! 3. `tables`: every item of every table is looked for in that account.
//! 4. `bucket`, `ledger::files`: every object version and unfinished upload too.
//! 5. What was not found is missing.
//! 6. `bodies`, where it is asked for: every body is read, byte for byte.
//!
//! The vault may be at work meanwhile. What the workers have not come to yet is pending until a stated time, and no finding. Where the first round
//! finds something, a second one is made, and only what both found is reported: an item that moved between two reads is in one of them alone.
//!
//! Memory: an entry of some hundred bytes for each item that the events account for, the streams of people, and the ledger's map. Bodies of events are
//! read a stream at a time, tables a page at a time, blocks one by one. `docs/AUDIT.md` has a figure.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod account;
mod bodies;
mod bucket;
mod events;
mod ledger;
mod past;
mod report;
mod rules;
mod tables;

use chartseal_events::{EventRef, Hash};
use chartseal_infra::aws::{Bucket, Inventory, Place};
use chartseal_infra::ports::StoreError;

pub use account::{Entry, Thing};
pub use report::{Finding, Flaw, Pending, Report, Tally};

use account::Account;

/// How an audit is made.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How late the workers may be before something is a finding, milliseconds. The sweeper comes every minute, leaves the last half minute alone, and tries
    /// what failed once more a minute later.
    pub grace_ms: u64,
    /// The leaf hash of the vault's genesis event, where the auditor knows it.
    pub genesis: Option<Hash>,
    /// Segments of a table, and streams, that are read at the same time.
    pub at_once: u32,
    /// Whether every body is read, byte for byte.
    pub bodies: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { grace_ms: 300_000, genesis: None, at_once: 8, bodies: false }
    }
}

/// What has been read so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which round.
    pub round: u32,
    /// What is read.
    pub reading: Reading,
    /// How many of them so far.
    pub read: u64,
}

/// What an audit reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Items.
    Items(Place),
    /// Object versions.
    Objects(Bucket),
    /// Bytes of bodies.
    Bytes,
}

/// Rounds of an audit at most: each is compared with the one before it.
const MAX_ROUNDS: u32 = 4;

/// What a round works with.
struct Round<'a> {
    inventory: &'a Inventory,
    settings: Settings,
    clock: &'a (dyn Fn() -> u64 + Sync),
    /// When it began.
    now_ms: u64,
    number: u32,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Round<'_> {
    fn tell(&self, reading: Reading, read: u64) {
        (self.progress)(Progress { round: self.number, reading, read });
    }
}

/// Audits the store. `now_ms` is asked at the beginning of each round.
pub async fn audit(
    inventory: &Inventory,
    settings: Settings,
    now_ms: impl Fn() -> u64 + Sync,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, StoreError> {
    let round = |number| Round { inventory, settings, clock: &now_ms, now_ms: now_ms(), number, progress };
    let (mut report, mut account) = run(&round(1)).await?;
    let mut number = 1;
    while !report.findings.is_empty() {
        number += 1;
        let before = report;
        // One account at a time: it is large.
        drop(account);
        (report, account) = run(&round(number)).await?;
        // What is new may be the trace of a write that was under way, or of a change behind the vault's back: one round more tells.
        if number == MAX_ROUNDS || !report.found_more_than(&before) {
            report.keep_what_both_found(&before);
            break;
        }
    }
    if settings.bodies {
        bodies::read(&round(number), &account, &mut report).await?;
        report.finish();
    }
    Ok(report)
}

async fn run(round: &Round<'_>) -> Result<(Report, Account), StoreError> {
    let mut report = Report::new(round.now_ms, round.settings.grace_ms);
    let mut account = Account::new(round);
    account.ledger.before = ledger::blocks::Before::read(round).await?;
    events::read(round, &mut account, &mut report).await?;
    ledger::blocks::read(round, &mut account, &mut report).await?;
    tables::read(round, &mut account, &mut report).await?;
    bucket::read(round, &mut account, &mut report).await?;
    ledger::files::read(round, &mut account, &mut report).await?;
    ledger::blocks::read_on(round, &mut account, &mut report).await?;
    account.close(&mut report);
    ledger::close(&mut account, &mut report);
    report.finish();
    Ok((report, account))
}

/// How an event is named in a report.
fn named(event: EventRef) -> String {
    event.to_string()
}
