//! Every call of every group is broken in every way, one at a time, and all must be well after that.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use chartseal_infra::faulty::{Call, Plan};

use crate::check::{Breach, Stock, check, check_drained, check_evidence};
use crate::floor::{MAX_TIME, Met, in_time, too_few};
use crate::functions::{SWEEPER, doing};
use crate::kind::{Kind, Rival};
use crate::story::{Act, Group, story};
use crate::world::{Hints, How, Sent, World};

/// The sweep is not worth its name with fewer.
const MIN_FAULTS: usize = 2_000;
/// So many calls of one kind are broken in a group, of each operation or reaction. Only the sweeper makes more: minute by minute, when it catches up.
const MAX_ALIKE: usize = 6;
/// In most groups the sweeper looks around, and finds nothing to do. There its calls are broken in one way of so many, another one in each group.
const ONE_IN_QUIET: usize = 4;
/// Breaches that are told of; more would be the same again.
const MAX_TOLD: usize = 12;

/// A group, as it is without faults.
struct Scene {
    group: Group,
    sent: Option<Sent>,
    before: World,
    /// For each fate of the hints, the calls that can be broken, and what is there in the end: an object that no event tells of is found later.
    calls: Vec<(Hints, Vec<Made>, Stock)>,
}

/// A call, and which operation or reaction made it.
type Made = (Call, String);

/// A call that is broken.
#[derive(Debug, Clone)]
struct Strike {
    scene: usize,
    hints: Hints,
    number: usize,
    call: Call,
    whose: String,
    kind: Kind,
}

#[test]
fn every_call_of_every_command_may_be_broken_in_every_way() {
    let started = Instant::now();
    let scenes = run(scenes());
    let strikes = strikes(&scenes);
    let (next, told) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let met: Mutex<Met> = Mutex::default();
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            threads.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
                while let Some(strike) = strikes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let scene = &scenes[strike.scene];
                    match runtime.block_on(scene.meet(strike)) {
                        Ok(struck) => {
                            let key = (strike.whose.clone(), strike.call, strike.kind);
                            *met.lock().expect("counts").entry(key).or_default() += usize::from(struck);
                        }
                        Err(breach) => told.lock().expect("breaches").push((strike.clone(), breach)),
                    }
                }
            });
        }
    });
    let met = met.into_inner().expect("counts");
    report(&met);
    let faults: usize = met.values().sum();
    let took = started.elapsed();
    say(&format!("{faults} faults of {} strikes in {:.1} s", strikes.len(), took.as_secs_f64()));
    let mut told = told.into_inner().expect("breaches");
    told.sort_by_key(|(strike, _)| (strike.scene, strike.number));
    let lines: Vec<String> =
        told.iter().take(MAX_TOLD).map(|(strike, breach)| scenes[strike.scene].tell(strike, breach)).collect();
    assert!(told.is_empty(), "{} invariants broken:\n{}", told.len(), lines.join("\n"));
    assert!(faults >= MIN_FAULTS, "only {faults} faults were injected");
    let few = too_few(&documented(), &met);
    assert!(few.is_empty(), "hardly swept, or no more:\n{}", few.join("\n"));
    assert!(in_time(took), "the sweep took {took:.0?}, more than {MAX_TIME:.0?}");
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
            let heard: Arc<Mutex<Vec<Made>>> = Arc::default();
            let (plan, listener) = (Plan::default(), heard.clone());
            plan.choose(move |call| {
                listener.lock().expect("calls").push((call, doing()));
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
            let quiet = calls.iter().all(|(call, whose)| whose != SWEEPER || looks_around(*call));
            let mut made: BTreeMap<(Call, &str), usize> = BTreeMap::new();
            for (number, (call, whose)) in calls.iter().enumerate() {
                let call = *call;
                let count = made.entry((call, whose)).or_default();
                *count += 1;
                if *count > MAX_ALIKE {
                    continue;
                }
                let all = *hints == Hints::Delivered;
                let wanted = |kind: Kind| {
                    kind.suits(call)
                        && (all || (call.writes() && matches!(kind, Kind::Before | Kind::After | Kind::LateSoon)))
                };
                let in_turn = |kind: usize| whose != SWEEPER || !quiet || (scene + kind).is_multiple_of(ONE_IN_QUIET);
                let kinds = Kind::ALL.into_iter().enumerate().filter(|(at, kind)| wanted(*kind) && in_turn(*at));
                strikes.extend(kinds.map(|(_, kind)| Strike {
                    scene,
                    hints: *hints,
                    number,
                    call,
                    whose: whose.clone(),
                    kind,
                }));
            }
        }
    }
    strikes
}

/// What the sweeper does every minute, whatever there is.
const fn looks_around(call: Call) -> bool {
    matches!(call, Call::SweepCursor | Call::ByTime | Call::SetSweepCursor | Call::Due)
}

impl Scene {
    /// Breaks a call, and checks all that can be checked. Whether the call came.
    async fn meet(&self, strike: &Strike) -> Result<bool, Breach> {
        let mut world = self.before.fork();
        let (plan, mut number) = (Plan::default(), 0);
        let rival = Rival { vault: world.vault.clone(), sent: self.sent.clone() };
        let (wanted, kind) = (strike.number, strike.kind);
        plan.choose(move |_| {
            number += 1;
            (number == wanted + 1).then(|| kind.fault(&rival))
        });
        let how = How::faulty(plan, strike.hints);
        world.go(&self.group, self.sent.as_ref(), &how).await?;
        let struck = how.plan.take_struck();
        let in_part = world.vault.cut_batches().iter().any(|(landed, _)| *landed > 0);
        check(&mut world)?;
        let after = self.calls.iter().find(|(hints, ..)| *hints == strike.hints).map(|(.., after)| after);
        Stock::of(&world).same(after.expect("told before"))?;
        if strike.call.writes() && strike.call != Call::SetSweepCursor {
            check_drained(world).await?;
        }
        let came = struck.iter().any(|(call, _)| *call == strike.call);
        Ok(came && (in_part || !strike.kind.is_in_part()))
    }

    fn tell(&self, strike: &Strike, breach: &Breach) -> String {
        let Strike { hints, number, call, whose, kind, .. } = strike;
        format!("\"{}\", call {number} ({call} of {whose}) {kind:?}, hints {hints:?}: {breach}", self.group.name)
    }
}

fn report(met: &Met) {
    let mut operations: BTreeMap<&str, [usize; Kind::ALL.len()]> = BTreeMap::new();
    for ((operation, _, kind), count) in met {
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

/// The operations of docs/openapi.json.
fn documented() -> Vec<String> {
    let document: serde_json::Value =
        serde_json::from_str(include_str!("../../../../docs/openapi.json")).expect("JSON");
    let mut documented = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        // What the ledger's function reads is the sealer's work, which has a simulation of its own (functions/seal).
        for method in methods.as_object().expect("methods").keys().filter(|_| !path.starts_with("/ledger/")) {
            documented.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    documented.sort();
    documented
}

/// Every operation of docs/openapi.json is in the story: at least once taken.
#[test]
fn every_operation_of_the_api_is_swept() {
    let mut swept: Vec<String> = story()
        .iter()
        .filter_map(|group| match group.act {
            Act::Call { operation, refused: None, .. } => Some(operation.to_owned()),
            _ => None,
        })
        .collect();
    swept.sort();
    swept.dedup();
    assert_eq!(swept, documented());
}

/// Every call of every port is made in the story, so that every one of them is broken.
#[test]
fn every_call_of_every_port_is_swept() {
    let scenes = run(scenes());
    let made: std::collections::BTreeSet<Call> =
        scenes.iter().flat_map(|scene| &scene.calls).flat_map(|(_, calls, _)| calls).map(|(call, _)| *call).collect();
    // Sealing is off the road of commands, and has a simulation of its own (functions/seal).
    let missing: Vec<&Call> = Call::ALL.iter().filter(|call| !made.contains(call) && !call.is_sealing()).collect();
    assert!(missing.is_empty(), "never called: {missing:?}");
}
