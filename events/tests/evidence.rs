//! Evidence of a whole day is sound; evidence that anybody touched is not, and the error says where.

mod world;

use chartseal_events::command::{KeyIssue, RecordKey, RequestDownload, SearchPerform};
use chartseal_events::encoding::Hash;
use chartseal_events::event::{Seen, leaf_hash};
use chartseal_events::evidence::{Evidence, Unsound};
use chartseal_events::state::FoldError;
use chartseal_events::{Bytes, Code, StreamId};
use world::World;

/// A day with every type of event that commands and observations lead to.
fn day() -> World {
    let mut world = World::new();
    let (ann, bob) = (world.member(10), world.member(11));
    let operator = world.operator.clone();
    let record = world.uploaded(&ann);
    world.run(&ann, RecordKey { record, version: 1 }).expect("issued");
    world.run(&bob, SearchPerform {}).expect("searched");
    let request = world.checked_request(&bob, record);
    world.approve(&operator, request).expect("approved");
    world.run(&bob, KeyIssue { request, record }).expect("issued");
    world.run(&bob, RequestDownload { request, record }).expect("released");
    let denied = world.checked_request(&bob, record);
    world.deny(&operator, denied).expect("denied");
    world.suspend(bob.provider()).expect("suspended");
    world
}

/// Changes one body and recomputes nothing.
fn with_body(evidence: &Evidence, stream: StreamId, seq: usize, body: String) -> Evidence {
    let mut changed = evidence.clone();
    changed.0.get_mut(&stream).expect("the stream")[seq] = body;
    changed
}

#[test]
fn a_day_is_sound() {
    let world = day();
    let sound = world.evidence().verify(&world.genesis()).expect("sound");
    assert_eq!(sound.events.values().map(Vec::len).sum::<usize>(), world.count());
    assert!(sound.undecided.is_empty());
    let json = serde_json::to_string(&world.evidence()).expect("JSON");
    assert_eq!(serde_json::from_str::<Evidence>(&json).expect("JSON"), world.evidence());
}

#[test]
fn another_vault_is_not_this_one() {
    let world = day();
    assert_eq!(world.evidence().verify(&Hash([1; 32])).map(|_| ()), Err(Unsound::Genesis));
    let mut without = world.evidence();
    without.0.remove(&StreamId::Vault);
    assert_eq!(without.verify(&world.genesis()).map(|_| ()), Err(Unsound::Genesis));
}

#[test]
fn every_changed_byte_is_noticed() {
    let world = day();
    let evidence = world.evidence();
    let mut tried = 0;
    for (stream, bodies) in &evidence.0 {
        for (seq, body) in bodies.iter().enumerate() {
            // Every byte of the first event of each stream; every seventh of the others: the whole takes seconds.
            let step = if seq == 0 { 1 } else { 7 };
            for index in (0..body.len()).step_by(step) {
                let mut bytes = body.clone().into_bytes();
                bytes[index] = if bytes[index] == b'0' { b'1' } else { b'0' };
                let changed = with_body(&evidence, *stream, seq, String::from_utf8(bytes).expect("ASCII"));
                let genesis = world.genesis();
                // The last event of a stream that nobody has seen has no later hash to contradict a change of its nonce: that is what the
                // leaf hash in the caller's receipt, and later the ledger, are for. Everything else must be noticed here.
                let last_unseen = seq + 1 == bodies.len();
                let noticed = changed.verify(&genesis).is_err();
                let nonce_at = body.find(r#""nonce":""#).expect("a nonce") + 9;
                let in_nonce = (nonce_at..nonce_at + 22).contains(&index);
                let at_from = body.find(r#""at":"#).expect("a time") + 5;
                let in_at = (at_from..at_from + 13).contains(&index);
                let in_free_outcome = body[..index].rfind(r#""outcome":"#).is_some();
                let free = last_unseen && (in_nonce || in_at || in_free_outcome);
                assert!(noticed || free, "{stream} {seq} byte {index}: {}", &body[index.saturating_sub(20)..index]);
                assert_ne!(leaf_hash(changed.0[stream][seq].as_bytes()), leaf_hash(body.as_bytes()));
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000, "{tried}");
}

#[test]
fn left_out_swapped_and_doubled_events_are_noticed() {
    let world = day();
    let evidence = world.evidence();
    let genesis = world.genesis();
    for (stream, bodies) in &evidence.0 {
        for seq in 0..bodies.len() {
            let mut dropped = evidence.clone();
            dropped.0.get_mut(stream).expect("there").remove(seq);
            let last = seq + 1 == bodies.len();
            assert!(last || dropped.verify(&genesis).is_err(), "{stream} without {seq}");
            let mut doubled = evidence.clone();
            doubled.0.get_mut(stream).expect("there").insert(seq, bodies[seq].clone());
            assert!(doubled.verify(&genesis).is_err(), "{stream} with {seq} twice");
            if !last {
                let mut swapped = evidence.clone();
                swapped.0.get_mut(stream).expect("there").swap(seq, seq + 1);
                assert!(swapped.verify(&genesis).is_err(), "{stream} {seq} swapped");
            }
        }
        // The day has one record; without it no record is shown at all, which the test below is about.
        if !matches!(stream, StreamId::Vault | StreamId::Search { .. } | StreamId::Request(_) | StreamId::Record(_)) {
            let mut without = evidence.clone();
            without.0.remove(stream);
            let error = without.verify(&genesis).map(|_| ()).expect_err("something relies on it");
            assert!(matches!(error, Unsound::Seen(..)), "{stream}: {error}");
        }
    }
}

#[test]
fn records_can_be_withheld_and_that_is_said() {
    let world = day();
    let mut without = world.evidence();
    without.0.retain(|stream, _| !matches!(stream, StreamId::Record(_)));
    let undecided = without.verify(&world.genesis()).expect("links and signatures hold").undecided;
    assert!(!undecided.is_empty());
    assert!(undecided.iter().all(|place| matches!(place.stream, StreamId::Request(_))), "{undecided:?}");
    // A signature that does not verify is noticed all the same.
    let request = undecided[0].stream;
    let body = &mut without.0.get_mut(&request).expect("there")[0];
    let at = body.find(r#""command":""#).expect("a command") + 11 + 200;
    let other = if body.as_bytes()[at] == b'A' { "B" } else { "A" };
    body.replace_range(at..=at, other);
    assert!(without.verify(&world.genesis()).is_err());
}

/// Forges an event: the bytes change, and all links after it are made to fit. What remains is the decision.
fn forged(world: &mut World, stream: StreamId, seq: usize, from: &str, to: &str) -> Result<(), Unsound> {
    let events = world.streams.get_mut(&stream).expect("the stream");
    let mut bodies: Vec<String> = events.iter().map(|event| event.body.clone()).collect();
    assert!(bodies[seq].contains(from), "{}", bodies[seq]);
    bodies[seq] = bodies[seq].replacen(from, to, 1);
    for next in seq + 1..bodies.len() {
        let old = events[next - 1].leaf.to_string();
        bodies[next] = bodies[next].replace(&old, &leaf_hash(bodies[next - 1].as_bytes()).to_string());
    }
    let mut evidence = world.evidence();
    evidence.0.insert(stream, bodies);
    evidence.verify(&world.genesis()).map(|_| ())
}

#[test]
fn an_event_that_does_not_follow_from_its_command_is_noticed() {
    let mut world = day();
    let request = *world.streams.keys().find(|stream| matches!(stream, StreamId::Request(_))).expect("a request");
    let approved = world.streams[&request][2].open().expect("an event");
    let until = match approved.outcome {
        chartseal_events::Outcome::AccessApproved(outcome) => outcome.until,
        _ => panic!("the third event is the approval"),
    };
    let error = forged(&mut world, request, 2, &until.to_string(), &(until + 1).to_string());
    assert!(matches!(error, Err(Unsound::OtherOutcome(place)) if place.seq == 2), "{error:?}");

    let error = forged(&mut world, request, 2, "access.approved.v1", "access.verified.v1");
    assert!(matches!(error, Err(Unsound::Fold(FoldError::Event(..) | FoldError::Impossible(_)))), "{error:?}");
}

#[test]
fn an_event_sees_what_its_decision_looks_at_and_that_once() {
    let mut world = day();
    let request = *world.streams.keys().find(|stream| matches!(stream, StreamId::Request(_))).expect("a request");
    let seen = world.streams[&request][2].open().expect("an event").seen[0];
    let text = |seen: &Seen| serde_json::to_string(seen).expect("JSON");
    let twice = format!("{0},{0}", text(&seen));
    let error = forged(&mut world, request, 2, &text(&seen), &twice);
    assert!(matches!(error, Err(Unsound::SeenIdly(place, stream)) if place.seq == 2 && stream == seen.0), "{error:?}");

    let (search, events) =
        world.streams.iter().find(|(stream, _)| matches!(stream, StreamId::Search { .. })).expect("a search");
    let idle = Seen(*search, 0, events[0].leaf);
    let error = forged(&mut world, request, 2, &text(&seen), &format!("{},{}", text(&seen), text(&idle)));
    assert!(matches!(error, Err(Unsound::SeenIdly(_, stream)) if stream == idle.0), "{error:?}");
}

#[test]
fn what_was_written_together_stands_together() {
    let mut world = World::new();
    world.pending(10);
    let evidence = world.evidence();
    evidence.verify(&world.genesis()).expect("sound");
    for kind in ["provider", "staff"] {
        let mut without = evidence.clone();
        let (_, bodies) = without.0.iter_mut().find(|(stream, _)| stream.kind() == kind).expect("there");
        bodies.pop();
        let error = without.verify(&world.genesis()).map(|_| ());
        assert!(matches!(error, Err(Unsound::Alone(_))), "{kind}: {error:?}");
    }
}

#[test]
fn an_event_has_one_form() {
    let mut world = day();
    let request = *world.streams.keys().find(|stream| matches!(stream, StreamId::Request(_))).expect("a request");
    for (from, to) in [
        (r#""outcome":{}"#, r#""outcome":[]"#),
        (r#""outcome":{}"#, r#""command":null,"outcome":{}"#),
        (r#""outcome":{}"#, r#""outcome":{"more":1}"#),
    ] {
        let error = forged(&mut world, request, 1, from, to);
        assert!(matches!(error, Err(Unsound::Fold(FoldError::Event(..)))), "{to}: {error:?}");
    }
}

#[test]
fn the_vault_cannot_decide_what_needs_a_command() {
    let mut world = day();
    let request = *world.streams.keys().find(|stream| matches!(stream, StreamId::Request(_))).expect("a request");
    let body = &world.streams[&request][2].body;
    let start = body.find(r#""command":"#).expect("a command");
    let end = body.find(r#""outcome":"#).expect("an outcome");
    let command = body[start..end].to_owned();
    let error = forged(&mut world, request, 2, &command, "");
    assert!(matches!(error, Err(Unsound::OtherOutcome(place)) if place.seq == 2), "{error:?}");
}

#[test]
fn a_command_of_another_person_does_not_pass() {
    // The operator's approval is put into another request of the same record.
    let mut world = day();
    let requests: Vec<_> =
        world.streams.keys().filter(|stream| matches!(stream, StreamId::Request(_))).copied().collect();
    let command_of = |world: &World, stream| {
        world.streams[&stream][2].open().expect("an event").command.expect("one").jws().text().to_owned()
    };
    let (one, other) = (command_of(&world, requests[0]), command_of(&world, requests[1]));
    let error = forged(&mut world, requests[0], 2, &one, &other);
    assert!(error.is_err(), "{error:?}");
}

#[test]
fn a_refusal_names_event_and_reason() {
    // The same command, a day later: the clock of the event is part of the decision.
    let mut world = World::new();
    let ann = world.member(10);
    let record = world.create(&ann);
    let stream = StreamId::Record(record);
    let at = world.streams[&stream][0].open().expect("an event").at_ms;
    let error = forged(&mut world, stream, 0, &format!(r#""at":{at}"#), &format!(r#""at":{}"#, at + 86_400_000));
    assert!(
        matches!(error, Err(Unsound::Refused(place, refusal)) if place.seq == 0 && refusal.code == Code::ClockSkew),
        "{error:?}"
    );
    assert_eq!(Bytes([0; 16]).to_string().len(), 22);
}
