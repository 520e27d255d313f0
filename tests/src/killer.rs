//! Kills functions in the middle of what they do. The emulator runs each function as processes on this machine; one that is killed answers nobody,
//! whatever it had done by then, and the next call gets a new one: what a crash or a lost host is on AWS.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::Duration;

use crate::Stack;

/// The variable by which Lambda tells a process which function it is.
const NAME: &str = "AWS_LAMBDA_FUNCTION_NAME=";

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

/// A killer at work, until it is told to stop.
#[derive(Debug)]
pub struct Killer<'scope> {
    stop: &'scope AtomicBool,
    thread: ScopedJoinHandle<'scope, u64>,
}

impl<'scope> Killer<'scope> {
    /// Kills one process of the stack's functions after another, at random moments up to `pause` apart, and at most so many: on a busy machine a call can
    /// take longer than the next kill, and clients do not try for ever.
    pub fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        stack: &Stack,
        stop: &'scope AtomicBool,
        often: (Duration, u64),
        seed: u64,
    ) -> Self {
        let all: Vec<&str> = stack.outputs.functions.keys().map(String::as_str).collect();
        Self::begin_at(scope, stack, &all, stop, often, seed)
    }

    /// The same, of these functions alone.
    pub fn begin_at<'env>(
        scope: &'scope Scope<'scope, 'env>,
        stack: &Stack,
        functions: &[&str],
        stop: &'scope AtomicBool,
        (pause, most): (Duration, u64),
        seed: u64,
    ) -> Self {
        let names: BTreeSet<String> = functions.iter().map(|name| stack.outputs.functions[*name].clone()).collect();
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let thread = scope.spawn(move || {
            let (mut chance, mut killed) = (Chance(seed), 0);
            while killed < most && !stop.load(Ordering::Relaxed) {
                // Not a wait for anything: the moment is what is random.
                thread::sleep(Duration::from_millis(1 + chance.below(pause_ms)));
                let found = processes(&names);
                let which = chance.below(found.len() as u64);
                let Some(process) = usize::try_from(which).ok().and_then(|which| found.get(which)) else { continue };
                if Command::new("kill").args(["-9", process]).status().is_ok_and(|status| status.success()) {
                    killed += 1;
                }
            }
            killed
        });
        Self { stop, thread }
    }

    /// Stops; gives how many were killed.
    pub fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the killer lives")
    }
}

/// The processes of these functions, by what their environment says.
fn processes(names: &BTreeSet<String>) -> Vec<String> {
    let Ok(folders) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok());
    let is_ours = |id: &String| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0).filter_map(|line| std::str::from_utf8(line).ok());
        variables.any(|line| line.strip_prefix(NAME).is_some_and(|name| names.contains(name)))
    };
    ids.filter(|id| id.bytes().all(|byte| byte.is_ascii_digit())).filter(is_ours).collect()
}
