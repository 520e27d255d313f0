//! The emulator's life: it starts healthy and isolated, and is gone with whoever started it.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chartseal_local::{Emulator, LocalStack, Workspace, install, prerequisites};

/// How long an ended emulator may take to stop listening: a container is removed first.
const GONE_LIMIT: Duration = Duration::from_secs(30);
/// What the other process prints before its emulator's address.
const MARK: &str = "emulator at ";

fn workspace() -> Workspace {
    prerequisites().unwrap();
    let workspace = Workspace::find().unwrap();
    install(&workspace).unwrap();
    workspace
}

fn listens(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).is_ok()
}

fn is_gone(url: &str) -> bool {
    let start = Instant::now();
    while listens(url) {
        if start.elapsed() > GONE_LIMIT {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn two_run_side_by_side_and_each_stops_alone() {
    let workspace = workspace();
    let first = Emulator::start(&workspace).unwrap();
    let second = Emulator::start(&workspace).unwrap();
    let (one, other) = (first.endpoint().url.clone(), second.endpoint().url.clone());
    assert_ne!(one, other);
    assert!(first.is_healthy() && second.is_healthy());
    let temporary = first.log_file().with_file_name("tmp");
    assert!(temporary.is_dir());

    first.stop().unwrap();
    assert!(!listens(&one));
    assert!(!temporary.exists());
    assert!(second.is_healthy());

    drop(second);
    assert!(!listens(&other));
}

#[test]
fn an_engine_that_was_asked_for_and_does_not_answer_fails_with_what_to_do() {
    workspace();
    let asked = |variables: &[(&str, &str)]| {
        let mut other = Command::new(env::current_exe().unwrap());
        other.args(["--exact", "asks_for_an_emulator", "--ignored", "--nocapture"]).stdin(Stdio::null());
        for name in ["CHARTSEAL_STACK", "CHARTSEAL_IMAGE", "CHARTSEAL_STACK_FILE", "AWS_ENDPOINT_URL"] {
            other.env_remove(name);
        }
        let output = other.envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success(), "it was not skipped: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let nowhere = "unix:///nowhere/engine.sock";
    let said = asked(&[("CHARTSEAL_STACK", "docker"), ("DOCKER_HOST", nowhere)]);
    for part in
        ["no container engine answers", nowhere, "No such file", "apt install docker.io", "unset CHARTSEAL_STACK"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = asked(&[("CHARTSEAL_STACK", "aws")]);
    assert!(said.contains("the contract of the adapters runs, and nothing else here"), "{said}");
    let said = asked(&[("CHARTSEAL_STACK", "podman")]);
    assert!(said.contains("CHARTSEAL_STACK is podman"), "{said}");
    let localstack = ("CHARTSEAL_IMAGE", "localstack/localstack:4.5");
    let said = asked(&[("CHARTSEAL_STACK", "docker"), localstack, ("DOCKER_HOST", nowhere)]);
    assert!(said.contains("a vault cannot be deployed in localstack/localstack:4.5"), "{said}");
}

#[test]
#[ignore = "the other process of an_engine_that_was_asked_for_and_does_not_answer_fails_with_what_to_do"]
fn asks_for_an_emulator() {
    let workspace = workspace();
    let vault = LocalStack::asked_for(&workspace).map(|_| ());
    let emulator = Emulator::start(&workspace).and_then(Emulator::stop);
    for outcome in [&vault, &emulator] {
        println!("{}", outcome.as_ref().map_or_else(ToString::to_string, |()| "it is there".to_owned()));
    }
    assert!(vault.and(emulator).is_ok(), "as it must where it is absent");
}

#[test]
fn it_dies_with_a_parent_that_was_killed() {
    workspace();
    let mut parent = Parent(
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "holds_an_emulator", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let output = BufReader::new(parent.0.stdout.take().unwrap());
    // The test harness may print the test's name on the same line.
    let url = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split_once(MARK).map(|(_, url)| url.to_owned()))
        .expect("the other process names its emulator");
    assert!(listens(&url));

    // No destructor runs after SIGKILL.
    parent.0.kill().unwrap();
    parent.0.wait().unwrap();
    assert!(is_gone(&url), "the emulator at {url} outlived its parent");
}

/// Ends the other process whatever the test finds.
struct Parent(Child);

impl Drop for Parent {
    fn drop(&mut self) {
        let _already_dead = self.0.kill();
    }
}

#[test]
#[ignore = "the other process of it_dies_with_a_parent_that_was_killed"]
fn holds_an_emulator() {
    let emulator = Emulator::start(&workspace()).unwrap();
    println!("{MARK}{}", emulator.endpoint().url);
    // Until killed; or until the input ends, when somebody runs this test alone.
    let _ended = io::stdin().read_to_end(&mut Vec::new());
}
