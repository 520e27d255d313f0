//! Making again what follows from the blocks, from a table Sealed that was lost: an operator asks for it, run after run, until no height is left.
//!
//! Nothing is sealed or signed. Blocks are held to one another and to the published checkpoint first: what is not the signed log is not made anew.

use chartseal_infra::ports::{BlockStore, Clock, LogFiles, LogSigner, SealedIndex};
use chartseal_infra::telemetry::{fields, note};
use chartseal_ledger::checkpoint::Checkpoint;
use serde::Serialize;

use crate::pages::Map;
use crate::refusal::{Refused, Stop};
use crate::{Report, RunFailed, Sealer, Task};

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Blocks of which everything that follows was made.
    pub blocks: u64,
    /// The height to go on from; none where the newest block is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    B: BlockStore,
    I: SealedIndex,
    F: LogFiles,
    S: LogSigner,
    C: Clock,
{
    /// Makes it from the block of this height on, while there is time. What stands already, newer or the same, stays.
    pub async fn rebuild(&self, from: u64) -> Result<Rebuilt, RunFailed> {
        let task = Task { start_ms: self.clock.now_ms(), ..Task::default() };
        let rebuilt = self.rebuild_from(from, &task).await;
        note::set(&fields::OPERATION, "rebuild");
        rebuilt.map_err(|stop| {
            let why = match stop {
                Stop::Refused(why) => why,
                Stop::Overtaken => Refused::Overtaken(1),
                Stop::Page(id) => Refused::damaged(format!("page {id} of the map")),
            };
            note::item_failed(&"rebuilding", None, &why);
            RunFailed::Stopped { why, report: Report::default() }
        })
    }

    async fn rebuild_from(&self, from: u64, task: &Task) -> Result<Rebuilt, Stop> {
        // In this order: whatever is published was a block before.
        let published = self.files.published().await?;
        let signed = published.as_ref().map(|published| self.read(published)).transpose().map_err(Refused::from)?;
        let mut rebuilt = Rebuilt { blocks: 0, next: None };
        let Some(head) = self.newest().await? else { return Ok(rebuilt) };
        let (size, found) = (signed.as_ref().map_or(0, Checkpoint::size), head.seal().size());
        if size > found {
            return Err(Refused::Restored { published: size, found }.into());
        }
        match &signed {
            Some(signed) if size == found => self.is_signed(&head, signed).await?,
            Some(signed) if size > 0 => self.block_of(signed, &head).await.map(drop)?,
            _ if head.seal().height() > 0 => {
                return Err(Refused::Unpublished { blocks: head.seal().height() + 1 }.into());
            }
            _ => {}
        }
        if from > head.seal().height() {
            return Ok(rebuilt);
        }
        let mut previous = match from.checked_sub(1) {
            Some(height) => Some(self.block_at(height).await?),
            None => None,
        };
        let mut map = Map::after(self.index, previous.as_ref());
        for height in from..=head.seal().height() {
            if self.is_over(task) {
                rebuilt.next = Some(height);
                break;
            }
            let block = self.block_at(height).await?;
            self.derive(previous.as_ref(), &block, &mut map).await?;
            rebuilt.blocks += 1;
            previous = Some(block);
        }
        Ok(rebuilt)
    }
}
