//! Reacting once more to what was accepted lately. The cursor stands at the time up to which that has been done.

use chartseal_events::EventRef;
use chartseal_infra::ports::{Blobs, Clock, Due, EventStore, Index, StoreError, WorkList, Workflow};
use chartseal_infra::telemetry::{fields, note};
use chartseal_reactions::{Failure, concerns, fetch};
use futures_util::StreamExt as _;

use crate::{HEAL_MS, MAX_CONCURRENT, Report, Sweep};

/// How far behind the clock a vault that was never swept begins.
const FIRST_MS: u64 = 15 * 60_000;
/// Events of the last half minute are left to the consumer; and the index by time is not consistent at once.
const LAG_MS: u64 = 30_000;
/// How much time is read at once; the cursor moves on after each.
const SLICE_MS: u64 = 60_000;

impl<E, I, W, F, B, C> Sweep<'_, E, I, W, F, B, C>
where
    E: EventStore,
    I: Index,
    W: WorkList,
    F: Workflow,
    B: Blobs,
    C: Clock,
{
    pub(crate) async fn heal(&self, start_ms: u64, report: &mut Report) -> Result<(), StoreError> {
        let (events, work) = (self.react.events, self.react.work);
        let until_ms = start_ms.saturating_sub(LAG_MS);
        let mut from_ms = work.sweep_cursor().await?.unwrap_or(start_ms.saturating_sub(FIRST_MS));
        note::peak(&fields::SWEEP_BEHIND_MS, until_ms.saturating_sub(from_ms));
        while from_ms < until_ms && !self.over(start_ms, HEAL_MS) {
            let to_ms = until_ms.min(from_ms + SLICE_MS);
            let places = events.by_time(from_ms, to_ms).await?.into_iter().filter(|place| concerns(&place.stream));
            let visits = places.map(|place| async move { (place, self.visit(place).await) });
            let visited: Vec<_> = futures_util::stream::iter(visits).buffer_unordered(MAX_CONCURRENT).collect().await;
            for (place, result) in visited {
                report.healed += 1;
                if let Err(error) = result {
                    report.failed += 1;
                    // The cursor may only move on when the item is remembered elsewhere.
                    self.put_off(Due { at_ms: from_ms, event: place }, &error).await?;
                }
            }
            work.set_sweep_cursor(to_ms).await?;
            from_ms = to_ms;
        }
        Ok(())
    }

    async fn visit(&self, place: EventRef) -> Result<(), Failure> {
        let Some(event) = fetch(self.react.events, place).await? else {
            return Err(StoreError::Damaged { what: format!("{place} is gone") }.into());
        };
        self.react.to_event(&event).await?;
        self.look_for_upload(&event).await
    }
}
