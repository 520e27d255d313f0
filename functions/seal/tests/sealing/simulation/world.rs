//! A world: a vault that events are appended to, sealers that come, work, race, crash and are slow; which of them goes on next, and what becomes
//! of its calls, follows from a seed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use chartseal_events::EventRef;
use chartseal_events::event::StoredEvent;
use chartseal_http::testing::ORIGIN;
use chartseal_infra::faulty::Call;
use chartseal_infra::memory::MemoryVault;
use chartseal_infra::ports::{Append, Clock as _, EventStore as _, StoreError};
use chartseal_seal::defect::{Defect, plant};
use chartseal_seal::{Refused, Report, RunFailed, Sealer};
use futures_util::FutureExt as _;

use super::desk::{Desk, Fate, Planted, Waiting};
use super::dice::Dice;
use super::gate::Gate;
use super::history::{shuffled, spoil};
use super::model::Model;
use crate::check::{Broken, Invariant, Log, broken, clock_key, log_key};
use crate::sealer;

/// How many events happen in a world, beside those that were sealed before.
const EVENTS: usize = 60;
/// How many were, in half of the worlds: a few leaves before the first tile becomes full.
const BEFORE: usize = 225;
/// How many steps there are at most while things go wrong.
const STEPS: usize = 1_200;
/// Sealers at work at the same time.
const SEALERS: usize = 4;

type Outcome = Result<Report, RunFailed>;

/// A run that is under way.
struct Run {
    work: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    /// How often it gets its turn.
    speed: usize,
    hints: Vec<EventRef>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.crashes += other.crashes;
        self.faults += other.faults;
        self.runs += other.runs;
        self.blocks += other.blocks;
        self.healed += other.healed;
        self.steps += other.steps;
    }
}

/// What happened in a world.
#[derive(Debug, Default, Clone, Copy)]
pub struct Tally {
    pub crashes: usize,
    pub faults: usize,
    pub runs: usize,
    pub blocks: usize,
    pub healed: usize,
    pub steps: usize,
}

pub struct World {
    desk: Arc<Desk>,
    dice: Dice,
    /// What happens, and how much of it has.
    order: Vec<StoredEvent>,
    happened: usize,
    /// What can never be sealed.
    never: BTreeSet<EventRef>,
    hints: Vec<EventRef>,
    runs: BTreeMap<u32, Run>,
    actors: u32,
    faults: bool,
    pub tally: Tally,
}

/// Notes that somebody wants another turn.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A vault in which much was sealed before, and what it is to publish.
fn begun() -> (MemoryVault, Model) {
    static BEGUN: OnceLock<(MemoryVault, Model)> = OnceLock::new();
    let (vault, model) = BEGUN.get_or_init(|| {
        let vault = MemoryVault::new();
        let events = shuffled(BEFORE, &mut Dice(0))[..BEFORE].to_vec();
        let places: Vec<_> = events.iter().map(|event| event.at).collect();
        for event in events {
            append(&vault, event);
        }
        plant(None);
        sealer(&vault).run(places).now_or_never().expect("memory answers at once").expect("nothing is wrong");
        let mut model = Model::default();
        model.published(&vault, BEFORE as u64 + 1).unwrap_or_else(|broken| panic!("{broken}"));
        (vault, model)
    });
    (vault.fork(), model.clone())
}

fn append(vault: &MemoryVault, event: StoredEvent) {
    let append = Append { events: vec![event], at_ms: vault.now_ms(), ..Append::default() };
    vault.append(&append).now_or_never().expect("memory answers at once").expect("its place is free");
}

impl World {
    pub fn new(seed: u64, planted: Planted) -> Self {
        let mut dice = Dice(seed);
        let (vault, model, kept) = if dice.permille(500) {
            let (vault, model) = begun();
            (vault, model, BEFORE)
        } else {
            (MemoryVault::new(), Model::default(), 0)
        };
        let mut order = shuffled(kept, &mut dice);
        order.truncate(kept + EVENTS);
        let spoilt = dice.permille(250) || matches!(planted, Planted::Code(Defect::IgnoresLinks | Defect::Forgets));
        let never = if spoilt { spoil(&mut order, kept.max(20), &mut dice) } else { BTreeSet::new() };
        let desk = Desk::new(vault, model, planted, Dice(dice.next()));
        Self {
            desk,
            dice,
            order,
            happened: kept,
            never,
            hints: Vec::new(),
            runs: BTreeMap::new(),
            actors: 0,
            faults: true,
            tally: Tally::default(),
        }
    }

    /// The vault, as its log is read.
    pub fn vault(&self) -> &MemoryVault {
        &self.desk.vault
    }

    /// Lets it go on to its end. What must hold is looked at all the while, and in full at the end.
    pub fn live(&mut self) -> Result<(), Broken> {
        plant(match self.desk.planted {
            Planted::Code(defect) => Some(defect),
            _ => None,
        });
        while self.tally.steps < STEPS && (self.happened < self.order.len() || !self.runs.is_empty()) {
            self.tally.steps += 1;
            self.step()?;
        }
        self.come_to_rest()
    }

    fn step(&mut self) -> Result<(), Broken> {
        match self.dice.below(100) {
            0..5 => self.happen(),
            5..9 => self.begin_run(),
            9..10 => self.begin_sweep(),
            10..13 => self.land_one(),
            13..17 => {
                let long = self.dice.permille(30);
                let by_ms = self.dice.below(if long { 4_000_000 } else { 1_500 });
                self.desk.vault.advance(by_ms as u64);
            }
            _ => return self.go_on(),
        }
        self.found()
    }

    /// Events are appended; hints of them come, are lost, or come twice.
    fn happen(&mut self) {
        for _ in 0..=self.dice.below(4) {
            let Some(event) = self.order.get(self.happened).cloned() else { return };
            self.happened += 1;
            let place = event.at;
            // What is behind a gap is appended nevertheless: somebody took the event before it out.
            append(&self.desk.vault, event);
            for _ in 0..self.dice.below(3) {
                let at = self.dice.below(self.hints.len() + 1);
                self.hints.insert(at, place);
            }
        }
    }

    fn begin_run(&mut self) {
        let many = self.dice.below(self.hints.len().min(12) + 1);
        let hints: Vec<_> = self.hints.drain(..many).collect();
        let gate = self.gate();
        let own = hints.clone();
        self.begin(hints, async move { of(&gate).run(own).await });
    }

    fn begin_sweep(&mut self) {
        let gate = self.gate();
        self.begin(Vec::new(), async move { of(&gate).sweep().await });
    }

    fn gate(&mut self) -> Gate {
        self.actors += 1;
        Gate { desk: self.desk.clone(), actor: self.actors }
    }

    fn begin(&mut self, hints: Vec<EventRef>, work: impl Future<Output = Outcome> + Send + 'static) {
        if self.runs.len() >= SEALERS {
            self.hints.extend(hints);
            return;
        }
        let speed = *self.dice.pick(&[1, 10, 60]).unwrap();
        self.tally.runs += 1;
        self.runs.insert(self.actors, Run { work: Box::pin(work), speed, hints });
        self.poll(self.actors);
    }

    /// A write that was under way takes effect.
    fn land_one(&mut self) {
        let deed = {
            let mut state = self.desk.state();
            let many = state.landing.len();
            if many == 0 {
                return;
            }
            let at = self.dice.below(many);
            state.landing.swap_remove(at)
        };
        deed(&self.desk);
    }

    /// One call of somebody goes on.
    fn go_on(&mut self) -> Result<(), Broken> {
        let waiting = self.desk.waiting();
        let weights: Vec<usize> =
            waiting.iter().map(|call| self.runs.get(&call.actor).map_or(0, |run| run.speed)).collect();
        let sum: usize = weights.iter().sum();
        if sum == 0 {
            return Ok(());
        }
        let mut at = self.dice.below(sum);
        let chosen = weights.iter().position(|weight| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        let call = &waiting[chosen.expect("somebody's turn")];
        if self.faults && self.dice.permille(if call.call.writes() { 110 } else { 30 }) {
            self.crash(call);
            return self.found();
        }
        let fate = if self.faults { self.fate(call) } else { Fate::Go };
        self.tally.faults += usize::from(fate != Fate::Go);
        self.desk.grant(call.ticket, fate);
        self.poll(call.actor);
        self.found()
    }

    fn fate(&mut self, call: &Waiting) -> Fate {
        let batch = matches!(call.call, Call::PutLeafPlaces | Call::PutMapPages);
        match (call.call.writes(), call.done, self.dice.below(1_000)) {
            (false, _, 0..6) | (true, _, 0..15) => Fate::Lost,
            (true, false, 15..35) => Fate::Late,
            (true, false, 35..50) => Fate::Again,
            (true, false, 50..90) if batch => Fate::Part(self.dice.next()),
            _ => Fate::Go,
        }
    }

    /// The machine is gone. A write may be under way all the same.
    fn crash(&mut self, call: &Waiting) {
        if call.call.writes() && !call.done && self.dice.permille(300) {
            self.desk.grant(call.ticket, Fate::Late);
            self.poll(call.actor);
        }
        self.tally.crashes += 1;
        if let Some(run) = self.runs.remove(&call.actor)
            && self.dice.permille(500)
        {
            self.hints.extend(run.hints);
        }
    }

    /// Lets a run go on until it waits for another call, or is over.
    fn poll(&mut self, actor: u32) {
        let Some(run) = self.runs.get_mut(&actor) else { return };
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let outcome = loop {
            match run.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(outcome) => break outcome,
                Poll::Pending if woken.0.swap(false, Ordering::Relaxed) => {}
                Poll::Pending => return,
            }
        };
        let hints = self.runs.remove(&actor).map(|run| run.hints).unwrap_or_default();
        if outcome.is_err() && self.dice.permille(500) {
            self.hints.extend(hints);
        }
        let whole = self.dice.permille(30);
        let judged = self.judge(outcome).and_then(|()| if whole { self.look().map(drop) } else { Ok(()) });
        self.desk.note(judged);
    }

    /// Of a run that is over: it may fail for a fault of ours, and for what was spoilt, and for nothing else.
    fn judge(&mut self, outcome: Outcome) -> Result<(), Broken> {
        let report = match outcome {
            Ok(report)
            | Err(RunFailed::Stopped {
                why: Refused::Store(StoreError::Unavailable { .. }) | Refused::Overtaken(_),
                report,
            }) => report,
            Err(RunFailed::Broken(report)) if !self.never.is_empty() => report,
            Err(failed) => return broken(Invariant::Calm, failed.to_string()),
        };
        self.tally.blocks += report.blocks;
        self.tally.healed += report.healed;
        let spoilt: BTreeSet<_> = self.never.iter().map(|place| place.stream).collect();
        if report.broken + report.waiting > spoilt.len() {
            return broken(Invariant::Calm, format!("{report:?}"));
        }
        Ok(())
    }

    fn found(&mut self) -> Result<(), Broken> {
        self.desk.state().found.take().map_or(Ok(()), Err)
    }

    /// The blocks and checkpoints as they are now.
    fn look(&self) -> Result<Log, Broken> {
        let log = Log::read(ORIGIN, &self.desk.vault).now_or_never().expect("memory answers at once")?;
        log.check_checkpoints(&self.desk.vault.checkpoints())?;
        Ok(log)
    }

    /// Nothing goes wrong any more: what is under way lands, everybody comes to their end, and sweeps do the rest.
    fn come_to_rest(&mut self) -> Result<(), Broken> {
        self.faults = false;
        while self.happened < self.order.len() {
            self.happen();
        }
        while !self.runs.is_empty() {
            self.land_one();
            self.go_on()?;
        }
        while !self.desk.state().landing.is_empty() {
            self.land_one();
            self.found()?;
        }
        for minutes in [20, 60, 90] {
            self.desk.vault.advance(minutes * 60_000);
            self.begin_sweep();
            while !self.runs.is_empty() {
                self.go_on()?;
            }
            self.found()?;
        }
        let log = self.look()?;
        let size = log.blocks.last().map_or(0, |block| block.seal().size());
        let vault = &self.desk.vault;
        log.check_derived(vault, size, Invariant::Derived).now_or_never().expect("memory answers at once")?;
        log.check_all(vault, &self.never)
    }
}

fn of(gate: &Gate) -> Sealer<'_, Gate, Gate, Gate, Gate, Gate, Gate> {
    let log = log_key(ORIGIN);
    Sealer {
        events: gate,
        blocks: gate,
        index: gate,
        files: gate,
        signer: gate,
        clock: gate,
        log,
        clock_key: clock_key(),
    }
}
