//! Following the vault: its checkpoint, the blocks up to it, what they say; and telling apart what is wrong.
//!
//! In scope: one look, and when to look again. What the log's key has signed and must not have is a finding, for ever; what merely came over the wire and
//! fits nothing is trouble, and is looked at again.

use std::time::{Duration, Instant};

use chartseal_events::encoding::from_base64url;
use chartseal_events::{Hash, event};
use chartseal_ledger::checkpoint::Checkpoint;
use chartseal_ledger::note::Note;
use chartseal_ledger::policy::Policy;
use chartseal_ledger::seal::Seal;
use chartseal_ledger::tile::{VerifiedTiles, tiles_for};
use chartseal_ledger::tree::{ProofError, consistency};

use crate::content::{Content, ContentError, Feed};
use crate::copy::CopyError;
use crate::finding::Finding;
use crate::journal::{self, Level};
use crate::node::{ExamineError, Node};
use crate::source::{Source, SourceError};

/// A cache may show an older checkpoint for a moment after a newer one was seen.
const STALE_CACHE: Duration = Duration::from_secs(5);
/// Looks that follow one another at somebody's wish are at least so far apart.
const FASTEST_LOOKS: Duration = Duration::from_millis(100);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// The vault did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What it answered fits nothing.
    #[error("{what}")]
    Trouble {
        /// A stable name.
        code: &'static str,
        /// What it is.
        what: String,
    },
    /// Found, and kept.
    #[error(transparent)]
    Examined(#[from] ExamineError),
    /// The copy fails.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The copy of the events fails.
    #[error("{0}")]
    Content(String),
}

fn trouble(code: &'static str, what: impl Into<String>) -> LookError {
    LookError::Trouble { code, what: what.into() }
}

/// Follows a vault for a node.
pub struct Follower<'a, S> {
    node: &'a Node,
    source: S,
    content: Option<Box<dyn Content>>,
    policy: Policy,
    moved_at: Option<Instant>,
}

impl<'a, S: Source> Follower<'a, S> {
    /// A follower; without content it checks hashes alone.
    pub fn new(node: &'a Node, source: S, content: Option<Box<dyn Content>>) -> Self {
        // Unwrap safety: one key for plain signatures and nobody else is a policy; `Config` has seen to its type.
        let policy = Policy::new(node.log().clone(), None, vec![], 0).unwrap();
        Self { node, source, content, policy, moved_at: None }
    }

    /// Looks again and again, until the node stops.
    pub fn run(mut self, poll: Duration) {
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let outcome = self.look();
            failures = if outcome.is_ok() { 0 } else { failures.saturating_add(1) };
            self.tell(outcome);
            let pause = poll.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE.max(poll));
            if !self.node.rest(pause) {
                return;
            }
            std::thread::sleep(FASTEST_LOOKS.saturating_sub(began.elapsed()));
        }
    }

    fn tell(&self, outcome: Result<(), LookError>) {
        match outcome {
            Ok(()) => self.node.set_trouble(None),
            Err(LookError::Source(SourceError::Unavailable(why))) => self.node.heard_nothing(why),
            Err(LookError::Source(SourceError::Missing(what))) => {
                self.node.set_trouble(Some(("withheld", format!("the vault does not show {what}"))));
            }
            Err(LookError::Source(error @ SourceError::NotAllowed(_))) => {
                self.node.set_trouble(Some(("not-allowed", error.to_string())));
            }
            Err(LookError::Source(error @ SourceError::Form(_))) => {
                self.node.set_trouble(Some(("form", error.to_string())));
            }
            Err(LookError::Trouble { code, what }) => self.node.set_trouble(Some((code, what))),
            // It is told of where it was found.
            Err(LookError::Examined(ExamineError::Unsound(_))) => {}
            Err(LookError::Examined(ExamineError::Copy(error)) | LookError::Copy(error)) => {
                self.node.set_trouble(Some(("copy", error.to_string())));
            }
            Err(LookError::Content(what)) => self.node.set_trouble(Some(("copy", what))),
        }
    }

    /// One look: the newest checkpoint, and everything up to it.
    pub fn look(&mut self) -> Result<(), LookError> {
        let began = Instant::now();
        if let Some(finding) = self.node.finding() {
            return Err(ExamineError::Unsound(finding.code).into());
        }
        let verified = self.node.copy().verified_size();
        let Some(bytes) = self.source.checkpoint()? else {
            return if verified == 0 {
                Ok(())
            } else {
                Err(trouble("rolled-back", "the vault shows no checkpoint any more"))
            };
        };
        let (note, checkpoint) = self.signed(&bytes)?;
        self.node.saw(checkpoint.size());
        self.node.examine(&note, &checkpoint)?;
        if checkpoint.size() < verified {
            let just_moved = self.moved_at.is_some_and(|at| at.elapsed() < STALE_CACHE);
            let what = format!("the vault shows {} leaves, and has signed {verified}", checkpoint.size());
            return if just_moved { Ok(()) } else { Err(trouble("rolled-back", what)) };
        }
        if checkpoint.size() == verified {
            return Ok(());
        }
        self.follow(&note, &checkpoint)?;
        if verified == 0 {
            self.begins_right(&note)?;
        }
        self.judge(&note)?;
        self.confirm(note, checkpoint, began)
    }

    fn signed(&self, bytes: &[u8]) -> Result<(Note, Checkpoint), LookError> {
        let refused = |error: &dyn std::fmt::Display| trouble("checkpoint", format!("the vault's checkpoint: {error}"));
        let checkpoint = self.policy.accept(bytes).map_err(|error| refused(&error))?.checkpoint;
        Ok((Note::parse(bytes).map_err(|error| refused(&error))?, checkpoint))
    }

    /// Takes blocks until the copy has the checkpoint's size, and holds the root to it.
    fn follow(&self, note: &Note, checkpoint: &Checkpoint) -> Result<(), LookError> {
        loop {
            let followed = self.node.copy().followed();
            if followed.size >= checkpoint.size() {
                break;
            }
            let block = match self.source.block(followed.blocks) {
                Err(error @ SourceError::Missing(_)) => {
                    return Err(self.differs(note, checkpoint, "withheld", error.to_string()));
                }
                block => block?,
            };
            let seal = from_base64url(&block.seal).ok().and_then(|bytes| Seal::from_bytes(&bytes).ok());
            let Some(seal) = seal else {
                return Err(self.differs(
                    note,
                    checkpoint,
                    "chain",
                    format!("block {}: its seal is none", followed.blocks),
                ));
            };
            let outcome = self.node.copy().follow(&seal, &block.leaves);
            if let Err(error) = outcome {
                return match error {
                    CopyError::Block { .. } => Err(self.differs(note, checkpoint, "chain", error.to_string())),
                    other => Err(other.into()),
                };
            }
        }
        let (followed, root) = {
            let copy = self.node.copy();
            (copy.followed(), copy.followed_root())
        };
        if followed.size > checkpoint.size() {
            // Blocks of a later checkpoint were followed and could not be judged, or the vault signed within a block.
            self.node.copy().forget_unverified()?;
            return Err(trouble("withheld", format!("no block ends at {} leaves", checkpoint.size())));
        }
        if root == checkpoint.root() {
            return Ok(());
        }
        Err(self.differs(
            note,
            checkpoint,
            "chain",
            format!("the blocks lead to another root of {} leaves", followed.size),
        ))
    }

    /// The blocks do not lead to what was signed. If the signed tree has another beginning than the one that was signed before, the log has forked, and its
    /// tiles show that to anybody. Otherwise what came over the wire is wrong.
    fn differs(&self, note: &Note, checkpoint: &Checkpoint, code: &'static str, what: String) -> LookError {
        let verified = {
            let mut copy = self.node.copy();
            if let Err(error) = copy.forget_unverified() {
                return error.into();
            }
            copy.verified().cloned()
        };
        let Some(verified) = verified else { return trouble(code, what) };
        let (old_size, size) = (verified.extent.size, checkpoint.size());
        let tiles = tiles_for(&consistency::spans(old_size, size), size);
        let fetched: Result<Vec<_>, _> =
            tiles.into_iter().map(|address| self.source.tile(address).map(|bytes| (address, bytes))).collect();
        let Ok(fetched) = fetched else { return trouble(code, what) };
        let shown = VerifiedTiles::new(size, checkpoint.root(), fetched)
            .ok()
            .and_then(|tiles| consistency::prove(old_size, size, &tiles).ok())
            .map(|proof| consistency::verify(&proof, old_size, verified.checkpoint.root(), size, checkpoint.root()));
        if shown == Some(Err(ProofError::OldRootMismatch)) {
            let what = format!("the log's tree of {size} leaves does not begin with its tree of {old_size}");
            let finding = Finding::fork(what, &verified.note.to_string(), &note.to_string());
            return self.node.found(finding).into();
        }
        trouble(code, what)
    }

    /// The log begins with the pinned vault's first event.
    fn begins_right(&self, note: &Note) -> Result<(), LookError> {
        let genesis = self.node.config.vault.genesis;
        let first = self.node.copy().followed_block(0)?;
        if first.is_none_or(|(_, leaves)| leaves.first() == Some(&genesis)) {
            return Ok(());
        }
        let what = "the log does not begin with the first event of the vault that was met";
        Err(self.node.found(Finding::new("genesis", what, vec![note.to_string()])).into())
    }

    /// What the events of the new blocks say.
    fn judge(&mut self, note: &Note) -> Result<(), LookError> {
        let Some(content) = &mut self.content else { return Ok(()) };
        let feed = Followed { node: self.node, source: &self.source };
        match content.judge(note, &feed) {
            Ok(()) => Ok(()),
            Err(ContentError::Unsound { code, what, other }) => {
                let evidence = other.into_iter().chain([note.to_string()]).collect();
                Err(self.node.found(Finding::new(&code, what, evidence)).into())
            }
            Err(ContentError::Feed(error)) => Err(error),
            Err(error @ ContentError::Storage(_)) => Err(LookError::Content(error.to_string())),
        }
    }

    fn confirm(&mut self, note: Note, checkpoint: Checkpoint, began: Instant) -> Result<(), LookError> {
        let (size, root) = (checkpoint.size(), checkpoint.root());
        let before = self.node.copy().verified_size();
        // A copy that is fetched anew must come to what this witness has cosigned.
        let cosigned =
            self.node.witness().and_then(|witness| Some((witness.checkpoint()?.clone(), witness.note()?.clone())));
        let mut copy = self.node.copy();
        if let Some((last, own)) = cosigned.filter(|(last, _)| last.size() <= size)
            && copy.root_at(last.size())? != Some(last.root())
        {
            drop(copy);
            let what =
                format!("the log's tree of {size} leaves does not begin with the {} that were cosigned", last.size());
            return Err(self.node.found(Finding::fork(what, &own.to_string(), &note.to_string())).into());
        }
        copy.confirm(checkpoint, note)?;
        let blocks = copy.followed().blocks;
        drop(copy);
        self.moved_at = Some(Instant::now());
        self.node.moved(size);
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let fields = [
            ("log.size", size.into()),
            ("log.blocks", blocks.into()),
            ("log.leaves", (size - before).into()),
            ("log.root", root.to_string().into()),
            ("duration_ms", took_ms.into()),
        ];
        journal::line(Level::Info, "verified", fields);
        Ok(())
    }
}

/// Blocks that were followed, and their events, held to their leaf hashes.
struct Followed<'a, S> {
    node: &'a Node,
    source: &'a S,
}

impl<S: Source> Feed for Followed<'_, S> {
    fn block(&self, height: u64) -> Result<Option<(Seal, Vec<Hash>)>, LookError> {
        Ok(self.node.copy().followed_block(height)?)
    }

    fn bodies(&self, height: u64) -> Result<Vec<String>, LookError> {
        let missing = || trouble("copy", format!("the copy has no block {height}"));
        let (seal, leaves) = self.block(height)?.ok_or_else(missing)?;
        let mut bodies: Vec<String> = Vec::with_capacity(leaves.len());
        while bodies.len() < leaves.len() {
            // Unwrap safety: a block has at most 2,000 events.
            let first = u32::try_from(bodies.len()).unwrap();
            let answer = self.source.events(height, first)?;
            let fits = answer.height == height && answer.first == first && !answer.bodies.is_empty();
            if !fits || bodies.len() + answer.bodies.len() > leaves.len() {
                return Err(trouble("bodies", format!("block {height}: other events than it has were shown")));
            }
            bodies.extend(answer.bodies);
        }
        let changed = bodies.iter().zip(&leaves).position(|(body, leaf)| event::leaf_hash(body.as_bytes()) != *leaf);
        let Some(position) = changed else { return Ok(bodies) };
        let index = seal.first_index() + position as u64;
        let what = format!("block {height}, index {index}: the event is not the one that was sealed");
        Err(trouble("leaf", what))
    }
}
