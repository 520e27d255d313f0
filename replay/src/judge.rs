//! Judging a block: that its events are the ones that were sealed, stand in their streams' order, and follow from their commands and what they have
//! seen; and that the map goes on to the root that its seal has.
//!
//! Not in scope: that the block is the log's. It is under a signed checkpoint already.

use std::sync::Arc;

use chartseal_events::decide::Draft;
use chartseal_events::event::{Seen, leaf_hash};
use chartseal_events::evidence::{Unsound, rerun, view_at};
use chartseal_events::limits::MAX_CLOCK_SKEW_MS;
use chartseal_events::state::History;
use chartseal_events::{Bytes, Code, Event, EventRef, Hash, Outcome, Refusal, StreamId};
use chartseal_ledger::map::{MAP_VERSION, operations_of};
use chartseal_ledger::note::VerifierKey;
use chartseal_ledger::seal::Seal;

use crate::copy::{CopiedBlock, Copy, CopyError, Half, Judged, Snapshot, State};
use crate::finding::{At, Finding, Rule};
use crate::histories::{Book, Histories};
use crate::pages::Pages;

/// How long a decision may take from what it reads to what it writes. A function of the vault may run for a minute.
const MAX_DECISION_AGE_MS: u64 = MAX_CLOCK_SKEW_MS;
/// After so long everything that was written is sealed.
const MAX_HALF_MS: u64 = 86_400_000;

/// Why a block cannot be judged to its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The last one ends the replay; the others were found in the same block before it.
    Findings(Vec<Finding>),
    Copy(CopyError),
}

impl From<CopyError> for Stop {
    fn from(error: CopyError) -> Self {
        Self::Copy(error)
    }
}

impl From<Finding> for Stop {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding])
    }
}

/// Judges blocks, one after the other.
#[derive(Debug)]
pub(crate) struct Judge {
    origin: String,
    log_key: Bytes<32>,
    /// The leaf hash of the genesis event, where it is known beforehand.
    genesis: Option<Hash>,
    /// The index from which on this run judges.
    own_from: u64,
    histories: Histories,
    pages: Pages,
    state: State,
    /// Judged and not committed.
    pending: Judged,
}

/// A block on its way.
struct Bench<'a> {
    seal: &'a Seal,
    copy: &'a Snapshot,
    block: Judged,
    state: State,
}

impl Judge {
    pub fn new(copy: &Copy, log: &VerifierKey, genesis: Option<Hash>) -> Result<Self, CopyError> {
        let state = copy.state()?;
        Ok(Self {
            origin: log.name().to_owned(),
            log_key: Bytes(*log.public_key()),
            genesis,
            own_from: copy.judged_size()?,
            histories: Histories::default(),
            pages: Pages::new(state.map_root),
            state,
            pending: Judged::default(),
        })
    }

    /// The height of the next block to judge.
    pub fn height(&self) -> u64 {
        self.state.judged
    }

    /// How many events wait for the next commit.
    pub fn waiting(&self) -> usize {
        self.pending.bodies.len()
    }

    /// Stores what was judged.
    pub fn commit(&mut self, copy: &mut Copy) -> Result<(), CopyError> {
        let mut judged = std::mem::take(&mut self.pending);
        judged.pages = self.pages.changed();
        copy.judge(&judged, &self.state)
    }

    /// Judges the next block. One that cannot be judged to its end changes nothing that is committed.
    pub fn block(&mut self, copy: &Snapshot, block: &CopiedBlock, bodies: Vec<String>) -> Result<(), Stop> {
        let (seal, height) = (&block.seal, block.seal.height());
        if bodies.len() != block.leaves.len() {
            let what = format!("there are {} bodies of {} events", bodies.len(), block.leaves.len());
            return Err(Finding::of_block(Rule::Bodies, height, what).into());
        }
        let mut bench = Bench { seal, copy, block: Judged::default(), state: self.state.clone() };
        if let Err(stop) = self.events(&mut bench, &block.leaves, bodies) {
            return Err(match stop {
                Stop::Findings(last) => Stop::Findings(bench.block.findings.into_iter().chain(last).collect()),
                stop @ Stop::Copy(_) => stop,
            });
        }
        bench.late_halves();
        bench.state.judged = height + 1;
        self.state = bench.state;
        self.pending.extend(bench.block);
        Ok(())
    }

    /// The block's events, and what they make of the map.
    fn events(&mut self, bench: &mut Bench<'_>, leaves: &[Hash], bodies: Vec<String>) -> Result<(), Stop> {
        let (first_index, height) = (bench.seal.first_index(), bench.seal.height());
        let mut events = Vec::with_capacity(bodies.len());
        for ((index, leaf), body) in (first_index..).zip(leaves).zip(bodies) {
            let at = At { height, index, place: None };
            if leaf_hash(body.as_bytes()) != *leaf {
                return Err(Finding::of_event(Rule::Leaf, at, "the body is not the one that was sealed").into());
            }
            let event = Event::read(&body, *leaf).map_err(|error| Finding::of_event(Rule::Event, at, error))?;
            self.event(bench, At { place: Some(event.place), ..at }, &event)?;
            bench.block.bodies.insert(index, body.into());
            bench.block.places.insert(event.place, index);
            bench.block.leaves.insert(*leaf, index);
            events.push(event);
        }
        self.map(bench, &events)
    }

    fn event(&mut self, bench: &mut Bench<'_>, at: At, event: &Event) -> Result<(), Stop> {
        let book = Book { copy: bench.copy, own_from: self.own_from, pending: &self.pending, block: &bench.block };
        let latest = self.histories.latest(book, event.place.stream)?;
        let begins = latest.is_none();
        let before = latest.unwrap_or_else(|| Arc::new(History::empty(event.place.stream)));
        let (seq, prev) = before.next();
        let of_event = |rule, what: &str| Stop::from(Finding::of_event(rule, at, what));
        if event.place.seq < seq {
            return Err(of_event(Rule::Place, "there is an event at this place before"));
        }
        if event.place.seq > seq {
            return Err(of_event(Rule::Gap, "the event before it in its stream is not sealed before it"));
        }
        if event.prev != prev {
            return Err(of_event(Rule::Link, "it names another event before it in its stream"));
        }
        if at.index == 0 {
            self.genesis(at, event)?;
        }
        let drafts = self.decision(bench, at, event, before)?;
        bench.together(at, event, &drafts);
        let mut history =
            self.histories.take(event.place.stream).unwrap_or_else(|| Arc::new(History::empty(event.place.stream)));
        Arc::make_mut(&mut history)
            .follow(event)
            .map_err(|_| of_event(Rule::Impossible, "its stream's state does not allow it"))?;
        self.histories.put(history);
        bench.state.streams += u64::from(begins);
        *bench.state.types.entry(event.outcome.typ().to_owned()).or_default() += 1;
        Ok(())
    }

    /// The log begins with its own vault.
    fn genesis(&self, at: At, event: &Event) -> Result<(), Stop> {
        let what = match &event.outcome {
            Outcome::Genesis(_) if self.genesis.is_some_and(|leaf| leaf != event.leaf) => {
                "the log begins with another vault than the one that is known here"
            }
            Outcome::Genesis(genesis) if genesis.origin != self.origin => "the vault has another name than its log",
            Outcome::Genesis(genesis) if genesis.log_key != self.log_key => "the vault names another key for its log",
            Outcome::Genesis(_) => return Ok(()),
            _ => "the log does not begin with a vault",
        };
        Err(Finding::of_event(Rule::Genesis, at, what).into())
    }

    /// Whether the event follows from its command and what it has seen. Gives what the decision comes to.
    fn decision(
        &mut self,
        bench: &mut Bench<'_>,
        at: At,
        event: &Event,
        before: Arc<History>,
    ) -> Result<Vec<Draft>, CopyError> {
        let repeated = event.command.as_ref().is_some_and(|command| before.commands.find(command) != Ok(None));
        if repeated {
            let what = "the stream has taken its command before, or another one under its `jti`";
            bench.find(Rule::Repeated, at, what);
            return Ok(Vec::new());
        }
        let book = Book { copy: bench.copy, own_from: self.own_from, pending: &self.pending, block: &bench.block };
        let mut seen: Vec<Arc<History>> = Vec::with_capacity(event.seen.len());
        let mut stale = None;
        for &Seen(stream, seq, leaf) in &event.seen {
            let relied = EventRef { stream, seq };
            let found = self.histories.at(book, relied)?;
            let same = |history: &History| history.head.is_some_and(|head| head.leaf == leaf);
            let twice = seen.iter().any(|history| history.stream == stream) || stream == event.place.stream;
            let Some((history, went_on)) = found.filter(|(history, _)| same(history) && !twice) else {
                let what = format!("it relies on {relied}, which is not sealed before it as it says");
                bench.find(Rule::Seen, at, what);
                return Ok(Vec::new());
            };
            if went_on && let Some(next) = book.event(EventRef { seq: seq + 1, ..relied })? {
                let over_for_ms = event.at_ms.saturating_sub(next.at_ms);
                stale = stale.or((over_for_ms > MAX_DECISION_AGE_MS).then_some((next.place, over_for_ms)));
            }
            seen.push(history);
        }
        if let Some((next, over_for_ms)) = stale {
            let what = format!("it relies on what was the case before {next}, {} s earlier", over_for_ms / 1000);
            bench.find(Rule::Stale, at, what);
        }
        let decided = view_at(event, before, seen).and_then(|view| rerun(event, &view, &self.origin));
        decided.or_else(|error| {
            bench.find(rule_of(&error), at, error);
            Ok(Vec::new())
        })
    }

    fn map(&mut self, bench: &mut Bench<'_>, events: &[Event]) -> Result<(), Stop> {
        let (height, map) = (bench.seal.height(), bench.seal.map());
        if map.version != MAP_VERSION {
            let what = format!("the map has version {}, and {MAP_VERSION} is known here", map.version);
            return Err(Finding::of_block(Rule::Map, height, what).into());
        }
        let operations = operations_of(&self.origin, bench.seal.first_index(), events);
        let updated = self.pages.after(bench.copy, &operations)?;
        if updated.root != map.root {
            let what = format!("its events lead the map to the root {}, and the seal says {}", updated.root, map.root);
            return Err(Finding::of_block(Rule::Map, height, what).into());
        }
        self.pages.go_on(updated);
        bench.state.map_root = self.pages.root();
        Ok(())
    }
}

fn rule_of(error: &Unsound) -> Rule {
    match error {
        Unsound::Refused(_, Refusal { code: Code::SignatureInvalid, .. }) => Rule::Signature,
        Unsound::Refused(..) => Rule::Refused,
        Unsound::Seen(..) | Unsound::SeenIdly(..) => Rule::Seen,
        Unsound::Alone(_) => Rule::Half,
        Unsound::OtherOutcome(_) | Unsound::Fold(_) | Unsound::Genesis => Rule::Outcome,
    }
}

impl Bench<'_> {
    fn find(&mut self, rule: Rule, at: At, what: impl std::fmt::Display) {
        self.block.findings.push(Finding::of_event(rule, at, what));
    }

    /// What one command writes is written at once: the events of a decision that makes several are all in the log, sooner or later.
    fn together(&mut self, at: At, event: &Event, drafts: &[Draft]) {
        let Some(command) = event.command.as_ref().filter(|_| drafts.len() > 1) else { return };
        let own = event.place.stream;
        let digest = command.digest();
        if let Some(half) = self.state.halves.get_mut(&digest).filter(|half| half.wanted.contains(&own)) {
            half.wanted.retain(|stream| *stream != own);
            let (other, same_time, whole) = (half.place(), half.at_ms == event.at_ms, half.wanted.is_empty());
            if whole {
                self.state.halves.remove(&digest);
            }
            if !same_time {
                self.find(Rule::Half, at, format!("it was written together with {other}, and says another time"));
            }
            return;
        }
        let wanted: Vec<StreamId> = drafts.iter().map(|draft| draft.stream).filter(|stream| *stream != own).collect();
        let half = Half {
            stream: own,
            seq: event.place.seq,
            height: at.height,
            index: at.index,
            at_ms: event.at_ms,
            sealed_ms: self.seal.timestamp_ms(),
            wanted,
            said: false,
        };
        self.state.halves.insert(digest, half);
    }

    /// Says of a half that has been alone for too long.
    fn late_halves(&mut self) {
        let now_ms = self.seal.timestamp_ms();
        for half in self.state.halves.values_mut() {
            if !half.said && now_ms.saturating_sub(half.sealed_ms) > MAX_HALF_MS {
                half.said = true;
                let at = At { height: half.height, index: half.index, place: Some(half.place()) };
                let what = "what its command has written beside it was not sealed within a day";
                self.block.findings.push(Finding::of_event(Rule::Half, at, what));
            }
        }
    }
}

impl Judged {
    fn extend(&mut self, block: Self) {
        self.bodies.extend(block.bodies);
        self.places.extend(block.places);
        self.leaves.extend(block.leaves);
        self.findings.extend(block.findings);
    }
}
