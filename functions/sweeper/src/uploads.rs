//! Announced uploads: those for which no object event came, those that never came, and what came too late.

use chartseal_events::event::Outcome;
use chartseal_events::{Event, StreamId};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Blobs, Clock, Due, EventStore, Index, WorkList, Workflow};
use chartseal_reactions::{Failure, Orphans, Settled, settle_upload};

use crate::Sweep;

/// An upload is looked for again after it has been waited for twice as long, but not within a minute.
const MIN_AGAIN_MS: u64 = 60_000;
/// A PUT can be under way when its announcement expires: this long after, whatever came is deleted. Presigned URLs live 15 minutes.
const LATE_MS: u64 = 30 * 60_000;

impl<E, I, W, F, B, C> Sweep<'_, E, I, W, F, B, C>
where
    E: EventStore,
    I: Index,
    W: WorkList,
    F: Workflow,
    B: Blobs,
    C: Clock,
{
    /// Settles an announced upload, and notes when to look again. Does nothing for other events.
    pub(crate) async fn look_for_upload(&self, event: &Event) -> Result<(), Failure> {
        let (Outcome::RecordAnnounced(outcome), StreamId::Record(record)) = (&event.outcome, event.place.stream) else {
            return Ok(());
        };
        let upload = BlobKey { record, version: outcome.version, announced: event.place.seq };
        let settled = settle_upload(self.react.events, self.blobs, self.clock, upload, Orphans::Delete).await?;
        let now_ms = self.clock.now_ms();
        let again_ms = match settled {
            Settled::Waiting | Settled::Mismatch => {
                let waited_ms = now_ms.saturating_sub(event.at_ms).max(MIN_AGAIN_MS);
                Some(outcome.expires_at.min(now_ms + waited_ms))
            }
            Settled::Expired => Some(outcome.expires_at + LATE_MS).filter(|late_ms| now_ms < *late_ms),
            Settled::Uploaded(_) | Settled::Already | Settled::Unknown => None,
        };
        if let Some(at_ms) = again_ms {
            self.react.work.add_due(Due { at_ms, event: event.place }).await?;
        }
        Ok(())
    }
}
