//! Requests, decisions, keys, downloads, versions, uploads and searches, all at once and most of them on one record, while functions are killed.

use std::sync::Barrier;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use chartseal_audit::Settings;
use chartseal_cli::DownloadOf;
use chartseal_tests::killer::Orders;
use chartseal_tests::{Killer, audit, impatient};

use super::{KILL_PAUSE, Storm, in_words};

/// Clients at once.
const CLIENTS: usize = 32;
/// Whom the killer is after, and how often at most, of which half may be wasted on those that only wait. A stream's batch is tried again after a second, a task of
/// the workflow after 2, 4, 8, ... seconds, five times.
const PREY: [(&str, u64); 9] = [
    ("commit", 4),
    ("consumer", 4),
    ("decide", 10),
    ("download", 10),
    ("issue-key", 10),
    ("records", 10),
    ("request", 10),
    ("search", 10),
    ("workflow", 10),
];
/// How often each must have been hit at work. Where the crowd is done before that, others come.
const LEAST: [(&str, u64); 9] = [
    ("commit", 1),
    ("consumer", 2),
    ("decide", 2),
    ("download", 2),
    ("issue-key", 2),
    ("records", 2),
    ("request", 2),
    ("search", 2),
    ("workflow", 2),
];
/// Those who come again: everybody but who makes versions.
const AGAIN: [usize; 9] = [0, 1, 2, 4, 5, 7, 8, 15, 9];
/// How long others come, at most.
const CROWDED: Duration = Duration::from_mins(1);
/// How long a request may take to be verified while functions are killed.
const PATIENCE: Duration = Duration::from_secs(90);

/// Uploads may go on when this is over: the emulator tells commit only once, so one that was killed is waited for until sweeps begin.
pub fn many_at_one_record<'scope, 'env>(storm: &'env Storm, uploads: &'scope Scope<'scope, 'env>) {
    let begun = Instant::now();
    let hits = thread::scope(|scope| {
        let orders = Orders { functions: &PREY, pause: KILL_PAUSE, seed: storm.seed };
        let killer = Killer::begin(scope, storm.stack, orders);
        // An audit in the middle of it: what moves is no finding.
        let settings = Settings { grace_ms: 300_000, ..impatient(storm.stack) };
        let meanwhile = scope.spawn(move || audit(storm.stack, settings, Duration::ZERO));
        all_at_once(storm, uploads, &(0..CLIENTS).collect::<Vec<_>>());
        while storm.spared(&killer.hits(), &LEAST).is_some() && begun.elapsed() < CROWDED {
            all_at_once(storm, uploads, &AGAIN);
        }
        let report = meanwhile.join().expect("audited");
        assert!(report.sound, "meanwhile:\n{}", report.in_words());
        killer.end()
    });
    storm.tells(&format!("{CLIENTS} clients at one record, {}", in_words(&hits)));
    storm.tells(&format!("invocations without a line: {}", storm.without_a_line(&LEAST)));
    assert_eq!(storm.spared(&hits, &LEAST), None);
}

fn all_at_once<'scope, 'env>(storm: &'env Storm, uploads: &'scope Scope<'scope, 'env>, numbers: &[usize]) {
    let barrier = &Barrier::new(numbers.len());
    thread::scope(|scope| {
        for &number in numbers {
            scope.spawn(move || {
                barrier.wait();
                one_client(storm, uploads, number);
            });
        }
    });
}

fn one_client<'scope, 'env>(storm: &'env Storm, uploads: &'scope Scope<'scope, 'env>, number: usize) {
    let (owner, requester) = (storm.owner(), storm.requester(number));
    match number % 8 {
        0 | 1 => {
            let request = storm.ask(number);
            let operator = storm.stack.operator();
            let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified");
            if number.is_multiple_of(8) {
                storm.note(&operator.approve(&looked_at, Some("go on")).expect("approved"));
                storm.note(&requester.fetch(DownloadOf::Request(request)).0.expect("downloaded").event);
            } else {
                storm.note(&operator.deny(&looked_at, "not needed").expect("denied"));
            }
        }
        2 | 3 => storm.owner_keys(3),
        4 => storm.note(&owner.fetch(DownloadOf::Record(storm.record, Some(1))).0.expect("downloaded").event),
        5 => drop(uploads.spawn(|| storm.keep(5_000, "body:heart"))),
        // Others make versions too: one has been made when the last one is uploaded or not waited for.
        6 => storm.note(&owner.create_version(storm.record).expect("a version").event),
        _ => storm.note(&requester.search("body:brain").expect("searched").event),
    }
}
