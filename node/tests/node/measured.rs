//! What a node costs. `CHARTSEAL_NODE_PROGRAM` names the program that is measured (a release build); times are this machine's.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chartseal_replay::testing::{Log as Sealed, Mix, Served, T0};

use crate::begun;
use crate::double::{Log, Vault};
use crate::process::{Running, make, serve};

/// The value in KiB of a line of `/proc/<pid>/status`.
fn kib(node: &Running, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("Linux");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Looks follow one another a tenth of a second apart at the earliest; a log's checkpoints do not come faster, and a measurement must not.
const APART: Duration = Duration::from_millis(250);

fn shown(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p95 {:?}, most {:?} of {}", at(50), at(95), at(100), times.len());
}

#[test]
#[ignore = "a measurement"]
fn hashes_only() {
    const BLOCKS: usize = 200;
    const ROUNDS: usize = 50;
    let mut log = Log::new();
    (0..BLOCKS).for_each(|_| log.grow(999, "event"));
    let first = log.checkpoint(BLOCKS);
    (0..ROUNDS).for_each(|_| log.grow(99, "event"));
    let mut old = 0;
    let requests: Vec<(String, String)> = (0..=ROUNDS)
        .map(|round| {
            let request = log.request(old, BLOCKS + round);
            old = log.size(BLOCKS + round);
            (request, log.checkpoint(BLOCKS + round))
        })
        .collect();
    let vault = Vault::of(log.clone());
    vault.shown().blocks = BLOCKS;
    vault.shown().checkpoint = Some(first);
    let folder = tempfile::tempdir().expect("a folder");
    make(folder.path(), "witness.example/one", &log, serve(vault.clone()));
    let began = Instant::now();
    let node = Running::start(folder.path(), &["--poll-s", "3600"]);
    node.wait("all", |status| status["size"] == log.size(BLOCKS));
    println!("{} leaves of {BLOCKS} blocks followed in {:?}, start included", log.size(BLOCKS), began.elapsed());
    let mut times = Vec::new();
    for (round, (request, checkpoint)) in requests.iter().enumerate() {
        vault.shown().blocks = BLOCKS + round;
        vault.shown().checkpoint = Some(checkpoint.clone());
        std::thread::sleep(APART);
        let began = Instant::now();
        assert_eq!(node.post(request).expect("an answer").status, 200);
        times.push(began.elapsed());
    }
    shown("a block of 100, from its checkpoint to the cosignature", times.split_off(1));
    let (size, blocks) = (log.size(BLOCKS + ROUNDS), BLOCKS + ROUNDS);
    let again = log.request(size, blocks);
    let times = (0..200).map(|_| {
        let began = Instant::now();
        assert_eq!(node.post(&again).expect("an answer").status, 200);
        began.elapsed()
    });
    shown("the same checkpoint again", times.collect());
    println!("memory at most {} KiB, now {} KiB", kib(&node, "VmHWM"), kib(&node, "VmRSS"));
}

#[test]
#[ignore = "a measurement"]
fn full() {
    const EVENTS: usize = 20_000;
    const ROUNDS: usize = 50;
    let mut mix = Mix::new(4);
    while mix.world.open.len() < EVENTS + ROUNDS * 20 {
        mix.go_on();
    }
    let bodies: Vec<String> = mix.world.open.iter().map(|event| event.body.clone()).collect();
    let (many, few) = bodies.split_at(EVENTS);
    let (mut log, mut served) = (Sealed::default(), Served::default());
    for (height, bodies) in many.chunks(500).chain(few.chunks(20)).enumerate() {
        let block = log.seal(bodies, T0 + 1_000 * height as u64);
        served.push(&log, block, bodies.to_vec());
    }
    let first = EVENTS / 500;
    let notes = served.notes.clone();
    served.note = Some(notes[first - 1].clone());
    let text = |place: usize| String::from_utf8(notes[place].clone()).expect("text");
    let whole = Arc::new(Mutex::new(served.clone()));
    let folder = tempfile::tempdir().expect("a folder");
    let wallet = begun::wallet(folder.path(), &served, begun::api(&whole));
    let node = folder.path().join("witness");
    let wallet = wallet.to_str().expect("UTF-8");
    let made = begun::init(&["witness", "--name", "witness.example/one", "--wallet", wallet], &node);
    assert_eq!(made.status.code(), Some(0));
    let began = Instant::now();
    let running = Running::start(&node, &["--poll-s", "3600", "--wallet", wallet]);
    running.wait("all", |status| status["blocks"] == first);
    println!("{EVENTS} events judged in {:?}, start included", began.elapsed());
    assert_eq!(running.post(&format!("old 0\n\n{}", text(first - 1))).expect("an answer").status, 200);
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let place = first + round;
        whole.lock().expect("no panic").note = Some(notes[place].clone());
        let request = begun::request(&served, place);
        std::thread::sleep(APART);
        let began = Instant::now();
        let answer = running.post(&request).expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        times.push(began.elapsed());
    }
    shown("a block of 20, from its checkpoint to the cosignature", times);
    println!("memory at most {} KiB, now {} KiB", kib(&running, "VmHWM"), kib(&running, "VmRSS"));
    let bytes = |name: &str| -> u64 {
        let entries = std::fs::read_dir(node.join(name)).expect("a folder").flatten();
        entries.map(|entry| entry.metadata().expect("there").len()).sum()
    };
    println!("disk: copy {} KiB, events {} KiB", bytes("copy") / 1024, bytes("events") / 1024);
}
