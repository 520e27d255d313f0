//! The emulator's life: it starts healthy and isolated, and is gone with whoever started it.

use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chartseal_local::{Emulator, Workspace, install, prerequisites};

/// How long a killed emulator may take to stop listening.
const GONE_LIMIT: Duration = Duration::from_secs(5);
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
