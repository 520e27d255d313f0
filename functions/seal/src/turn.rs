//! A turn: one block, from where the log stands to its published checkpoint.

use chartseal_events::{Outcome, StreamId};
use chartseal_infra::ports::{BlockStore, Clock, EventStore, LogFiles, LogSigner, Race, SealedIndex};
use chartseal_infra::telemetry::{fields, note};
use chartseal_ledger::block::{Block, SealedEvent};
use chartseal_ledger::map::{MAP_VERSION, Operation, operations_of};
use chartseal_ledger::seal::MapState;

use crate::gather::{Wanted, gather, want_all};
use crate::head::Standing;
use crate::order::{Ordered, order};
use crate::pages::Map;
use crate::refusal::{Refused, Stop};
use crate::{Sealer, Task};

/// How often in a row a run starts over because somebody else was quicker.
const MAX_OVERTAKEN: u32 = 10;

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    E: EventStore,
    B: BlockStore,
    I: SealedIndex,
    F: LogFiles,
    S: LogSigner,
    C: Clock,
{
    /// Seals what is wanted, block by block, while there is time. What was not got to stays in `wanted`.
    pub(crate) async fn seal(&self, wanted: &mut Wanted, task: &mut Task) -> Result<(), Refused> {
        let mut map = None;
        let mut overtaken = 0;
        // At which block a page was not what it must be. Once more at the same one, and nobody has sealed on meanwhile.
        let mut astray = None;
        loop {
            match self.turn(wanted, &mut map, task).await {
                Ok(true) => overtaken = 0,
                Ok(false) => return Ok(()),
                Err(Stop::Refused(refused)) => return Err(refused),
                Err(Stop::Overtaken) => overtaken += 1,
                Err(Stop::Page(id)) if astray == Some(task.head) => {
                    return Err(Refused::damaged(format!("page {id} of the map")));
                }
                Err(Stop::Page(_)) => {
                    astray = Some(task.head);
                    map = None;
                    overtaken += 1;
                }
            }
            if overtaken == MAX_OVERTAKEN {
                return Err(Refused::Overtaken(overtaken));
            }
            if self.is_over(task) {
                return Ok(());
            }
        }
    }

    /// One block. Whether there is more to do.
    async fn turn<'i>(
        &'i self,
        wanted: &mut Wanted,
        map: &mut Option<Map<'i, I>>,
        task: &mut Task,
    ) -> Result<bool, Stop> {
        let Some(Standing { head, published }) = self.standing(task).await? else { return Ok(true) };
        if head.is_none() {
            wanted.entry(StreamId::Vault).or_insert(0);
        }
        let mut now = map
            .take()
            .filter(|map| map.is_after(head.as_ref()))
            .unwrap_or_else(|| Map::after(self.index, head.as_ref()));
        let gathered = gather(self.events, &mut now, self.log.name(), wanted).await?;
        let mut left = gathered.left.clone();
        let first_index = head.as_ref().map_or(0, |head| head.seal().size());
        let ordered = order(self.log.name(), first_index, gathered);
        task.tell(&ordered);
        let block = self.block(head.as_ref(), &ordered, &mut now).await?;
        if let Some(block) = &block {
            if self.blocks.put_block(block).await? == Race::Lost {
                return Err(Stop::Overtaken);
            }
            task.count(block, &ordered, self.clock.now_ms());
            self.derive(head.as_ref(), block, &mut now).await?;
            self.publish(block, published.as_ref()).await?;
        }
        want_all(&mut left, ordered.more);
        *wanted = left;
        *map = Some(now);
        Ok(!wanted.is_empty())
    }

    /// The next block; none where there is nothing for it.
    async fn block(
        &self,
        head: Option<&Block>,
        ordered: &Ordered,
        map: &mut Map<'_, I>,
    ) -> Result<Option<Block>, Stop> {
        let Some(first) = ordered.events.first() else { return Ok(None) };
        if let Outcome::Genesis(genesis) = &first.outcome
            && (genesis.origin != self.log.name()
                || genesis.log_key.0 != *self.log.public_key()
                || genesis.clock_key != self.clock_key)
        {
            return Err(Refused::OtherLog.into());
        }
        let first_index = head.map_or(0, |head| head.seal().size());
        let operations = operations_of(self.log.name(), first_index, &ordered.events);
        let root = map.update(&operations).await?.root;
        let events = ordered.events.iter().map(|event| SealedEvent { place: event.place, leaf: event.leaf }).collect();
        let operations = operations.iter().map(Operation::to_bytes).collect();
        let state = MapState { root, version: MAP_VERSION };
        Ok(Some(Block::next(head, self.clock.now_ms(), events, state, operations)?))
    }
}

impl Task {
    /// Says what cannot be sealed, each stream once in a run.
    fn tell(&mut self, ordered: &Ordered) {
        for (place, fault) in &ordered.broken {
            self.stuck = true;
            if self.broken.insert(place.stream) {
                note::item_failed(place, None, fault);
            }
        }
        self.stuck |= !ordered.waiting.is_empty();
        self.waiting.extend(&ordered.waiting);
    }

    fn count(&mut self, block: &Block, ordered: &Ordered, now_ms: u64) {
        self.report.blocks += 1;
        self.report.events += ordered.events.len();
        note::peak(&fields::SEAL_HEIGHT, block.seal().height());
        let oldest_ms = ordered.events.iter().map(|event| event.at_ms).min();
        note::peak(&fields::SEAL_OLDEST_MS, now_ms.saturating_sub(oldest_ms.unwrap_or(now_ms)));
    }
}
