//! A vault with everybody around it: clients, S3's and the table's hints, Step Functions, the schedule. In scope: doing one group of the story under
//! whatever faults a plan has. Out of scope: which faults (`sweep`, `chance`), and whether all is well afterwards (`check`).

use std::collections::BTreeSet;

use chartseal_events::wire::CommandRequest;
use chartseal_events::{Code, Command, EventRef, Hash, Outcome, StreamId};
use chartseal_http::{Answer, Incoming};
use chartseal_infra::BlobKey;
use chartseal_infra::faulty::{Faulty, Plan};
use chartseal_infra::memory::{MemoryVault, START_MS};

use crate::cast::Cast;
use crate::check::{Breach, Invariant, Known, check, check_release};
use crate::functions::{Functions, Ports};
use crate::machine::Machine;
use crate::story::{Act, Group, story};

/// A minute and a second: the schedule wakes the sweeper once in each.
pub const ROUND_MS: u64 = 61_000;
/// Sweeps in a group of the sweep call by call: one under faults, one that does what was put off, one that ends what that found to be due.
pub const ROUNDS: usize = 3;
/// How often hints are delivered again, and tasks are tried again, before they are given up.
const DELIVERIES: usize = 3;

/// What becomes of hints: the table's stream and S3's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// They come, and again where the function fails.
    Delivered,
    /// None comes.
    Lost,
    /// Each comes twice, and then once more.
    Doubled,
}

/// Something that everybody speaks of: the vault, and what was said about it.
#[derive(Clone)]
pub struct World {
    pub vault: MemoryVault,
    pub cast: Cast,
    pub machine: Machine,
    pub known: Known,
    /// Of the vault's events, so many were delivered to the consumer, or lost.
    hinted: usize,
    hinted_objects: BTreeSet<String>,
}

/// The call that a client is about, for whoever comes in between.
#[derive(Clone)]
pub struct Sent {
    pub operation: &'static str,
    pub incoming: Incoming,
}

/// How a group is done.
pub struct How<P> {
    /// Makes the ports that functions work on.
    pub ports: fn(&MemoryVault, &Plan) -> P,
    pub plan: Plan,
    pub hints: Hints,
    /// How often a client sends the same bytes.
    pub patience: usize,
    /// How often the sweeper runs.
    pub rounds: usize,
    /// How many of these runs are under faults.
    pub faulty_rounds: usize,
}

impl How<Faulty<MemoryVault>> {
    /// On the failing twin.
    pub fn faulty(plan: Plan, hints: Hints) -> Self {
        Self {
            ports: |vault, plan| Faulty::with(vault.clone(), plan.clone()),
            plan,
            hints,
            patience: 4,
            rounds: ROUNDS,
            faulty_rounds: 1,
        }
    }
}

impl World {
    pub fn new() -> Self {
        Self {
            vault: MemoryVault::new(),
            cast: Cast::new(START_MS),
            machine: Machine::default(),
            known: Known::default(),
            hinted: 0,
            hinted_objects: BTreeSet::new(),
        }
    }

    /// A world of its own, in which all is as here.
    pub fn fork(&self) -> Self {
        Self { vault: self.vault.fork(), ..self.clone() }
    }

    /// The story, told without faults, up to and with this group; or all of it.
    pub async fn told(last: Option<&str>) -> Self {
        let mut world = Self::new();
        for group in story() {
            let sent = world.prepare(&group);
            let how = How::faulty(Plan::default(), Hints::Delivered);
            let done = world.go(&group, sent.as_ref(), &how).await.and_then(|()| check(&mut world));
            done.unwrap_or_else(|breach| panic!("{}: {breach}", group.name));
            if last == Some(group.name) {
                return world;
            }
        }
        assert_eq!(last, None, "a group of the story");
        world
    }

    fn now_ms(&self) -> u64 {
        chartseal_infra::ports::Clock::now_ms(&self.vault)
    }

    /// What the next group's client is about to send.
    pub fn prepare(&mut self, group: &Group) -> Option<Sent> {
        self.cast.now_ms = self.now_ms();
        match group.act {
            Act::Call { operation, make, .. } => Some(Sent { operation, incoming: make(&mut self.cast) }),
            Act::Genesis | Act::Outside(_) => None,
        }
    }

    /// Does a group: the act, until it is done; what it leads to; and some minutes of sweeps.
    pub async fn go<P: Ports>(&mut self, group: &Group, sent: Option<&Sent>, how: &How<P>) -> Result<(), Breach> {
        let functions = || Functions((how.ports)(&self.vault, &how.plan));
        match group.act {
            Act::Genesis => {
                let leaf = self.begin(&functions(), how.patience).await?;
                self.known.genesis = Some(leaf);
            }
            Act::Outside(done) => done(&self.vault, &self.cast),
            Act::Call { learn, refused, .. } => {
                let sent = sent.expect("a call is prepared");
                let functions = functions();
                let answer = self.ask(&functions, sent, refused, how).await?;
                if refused.is_none() {
                    learn(&mut self.cast, &answer.json);
                }
            }
        }
        self.follow(how).await
    }

    async fn begin<P: Ports>(&self, functions: &Functions<P>, patience: usize) -> Result<Hash, Breach> {
        let mut last = String::new();
        for _ in 0..patience {
            match functions.genesis().await {
                Ok(leaf) => return leaf.ok_or_else(|| Breach::new(Invariant::Answer, "no leaf hash")),
                Err(error) => last = error.to_string(),
            }
        }
        Err(Breach::new(Invariant::Answer, format!("the vault does not begin: {last}")))
    }

    /// Sends the same bytes until there is an answer.
    async fn ask<P: Ports>(
        &mut self,
        functions: &Functions<P>,
        sent: &Sent,
        expected: Option<Code>,
        how: &How<P>,
    ) -> Result<Answer, Breach> {
        let command =
            CommandRequest::parse(&sent.incoming.body).ok().and_then(|sent| Command::parse(&sent.command).ok());
        let mut last = String::new();
        for attempt in 0..=how.patience {
            if attempt == how.patience {
                // Bad luck until now; tomorrow is another day.
                how.plan.relent();
            }
            how.plan.take_calls();
            let answer = functions.answer(sent.operation, &sent.incoming).await;
            let calls = how.plan.take_calls();
            check_release(&self.vault, &self.known, command.as_ref(), &calls, &answer)?;
            if let Some(command) = &command {
                self.known.heard(command, &answer);
            }
            match answer.problem {
                Some(Code::Unavailable | Code::Conflict) => last = answer.json,
                problem if problem == expected => return Ok(answer),
                _ => return Err(Breach::new(Invariant::Answer, format!("{}: {}", answer.status, answer.json))),
            }
        }
        Err(Breach::new(Invariant::Answer, format!("never answered: {last}")))
    }

    /// What follows from the act: hints, the workflow, the sweeper's rounds.
    async fn follow<P: Ports>(&mut self, how: &How<P>) -> Result<(), Breach> {
        let functions = Functions((how.ports)(&self.vault, &how.plan));
        self.hint(&functions, how.hints).await;
        self.machine.run(&self.vault, &functions).await;
        for round in 0..how.rounds {
            if round == how.faulty_rounds {
                how.plan.relent();
                how.plan.land().await;
            }
            self.vault.advance(ROUND_MS);
            let failed = functions.sweep().await.is_err();
            self.machine.run(&self.vault, &functions).await;
            self.hint(&functions, how.hints).await;
            if round + 1 == how.rounds && failed {
                return Err(Breach::new(Invariant::Healing, "the sweeper fails although nothing does"));
            }
        }
        // Whatever the hints of the last round met.
        how.plan.land().await;
        Ok(())
    }

    /// S3 and the table's stream tell of what is new.
    async fn hint<P: Ports>(&mut self, functions: &Functions<P>, hints: Hints) {
        let keys: BTreeSet<String> = self.vault.blob_keys().into_iter().collect();
        let new: Vec<String> = keys.difference(&self.hinted_objects).cloned().collect();
        self.hinted_objects.extend(keys);
        let times = match hints {
            Hints::Lost => 0,
            Hints::Delivered => 1,
            Hints::Doubled => 2,
        };
        for key in &new {
            for _ in 0..times {
                for _ in 0..DELIVERIES {
                    if functions.commit(key).await.is_ok() {
                        break;
                    }
                }
            }
        }
        let places: Vec<EventRef> = self.vault.events().iter().skip(self.hinted).map(|event| event.at).collect();
        self.hinted += places.len();
        let batch = if times == 2 { [&*places, &*places].concat() } else { places };
        for _ in 0..times {
            for _ in 0..DELIVERIES {
                if functions.consume(&batch).await.batch_item_failures.is_empty() {
                    break;
                }
            }
        }
    }

    /// Lets time pass until every object that arrived is settled: where its event was lost, the sweeper looks for it after as long as it was waited for.
    pub async fn settle(&mut self) -> Result<(), Breach> {
        let functions = Functions(self.vault.clone());
        // What follows from an upload that the sweeper found, it does in the next round.
        let (mut found, mut rounds) = (false, 0);
        while rounds < 60 {
            let events = self.vault.events();
            let opened: Vec<_> = events.iter().filter_map(|event| self.known.open(event)).collect();
            let settled = |key: &String| {
                let Ok(key) = key.parse::<BlobKey>() else { return true };
                opened.iter().any(|checked| {
                    let announced = match &checked.event.outcome {
                        Outcome::RecordUploaded(uploaded) => uploaded.announced,
                        Outcome::UploadExpired(expired) => expired.announced,
                        _ => return false,
                    };
                    (checked.event.place.stream, announced) == (StreamId::Record(key.record), key.announced)
                })
            };
            let all = self.vault.blob_keys().iter().all(settled);
            if all && found {
                return Ok(());
            }
            found = all;
            rounds += 1;
            self.vault.advance(ROUND_MS);
            functions.sweep().await.map_err(|error| Breach::new(Invariant::Healing, error.to_string()))?;
            self.machine.run(&self.vault, &functions).await;
        }
        Err(Breach::new(Invariant::Healing, "an object is not found within an hour"))
    }

    /// Lets time pass until nothing is due any more: a day at most.
    pub async fn drain(&mut self) -> Result<(), Breach> {
        let functions = Functions(self.vault.clone());
        for _ in 0..12 {
            self.vault.advance(2 * 3_600_000);
            if functions.sweep().await.is_err() {
                return Err(Breach::new(Invariant::Healing, "the sweeper fails although nothing does"));
            }
            self.machine.run(&self.vault, &functions).await;
            if self.vault.due_items().is_empty() {
                return Ok(());
            }
        }
        Err(Breach::new(Invariant::Healing, "after a day something is still due"))
    }
}
