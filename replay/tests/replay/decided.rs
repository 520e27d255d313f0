//! Decisions that nobody could make, and events that say they have seen what was not there: written, linked and sealed as if they were right.

use chartseal_events::command::{AccessApprove, RecordCreate, RecordDownload, SearchPerform};
use chartseal_events::event::{AccessApproved, Envelope, RecordCreated, RecordDownloaded, SearchPerformed, Seen};
use chartseal_events::state::{History, View};
use chartseal_events::{Bytes, Command, EventRef, Hash, Id, StoredEvent, StreamId};
use chartseal_replay::Rule;
use chartseal_replay::testing::Person;

use super::scene::{Scene, expect, first, scene, sealed};
use super::{read, report};

/// Writes an event that must not be.
type Forge = fn(&mut Scene);

/// Decisions that nobody could make, written and sealed as if they had been made.
#[test]
#[allow(clippy::too_many_lines, reason = "a table of lies")]
fn decisions_that_must_not_be_are_found() {
    let cases: [(&str, Forge, Rule); 10] = [
        (
            "a suspended person makes a record",
            |scene| {
                let command = scene.world.sign(&scene.carol.clone(), RecordCreate {});
                let record = command.new_id(chartseal_events::id::Kind::Record);
                let outcome = created(scene.carol.provider());
                scene.forge(&scene.views(&command), StreamId::Record(record), outcome, Some(&command));
            },
            Rule::Refused,
        ),
        (
            "a suspended person, and the vault says that it did not see it",
            |scene| {
                let command = scene.world.sign(&scene.carol.clone(), RecordCreate {});
                let record = command.new_id(chartseal_events::id::Kind::Record);
                let provider = StreamId::Provider(scene.carol.provider());
                let mut stale = History::empty(provider);
                for event in scene.world.open.iter().filter(|event| event.at.stream == provider).take(3) {
                    stale.apply(event).expect("a stream");
                }
                let others = command.reads().expect("reads").into_iter().filter(|stream| *stream != provider);
                let others: Vec<_> = others.map(|stream| scene.world.history(stream)).collect();
                let view = View::new(others.into_iter().chain([stale.into()]));
                scene.forge(&view, StreamId::Record(record), created(scene.carol.provider()), Some(&command));
            },
            Rule::Stale,
        ),
        (
            "an approval that a requester signed",
            |scene| {
                let stream = StreamId::Request(scene.request);
                let command = scene
                    .world
                    .sign(&scene.bob.clone(), AccessApprove { request: scene.request, head: scene.world.head(stream) });
                let outcome = AccessApproved { until: scene.world.now_ms + 3_600_000 };
                scene.forge(&scene.views(&command), stream, outcome, Some(&command));
            },
            Rule::Refused,
        ),
        (
            "an approval that a stranger signed in an operator's name",
            |scene| {
                let stream = StreamId::Request(scene.request);
                let mut thief = Person::new(99);
                thief.kid = scene.world.operator.kid;
                let command =
                    scene.world.sign(&thief, AccessApprove { request: scene.request, head: scene.world.head(stream) });
                let outcome = AccessApproved { until: scene.world.now_ms + 3_600_000 };
                scene.forge(&scene.views(&command), stream, outcome, Some(&command));
            },
            Rule::Signature,
        ),
        (
            "an approval of something else",
            |scene| {
                let stream = StreamId::Request(scene.request);
                let head = scene.world.head(StreamId::Record(scene.record));
                let command =
                    scene.world.sign(&scene.world.operator.clone(), AccessApprove { request: scene.request, head });
                let outcome = AccessApproved { until: scene.world.now_ms + 3_600_000 };
                scene.forge(&scene.views(&command), stream, outcome, Some(&command));
            },
            Rule::Refused,
        ),
        (
            "an approval that nobody signed",
            |scene| {
                let stream = StreamId::Request(scene.request);
                let view = scene.world.view([stream]);
                scene.forge(&view, stream, AccessApproved { until: scene.world.now_ms + 3_600_000 }, None);
            },
            Rule::Outcome,
        ),
        (
            "an approval for longer than was asked",
            |scene| {
                let stream = StreamId::Request(scene.request);
                let command = scene.world.sign(
                    &scene.world.operator.clone(),
                    AccessApprove { request: scene.request, head: scene.world.head(stream) },
                );
                let outcome = AccessApproved { until: scene.world.now_ms + 7_200_000 };
                scene.forge(&scene.views(&command), stream, outcome, Some(&command));
            },
            Rule::Outcome,
        ),
        (
            "another's record",
            |scene| {
                let stream = StreamId::Record(scene.record);
                let command = scene.world.sign(&scene.bob.clone(), RecordDownload { record: scene.record, version: 1 });
                let outcome = RecordDownloaded { record: scene.record, version: 1 };
                scene.forge(&scene.views(&command), stream, outcome, Some(&command));
            },
            Rule::Refused,
        ),
        (
            "a command for another vault",
            |scene| {
                let mut command = scene.world.sign(&scene.ann.clone(), SearchPerform {});
                let mut claims = command.claims.clone();
                claims.aud = "other.example".to_owned();
                let part = std::iter::once(("query".to_owned(), private_value())).collect();
                command = Command::sign(scene.ann.kid, claims, SearchPerform {}.into(), &part, &scene.ann.key);
                let stream = command.search_stream().expect("a stream");
                scene.forge(&scene.views(&command), stream, SearchPerformed { hits: 3 }, Some(&command));
            },
            Rule::Refused,
        ),
        (
            "a command that was taken before",
            |scene| {
                let command = scene.world.sign(&scene.ann.clone(), SearchPerform {});
                let stream = command.search_stream().expect("a stream");
                for _ in 0..2 {
                    scene.forge(&scene.views(&command), stream, SearchPerformed { hits: 3 }, Some(&command));
                }
            },
            Rule::Repeated,
        ),
    ];
    for (what, forge, rule) in cases {
        let mut scene = scene();
        forge(&mut scene);
        let position = scene.world.open.len() - 1;
        // Life goes on, and is judged.
        scene.world.run(&scene.ann.clone(), SearchPerform {}).expect("search");
        let report = report(&mut sealed(&scene.bodies()));
        expect(what, &report, rule, Some(position));
        assert_eq!(report.events, scene.world.open.len() as u64, "{what}: the rest is judged");
    }
}

fn created(owner: Id) -> RecordCreated {
    RecordCreated { owner, version: 1, wrapped_sha256: Hash([4; 32]) }
}

fn private_value() -> chartseal_events::private::PrivateValue {
    chartseal_events::private::PrivateValue { salt: Bytes([9; 16]), value: "x".to_owned() }
}

/// An event that says it has seen something else.
#[test]
fn what_was_not_there_cannot_have_been_seen() {
    let scene = scene();
    let provider = StreamId::Provider(scene.ann.provider());
    let head = scene.world.history(provider).head.expect("begun");
    let staff = read(&scene.bodies()[first(&scene.bodies(), "record.created.v1")]).seen;
    let others: Vec<Seen> = staff.into_iter().filter(|seen| seen.0 != provider).collect();
    let cases = [
        ("another hash", vec![Seen(provider, head.seq, Hash([1; 32]))]),
        ("a later event", vec![Seen(provider, head.seq + 1, head.leaf)]),
        ("a stream that has not begun", vec![Seen(StreamId::Record(scene.request), 0, head.leaf)]),
        ("two states of one stream", {
            let earlier = scene.world.open.iter().find(|event| event.at == EventRef { stream: provider, seq: 0 });
            vec![Seen(provider, 0, earlier.expect("there").leaf), Seen(provider, head.seq, head.leaf)]
        }),
    ];
    for (what, forged) in cases {
        let mut world = self::scene().world;
        let command = world.sign(&scene.ann, RecordCreate {});
        let stream = StreamId::Record(command.new_id(chartseal_events::id::Kind::Record));
        let seen: Vec<Seen> = others.iter().copied().chain(forged).collect();
        let envelope = Envelope {
            place: EventRef { stream, seq: 0 },
            prev: Hash::ZERO,
            at_ms: world.now_ms,
            seen: &seen,
            nonce: Bytes([1; 16]),
            command: Some(&command),
        };
        let event = StoredEvent::write(envelope, &created(scene.ann.provider()).into()).expect("written");
        let mut bodies = scene.bodies();
        bodies.push(event.body);
        expect(what, &report(&mut sealed(&bodies)), Rule::Seen, Some(bodies.len() - 1));
    }
    // One that was written later, and is sealed later.
    let mut scene = self::scene();
    let before = scene.world.open.len();
    scene.world.run(&scene.ann.clone(), RecordCreate {}).expect("created");
    let carol = scene.world.pending(30);
    let mut bodies = scene.bodies();
    let invited = bodies.iter().position(|body| read(body).place.stream == StreamId::Provider(carol.provider()));
    assert_eq!(invited, Some(before + 1));
    let staff = bodies.remove(before + 3);
    bodies.insert(before + 1, staff);
    expect("sealed later", &report(&mut sealed(&bodies)), Rule::Seen, Some(before + 1));
}
