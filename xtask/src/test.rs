//! `cargo xtask test`: every test of the workspace, the end-to-end stories included.
//!
//! One stack is started here and shared by all test programs (`CHARTSEAL_STACK_FILE`). Without it, `cargo test -p
//! chartseal-tests` starts its own.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use chartseal_local::{Workspace, witness_program};
use serde_json::Value;

use crate::process::{Failure, captured, cargo, quiet, root, shown};
use crate::stack;
use crate::wallets::Wallets;

/// Names the file that describes the shared stack; the harness of `chartseal-tests` reads it.
const STACK_FILE: &str = "CHARTSEAL_STACK_FILE";

/// Wallets of a run lie in this folder of `.local`; its process id follows.
const FOLDER: &str = "test-";

/// How long every test may take on the embedded emulator, once all is built.
const MAX_RUN: Duration = Duration::from_mins(10);

/// Another bound in its place, in seconds: for machines that have other work, too.
const MAX_RUN_VARIABLE: &str = "CHARTSEAL_MAX_TEST_SECONDS";

/// Builds, starts, tests, stops.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    run_with(arguments, &[])
}

/// The same, with variables that tell the tests more.
pub fn run_with(arguments: &[String], variables: &[(&str, String)]) -> Result<(), Failure> {
    let started = Instant::now();
    let whole = asks_for_nothing(arguments, variables);
    let (workspace, binaries) = stack::prepare()?;
    if whole {
        build()?;
    }
    let local = root().join(".local");
    remove_left_behind(&local, Path::new("/proc"));
    let folder = local.join(format!("{FOLDER}{}", std::process::id()));
    let wallets = Wallets::create(&folder, &binaries)?;
    let running = stack::start(&workspace, &binaries, &wallets.create_operator()?)?;
    wallets.connect_operator(running.api())?;
    let file = stack::write_description(wallets.folder(), &stack::describe(&running, &wallets))?;
    let image = running.emulator().and_then(|emulator| emulator.image());
    let in_container = image.is_some();
    let place = image.map_or_else(String::new, |image| format!(", in a container of {}", image.name()));
    println!("tests share the stack at {}{place}", running.endpoint().url);

    // The bound is on a run where this machine does all: not in a container, and not on an emulator that somebody else has started.
    let bounded = whole && running.emulator().is_some() && !in_container;
    let tested = Instant::now();
    let told = |command: &mut Command| {
        command.envs(variables.iter().cloned()).env(STACK_FILE, &file);
    };
    // Where neighbours have a share of the machine, the tests are not each other's.
    let alone = whole && std::env::var_os(MAX_RUN_VARIABLE).is_none();
    let outcome = if alone { two_lanes(&told) } else { one_lane(arguments, &told) };
    let outcome = outcome.and_then(|()| if in_container && arguments.is_empty() { holder() } else { Ok(()) });
    let took = tested.elapsed();

    // The stack ends before the verdict, whatever that is. Dropped, not stopped: a stack that `up` left stays on record.
    drop(running);
    // The folder holds keys of a vault that is gone.
    let _ = fs::remove_dir_all(&folder);
    println!("tests took {:.1} s, {:.1} s with build and stack", took.as_secs_f64(), started.elapsed().as_secs_f64());
    outcome.and_then(|()| if bounded { in_time(took, longest(std::env::var(MAX_RUN_VARIABLE).ok())?) } else { Ok(()) })
}

/// What the reader is told of a test that fails.
const MEND: &str = "mend the test that fails above; `cargo xtask test -- --test NAME` runs one program";

/// Programs that wait for the stack most of the time, while others can have the processor.
const WAITING: [&str; 2] = ["stories", "api_fuzz"];

/// The tests that are asked for, one program after the other. One run tells of every program that fails.
fn one_lane(arguments: &[String], told: &dyn Fn(&mut Command)) -> Result<(), Failure> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(arguments);
    told(&mut command);
    shown(&mut command, MEND)
}

/// Every test: those that wait for the stack in one lane, all others in another one beside it, whose words come when it is through.
fn two_lanes(told: &(dyn Fn(&mut Command) + Sync)) -> Result<(), Failure> {
    let waiting = WAITING.map(|name| ["--test", name]).concat();
    let others: Vec<String> = programs()?.into_iter().filter(|name| !WAITING.contains(&name.as_str())).collect();
    let others: Vec<&str> =
        ["--lib", "--bins"].into_iter().chain(others.iter().flat_map(|name| ["--test", name.as_str()])).collect();
    let lane = |arguments: &[&str]| {
        let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
        command.args(arguments);
        told(&mut command);
        command
    };
    thread::scope(|scope| {
        let beside = scope.spawn(|| {
            let mut outcome = Ok(());
            for arguments in [others.as_slice(), &["--doc"]] {
                let said = captured(&mut lane(arguments))?;
                print!("{}", said.stderr);
                println!("{}", said.stdout);
                if !said.status.success() {
                    outcome = Err(Failure::new(format!("`cargo test` ended with {}", said.status), MEND));
                }
            }
            outcome
        });
        let stories = shown(&mut lane(&waiting), MEND);
        // A panic here is one of this program's own defects.
        let others = beside.join().unwrap_or_else(|_| Err(Failure::new("a lane of tests broke off", MEND)));
        stories.and(others)
    })
}

/// The names of the workspace's test programs.
fn programs() -> Result<Vec<String>, Failure> {
    let advice = "does `cargo metadata` work in this checkout?";
    let said = quiet(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]), advice)?;
    let unreadable = |error: serde_json::Error| Failure::new(format!("cargo's metadata: {error}"), advice);
    let metadata: Value = serde_json::from_str(&said.stdout).map_err(unreadable)?;
    let targets = metadata["packages"].as_array().into_iter().flatten();
    let targets = targets.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let tests = targets.filter(|target| target["kind"][0] == "test");
    let mut names: Vec<String> = tests.filter_map(|target| target["name"].as_str().map(str::to_owned)).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Whether a run is of every test, in the usual way: with a filter, `--nocapture` or anything else it may take as long as it likes.
fn asks_for_nothing(arguments: &[String], variables: &[(&str, String)]) -> bool {
    arguments.is_empty() && variables.is_empty()
}

/// Builds every test program, so that the bound on the run is none on the compiler. Examples in comments are built by rustdoc, as they run.
fn build() -> Result<(), Failure> {
    shown(&mut cargo(&["test", "--workspace", "--no-run"]), "mend what does not compile above")?;
    // A story starts it.
    witness_program(&Workspace::find()?)?;
    Ok(())
}

/// The bound: what the variable says, where it is set.
fn longest(variable: Option<String>) -> Result<Duration, Failure> {
    let Some(seconds) = variable else { return Ok(MAX_RUN) };
    let wrong = |_| Failure::new(format!("{MAX_RUN_VARIABLE} is {seconds}"), "set it to a whole number of seconds");
    seconds.parse().map(Duration::from_secs).map_err(wrong)
}

/// Holds a whole run to its bound.
fn in_time(took: Duration, most: Duration) -> Result<(), Failure> {
    if took <= most {
        return Ok(());
    }
    let (took, most) = (took.as_secs_f64(), most.as_secs());
    let cause = format!("every test passed, but they took {took:.1} s, more than {most} s");
    Err(Failure::new(
        cause,
        "run it again where nothing else runs; if it is slow there too, find the test that has become slow",
    ))
}

/// The tests of the program that holds the container. It has a feature of its own, so `--workspace` leaves it out.
fn holder() -> Result<(), Failure> {
    let mut command =
        cargo(&["test", "--package", "chartseal-local", "--features", "docker", "--bin", "chartseal-container"]);
    shown(&mut command, "mend the test that fails above")
}

/// Removes what interrupted runs left: their processes are gone. Where there is no /proc, nothing is known and all stays.
fn remove_left_behind(local: &Path, processes: &Path) {
    let Ok(entries) = fs::read_dir(local) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(FOLDER)).and_then(|pid| pid.parse::<u32>().ok());
        if processes.is_dir() && pid.is_some_and(|pid| !processes.join(pid.to_string()).exists()) {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_in_one_lane() {
        let programs = programs().expect("cargo tells of the workspace");
        for name in WAITING.into_iter().chain(["contract", "faults", "sealing", "cli"]) {
            assert!(programs.iter().any(|program| program == name), "{name}");
        }
    }

    #[test]
    fn only_a_run_that_asks_for_nothing_is_bounded() {
        assert!(asks_for_nothing(&[], &[]));
        for asked in [&["--test", "stories"][..], &["--", "--nocapture"], &["storm"]] {
            let asked: Vec<String> = asked.iter().map(|argument| (*argument).to_owned()).collect();
            assert!(!asks_for_nothing(&asked, &[]), "{asked:?}");
        }
        assert!(!asks_for_nothing(&[], &[("CHARTSEAL_SEED", "7".to_owned())]));
    }

    #[test]
    fn a_run_that_takes_too_long_fails() {
        assert!(in_time(MAX_RUN, MAX_RUN).is_ok());
        let failure = in_time(MAX_RUN + Duration::from_millis(100), MAX_RUN).expect_err("too long");
        assert!(failure.cause.contains("600.1 s, more than 600 s"), "{}", failure.cause);
    }

    #[test]
    fn another_bound_is_a_number_of_seconds() {
        assert_eq!(longest(None).ok(), Some(MAX_RUN));
        assert_eq!(longest(Some("900".to_owned())).ok(), Some(Duration::from_mins(15)));
        assert!(longest(Some("ten minutes".to_owned())).is_err());
    }

    #[test]
    fn only_folders_of_runs_that_are_gone_are_removed() {
        let local = std::env::temp_dir().join(format!("chartseal-xtask-left-{}", std::process::id()));
        for folder in ["proc/42", "test-41", "test-42", "test-data"] {
            fs::create_dir_all(local.join(folder)).expect("a writable temporary folder");
        }
        remove_left_behind(&local, &local.join("no-proc"));
        assert!(local.join("test-41").exists(), "where nothing is known, nothing is removed");
        remove_left_behind(&local, &local.join("proc"));
        let stays = ["test-41", "test-42", "test-data"].map(|folder| local.join(folder).exists());
        assert_eq!(stays, [false, true, true]);
        fs::remove_dir_all(local).expect("ours");
    }
}
