//! Every command three times: one event each, and the same answer.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chartseal_cli::{Client, SignedCommand};
use chartseal_events::Hash;
use chartseal_events::command::{
    AccessRequest, ProviderInvite, RecordCreate, RecordDownload, RecordKey, SearchPerform,
};
use chartseal_events::encoding::base64url;
use chartseal_events::event::EventRef;
use chartseal_events::purpose::Purpose;
use chartseal_events::wire::Receipt;

use super::Storm;

/// Commands that are sent three times each.
pub const COMMANDS: usize = 200;
/// Threads that send them.
const SENDERS: usize = 8;

/// The same bytes three times: at the same moment for every other command, one after the other for the rest. One event each, and the same answer.
pub fn three_times_each(storm: &Storm) {
    let operator = storm.stack.operator();
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= COMMANDS {
                        return;
                    }
                    let (client, path, signed) = command(storm, number, &operator);
                    let receipt = three_times(number, client, &path, &signed);
                    storm.note_place(EventRef { stream: receipt.stream, seq: receipt.seq }, receipt.leaf);
                }
            });
        }
    });
    storm.tells(&format!("{COMMANDS} commands, each sent three times"));
}

/// Of each ten commands: two make a record and two a request, both in a stream of their own; two want a key and two a download of the one hot record;
/// one searches, and one invites. Each has its function and its own way to find out that it was done before.
fn command<'a>(storm: &'a Storm, number: usize, operator: &'a Client) -> (&'a Client, String, SignedCommand) {
    let (owner, requester): (&Client, &Client) = (storm.owner(), storm.requester(0));
    let (record, version) = (storm.record, 1);
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

fn three_times(number: usize, client: &Client, path: &str, signed: &SignedCommand) -> Receipt {
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
    let mut answers: Vec<(u16, Receipt)> = if number.is_multiple_of(2) {
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
    answers.swap_remove(0).1
}
