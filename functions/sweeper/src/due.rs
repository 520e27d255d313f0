//! What is due: deadlines of uploads, requests and grants, and items that were put off.

use std::future::ready;

use chartseal_events::event::Outcome;
use chartseal_events::{Code, Id, Observation, StreamId};
use chartseal_infra::ports::{Blobs, Clock, Due, EventStore, Index, StoreError, WorkList, Workflow};
use chartseal_infra::road::observe;
use chartseal_infra::telemetry::{fields, note};
use chartseal_reactions::{Failure, fetch};
use futures_util::StreamExt as _;

use crate::{MAX_CONCURRENT, RUN_MS, Report, Sweep};

/// How many items are read at once.
const BATCH: u32 = 200;

impl<E, I, W, F, B, C> Sweep<'_, E, I, W, F, B, C>
where
    E: EventStore,
    I: Index,
    W: WorkList,
    F: Workflow,
    B: Blobs,
    C: Clock,
{
    pub(crate) async fn end_due(&self, start_ms: u64, report: &mut Report) -> Result<(), StoreError> {
        while !self.over(start_ms, RUN_MS) {
            let items = self.react.work.due(start_ms, BATCH).await?;
            let last = items.len() < BATCH as usize;
            let oldest_ms = items.first().map_or(0, |oldest| start_ms.saturating_sub(oldest.at_ms));
            note::peak(&fields::SWEEP_OLDEST_DUE_MS, oldest_ms);
            // What a batch does not come to is still due in the next run.
            let begun = futures_util::stream::iter(items).take_while(|_| ready(!self.over(start_ms, RUN_MS)));
            let work = begun.map(|item| async move { (item, self.deal_with(item).await) });
            let dealt: Vec<_> = work.buffer_unordered(MAX_CONCURRENT).collect().await;
            for (item, result) in dealt {
                match result {
                    Ok(()) => report.ended += 1,
                    Err(error) => {
                        report.failed += 1;
                        // Later, so that items that fail again and again never keep the others waiting.
                        self.put_off(item, &error).await?;
                    }
                }
                self.react.work.remove_due(item).await?;
            }
            if last {
                break;
            }
        }
        Ok(())
    }

    async fn deal_with(&self, item: Due) -> Result<(), Failure> {
        let Some(event) = fetch(self.react.events, item.event).await? else {
            return Err(StoreError::Damaged { what: format!("{} is gone", item.event) }.into());
        };
        let deadline_ms = match (&event.outcome, event.place.stream) {
            (Outcome::RecordAnnounced(_), _) => return self.look_for_upload(&event).await,
            (Outcome::AccessRequested(asked), StreamId::Request(request)) => {
                self.end(request).await?;
                Some(asked.expires_at)
            }
            (Outcome::AccessApproved(approved), StreamId::Request(request)) => {
                self.end(request).await?;
                Some(approved.until)
            }
            _ => None,
        };
        // Not its deadline: it was put off, and is reacted to again.
        if deadline_ms != Some(item.at_ms) {
            self.react.to_event(&event).await?;
        }
        Ok(())
    }

    /// Ends a request or its grant, if that is due, and tells the workflow what has become of it.
    async fn end(&self, request: Id) -> Result<(), Failure> {
        match observe(self.react.events, self.clock, &Observation::DeadlineReached { request }).await {
            Ok(_) => {}
            // Decided in time or ended already; or another deadline is due than this one.
            Err(Failure::Refused(refusal)) if matches!(refusal.code, Code::AlreadyDecided | Code::NotApproved) => {}
            Err(error) => return Err(error),
        }
        Ok(self.react.tell(request).await?)
    }
}
