//! Ctrl-C: end what runs, then go.
//!
//! A terminal sends the signal to every process of the foreground group, `kill` to this one alone. Both end the same way:
//! running children are told to end and the exit code is 130. The emulator needs no message: it watches a pipe from this
//! process and ends itself, with its functions, when that closes (`chartseal-local`).

use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::Failure;

/// What a shell reports for a program that SIGINT ended.
const EXIT_INTERRUPTED: i32 = 130;

static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A panic elsewhere must not keep children alive: the list stays usable.
fn children() -> MutexGuard<'static, Vec<u32>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGINT, SIGTERM and SIGHUP end this process's children with it.
pub fn install() -> Result<(), Failure> {
    ctrlc::set_handler(|| {
        eprintln!("\nInterrupted: stopping what was started.");
        end_children();
        std::process::exit(EXIT_INTERRUPTED);
    })
    .map_err(|error| Failure::new(format!("cannot handle signals: {error}"), "run it from an ordinary shell"))
}

/// Asks every running child to end; that one is gone already is fine.
fn end_children() {
    for pid in children().drain(..) {
        let mut kill = Command::new("kill");
        let _ = kill.args(["-TERM", &pid.to_string()]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// While this lives, an interruption tells the child to end.
pub struct ChildGuard(u32);

impl ChildGuard {
    /// Registers a running child.
    pub fn new(pid: u32) -> Self {
        children().push(pid);
        Self(pid)
    }
}

impl Drop for ChildGuard {
    fn drop(&mut self) {
        children().retain(|pid| *pid != self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_known_while_it_runs() {
        // No process has this id, so a signal sent to it by a mistake of this test reaches nobody.
        let pid = u32::MAX;
        let guard = ChildGuard::new(pid);
        assert!(children().contains(&pid));
        drop(guard);
        assert!(!children().contains(&pid));
    }
}
