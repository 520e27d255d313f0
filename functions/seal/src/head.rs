//! Where the log stands: the published checkpoint, the newest block, and whether the two are one log. What is published last may be a block behind; then
//! what follows from that block is made again, and its checkpoint published, before anything else.

use chartseal_infra::clocks;
use chartseal_infra::ports::{BlockStore, Clock, LogFiles, LogSigner, Newest, Published, Race, SealedIndex};
use chartseal_ledger::block::Block;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::policy::{Policy, RefusedCheckpoint};

use crate::defect::{Defect, planted};
use crate::pages::Map;
use crate::refusal::{Refused, Stop};
use crate::{Sealer, Task};

/// A log whose newest block is published, with all that follows from it.
pub(crate) struct Standing {
    /// The newest block.
    pub head: Option<Block>,
    /// Its checkpoint.
    pub published: Option<Published>,
}

impl<E, B, I, F, S, C> Sealer<'_, E, B, I, F, S, C>
where
    B: BlockStore,
    I: SealedIndex,
    F: LogFiles,
    S: LogSigner,
    C: Clock,
{
    /// Where the log stands; none where it had to be healed, and is to be looked at again.
    pub(crate) async fn standing(&self, task: &mut Task) -> Result<Option<Standing>, Stop> {
        // In this order: whatever is published was a block before. The other way round a block sealed in between would look like a restored table.
        let published = self.files.published().await?;
        let signed = published.as_ref().map(|published| self.read(published)).transpose().map_err(Refused::from)?;
        let head = self.newest().await?;
        task.head = head.as_ref().map(|head| head.seal().height());
        let (size, found) =
            (signed.as_ref().map_or(0, Checkpoint::size), head.as_ref().map_or(0, |head| head.seal().size()));
        if size > found {
            return Err(Refused::Restored { published: size, found }.into());
        }
        if let Some(head) = head.as_ref().filter(|_| size < found && !planted(Defect::NoHealing)) {
            // Others may have published and sealed on since it was read; then there is nothing to heal.
            if self.files.published().await? != published {
                return Err(Stop::Overtaken);
            }
            self.heal(head, signed.as_ref(), published.as_ref(), task).await?;
            return Ok(None);
        }
        if let (Some(head), Some(signed)) = (&head, &signed)
            && size == found
        {
            self.is_signed(head, signed).await?;
        }
        Ok(Some(Standing { head, published }))
    }

    /// What was published, if it is this log's.
    pub(crate) fn read(&self, published: &Published) -> Result<Checkpoint, RefusedCheckpoint> {
        // Unwrap safety: no witnesses, so no quorum that they could not make; and a log key's type is checked where a sealer is made.
        let policy = Policy::new(self.log.clone(), None, Vec::new(), 0).unwrap();
        policy.accept(published.note.as_bytes()).map(|accepted| accepted.checkpoint)
    }

    /// The newest block, while the clocks agree.
    pub(crate) async fn newest(&self) -> Result<Option<Block>, Stop> {
        let asked_ms = self.clock.now_ms();
        let Newest { block, service_ms } = self.blocks.newest_block().await?;
        clocks::agree(asked_ms, self.clock.now_ms(), service_ms).map_err(Refused::from)?;
        Ok(block)
    }

    /// The newest block is what was signed: its root, and its seal as the last leaf under it.
    pub(crate) async fn is_signed(&self, head: &Block, signed: &Checkpoint) -> Result<(), Stop> {
        if head.edge().root() != signed.root() {
            return Err(Refused::Forked { published: signed.size() }.into());
        }
        let last =
            head.edge().tiles().find(|(address, _)| address.level() == 0).and_then(|(_, tile)| tile.last().copied());
        match last {
            Some(last) if last == head.seal().leaf_hash() => Ok(()),
            Some(_) => Err(Refused::damaged("the newest block's seal".to_owned()).into()),
            // The tile became full with the seal.
            None => {
                let previous = self.previous(head).await?;
                head.follow(previous.as_ref()).map(drop).map_err(Stop::from)
            }
        }
    }

    async fn previous(&self, block: &Block) -> Result<Option<Block>, Stop> {
        match block.seal().height().checked_sub(1) {
            Some(height) => self.block_at(height).await.map(Some),
            None => Ok(None),
        }
    }

    pub(crate) async fn block_at(&self, height: u64) -> Result<Block, Stop> {
        let gone = || Refused::damaged(format!("block {height} is gone"));
        Ok(self.blocks.block(height).await?.ok_or_else(gone)?)
    }

    /// Makes again what follows from the blocks after the signed one, and publishes the last.
    async fn heal(
        &self,
        head: &Block,
        signed: Option<&Checkpoint>,
        published: Option<&Published>,
        task: &mut Task,
    ) -> Result<(), Stop> {
        let mut last = match signed {
            Some(signed) if signed.size() > 0 => Some(self.block_of(signed, head).await?),
            _ if head.seal().height() > 0 => {
                return Err(Refused::Unpublished { blocks: head.seal().height() + 1 }.into());
            }
            _ => None,
        };
        let mut map = Map::after(self.index, last.as_ref());
        let first = last.as_ref().map_or(0, |last| last.seal().height() + 1);
        for height in first..=head.seal().height() {
            let block = if height == head.seal().height() { head.clone() } else { self.block_at(height).await? };
            self.derive(last.as_ref(), &block, &mut map).await?;
            task.report.healed += 1;
            last = Some(block);
            if self.is_over(task) {
                break;
            }
        }
        match &last {
            Some(last) => self.publish(last, published).await,
            None => Ok(()),
        }
    }

    /// The block that ends where the signed log does, and is that log.
    pub(crate) async fn block_of(&self, signed: &Checkpoint, head: &Block) -> Result<Block, Stop> {
        let forked = || Stop::from(Refused::Forked { published: signed.size() });
        // Nearly always the one before the newest; otherwise it is looked for among all of them.
        let (mut low, mut high) = (0, head.seal().height().checked_sub(1).ok_or_else(forked)?);
        let mut middle = high;
        loop {
            let block = self.block_at(middle).await?;
            if block.seal().size() == signed.size() {
                return if block.edge().root() == signed.root() { Ok(block) } else { Err(forked()) };
            }
            if block.seal().size() < signed.size() {
                low = middle + 1;
            } else {
                high = middle.checked_sub(1).ok_or_else(forked)?;
            }
            if low > high {
                return Err(forked());
            }
            middle = low + (high - low) / 2;
        }
    }

    /// Signs the head of a block that stands, and publishes it in the place of what was seen there.
    pub(crate) async fn publish(&self, block: &Block, instead_of: Option<&Published>) -> Result<(), Stop> {
        let checkpoint = Checkpoint::new(self.log.name(), block.seal().size(), block.edge().root())?;
        let mut note = checkpoint.to_note();
        let signature = self.signer.sign(note.text().as_bytes()).await?;
        note.sign(&self.log, &signature.0)?;
        match self.files.publish(&note.to_string(), instead_of).await? {
            Race::Won => Ok(()),
            Race::Lost => Err(Stop::Overtaken),
        }
    }
}
