//! The sweeper, every minute: does again what the stream's consumer and commit may have missed, and ends what is due.
//!
//! 1. `heal`: every event since the cursor, but for the last half minute, is reacted to once more; announced uploads are looked for in S3.
//! 2. `due`: uploads that never came, requests that nobody decided, grants that are over; and whatever failed before.
//!
//! Work of one run is bounded by time, and progress is kept; so is the work on one item, by number (an abort ends 100 uploads of a key at most, and
//! the rest a minute later). One item's failure never stops the others: it is put off, and counted, and a run
//! with failures fails at its end, so that the alarm sees it. Everything here can be done twice.
#![forbid(unsafe_code)]

mod due;
mod heal;
mod uploads;

use chartseal_infra::ports::{Blobs, Clock, Due, EventStore, Index, StoreError, WorkList, Workflow};
use chartseal_infra::telemetry::{fields, note};
use chartseal_reactions::{Failure, React};
use serde::Deserialize;

/// How long a run goes on healing.
const HEAL_MS: u64 = 20_000;
/// How long a run goes on altogether; the function's time limit is 55 s.
const RUN_MS: u64 = 40_000;
/// When something that failed is tried again.
const RETRY_MS: u64 = 60_000;
/// How many items are worked on at the same time.
const MAX_CONCURRENT: usize = 8;

/// The schedule's event: nothing of it is used.
#[derive(Debug, Deserialize)]
pub struct Scheduled {}

/// What a sweep works on.
#[derive(Debug)]
pub struct Sweep<'a, E, I, W, F, B, C> {
    /// The reactions to events.
    pub react: React<'a, E, I, W, F>,
    /// Bodies.
    pub blobs: &'a B,
    /// The time.
    pub clock: &'a C,
}

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Events that were reacted to.
    pub healed: usize,
    /// Due items that were dealt with.
    pub ended: usize,
    /// Items that failed; they are tried again.
    pub failed: usize,
}

/// A run in which something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} of the sweep's items failed; each is in the log", .0.failed)]
pub struct SweepFailed(pub Report);

impl<E, I, W, F, B, C> Sweep<'_, E, I, W, F, B, C>
where
    E: EventStore,
    I: Index,
    W: WorkList,
    F: Workflow,
    B: Blobs,
    C: Clock,
{
    /// One run.
    pub async fn run(&self) -> Result<Report, SweepFailed> {
        let start_ms = self.clock.now_ms();
        let mut report = Report::default();
        if let Err(error) = self.heal(start_ms, &mut report).await {
            report.failed += 1;
            note::item_failed(&"healing", None, &error);
        }
        if let Err(error) = self.end_due(start_ms, &mut report).await {
            report.failed += 1;
            note::item_failed(&"ending what is due", None, &error);
        }
        note::set(&fields::OPERATION, "sweep");
        note::add(&fields::SWEEP_HEALED, report.healed);
        note::add(&fields::SWEEP_ENDED, report.ended);
        note::add(&fields::SWEEP_FAILED, report.failed);
        if report.failed == 0 { Ok(report) } else { Err(SweepFailed(report)) }
    }

    fn over(&self, start_ms: u64, limit_ms: u64) -> bool {
        self.clock.now_ms().saturating_sub(start_ms) >= limit_ms
    }

    /// Logs a failure and puts the item off.
    async fn put_off(&self, item: Due, error: &Failure) -> Result<(), StoreError> {
        note::item_failed(&item.event, None, error);
        self.react.work.add_due(Due { at_ms: self.clock.now_ms() + RETRY_MS, event: item.event }).await
    }
}
