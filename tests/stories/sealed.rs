//! Sealing on the deployed stack: whatever happens, every event comes into the log once, and soon; whatever the sealers do to each other, and whoever
//! kills them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_cli::DownloadOf;
use chartseal_tests::killer::{Hits, Orders};
use chartseal_tests::{Hands, Hospital, Killer, Stack, StoredLog, audited, sample};
use serde_json::{Value, json};

/// How long sealing may take at most, on a busy machine, with its sweep every minute.
const PATIENCE: Duration = Duration::from_mins(2);
/// From a command's answer to the published checkpoint that has its event: half of them.
const HALF_PUBLISHED: Duration = Duration::from_secs(2);
/// How many commands that is measured with.
const MEASURED: usize = 21;
/// Threads that send commands, and commands of each: together more leaves than a tile has.
const SENDERS: usize = 4;
const COMMANDS: usize = 50;
/// Threads that wake sealers by hand.
const RIVALS: usize = 3;
/// How far apart sealers are killed, at most, and how many.
const KILLS: (Duration, u64) = (Duration::from_millis(120), 40);
const SEED: u64 = 0x5ea1;

#[test]
fn every_event_comes_into_the_log_once_whatever_becomes_of_its_sealers() {
    let stack = Stack::sealing();
    let log = StoredLog::of(stack);
    let begun = Instant::now();
    let told = |what: &str| eprintln!("sealing: {:.1} s: {what}", begun.elapsed().as_secs_f64());

    let record = a_day(stack);
    let standing = log.until_all_is_sealed(PATIENCE, || ());
    told(&format!("a day's {} events in {} blocks", standing.events.len(), standing.blocks));
    let first = log.checkpoint().expect("published");

    soon_published(stack, &log);
    told("measured");

    let (hits, woken) = among_rivals(stack);
    told(&format!("{} sealers killed, {} of them at work; {woken} woken by hand", hits.killed, hits.at_work));
    assert!(hits.at_work > 0, "no sealer was killed at work: do they run on this machine?");
    let standing = log.until_all_is_sealed(PATIENCE, || ());
    let (events, blocks, tiles) = (standing.events.len(), standing.blocks, standing.tiles);
    told(&format!("{events} events in {blocks} blocks, {tiles} full tiles"));
    assert!(tiles > 0, "no tile became full");

    let hands = Hands(stack);
    for number in 0..4 {
        hands.invoke("seal", &payload(number));
    }
    // Nobody is told of what happens now: the sweep finds it.
    hands.hints(&["seal"], false);
    Hospital::verified(stack, "St. Dora").ask(record);
    let swept = log.until_all_is_sealed(PATIENCE, || {
        hands.invoke("seal", &json!({}));
    });
    hands.hints(&["seal"], true);
    assert!(swept.events.len() > events);
    let last = log.checkpoint().expect("published");
    assert!(last.size() > first.size(), "the log has grown");
    told("what no hint came for, by sweeps alone");
    // Not even who may do everything deletes what is locked. (It asks for all versions, the newest first.)
    let deleted =
        hands.try_do(&json!({"do": "delete-object", "bucket": stack.output("LedgerBucket"), "prefix": "checkpoint"}));
    assert!(deleted.as_ref().is_err_and(|why| why.contains("AccessDenied")), "{deleted:?}");
    assert_eq!(log.checkpoint(), Some(last));
    let report = audited(stack, PATIENCE, || {
        for sweeper in ["sweeper", "seal"] {
            hands.invoke(sweeper, &json!({}));
        }
    });
    assert_eq!(report.things["leaf"].accounted, log.standing().events.len() as u64);
    told("audited");
}

/// A record that one hospital keeps and another one reads.
fn a_day(stack: &Stack) -> chartseal_events::Id {
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let record = anna.keep(sample(1_000).path(), &["body:brain"]).record;
    let request = benedikt.granted(stack, record);
    let (download, _folder) = benedikt.fetch(DownloadOf::Request(request));
    download.expect("downloaded");
    record
}

/// From an answer to the checkpoint.
fn soon_published(stack: &Stack, log: &StoredLog<'_>) {
    let operator = stack.operator();
    let measure = |_| log.until_published(operator.invite(None, 1).expect("invited").event.leaf, PATIENCE);
    let mut took: Vec<Duration> = (0..MEASURED).map(measure).collect();
    took.sort_unstable();
    let half = took[MEASURED / 2];
    let (least, most) = (took[0], took[MEASURED - 1]);
    eprintln!("sealing: from answer to checkpoint: p50 {half:?}, {least:?} to {most:?}, {MEASURED} commands");
    assert!(half <= HALF_PUBLISHED, "{took:?}");
}

/// Commands, while sealers are woken for what is there and for what is not, get in each other's way, and are killed. Gives how many were killed and woken.
fn among_rivals(stack: &Stack) -> (Hits, usize) {
    let (done, woken) = (AtomicBool::new(false), AtomicUsize::new(0));
    let hits = thread::scope(|scope| {
        let (pause, most) = KILLS;
        let orders = Orders { functions: &[("seal", most)], pause, seed: SEED };
        let killer = Killer::begin(scope, stack, orders);
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| {
                    let operator = stack.operator();
                    for _ in 0..COMMANDS {
                        operator.invite(None, 1).expect("a sealer holds nobody up");
                    }
                })
            })
            .collect();
        for rival in 0..RIVALS {
            let (done, woken) = (&done, &woken);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let calls: Vec<(&str, Value)> = (0..8).map(|n| ("seal", payload(rival + n))).collect();
                    // A killed one answers nobody.
                    let answered = Hands(stack).invoke_all(&calls);
                    woken.fetch_add(answered.len(), Ordering::Relaxed);
                }
            });
        }
        for sender in senders {
            sender.join().expect("sent");
        }
        done.store(true, Ordering::Relaxed);
        killer.end().remove("seal").unwrap_or_default()
    });
    (hits, woken.into_inner())
}

/// A sweep, a hint that came before, or one of what is not there.
fn payload(number: usize) -> Value {
    let hint = |stream: &str, seq: u64| json!({"Records": [{"dynamodb": {"Keys": {"stream": {"S": stream}, "seq": {"N": seq.to_string()}}}}]});
    match number % 4 {
        0 | 1 => json!({}),
        2 => hint("vault", 0),
        _ => hint("record/01JD304F6H8K0M2N4P6Q8R0S2T", 7),
    }
}
