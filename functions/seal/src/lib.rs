//! The sealer: puts events into the log. It is woken by hints, and sweeps for what no hint came for.
//!
//! A turn makes one block (`turn`): where the log stands (`head`), what is to be sealed (`gather`, `reach`, `line`) and in which order (`order`), one
//! conditional write of the block, which decides everything; then what follows from it (`derive`), a signature, and the checkpoint. A crash
//! anywhere is healed by the next run, and any number of sealers may run at once. `docs/LEDGER.md`, section Sealing, says why.
//!
//! In scope: that, on ports alone. Not in scope: what wakes it, AWS (`main.rs`), and reading the log.
#![forbid(unsafe_code)]

#[cfg(feature = "defects")]
pub mod defect;
#[cfg(not(feature = "defects"))]
mod defect;
mod derive;
mod gather;
mod head;
mod line;
mod order;
mod pages;
mod reach;
mod rebuild;
mod refusal;
mod sweep;
mod turn;
mod woken;

use std::collections::BTreeSet;

use chartseal_events::{Bytes, EventRef, StreamId};
use chartseal_infra::ports::{BlockStore, Clock, EventStore, LogFiles, LogSigner, SealedIndex};
use chartseal_infra::telemetry::{fields, note};
use chartseal_ledger::note::VerifierKey;

pub use rebuild::Rebuilt;
pub use refusal::{Fault, Refused};
pub use woken::{LogKeys, Unsealed, Woken};

/// How long a run goes on; the function's time limit is 60 s, and a block that was begun is finished.
pub const RUN_MS: u64 = 30_000;

/// What a sealer works on.
#[derive(Debug)]
pub struct Sealer<'a, E, B, I, F, S, C> {
    /// The events.
    pub events: &'a E,
    /// The blocks.
    pub blocks: &'a B,
    /// Leaf places and the map's pages.
    pub index: &'a I,
    /// Tiles and the checkpoint.
    pub files: &'a F,
    /// The log's key.
    pub signer: &'a S,
    /// The time.
    pub clock: &'a C,
    /// The log's public key, under the vault's origin; for plain signatures, not for cosignatures.
    pub log: VerifierKey,
    /// The public key of the log's clock, which the vault's first event must name.
    pub clock_key: Bytes<32>,
}

/// What a run did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Blocks that were sealed.
    pub blocks: usize,
    /// Their events.
    pub events: usize,
    /// Blocks of others of which what follows was made (again), and the checkpoint published.
    pub healed: usize,
    /// Streams that cannot be sealed on.
    pub broken: usize,
    /// Streams that wait for one of those.
    pub waiting: usize,
}

/// A run that came to an end before its work did, or left something that cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum RunFailed {
    /// It refused to go on, or could not.
    #[error("the sealer stopped: {why}")]
    Stopped {
        /// Why.
        why: Refused,
        /// What was done before.
        report: Report,
    },
    /// Everything else is sealed.
    #[error("{} streams cannot be sealed, and {} wait for them; each is in the log", .0.broken, .0.waiting)]
    Broken(Report),
}

/// A run that is under way.
#[derive(Debug, Default)]
pub(crate) struct Task {
    start_ms: u64,
    report: Report,
    /// The newest block's height, when it was looked at last.
    head: Option<u64>,
    broken: BTreeSet<StreamId>,
    waiting: BTreeSet<StreamId>,
    /// Something of what is being sealed cannot be.
    stuck: bool,
}

impl<E, B, I, F, S, C: Clock> Sealer<'_, E, B, I, F, S, C> {
    pub(crate) fn is_over(&self, task: &Task) -> bool {
        self.clock.now_ms().saturating_sub(task.start_ms) >= RUN_MS
    }
}

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    E: EventStore,
    B: BlockStore,
    I: SealedIndex,
    F: LogFiles,
    S: LogSigner,
    C: Clock,
{
    /// Seals these events, with all that is before them in their streams and all that they have seen. Hints may come twice, late, in any order, or not at all.
    pub async fn run(&self, hints: impl IntoIterator<Item = EventRef>) -> Result<Report, RunFailed> {
        let mut task = Task { start_ms: self.clock.now_ms(), ..Task::default() };
        let mut wanted = gather::Wanted::new();
        for EventRef { stream, seq } in hints {
            gather::want(&mut wanted, stream, seq);
        }
        let sealed = self.seal(&mut wanted, &mut task).await;
        task.end("hints", sealed)
    }

    /// Seals what no hint came for.
    pub async fn sweep(&self) -> Result<Report, RunFailed> {
        let mut task = Task { start_ms: self.clock.now_ms(), ..Task::default() };
        let swept = self.sweep_all(&mut task).await;
        task.end("sweep", swept)
    }
}

impl Task {
    fn end(self, operation: &'static str, ended: Result<(), Refused>) -> Result<Report, RunFailed> {
        let report = Report { broken: self.broken.len(), waiting: self.waiting.len(), ..self.report };
        note::set(&fields::OPERATION, operation);
        note::add(&fields::SEAL_BLOCKS, report.blocks);
        note::add(&fields::SEAL_EVENTS, report.events);
        note::add(&fields::SEAL_HEALED, report.healed);
        note::add(&fields::SEAL_BROKEN, report.broken);
        note::add(&fields::SEAL_WAITING, report.waiting);
        match ended {
            Err(why) => {
                note::item_failed(&"sealing", None, &why);
                Err(RunFailed::Stopped { why, report })
            }
            Ok(()) if report.broken + report.waiting > 0 => Err(RunFailed::Broken(report)),
            Ok(()) => Ok(report),
        }
    }
}
