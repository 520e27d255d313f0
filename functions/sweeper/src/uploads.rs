//! Announced uploads: those for which no object event came, those that never came, and what came too late.

use chartseal_events::command::Action;
use chartseal_events::event::Outcome;
use chartseal_events::{Event, StreamId};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Blobs, Clock, Due, EventStore, Index, WorkList, Workflow};
use chartseal_reactions::{Failure, Orphans, Settled, settle_upload};

use crate::{RETRY_MS, Sweep};

/// An upload is looked for again after it has been waited for twice as long, but not within a minute.
const MIN_AGAIN_MS: u64 = 60_000;
/// A PUT can be under way when its announcement is settled: this long after, whatever came is deleted or aborted. Presigned URLs live 15 minutes.
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
            // Once more, when nothing can be under way; from then on never again.
            Settled::Expired => Some(outcome.expires_at + LATE_MS).filter(|late_ms| now_ms < *late_ms),
            Settled::Uploaded(_) if in_parts(event) => Some(now_ms + LATE_MS),
            Settled::Already { at_ms } if in_parts(event) => Some(at_ms + LATE_MS).filter(|late_ms| now_ms < *late_ms),
            // No failure: it takes several runs, so that other items have their turn.
            Settled::Unfinished => Some(now_ms + RETRY_MS),
            Settled::Uploaded(_) | Settled::Already { .. } | Settled::Unknown => None,
        };
        if let Some(at_ms) = again_ms {
            self.react.work.add_due(Due { at_ms, event: event.place }).await?;
        }
        Ok(())
    }
}

/// Whether an announcement is of a body in parts: only of those, parts can be under way when the body is there.
fn in_parts(event: &Event) -> bool {
    let action = event.command.as_ref().map(|command| &command.action);
    matches!(action, Some(Action::RecordAnnounce(announcement)) if announcement.parts().is_some())
}
