//! Every call of every group is broken in every way, one at a time, and all must be well after that.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chartseal_infra::faulty::{Call, Plan};

use crate::check::{Breach, Stock, check, check_drained, check_evidence};
use crate::kind::{Kind, Rival};
use crate::story::{Act, Group, story};
use crate::world::{Hints, How, Sent, World};

/// The sweep is not worth its name with fewer.
const MIN_FAULTS: usize = 2_000;
/// So many calls of one kind are broken in a group. Only the sweeper makes more: minute by minute, when it catches up after hours.
const MAX_ALIKE: usize = 12;
/// Breaches that are told of; more would be the same again.
const MAX_TOLD: usize = 12;

/// A group, as it is without faults.
struct Scene {
    group: Group,
    sent: Option<Sent>,
    before: World,
    /// For each fate of the hints, the calls that can be broken, and what is there in the end: an object that no event tells of is found later.
    calls: Vec<(Hints, Vec<Call>, Stock)>,
}

/// A call that is broken.
#[derive(Debug, Clone, Copy)]
struct Strike {
    scene: usize,
    hints: Hints,
    number: usize,
    call: Call,
    kind: Kind,
}

#[test]
fn every_call_of_every_command_may_be_broken_in_every_way() {
    let started = Instant::now();
    let scenes = run(scenes());
    let strikes = strikes(&scenes);
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let counts: Mutex<BTreeMap<(String, Kind), usize>> = Mutex::default();
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
                while let Some(strike) = strikes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scene = &scenes[strike.scene];
                    match runtime.block_on(scene.meet(*strike)) {
                        Ok(struck) => {
                            let count = usize::from(struck);
                            *counts.lock().expect("counts").entry((scene.title(), strike.kind)).or_default() += count;
                        }
                        Err(breach) => told.lock().expect("breaches").push((*strike, breach)),
                    }
                }
            });
        }
    });
    let counts = counts.into_inner().expect("counts");
    report(&counts);
    let faults: usize = counts.values().sum();
    say(&format!("{faults} faults of {} strikes in {:.1} s", strikes.len(), started.elapsed().as_secs_f64()));
    let mut told = told.into_inner().expect("breaches");
    told.sort_by_key(|(strike, _)| (strike.scene, strike.number));
    let lines: Vec<String> =
        told.iter().take(MAX_TOLD).map(|(strike, breach)| scenes[strike.scene].tell(*strike, breach)).collect();
    assert!(told.is_empty(), "{} invariants broken:\n{}", told.len(), lines.join("\n"));
    assert!(faults >= MIN_FAULTS, "only {faults} faults were injected");
}

/// Past the test harness, which keeps what passing tests print: seeds and numbers must be known afterwards.
pub fn say(line: &str) {
    // Nobody to tell is no failure.
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Does something that waits.
pub fn run<T>(done: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(done)
}

/// The story without faults, with what it needs to be told again from every group on.
async fn scenes() -> Vec<Scene> {
    let (mut world, mut scenes) = (World::new(), Vec::new());
    for group in story() {
        let sent = world.prepare(&group);
        let before = world.fork();
        let mut calls = Vec::new();
        for hints in [Hints::Lost, Hints::Doubled, Hints::Delivered] {
            world = before.fork();
            let heard: Arc<Mutex<Vec<Call>>> = Arc::default();
            let (plan, listener) = (Plan::default(), heard.clone());
            plan.choose(move |call| {
                listener.lock().expect("calls").push(call);
                None
            });
            let how = How::faulty(plan, hints);
            world.go(&group, sent.as_ref(), &how).await.unwrap_or_else(|breach| panic!("{}: {breach}", group.name));
            check(&mut world).unwrap_or_else(|breach| panic!("{}, hints {hints:?}: {breach}", group.name));
            drop(how);
            let heard = std::mem::take(&mut *heard.lock().expect("calls"));
            calls.push((hints, heard, Stock::of(&world)));
        }
        let whole = async {
            check_evidence(&world.known.genesis.expect("heard of"), &world.vault.events())?;
            check_drained(world.fork()).await
        };
        whole.await.unwrap_or_else(|breach| panic!("after {}: {breach}", group.name));
        scenes.push(Scene { group, sent, before, calls });
    }
    scenes
}

/// All that is to be broken. Where hints are lost or doubled, writes alone, and in the ways that differ then.
fn strikes(scenes: &[Scene]) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for (scene, of) in scenes.iter().enumerate() {
        for (hints, calls, _) in &of.calls {
            let mut made: BTreeMap<Call, usize> = BTreeMap::new();
            for (number, call) in calls.iter().copied().enumerate() {
                let count = made.entry(call).or_default();
                *count += 1;
                if *count > MAX_ALIKE {
                    continue;
                }
                let all = *hints == Hints::Delivered;
                let wanted = |kind: &Kind| {
                    kind.suits(call)
                        && (all || (call.writes() && matches!(kind, Kind::Before | Kind::After | Kind::LateSoon)))
                };
                let kinds = Kind::ALL.into_iter().filter(wanted);
                strikes.extend(kinds.map(|kind| Strike { scene, hints: *hints, number, call, kind }));
            }
        }
    }
    strikes
}

impl Scene {
    /// Breaks a call, and checks all that can be checked. Whether the call came.
    async fn meet(&self, strike: Strike) -> Result<bool, Breach> {
        let mut world = self.before.fork();
        let (plan, mut number) = (Plan::default(), 0);
        let rival = Rival { vault: world.vault.clone(), sent: self.sent.clone() };
        plan.choose(move |_| {
            number += 1;
            (number == strike.number + 1).then(|| strike.kind.fault(&rival))
        });
        let how = How::faulty(plan, strike.hints);
        world.go(&self.group, self.sent.as_ref(), &how).await?;
        let struck = how.plan.take_struck();
        check(&mut world)?;
        let after = self.calls.iter().find(|(hints, ..)| *hints == strike.hints).map(|(.., after)| after);
        Stock::of(&world).same(after.expect("told before"))?;
        if strike.call.writes() && strike.call != Call::SetSweepCursor {
            check_drained(world).await?;
        }
        Ok(struck.iter().any(|(call, _)| *call == strike.call))
    }

    /// The operation, or who acts.
    fn title(&self) -> String {
        match self.group.act {
            Act::Call { operation, .. } => operation.to_owned(),
            Act::Genesis | Act::Outside(_) => format!("({})", self.group.name),
        }
    }

    fn tell(&self, strike: Strike, breach: &Breach) -> String {
        let Strike { hints, number, call, kind, .. } = strike;
        format!("\"{}\", call {number} ({call}) {kind:?}, hints {hints:?}: {breach}", self.group.name)
    }
}

fn report(counts: &BTreeMap<(String, Kind), usize>) {
    let mut operations: BTreeMap<&str, [usize; Kind::ALL.len()]> = BTreeMap::new();
    for ((operation, kind), count) in counts {
        let column = Kind::ALL.iter().position(|other| other == kind).expect("a kind");
        operations.entry(operation).or_default()[column] += count;
    }
    let heads: Vec<String> = Kind::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    println!("{:48} {}", "faults", heads.join("  "));
    let mut total = [0; Kind::ALL.len()];
    for (operation, row) in operations.iter().map(|(name, row)| (*name, *row)).collect::<Vec<_>>() {
        println!("{operation:48} {}", columns(&heads, &row));
        for (sum, count) in total.iter_mut().zip(row) {
            *sum += count;
        }
    }
    println!("{:48} {}", "in all", columns(&heads, &total));
}

fn columns(heads: &[String], row: &[usize]) -> String {
    heads
        .iter()
        .zip(row)
        .map(|(head, count)| format!("{count:>width$}", width = head.len()))
        .collect::<Vec<_>>()
        .join("  ")
}

/// Every operation of docs/openapi.json is in the story: at least once taken.
#[test]
fn every_operation_of_the_api_is_swept() {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("JSON");
    let mut documented = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        // What the ledger's function reads is the sealer's work, which has a simulation of its own (functions/seal).
        for method in methods.as_object().expect("methods").keys().filter(|_| !path.starts_with("/ledger/")) {
            documented.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut swept: Vec<String> = story()
        .iter()
        .filter_map(|group| match group.act {
            Act::Call { operation, refused: None, .. } => Some(operation.to_owned()),
            _ => None,
        })
        .collect();
    documented.sort();
    swept.sort();
    swept.dedup();
    assert_eq!(swept, documented);
}

/// Every call of every port is made in the story, so that every one of them is broken.
#[test]
fn every_call_of_every_port_is_swept() {
    let scenes = run(scenes());
    let made: std::collections::BTreeSet<Call> =
        scenes.iter().flat_map(|scene| &scene.calls).flat_map(|(_, calls, _)| calls).copied().collect();
    // Sealing is off the road of commands, and has a simulation of its own (functions/seal).
    let missing: Vec<&Call> = Call::ALL.iter().filter(|call| !made.contains(call) && !call.is_sealing()).collect();
    assert!(missing.is_empty(), "never called: {missing:?}");
}
