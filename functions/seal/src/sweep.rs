//! Sealing what no hint came for.
//!
//! The watermark says up to when every event is known to be sealed. A sweep first looks at the last hour, whatever the watermark says; then at what comes after
//! the watermark, hour by hour, and moves it on behind each hour in which nothing was left. So a stream that cannot be sealed keeps the watermark
//! where it is, is tried again and told of in each sweep, and holds up nobody: what is new is looked at before it.

use chartseal_events::StreamId;
use chartseal_infra::ports::{BlockStore, Clock, EventStore, LogFiles, LogSigner, SealedIndex};
use chartseal_infra::telemetry::{fields, note};

use crate::defect::{Defect, planted};
use crate::gather::{Wanted, want};
use crate::refusal::Refused;
use crate::{Sealer, Task};

/// The index by time is not consistent at once, and the vault's clocks are not one.
const LAG_MS: u64 = 15 * 60_000;
/// How much time is read at once.
const SLICE_MS: u64 = 60 * 60_000;

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    E: EventStore,
    B: BlockStore,
    I: SealedIndex,
    F: LogFiles,
    S: LogSigner,
    C: Clock,
{
    pub(crate) async fn sweep_all(&self, task: &mut Task) -> Result<(), Refused> {
        let now_ms = self.clock.now_ms();
        let until_ms = now_ms.saturating_sub(LAG_MS);
        let Some(mut from_ms) = self.watermark().await? else { return self.seal(&mut Wanted::new(), task).await };
        note::peak(&fields::SEAL_BEHIND_MS, until_ms.saturating_sub(from_ms));
        self.slice(now_ms.saturating_sub(SLICE_MS).max(from_ms), now_ms + LAG_MS, task).await?;
        let mut stuck = false;
        while from_ms < until_ms && !self.is_over(task) {
            let to_ms = until_ms.min(from_ms + SLICE_MS);
            stuck |= !self.slice(from_ms, to_ms, task).await?;
            if !stuck || planted(Defect::Forgets) {
                self.index.set_sealed_until(to_ms).await?;
            }
            from_ms = to_ms;
        }
        Ok(())
    }

    /// Where a sweep begins. At first before the vault's first event; none where there is no vault yet.
    async fn watermark(&self) -> Result<Option<u64>, Refused> {
        if let Some(until_ms) = self.index.sealed_until().await? {
            return Ok(Some(until_ms));
        }
        let first = self.events.load_from(&StreamId::Vault, 0, 1).await?;
        let at_ms = first.first().and_then(|event| event.open().ok()).map(|event| event.at_ms);
        Ok(at_ms.map(|at_ms| at_ms.saturating_sub(LAG_MS)))
    }

    /// Seals what was accepted within this time. Whether all of it is sealed now.
    async fn slice(&self, from_ms: u64, to_ms: u64, task: &mut Task) -> Result<bool, Refused> {
        let mut wanted = Wanted::new();
        for place in self.events.by_time(from_ms, to_ms).await? {
            want(&mut wanted, place.stream, place.seq);
        }
        task.stuck = false;
        self.seal(&mut wanted, task).await?;
        Ok(wanted.is_empty() && !task.stuck)
    }
}
