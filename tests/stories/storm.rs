//! A storm: 32 clients at one record, every command sent three times, functions killed in the middle, stream records and notifications lost. Then the
//! sweeper heals, and an audit that accounts for every item says that nothing was lost, nothing happened twice, and nothing is left over.
//!
//! All of it is one story, because healing leaves the last half minute to the consumer: that is waited for once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use chartseal_audit::Settings;
use chartseal_cli::{Call, Client, DownloadOf, NewRequest, SignedCommand};
use chartseal_events::command::{
    AccessRequest, ProviderInvite, RecordCreate, RecordDownload, RecordKey, SearchPerform,
};
use chartseal_events::encoding::base64url;
use chartseal_events::event::{EventRef, leaf_hash};
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::{IssuedKey, Receipt};
use chartseal_events::{Event, Hash, Id};
use chartseal_tests::killer::Chance;
use chartseal_tests::{Hands, Hospital, Killer, Stack, audit, audited, impatient, sample};
use serde_json::json;

/// Clients at one record.
const CLIENTS: usize = 32;
/// Commands that are sent three times each.
const COMMANDS: usize = 200;
/// Threads that send them.
const SENDERS: usize = 8;
/// How far apart functions are killed, at most.
const KILL_PAUSE: Duration = Duration::from_millis(150);
/// How many are killed in each of the two parts, at most.
const MOST_KILLED: u64 = 60;
/// How long a request may take to be verified while functions are killed.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the vault acknowledged: every event that an answer told of.
#[derive(Default)]
struct Acknowledged(Mutex<BTreeMap<EventRef, Hash>>);

impl Acknowledged {
    fn note(&self, event: &Event) {
        self.put(event.place, event.leaf);
    }

    fn put(&self, place: EventRef, leaf: Hash) {
        let before = self.0.lock().expect("no panic holds it").insert(place, leaf);
        assert!(before.is_none_or(|before| before == leaf), "{place} was acknowledged as two different events");
    }
}

#[test]
fn a_storm_leaves_every_item_accounted_for() {
    let stack = Stack::stormy();
    let seed = std::env::var("CHARTSEAL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) ^ 0x5eed);
    say(&format!("storm: CHARTSEAL_SEED={seed}"));
    let begun = Instant::now();
    let told = |what: &str| say(&format!("storm: {:.1} s: {what}", begun.elapsed().as_secs_f64()));

    let acknowledged = Acknowledged::default();
    let hospitals = ["St. Anna", "St. Benedikt", "St. Clara"].map(|name| Hospital::verified(stack, name));
    let record = hospitals[0].keep(sample(20_000).path(), &["body:brain"]).record;
    told("prepared");

    let stop = AtomicBool::new(false);
    let killed = thread::scope(|scope| {
        let killer = Killer::begin(scope, stack, &stop, (KILL_PAUSE, MOST_KILLED), seed);
        // An audit in the middle of it: what moves is no finding.
        let meanwhile =
            scope.spawn(|| audit(stack, Settings { grace_ms: 300_000, ..impatient(stack) }, Duration::ZERO));
        many_at_one_record(stack, &hospitals, record, &acknowledged);
        let report = meanwhile.join().expect("audited");
        assert!(report.sound, "meanwhile:\n{}", report.in_words());
        killer.end()
    });
    told(&format!("{CLIENTS} clients at one record, {killed} functions killed"));
    assert!(killed > 0, "no function was killed: do they run on this machine?");

    three_times_each(stack, &hospitals, record, &acknowledged);
    told(&format!("{COMMANDS} commands, each sent three times"));

    let killed = in_the_dark(stack, &hospitals, record, seed, &acknowledged);
    told(&format!("without stream records and notifications, {killed} functions killed"));
    assert!(killed > 0, "no function was killed in the dark");

    let report = audited(stack, Duration::from_mins(2), || {
        Hands(stack).invoke("sweeper", &json!({}));
    });
    told("healed by sweeps alone, and audited");
    Hands(stack).hints(&WOKEN, true);
    eprintln!("{}", report.in_words());
    nothing_is_lost(stack, &acknowledged, &report);
}

/// Requests, decisions, keys, downloads, versions, uploads and searches, all at once and on one record.
fn many_at_one_record(stack: &Stack, hospitals: &[Hospital; 3], record: Id, acknowledged: &Acknowledged) {
    let barrier = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                one_client(number, stack, hospitals, record, acknowledged);
            });
        }
    });
}

fn one_client(number: usize, stack: &Stack, hospitals: &[Hospital; 3], record: Id, acknowledged: &Acknowledged) {
    let owner = &hospitals[0];
    let requester = &hospitals[1 + number % 2];
    match number % 8 {
        0 | 1 => {
            let request = ask(requester, record, acknowledged);
            let operator = stack.operator();
            let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified");
            if number.is_multiple_of(8) {
                acknowledged.note(&operator.approve(&looked_at, Some("go on")).expect("approved"));
                acknowledged.note(&requester.fetch(DownloadOf::Request(request)).0.expect("downloaded").event);
            } else {
                acknowledged.note(&operator.deny(&looked_at, "not needed").expect("denied"));
            }
        }
        2 | 3 => owner_keys(owner, record, 3, acknowledged),
        4 => {
            acknowledged.note(&owner.fetch(DownloadOf::Record(record, Some(1))).0.expect("downloaded").event);
        }
        5 => acknowledged.note(&owner.keep(sample(5_000).path(), &["body:heart"]).event),
        6 => {
            // Others make versions too: one has been made when the last one is uploaded or not waited for.
            let created = owner.create_version(record).expect("a version");
            acknowledged.note(&created.event);
        }
        _ => {
            acknowledged.note(&requester.search("body:brain").expect("searched").event);
        }
    }
}

/// Asks for the record, and remembers that the vault said yes.
fn ask(requester: &Hospital, record: Id, acknowledged: &Acknowledged) -> Id {
    let new = NewRequest {
        record,
        version: 1,
        purpose: Purpose::Treatment,
        grant_seconds: 3_600,
        justification: "the patient is here",
    };
    let (request, event) = requester.request_access(&new).expect("requested");
    acknowledged.note(&event);
    request
}

fn owner_keys(owner: &Hospital, record: Id, count: usize, acknowledged: &Acknowledged) {
    let path = format!("/records/{record}/key");
    for _ in 0..count {
        let call = Call::new(&path, RecordKey { record, version: 1 });
        acknowledged.note(&owner.send::<IssuedKey>(&call).expect("a key").event);
    }
}

/// The same bytes three times: at the same moment for every other command, one after the other for the rest. One event each, and the same answer.
fn three_times_each(stack: &Stack, hospitals: &[Hospital; 3], record: Id, acknowledged: &Acknowledged) {
    let operator = stack.operator();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= COMMANDS {
                        return;
                    }
                    let (client, path, signed) = command(number, &operator, hospitals, record);
                    three_times(number, client, &path, &signed, acknowledged);
                }
            });
        }
    });
}

/// Of each ten commands: two make a record and two a request, both in a stream of their own; two want a key and two a download of the one hot record;
/// one searches, and one invites. Each has its function and its own way to find out that it was done before.
fn command<'a>(
    number: usize,
    operator: &'a Client,
    hospitals: &'a [Hospital; 3],
    record: Id,
) -> (&'a Client, String, SignedCommand) {
    let (owner, requester): (&Client, &Client) = (&hospitals[0], &hospitals[1]);
    let version = 1;
    // Even ones are sent at the same moment (`three_times`): half of each kind, all searches and no invitation.
    let (client, path, signed) = match number % 10 {
        0 | 5 => (owner, format!("/records/{record}/key"), owner.sign(RecordKey { record, version }, &[])),
        1 | 6 => (requester, "/records".to_owned(), requester.sign(RecordCreate {}, &[])),
        2 | 7 => (owner, format!("/records/{record}/download"), owner.sign(RecordDownload { record, version }, &[])),
        3 | 8 => {
            let asked = AccessRequest { record, version, purpose: Purpose::Treatment, grant_seconds: 3_600 };
            let private = [("justification", "the patient is here")];
            (requester, format!("/records/{record}/requests"), requester.sign(asked, &private))
        }
        4 => {
            let query = format!(r#"{{"any":[["{}"]]}}"#, base64url(&[7; 32]));
            (requester, "/search".to_owned(), requester.sign(SearchPerform {}, &[("query", &query)]))
        }
        _ => {
            let code_hash = Hash([u8::try_from(number).expect("few"); 32]);
            let invite = ProviderInvite { code_hash, expires_at: operator.vault.now_ms() + 3_600_000 };
            (operator, "/invitations".to_owned(), operator.sign(invite, &[]))
        }
    };
    (client, path, signed.expect("signed"))
}

fn three_times(number: usize, client: &Client, path: &str, signed: &SignedCommand, acknowledged: &Acknowledged) {
    let send = || {
        // As the client does: a busy vault is asked again, with the same bytes.
        for _ in 0..20 {
            let answer = client.post(path, signed, None).expect("an answer");
            if answer.status < 300 {
                let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
                let receipt: Receipt = serde_json::from_value(body["event"].clone()).expect("a receipt");
                return (answer.status, receipt);
            }
            assert!(answer.status >= 500 || answer.status == 409, "{path} {} {:?}", answer.status, answer.code());
        }
        panic!("the vault is busy for ever");
    };
    let answers: Vec<(u16, Receipt)> = if number.is_multiple_of(2) {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            let (send, barrier) = (&send, &barrier);
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(move || {
                        barrier.wait();
                        send()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        })
    } else {
        (0..3).map(|_| send()).collect()
    };
    let places: BTreeSet<(String, u64, String)> = answers
        .iter()
        .map(|(_, receipt)| (receipt.stream.to_string(), receipt.seq, receipt.leaf.to_string()))
        .collect();
    assert_eq!(places.len(), 1, "command {number}: {answers:?}");
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "command {number}: {answers:?}");
    let receipt = &answers[0].1;
    acknowledged.put(EventRef { stream: receipt.stream, seq: receipt.seq }, receipt.leaf);
}

/// Past the test harness, which keeps what passing tests print: a seed must be known afterwards.
fn say(line: &str) {
    // Nobody to tell is no failure.
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// What hints wake.
const WOKEN: [&str; 3] = ["consumer", "commit", "sweeper"];

/// Nobody hears of anything: the stream has no consumer, S3 tells nobody, the clock wakes nobody. Functions are killed as before. Uploads wait for the
/// sweeper, which is invoked meanwhile.
fn in_the_dark(stack: &Stack, hospitals: &[Hospital; 3], record: Id, seed: u64, acknowledged: &Acknowledged) -> u64 {
    Hands(stack).hints(&WOKEN, false);
    let stop = AtomicBool::new(false);
    let mut chance = Chance(seed ^ 1);
    let left = AtomicUsize::new(0);
    thread::scope(|scope| {
        let hunter = Killer::begin(scope, stack, &stop, (KILL_PAUSE, MOST_KILLED), seed ^ 2);
        let uploads: Vec<_> = (0..4)
            .map(|_| {
                let bytes = 1_000 + usize::try_from(chance.below(90_000)).expect("small");
                left.fetch_add(1, Ordering::Relaxed);
                let left = &left;
                scope.spawn(move || {
                    let kept = hospitals[0].keep(sample(bytes).path(), &["body:hand"]);
                    acknowledged.note(&kept.event);
                    left.fetch_sub(1, Ordering::Relaxed);
                })
            })
            .collect();
        let asked: Vec<_> =
            (0..4).map(|number| scope.spawn(move || ask(&hospitals[1 + number % 2], record, acknowledged))).collect();
        owner_keys(&hospitals[0], record, 10, acknowledged);
        for thread in asked {
            thread.join().expect("asked");
        }
        let killed = hunter.end();
        // The dark is dark: what follows from the requests is not there.
        let report = audit(stack, impatient(stack), Duration::ZERO);
        let missing = |code: &str| report.findings.iter().any(|finding| finding.code == code);
        assert!(missing("posting-missing") && missing("grant-overdue"), "{}", report.in_words());
        while left.load(Ordering::Relaxed) > 0 && uploads.iter().any(|upload| !upload.is_finished()) {
            Hands(stack).invoke("sweeper", &json!({}));
        }
        for upload in uploads {
            upload.join().expect("uploaded");
        }
        killed
    })
}

/// Every event that was acknowledged is there as it was told, and everything was read.
fn nothing_is_lost(stack: &Stack, acknowledged: &Acknowledged, report: &chartseal_audit::Report) {
    let stored: BTreeMap<(String, String), Hash> = Hands(stack)
        .items("EventsTable")
        .iter()
        .map(|item| {
            let body = hex::decode(item["body"]["B"].as_str().expect("a body")).expect("hex");
            let text = |name: &str, kind: &str| item[name][kind].as_str().expect("a key").to_owned();
            ((text("stream", "S"), text("seq", "N")), leaf_hash(&body))
        })
        .collect();
    let acknowledged = acknowledged.0.lock().expect("no panic holds it");
    assert!(acknowledged.len() > COMMANDS, "{} events were acknowledged", acknowledged.len());
    for (place, leaf) in acknowledged.iter() {
        let found = stored.get(&(place.stream.to_string(), place.seq.to_string()));
        assert_eq!(found, Some(leaf), "{place} was acknowledged");
    }
    let events = report.things["event"];
    assert_eq!((events.read, events.accounted), (stored.len() as u64, stored.len() as u64));
    for (thing, tally) in &report.things {
        assert_eq!(tally.read, tally.accounted, "{thing}: {tally:?}");
    }
}
