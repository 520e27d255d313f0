//! The replay: from the last signed checkpoint that the copy knows to the newest, in two passes. First the blocks' hashes, until they lead to the root that
//! was signed; then what the events say, block by block. So no body is looked at before the log is bound to it.
//!
//! In scope: one log, one source, one copy. Not in scope: how the source speaks, and what is done with a report.

use chartseal_events::Hash;
use chartseal_ledger::block::FullTile;
use chartseal_ledger::chain::Chain;
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::policy::{Accepted, Policy};
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::Edge;

use crate::copy::{Announced, Copy, CopyError};
use crate::finding::{Finding, Rule};
use crate::judge::{Judge, Stop};
use crate::report::Report;
use crate::source::Source;

/// So many events are judged, or hashes followed, from one commit to the next.
const DEFAULT_BATCH: usize = 16_384;

/// What a replay is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Following the blocks' hashes to the signed root. Counted in leaves.
    Follow,
    /// Judging what the events say. Counted in leaves.
    Judge,
}

/// Is told how far a replay is, and may stop it.
pub trait Watch {
    /// A stage begins: so much is to be done, and so much of it was before.
    fn begin(&self, stage: Stage, total: u64, done: u64) {
        let _ = (stage, total, done);
    }

    /// So much more is done.
    fn advance(&self, leaves: u64) {
        let _ = leaves;
    }

    /// Whether to stop here. What was done until now is kept.
    fn stopped(&self) -> bool {
        false
    }
}

impl Watch for () {}

/// Why a replay did not come to a report.
#[derive(Debug, thiserror::Error)]
pub enum Failure<E: std::error::Error> {
    /// The log could not be got.
    #[error(transparent)]
    Source(E),
    /// The copy could not be used.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// It was asked to stop. Whoever begins again goes on from here.
    #[error("stopped")]
    Stopped,
}

/// A pass ends with what it found, or fails.
enum End<E: std::error::Error> {
    Findings(Vec<Finding>),
    Failure(Failure<E>),
}

impl<E: std::error::Error> From<CopyError> for End<E> {
    fn from(error: CopyError) -> Self {
        Self::Failure(error.into())
    }
}

impl<E: std::error::Error> From<Finding> for End<E> {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding])
    }
}

/// A replay of one log into one copy.
#[derive(Debug)]
pub struct Replay {
    copy: Copy,
    log: VerifierKey,
    policy: Policy,
    genesis: Option<Hash>,
    batch: usize,
}

impl Replay {
    /// Of the log with this key, whose checkpoints `policy` lets be believed, into this copy. The copy is empty, or one of the same log.
    pub fn new(mut copy: Copy, log: &VerifierKey, policy: Policy) -> Result<Self, CopyError> {
        copy.claim(log)?;
        // What was accepted once was signed by this log: a copy that was changed cannot say otherwise.
        let log_alone = Policy::new(log.clone(), None, Vec::new(), 0).map_err(CopyError::damaged)?;
        if let Some(note) = copy.checkpoint() {
            log_alone.accept(note).map_err(CopyError::damaged)?;
        }
        if copy.root_at(copy.size())? != Some(copy.root()) {
            return Err(CopyError::damaged("its hashes do not lead to its checkpoint"));
        }
        Ok(Self { copy, log: log.clone(), policy, genesis: None, batch: DEFAULT_BATCH })
    }

    /// The genesis event must have this leaf hash.
    #[must_use]
    pub fn from_genesis(mut self, leaf: Hash) -> Self {
        self.genesis = Some(leaf);
        self
    }

    /// Commits after so many events.
    #[must_use]
    pub fn with_batch(mut self, events: usize) -> Self {
        self.batch = events.max(1);
        self
    }

    /// The copy.
    pub fn copy(&self) -> &Copy {
        &self.copy
    }

    /// Gives the copy back.
    pub fn into_copy(self) -> Copy {
        self.copy
    }

    /// Replays up to the source's newest checkpoint.
    pub fn run<S: Source>(&mut self, source: &mut S, watch: &dyn Watch) -> Result<Report, Failure<S::Error>> {
        match source.checkpoint().map_err(Failure::Source)? {
            Some(note) => self.advance(&note, source, watch),
            None if self.copy.size() == 0 => Ok(Report::of(&self.copy, &self.log, None, Vec::new())?),
            None => {
                let what = format!("the vault shows no checkpoint, and has signed one of {} leaves", self.copy.size());
                Ok(Report::of(&self.copy, &self.log, None, vec![Finding::of_log(Rule::RolledBack, what)])?)
            }
        }
    }

    /// Replays up to this checkpoint.
    pub fn advance<S: Source>(
        &mut self,
        note: &[u8],
        source: &mut S,
        watch: &dyn Watch,
    ) -> Result<Report, Failure<S::Error>> {
        let accepted = match self.accept(note)? {
            Ok(accepted) => accepted,
            Err(finding) => return Ok(Report::of(&self.copy, &self.log, None, vec![finding])?),
        };
        let mut last = Vec::new();
        for pass in [Self::follow, Self::judge] {
            match pass(self, &accepted.checkpoint, note, source, watch) {
                Ok(()) => {}
                Err(End::Failure(failure)) => return Err(failure),
                Err(End::Findings(findings)) => {
                    last = findings;
                    break;
                }
            }
        }
        Ok(Report::of(&self.copy, &self.log, Some(&accepted), last)?)
    }

    /// The checkpoint is signed by whom it must be, and goes on from the last one.
    fn accept(&self, note: &[u8]) -> Result<Result<Accepted, Finding>, CopyError> {
        let accepted = match self.policy.accept(note) {
            Ok(accepted) => accepted,
            Err(refused) => {
                let what = format!("{refused} ({})", refused.code());
                return Ok(Err(Finding::of_log(Rule::Checkpoint, what)));
            }
        };
        let checkpoint = &accepted.checkpoint;
        let (size, known) = (checkpoint.size(), self.copy.size());
        let rule = match self.copy.root_at(size)? {
            Some(root) if size <= known && root != checkpoint.root() => Rule::Fork,
            _ if size < known => Rule::RolledBack,
            _ => return Ok(Ok(accepted)),
        };
        let what = match rule {
            Rule::Fork => format!("the log of {size} leaves is signed with another root than it had"),
            _ => format!("the checkpoint has {size} leaves, and one of {known} was signed before"),
        };
        Ok(Err(Finding::of_log(rule, what)))
    }

    /// The first pass: hashes, to the root that was signed.
    fn follow<S: Source>(
        &mut self,
        checkpoint: &Checkpoint,
        note: &[u8],
        source: &mut S,
        watch: &dyn Watch,
    ) -> Result<(), End<S::Error>> {
        let (edge, last) = self.copy.announced();
        let mut way = Way::after(last.copied(), edge.clone())?;
        watch.begin(Stage::Follow, checkpoint.size(), way.edge.size());
        let mut found = None;
        while way.edge.size() < checkpoint.size() {
            if watch.stopped() {
                self.copy.announce(&way.announced, &way.edge, None)?;
                return Err(End::Failure(Failure::Stopped));
            }
            let before = way.edge.size();
            if let Err(end) = way.next(checkpoint, source) {
                found = Some(end);
                break;
            }
            watch.advance(way.edge.size() - before);
            if way.waiting >= self.batch {
                self.copy.announce(&way.announced, &way.edge, None)?;
                way.committed();
            }
        }
        if let Some(End::Failure(failure)) = found {
            self.copy.announce(&way.announced, &way.edge, None)?;
            return Err(End::Failure(failure));
        }
        if found.is_none() {
            let root = if way.edge.size() == checkpoint.size() {
                Some(way.edge.root())
            } else {
                self.copy.root_at(checkpoint.size())?
            };
            if root == Some(checkpoint.root()) {
                return Ok(self.copy.announce(&way.announced, &way.edge, Some(note))?);
            }
            let what = "the blocks that are handed out lead to another root than the log has signed";
            found = Some(Finding::of_log(Rule::Root, what).into());
        }
        self.copy.forget_unsigned()?;
        found.map_or(Ok(()), Err)
    }

    /// The second pass: what the events say.
    fn judge<S: Source>(
        &mut self,
        checkpoint: &Checkpoint,
        _: &[u8],
        source: &mut S,
        watch: &dyn Watch,
    ) -> Result<(), End<S::Error>> {
        let mut judge = Judge::new(&self.copy, &self.log, self.genesis)?;
        watch.begin(Stage::Judge, checkpoint.size(), self.copy.judged_size()?);
        let end = loop {
            if watch.stopped() {
                break Err(End::Failure(Failure::Stopped));
            }
            match self.judge_next(&mut judge, source) {
                Ok(0) => break Ok(()),
                Ok(leaves) => watch.advance(leaves),
                Err(end) => break Err(end),
            }
            if judge.waiting() >= self.batch {
                judge.commit(&mut self.copy)?;
            }
        };
        if judge.waiting() > 0 {
            judge.commit(&mut self.copy)?;
        }
        end
    }

    /// Judges the next block. Gives how many leaves it has: 0 where nothing is left.
    fn judge_next<S: Source>(&self, judge: &mut Judge, source: &mut S) -> Result<u64, End<S::Error>> {
        let height = judge.height();
        let Some(block) = self.copy.block(height)?.filter(|block| block.seal.size() <= self.copy.size()) else {
            return Ok(0);
        };
        let bodies = source.bodies(height).map_err(|error| End::Failure(Failure::Source(error)))?;
        let Some(bodies) = bodies else {
            return Err(Finding::of_block(Rule::Withheld, height, "its events are not handed out").into());
        };
        judge.block(&self.copy, &block, bodies).map_err(|stop| match stop {
            Stop::Findings(findings) => End::Findings(findings),
            Stop::Copy(error) => End::from(error),
        })?;
        Ok(u64::from(block.seal.events()) + 1)
    }
}

/// The way along the blocks' hashes.
struct Way {
    chain: Chain,
    edge: Edge,
    announced: Announced,
    waiting: usize,
}

impl Way {
    fn after(last: Option<Seal>, edge: Edge) -> Result<Self, CopyError> {
        let chain = match last {
            Some(last) => Chain::resume(last, edge.frontier()).map_err(CopyError::damaged)?,
            None => Chain::new(),
        };
        Ok(Self { chain, edge, announced: Announced::default(), waiting: 0 })
    }

    fn committed(&mut self) {
        (self.announced, self.waiting) = (Announced::default(), 0);
    }

    fn next<S: Source>(&mut self, checkpoint: &Checkpoint, source: &mut S) -> Result<(), End<S::Error>> {
        let height = self.chain.last().map_or(0, |last| last.height() + 1);
        let block = source.block(height).map_err(|error| End::Failure(Failure::Source(error)))?;
        let Some(block) = block else {
            return Err(Finding::of_block(Rule::Withheld, height, "the block is not handed out").into());
        };
        let broken = |what: String| Finding::of_block(Rule::Chain, height, what);
        let seal = Seal::from_bytes(&block.seal).map_err(|error| broken(format!("{error} ({})", error.code())))?;
        if seal.size() > checkpoint.size() {
            let what = format!("no block ends at {} leaves, which were signed", checkpoint.size());
            return Err(Finding::of_block(Rule::Withheld, height, what).into());
        }
        self.chain.follow(&seal, &block.leaves).map_err(|error| broken(format!("{error} ({})", error.code())))?;
        for leaf in block.leaves.iter().copied().chain([seal.leaf_hash()]) {
            let full =
                |address, hashes: &[Hash]| self.announced.tiles.push(FullTile { address, hashes: hashes.to_vec() });
            self.edge.push(leaf, full).map_err(CopyError::damaged)?;
        }
        self.waiting += block.leaves.len() + 1;
        self.announced.blocks.push((seal, block.leaves));
        Ok(())
    }
}
