//! Kills functions in the middle of what they do. The emulator runs each function as processes on this machine; one that is killed answers nobody,
//! whatever it had done by then, and the next call gets a new one: what a crash or a lost host is on AWS.
//!
//! A process that waits for its next invocation dies unnoticed. So the killer lies in wait for those that are at work, and goes from function to
//! function. That it saw a victim on a processor is its own word; the emulator's log has the other half: an invocation that began, and left no line
//! ([`crate::Hands::cut_short`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Stack;

/// The variable by which Lambda tells a process which function it is.
const NAME: &str = "AWS_LAMBDA_FUNCTION_NAME=";
/// Between two looks at the processes: who ran in between is at work.
const GLANCE: Duration = Duration::from_millis(2);
/// How often new processes are looked for: that takes a look at every process of the machine.
const ROUND: Duration = Duration::from_millis(25);
/// How long it lies in wait for a function that had less than its share, before it takes whoever is at work.
const WAIT: Duration = Duration::from_millis(100);
/// Sockets of a process that has called AWS: one of them leads to the runtime API. One that has fewer may still be starting.
const SOCKETS: usize = 2;

/// Pseudo-random numbers that a printed seed gives again (splitmix64).
#[derive(Debug, Clone, Copy)]
pub struct Chance(pub u64);

impl Chance {
    /// The next number below a limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }
}

/// Whom to kill, when, and how many.
#[derive(Debug, Clone, Copy)]
pub struct Orders<'a> {
    /// The functions, each with how often it is hit at most, and at most half of that while it waits: on a busy machine a call can take longer than the
    /// next kill, and clients do not try for ever.
    pub functions: &'a [(&'a str, u64)],
    /// How far apart, at most; the moment is random.
    pub pause: Duration,
    /// Gives the moments again.
    pub seed: u64,
}

/// How often a function was hit.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Hits {
    /// All of them.
    pub killed: u64,
    /// Those in which it was at work.
    pub at_work: u64,
}

/// A killer at work, until it is told to stop.
#[derive(Debug)]
pub struct Killer<'scope> {
    shared: Arc<Shared>,
    thread: ScopedJoinHandle<'scope, ()>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    hits: Mutex<BTreeMap<String, Hits>>,
}

impl Shared {
    fn hits(&self) -> BTreeMap<String, Hits> {
        self.hits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<'scope> Killer<'scope> {
    /// Kills one process of the stack's functions after another.
    pub fn begin<'env>(scope: &'scope Scope<'scope, 'env>, stack: &Stack, orders: Orders<'_>) -> Self {
        let names = orders.functions.iter().map(|(name, _)| (stack.outputs.functions[*name].clone(), *name));
        let herd = Herd {
            names: names.map(|(physical, name)| (physical, name.to_owned())).collect(),
            known: BTreeMap::new(),
            counted: None,
        };
        let shared = Arc::new(Shared::default());
        let hunt = Hunt {
            shared: Arc::clone(&shared),
            herd,
            limits: orders.functions.iter().map(|(name, most)| ((*name).to_owned(), *most)).collect(),
            chance: Chance(orders.seed),
        };
        let pause_ms = u64::try_from(orders.pause.as_millis()).unwrap_or(u64::MAX);
        Self { shared, thread: scope.spawn(move || hunt.run(pause_ms)) }
    }

    /// How often each function was hit so far.
    pub fn hits(&self) -> BTreeMap<String, Hits> {
        self.shared.hits()
    }

    /// Stops; gives how often each function was hit.
    pub fn end(self) -> BTreeMap<String, Hits> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the killer lives");
        self.shared.hits()
    }
}

struct Hunt {
    shared: Arc<Shared>,
    herd: Herd,
    limits: BTreeMap<String, u64>,
    chance: Chance,
}

impl Hunt {
    fn run(mut self, pause_ms: u64) {
        while !self.shared.stop.load(Ordering::Relaxed) {
            // Not a wait for anything: the moment is what is random.
            thread::sleep(Duration::from_millis(1 + self.chance.below(pause_ms)));
            let Some((pid, at_work)) = self.choose() else { continue };
            let Some(process) = self.herd.known.remove(&pid) else { continue };
            // It may have ended by itself.
            if Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok()) {
                let mut hits = self.shared.hits.lock().unwrap_or_else(PoisonError::into_inner);
                let of_function = hits.entry(process.function).or_default();
                of_function.killed += 1;
                of_function.at_work += u64::from(at_work);
            }
        }
    }

    /// One that is at work, of a function that had less than its share, if one comes by; else one that is at work; else one that waits.
    fn choose(&mut self) -> Option<(i32, bool)> {
        let began = Instant::now();
        loop {
            self.herd.count();
            self.herd.look();
            thread::sleep(GLANCE);
            let mut at_work = self.herd.look();
            let hits = self.shared.hits();
            let of = |function: &str| hits.get(function).copied().unwrap_or_default();
            let is_prey = |function: &String| of(function).killed < self.limits[function];
            at_work.retain(|pid| is_prey(&self.herd.known[pid].function) && sockets(*pid) >= SOCKETS);
            let share = hits.values().map(|hits| hits.at_work).sum::<u64>() / self.limits.len() as u64;
            let waited = began.elapsed() >= WAIT || self.shared.stop.load(Ordering::Relaxed);
            let hungry = |pid: &&i32| of(&self.herd.known[pid].function).at_work <= share;
            let by_rarity = |pid: &&i32| of(&self.herd.known[pid].function).at_work;
            if let Some(pid) = at_work.iter().filter(|pid| waited || hungry(pid)).min_by_key(by_rarity) {
                return Some((*pid, true));
            }
            if waited {
                let may_wait =
                    |function: &String| 2 * (of(function).killed - of(function).at_work) < self.limits[function];
                let is_idle_prey = |function: &String| is_prey(function) && may_wait(function);
                let idle = self.herd.known.iter().filter(|(_, process)| is_idle_prey(&process.function));
                let idle: Vec<_> = idle.collect();
                let which = usize::try_from(self.chance.below(idle.len() as u64)).ok()?;
                return idle.get(which).map(|(pid, _)| (**pid, false));
            }
        }
    }
}

/// The functions' processes.
struct Herd {
    /// Functions by what the stack calls them.
    names: BTreeMap<String, String>,
    known: BTreeMap<i32, Process>,
    counted: Option<Instant>,
}

struct Process {
    function: String,
    on_cpu_ns: u64,
}

impl Herd {
    /// Finds those that are new, by what their environment says.
    fn count(&mut self) {
        if self.counted.is_some_and(|at| at.elapsed() < ROUND) {
            return;
        }
        let Ok(folders) = fs::read_dir("/proc") else { return };
        let pids = folders.filter_map(|folder| folder.ok()?.file_name().to_str()?.parse().ok());
        let pids: BTreeSet<i32> = pids.collect();
        self.known.retain(|pid, _| pids.contains(pid));
        for pid in pids {
            if self.known.contains_key(&pid) {
                continue;
            }
            let environment = fs::read(proc(pid, "environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0).filter_map(|line| std::str::from_utf8(line).ok());
            let function = variables.find_map(|line| self.names.get(line.strip_prefix(NAME)?)).cloned();
            if let Some(function) = function {
                self.known.insert(pid, Process { function, on_cpu_ns: u64::MAX });
            }
        }
        self.counted = Some(Instant::now());
    }

    /// Those that ran since the last look, by the time that they were on a processor.
    fn look(&mut self) -> Vec<i32> {
        let mut ran = Vec::new();
        self.known.retain(|pid, process| {
            let Some(on_cpu_ns) = on_cpu_ns(*pid) else { return false };
            if on_cpu_ns > process.on_cpu_ns {
                ran.push(*pid);
            }
            process.on_cpu_ns = on_cpu_ns;
            true
        });
        ran
    }
}

/// The first field of schedstat; none when the process is gone.
fn on_cpu_ns(pid: i32) -> Option<u64> {
    fs::read_to_string(proc(pid, "schedstat")).ok()?.split(' ').next()?.parse().ok()
}

fn sockets(pid: i32) -> usize {
    let Ok(files) = fs::read_dir(proc(pid, "fd")) else { return 0 };
    let targets = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

fn proc(pid: i32, file: &str) -> String {
    format!("/proc/{pid}/{file}")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A function of this name that waits for ever, or works for ever.
    fn process(name: &str, script: &str) -> std::process::Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("AWS_LAMBDA_FUNCTION_NAME", name).stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().expect("a shell")
    }

    #[test]
    fn who_works_is_told_from_who_waits() {
        let name = |what: &str| format!("{what}-{}", std::process::id());
        let mut waits = process(&name("waits"), "read line");
        let mut works = process(&name("works"), "while :; do :; done");
        let names = ["waits", "works"].map(|what| (name(what), what.to_owned())).into();
        let mut herd = Herd { names, known: BTreeMap::new(), counted: None };
        let until = Instant::now() + Duration::from_secs(10);
        while herd.known.len() < 2 && Instant::now() < until {
            thread::sleep(ROUND);
            herd.count();
        }
        // The one that waits has run to where it waits.
        thread::sleep(10 * ROUND);
        herd.look();
        thread::sleep(10 * ROUND);
        let ran: Vec<String> = herd.look().iter().map(|pid| herd.known[pid].function.clone()).collect();
        for child in [&mut waits, &mut works] {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
        assert_eq!(ran, ["works"]);
        herd.look();
        assert!(herd.known.is_empty(), "they are gone");
    }
}
