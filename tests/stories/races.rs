//! Races and repeats: what happens twice or at once happens once.

use std::sync::Barrier;
use std::thread;

use chartseal_cli::{Client, Error, Person, Wallet};
use chartseal_events::command::{AccessApprove, AccessDeny, RecordCreate, RecordVersion};
use chartseal_events::{Action, Code, Command};
use chartseal_tests::people::PATIENCE;
use chartseal_tests::{Hospital, Stack, sample};

type Task<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Runs all of them at the same moment.
fn at_once<T: Send>(tasks: Vec<Task<'_, T>>) -> Vec<T> {
    let barrier = Barrier::new(tasks.len());
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for task in tasks {
            let barrier = &barrier;
            threads.push(scope.spawn(move || {
                barrier.wait();
                task()
            }));
        }
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

#[test]
fn two_hospitals_race_for_one_invitation() {
    let stack = Stack::usual();
    for _ in 0..4 {
        let invitation = stack.operator().invite(None, 1).expect("invited").invitation;
        let (invitation, vault) = (&invitation, &stack.vault());
        let register = |name: &'static str| -> Box<dyn FnOnce() -> Result<(), Error> + Send> {
            Box::new(move || {
                let mut client = Client::new(vault.clone(), Wallet::generate().expect("a wallet"));
                client
                    .register(invitation, &Person { organisation: name, name: "A", phone: "1", email: None })
                    .map(|_| ())
            })
        };
        let outcomes = at_once(vec![register("One"), register("Two")]);
        let losers: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(losers.len(), 1, "{outcomes:?}");
        assert_eq!(losers[0].code(), Code::InvitationUsed.name());
        let profile = stack.operator().show_provider(invitation.provider).expect("shown");
        assert_eq!(profile.profile.status, "pending");
        assert_eq!(
            profile.sound.events.values().map(Vec::len).sum::<usize>(),
            1 + 2 + 1,
            "genesis, two of the provider, one person"
        );
    }
}

#[test]
fn approval_and_denial_at_once_are_one_decision() {
    let stack = Stack::usual();
    let (anna, benedikt) = (Hospital::verified(stack, "St. Anna"), Hospital::verified(stack, "St. Benedikt"));
    let kept = anna.keep(sample(10).path(), &[]);
    for _ in 0..3 {
        let request = benedikt.ask(kept.record);
        let operator = stack.operator();
        let looked_at = operator.wait_request(request, "verified", PATIENCE).expect("verified");
        let (operator, looked_at) = (&operator, &looked_at);
        let outcomes = at_once(vec![
            Box::new(move || operator.approve(looked_at, None).map(|_| ())) as Box<dyn FnOnce() -> _ + Send>,
            Box::new(move || operator.deny(looked_at, "no").map(|_| ())),
            Box::new(move || operator.approve(looked_at, None).map(|_| ())),
        ]);
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        for loser in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert_eq!(loser.code(), Code::AlreadyDecided.name());
        }
        let sound = benedikt.request(request).expect("shown").sound;
        let decisions = sound.events.values().flatten().filter(|event| {
            let action = event.command.as_ref().map(|command| &command.action);
            matches!(action, Some(Action::AccessApprove(AccessApprove { .. }) | Action::AccessDeny(AccessDeny { .. })))
        });
        assert_eq!(decisions.count(), 1);
    }
}

#[test]
fn the_same_command_many_times_at_once_is_one_event() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let signed = anna.sign(RecordCreate {}, &[]).expect("signed");
    let (client, command) = (&anna.client, &signed);
    let send = || -> Box<dyn FnOnce() -> (u16, String) + Send> {
        Box::new(move || {
            let answer = client.post("/records", command, None).expect("an answer");
            let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
            (answer.status, body["event"]["leaf"].to_string())
        })
    };
    let answers = at_once((0..8).map(|_| send()).collect());
    assert!(answers.iter().all(|(_, leaf)| *leaf == answers[0].1), "{answers:?}");
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 7, "{answers:?}");
}

#[test]
fn the_same_jti_with_another_payload_is_refused() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let kept = anna.keep(sample(10).path(), &[]);
    let path = format!("/records/{}/versions", kept.record);
    let signed = anna.sign(RecordVersion { record: kept.record }, &[]).expect("signed");
    assert_eq!(anna.post(&path, &signed, None).expect("an answer").status, 201);
    assert_eq!(anna.post(&path, &signed, None).expect("an answer").status, 200, "the same bytes");

    let mut other = signed.clone();
    let mut claims = signed.command.claims.clone();
    claims.iat += 1;
    other.command = Command::sign(
        anna.wallet.kid(),
        claims,
        signed.command.action.clone(),
        &signed.private,
        anna.wallet.signing_key(),
    );
    assert_eq!(anna.post(&path, &other, None).expect("an answer").code(), Some(Code::JtiReused));
}

#[test]
fn versions_made_at_once_are_different_versions() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let record = anna.keep(sample(10).path(), &[]).record;
    let client = &anna.client;
    let make = || -> Task<'_, u32> { Box::new(move || client.create_version(record).expect("made").version) };
    let mut versions = at_once((0..4).map(|_| make()).collect());
    versions.sort_unstable();
    assert_eq!(versions, [2, 3, 4, 5]);
}

#[test]
fn many_writers_to_one_record_leave_one_sound_stream() {
    let stack = Stack::usual();
    let anna = Hospital::verified(stack, "St. Anna");
    let kept = anna.keep(sample(10).path(), &[]);
    let client = &anna.client;
    let record = kept.record;
    let key = || -> Box<dyn FnOnce() -> Result<(), Error> + Send> {
        Box::new(move || {
            let path = format!("/records/{record}/key");
            let action = chartseal_events::command::RecordKey { record, version: 1 };
            client.send::<chartseal_events::wire::IssuedKey>(&chartseal_cli::Call::new(&path, action)).map(|_| ())
        })
    };
    for outcome in at_once((0..6).map(|_| key()).collect()) {
        outcome.expect("everybody gets a turn");
    }
    let shown = anna.record(record).expect("sound evidence");
    let issued = shown.sound.events.values().flatten().filter(|event| event.outcome.typ() == "key.issued.v1").count();
    assert_eq!(issued, 6);
}
