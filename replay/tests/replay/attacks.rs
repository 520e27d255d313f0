//! A vault that lies, and holds its log's key: it seals whatever it likes, with right hashes, links and map. Each lie is found under its name, at its place.

use std::collections::HashMap;

use chartseal_events::command::{AccessApprove, RecordCreate, RecordDownload, SearchPerform};
use chartseal_events::event::{
    AccessApproved, Envelope, Genesis, RecordCreated, RecordDownloaded, SearchPerformed, Seen, leaf_hash,
};
use chartseal_events::state::{History, View};
use chartseal_events::{Bytes, Command, Draft, EventRef, Hash, Id, Outcome, StoredEvent, StreamId};
use chartseal_ledger::map::{Change, MAP_VERSION, Operation, Value};
use chartseal_ledger::seal::MapState;
use chartseal_ledger::tree::EMPTY_ROOT;
use chartseal_replay::testing::{Log, Person, Served, T0, World};
use chartseal_replay::{Finding, Report, Rule};

use super::{read, report};

const BLOCK: usize = 8;

/// A vault with two providers, a record that was asked for, and a provider that was suspended.
struct Scene {
    world: World,
    ann: Person,
    bob: Person,
    carol: Person,
    record: Id,
    request: Id,
}

fn scene() -> Scene {
    let mut world = World::new();
    let [ann, bob, carol] = [10, 11, 12].map(|number| world.member(number));
    let record = world.uploaded(&ann);
    world.run(&bob, SearchPerform {}).expect("search");
    world.suspend(carol.provider());
    world.now_ms += 600_000;
    let request = world.request(&bob, record);
    Scene { world, ann, bob, carol, record, request }
}

impl Scene {
    fn bodies(&self) -> Vec<String> {
        self.world.open.iter().map(|event| event.body.clone()).collect()
    }

    /// Ends soundly.
    fn ended(mut self) -> Self {
        self.world.approve(self.request).expect("approved");
        self.world.fetch(&self.bob.clone(), self.request, self.record);
        self
    }

    /// Writes an event with this outcome after what its stream has, whatever `decide` says, and having seen what `view` has.
    fn forge(&mut self, view: &View, stream: StreamId, outcome: impl Into<Outcome>, command: Option<&Command>) {
        let draft = Draft { stream, outcome: outcome.into() };
        self.world.append(view, &[draft], command).expect("it can happen");
    }

    fn views(&self, command: &Command) -> View {
        self.world.view(command.reads().expect("reads"))
    }
}

/// Seals bodies in blocks, as the vault would.
fn sealed(bodies: &[String]) -> Served {
    let blocks: Vec<Vec<String>> = bodies.chunks(BLOCK).map(<[String]>::to_vec).collect();
    Served::sealed(&blocks)
}

/// Makes links and `seen` right again after bodies were changed: `prev` and `seen` are the vault's own words, which nobody has signed.
fn relinked(before: &[String], after: &[String]) -> Vec<String> {
    let mut renamed: HashMap<String, String> = HashMap::new();
    let hash = |body: &str| leaf_hash(body.as_bytes()).to_string();
    before
        .iter()
        .zip(after)
        .map(|(before, after)| {
            let mut body = after.clone();
            for (old, new) in &renamed {
                body = body.replace(old, new);
            }
            if body != *before {
                renamed.insert(hash(before), hash(&body));
            }
            body
        })
        .collect()
}

/// The place in the log of the event at a position.
fn index(position: usize) -> u64 {
    (position + position / BLOCK) as u64
}

/// The position of the first event of a type.
fn first(bodies: &[String], typ: &str) -> usize {
    bodies.iter().position(|body| read(body).outcome.typ() == typ).expect("there is one")
}

fn expect(what: &str, report: &Report, rule: Rule, position: Option<usize>) {
    match position {
        Some(position) => expect_all(what, report, &[(rule, position)]),
        None => {
            let found: Vec<(Rule, Option<u64>)> =
                report.findings.iter().map(|found| (found.rule, found.index)).collect();
            assert_eq!(found, [(rule, None)], "{what}: {:?}", report.findings);
            assert!(!report.sound && report.unjudged > 0, "{what}");
        }
    }
}

fn expect_all(what: &str, report: &Report, expected: &[(Rule, usize)]) {
    assert!(!report.sound, "{what}: passed");
    let found: Vec<(Rule, Option<u64>)> = report.findings.iter().map(|found| (found.rule, found.index)).collect();
    let expected: Vec<_> = expected.iter().map(|(rule, position)| (*rule, Some(index(*position)))).collect();
    assert_eq!(found, expected, "{what}: {:?}", report.findings);
    let ends = expected.iter().any(|(rule, _)| rule.ends_replay());
    assert_eq!(report.unjudged > 0, ends, "{what}: says what was not judged");
}

#[test]
fn the_scene_itself_is_sound() {
    for bodies in [scene().bodies(), scene().ended().bodies()] {
        let report = report(&mut sealed(&bodies));
        assert_eq!(report.findings, []);
        assert!(report.sound);
        assert_eq!(relinked(&bodies, &bodies), bodies);
    }
}

/// What is handed out is not what was sealed.
#[test]
fn what_is_handed_out_otherwise_is_found() {
    let good = sealed(&scene().ended().bodies());
    type Change = fn(&mut Served);
    let cases: [(&str, Change, Rule, Option<usize>); 14] = [
        (
            "a byte of a body",
            |served| served.blocks[1].1[3] = served.blocks[1].1[3].replace("\"v\":1", "\"v\":2"),
            Rule::Leaf,
            Some(11),
        ),
        ("two bodies of a block changed places", |served| served.blocks[1].1.swap(0, 1), Rule::Leaf, Some(8)),
        ("a body is missing", |served| drop(served.blocks[1].1.pop()), Rule::Bodies, None),
        ("a body too many", |served| served.blocks[1].1.push("{}".to_owned()), Rule::Bodies, None),
        ("bodies are not handed out", |served| served.blocks[2].1.clear(), Rule::Bodies, None),
        ("the last block is not handed out", |served| drop(served.blocks.pop()), Rule::Withheld, None),
        ("a block in the middle is left out", |served| drop(served.blocks.remove(1)), Rule::Chain, None),
        ("two blocks changed places", |served| served.blocks.swap(1, 2), Rule::Chain, None),
        ("a leaf of a block", |served| served.blocks[1].0.leaves[0] = EMPTY_ROOT, Rule::Chain, None),
        ("a byte of a header", |served| served.blocks[1].0.seal[45] ^= 1, Rule::Chain, None),
        ("a header's form", |served| served.blocks[1].0.seal[0] = 1, Rule::Chain, None),
        ("another last header", |served| served.blocks.last_mut().expect("some").0.seal[94] ^= 1, Rule::Root, None),
        ("a checkpoint of more", |served| served.note = Some(Log::sign(1_000, EMPTY_ROOT)), Rule::Withheld, None),
        ("a checkpoint within a block", |served| served.note = Some(Log::sign(4, EMPTY_ROOT)), Rule::Withheld, None),
    ];
    for (what, change, rule, position) in cases {
        let mut served = good.clone();
        change(&mut served);
        let report = report(&mut served);
        expect(what, &report, rule, position);
    }
    assert!(report(&mut good.clone()).sound);
}

#[test]
fn a_checkpoint_that_nobody_signed_is_refused() {
    let mut served = sealed(&scene().bodies());
    let note = String::from_utf8(served.note.clone().expect("signed")).expect("text");
    for (what, bad) in [
        ("another size", note.replacen('\n', "\n1", 1)),
        ("no signature", note.split_once("\n\n").expect("two parts").0.to_owned() + "\n"),
        ("another log's", note.replace("vault.example", "other.example")),
        ("nothing", String::new()),
    ] {
        served.note = Some(bad.into_bytes());
        let report = report(&mut served);
        assert_eq!(report.findings.iter().map(|found| found.rule).collect::<Vec<_>>(), [Rule::Checkpoint], "{what}");
        assert!(!report.sound && report.blocks == 0);
    }
}

#[test]
fn a_log_that_goes_back_or_becomes_another_is_found() {
    let good = sealed(&scene().ended().bodies());
    let mut other_world = scene();
    for _ in 0..20 {
        other_world.world.run(&other_world.ann.clone(), SearchPerform {}).expect("search");
    }
    let other = sealed(&other_world.ended().bodies());
    let middle = good.notes[1].clone();

    type Show = Box<dyn Fn(&mut Served)>;
    let cases: Vec<(&str, Show, Rule)> = vec![
        ("an older checkpoint", Box::new(move |served| served.note = Some(middle.clone())), Rule::RolledBack),
        ("no checkpoint", Box::new(|served| served.note = None), Rule::RolledBack),
        (
            "another root of the same size",
            {
                let size = good.blocks.iter().map(|(_, bodies)| bodies.len() as u64 + 1).sum();
                Box::new(move |served| served.note = Some(Log::sign(size, EMPTY_ROOT)))
            },
            Rule::Fork,
        ),
        ("another root of a smaller size", Box::new(|served| served.note = Some(Log::sign(9, EMPTY_ROOT))), Rule::Fork),
        ("another log, which is longer", Box::new(move |served| *served = other.clone()), Rule::Chain),
    ];
    for (what, change, rule) in cases {
        let mut replay = super::replay();
        assert!(replay.run(&mut good.clone(), &()).expect("a report").sound);
        let mut served = good.clone();
        change(&mut served);
        let report = replay.run(&mut served, &()).expect("a report");
        let found: Vec<Rule> = report.findings.iter().map(|found| found.rule).collect();
        assert_eq!(found, [rule], "{what}: {:?}", report.findings);
        assert!(!report.sound, "{what}");
        // It stays with what it knew, and goes on from there.
        assert!(replay.run(&mut good.clone(), &()).expect("a report").sound, "{what}");
    }
}

/// The vault seals other events than those that happened.
#[test]
fn events_that_were_not_written_so_are_found() {
    let good = scene().ended().bodies();
    let (created, uploaded, searched) =
        (first(&good, "record.created.v1"), first(&good, "record.uploaded.v1"), first(&good, "search.performed.v1"));
    let (suspended, approved) = (first(&good, "provider.suspended.v1"), first(&good, "access.approved.v1"));
    let edit = |position: usize, from: &str, to: &str| {
        let mut bodies = good.clone();
        assert!(bodies[position].contains(from), "{from} in {}", bodies[position]);
        bodies[position] = bodies[position].replace(from, to);
        bodies
    };
    let linked = |bodies: Vec<String>| relinked(&good, &bodies);
    let without = |position: usize| {
        let mut bodies = good.clone();
        bodies.remove(position);
        bodies
    };
    let moved = |from: usize, to: usize| {
        let mut bodies = good.clone();
        let body = bodies.remove(from);
        bodies.insert(to, body);
        bodies
    };
    let doubled = |position: usize| {
        let mut bodies = good.clone();
        bodies.insert(position + 1, bodies[position].clone());
        bodies
    };
    let (announced, checked) = (first(&good, "record.announced.v1"), first(&good, "access.verified.v1"));
    let cases = [
        ("a byte, links as they were", edit(created, "\"0404", "\"1404"), vec![(Rule::Link, created + 1)]),
        (
            "an impossible outcome",
            linked(edit(created, "\"version\":1", "\"version\":2")),
            vec![(Rule::Outcome, created), (Rule::Impossible, created)],
        ),
        ("no event", edit(created, "\"v\":1", "\"v\":2"), vec![(Rule::Event, created)]),
        ("a name twice", edit(created, "\"v\":1", "\"v\":1,\"v\":1"), vec![(Rule::Event, created)]),
        ("an event left out of a stream", without(announced), vec![(Rule::Gap, announced)]),
        (
            "an event that others have seen, left out",
            without(uploaded),
            // The request has seen it, and then the key and the download.
            [0, 3, 4].map(|later| (Rule::Seen, first(&good, "access.requested.v1") - 1 + later)).to_vec(),
        ),
        ("an event twice", doubled(uploaded), vec![(Rule::Place, uploaded + 1)]),
        ("an event before the one that it follows", moved(uploaded, uploaded - 1), vec![(Rule::Gap, uploaded - 1)]),
        (
            "what an approval says",
            linked(edit(approved, "\"until\":1", "\"until\":2")),
            vec![(Rule::Outcome, approved)],
        ),
        ("when it was", linked(edit(approved, "\"at\":1795", "\"at\":1895")), vec![(Rule::Refused, approved)]),
        (
            "what an operator looked at",
            linked(edit(checked, "\"nonce\":\"A", "\"nonce\":\"B")),
            vec![(Rule::Refused, approved)],
        ),
        ("a signature", linked(forged_signature(&good, approved)), vec![(Rule::Signature, approved)]),
    ];
    for (what, bodies, found) in cases {
        expect_all(what, &report(&mut sealed(&bodies)), &found);
    }
    // What the vault alone states is not proven by the log: what a search finds is proven by the search.
    assert!(report(&mut sealed(&linked(edit(searched, "\"hits\":3", "\"hits\":4")))).sound);
    // A decision without the suspension that it must have seen.
    let hidden = without(suspended);
    assert!(report(&mut sealed(&hidden)).sound, "what is hidden as a whole is noticed by whoever holds its receipt");
}

/// A body whose command bears a signature of other bytes.
fn forged_signature(bodies: &[String], position: usize) -> Vec<String> {
    let mut bodies = bodies.to_vec();
    let event = read(&bodies[position]);
    let text = event.command.expect("a command").jws().text().to_owned();
    let (signed, signature) = text.rsplit_once('.').expect("three parts");
    let other = signature.replacen(|_: char| true, if signature.starts_with('A') { "B" } else { "A" }, 1);
    bodies[position] = bodies[position].replace(&text, &format!("{signed}.{other}"));
    bodies
}

/// Decisions that nobody could make, written and sealed as if they had been made.
#[test]
fn decisions_that_must_not_be_are_found() {
    type Forge = fn(&mut Scene);
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

/// The log begins with somebody else's vault.
#[test]
fn the_genesis_is_the_logs_own() {
    let genesis = |change: fn(&mut Genesis)| {
        let bodies = scene().bodies();
        let Outcome::Genesis(mut genesis) = read(&bodies[0]).outcome else { panic!("no genesis") };
        change(&mut genesis);
        let envelope = Envelope {
            place: EventRef { stream: StreamId::Vault, seq: 0 },
            prev: Hash::ZERO,
            at_ms: T0,
            seen: &[],
            nonce: Bytes([1; 16]),
            command: None,
        };
        vec![StoredEvent::write(envelope, &genesis.into()).expect("written").body]
    };
    assert!(report(&mut sealed(&genesis(|_| {}))).sound);
    expect("name", &report(&mut sealed(&genesis(|genesis| genesis.origin = "x".into()))), Rule::Genesis, Some(0));
    let other = Bytes(Person::new(5).key.verifying_key().to_bytes());
    let report_of = |bodies: Vec<String>| report(&mut sealed(&bodies));
    let with_key = {
        let bodies = genesis(|genesis| genesis.log_key = Bytes([0; 32]));
        let text = Bytes([0; 32]).to_string();
        vec![bodies[0].replace(&text, &other.to_string())]
    };
    expect("key", &report_of(with_key), Rule::Genesis, Some(0));
    expect("none", &report_of(scene().bodies()[1..2].to_vec()), Rule::Genesis, Some(0));

    let mut served = sealed(&scene().bodies());
    let known = read(&scene().bodies()[0]);
    let leaf = leaf_hash(scene().bodies()[0].as_bytes());
    assert_eq!(known.place.seq, 0);
    let mut pinned = super::replay().from_genesis(leaf);
    assert!(pinned.run(&mut served, &()).expect("a report").sound);
    let mut pinned = super::replay().from_genesis(Hash([1; 32]));
    expect("pin", &pinned.run(&mut served, &()).expect("a report"), Rule::Genesis, Some(0));
}

/// The map says something else than the events.
#[test]
fn the_map_is_what_the_events_make_of_it() {
    let bodies = scene().ended().bodies();
    type Lie = fn(Vec<Operation>, MapState) -> (Vec<Operation>, MapState);
    let cases: [(&str, Lie); 6] = [
        ("another root", |operations, _| (operations, MapState { root: Hash([1; 32]), version: MAP_VERSION })),
        ("no map", |operations, _| (operations, MapState::NONE)),
        ("a version that nobody knows", |operations, map| (operations, MapState { version: map.version + 1, ..map })),
        ("a stream's head left out", |mut operations, map| {
            operations.pop();
            (operations, map)
        }),
        ("an older head", |mut operations, map| {
            let last = operations.last_mut().expect("some");
            last.change = Change::Set(Value::Stream { seq: 0, head: Hash([1; 32]) });
            (operations, map)
        }),
        ("nothing", |_, map| (Vec::new(), map)),
    ];
    for (what, lie) in cases {
        let mut served = Served::default();
        let mut log = Log::default();
        for (height, chunk) in (0_u64..).zip(bodies.chunks(BLOCK)) {
            let now_ms = T0 + 1_000 * height;
            let block = if height == 1 { log.seal_with(chunk, now_ms, lie) } else { log.seal(chunk, now_ms) };
            served.push(&log, block, chunk.to_vec());
            if height == 1 {
                break;
            }
        }
        let report = report(&mut served);
        let found: Vec<(Rule, Option<u64>)> = report.findings.iter().map(|found| (found.rule, found.height)).collect();
        // A log that had a map goes on with one: that is seen in its headers.
        let rule = if what == "no map" { Rule::Chain } else { Rule::Map };
        assert_eq!(found, [(rule, Some(1))], "{what}");
        let judged = u64::from(rule == Rule::Map);
        assert_eq!((report.blocks, report.unjudged > 0), (judged, true), "{what}");
    }
}

/// What one command writes is sealed, all of it, within a day.
#[test]
fn a_half_that_stays_alone_is_found() {
    let mut world = World::new();
    let carol = world.pending(12);
    let bodies: Vec<String> = world.open.iter().map(|event| event.body.clone()).collect();
    let staff = first(&bodies, "staff.added.v1");
    let mut scene = bodies.clone();
    scene.remove(staff);
    let waiting = report(&mut sealed(&scene));
    assert!(waiting.sound, "{:?}", waiting.findings);
    let provider = EventRef { stream: StreamId::Provider(carol.provider()), seq: 1 };
    assert_eq!(waiting.waiting, [provider.to_string()]);

    let mut served = Served::default();
    let mut log = Log::default();
    let block = log.seal(&scene, T0);
    served.push(&log, block, scene);
    world.invite();
    let later = vec![world.open.last().expect("invited").body.clone()];
    let block = log.seal(&later, T0 + 86_400_001);
    served.push(&log, block, later);
    let late = report(&mut served);
    let found: Vec<_> = late.findings.iter().map(|found| (found.rule, found.event.clone())).collect();
    assert_eq!(found, [(Rule::Half, Some(provider.to_string()))]);
    // And then it comes.
    let missing = vec![bodies[staff].clone()];
    let block = log.seal(&missing, T0 + 86_500_000);
    served.push(&log, block, missing);
    assert_eq!(report(&mut served).waiting, Vec::<String>::new());
}

#[test]
fn every_rule_has_a_name_of_its_own_and_is_said_with_its_place() {
    let mut codes: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), Rule::ALL.len());
    let bodies = scene().bodies();
    let mut served = sealed(&bodies);
    served.blocks[1].1[2] = "{}".to_owned();
    let finding: Finding = report(&mut served).findings.remove(0);
    assert_eq!(finding.to_string(), "leaf in block 1, index 11: the body is not the one that was sealed");
    let json = serde_json::to_value(&finding).expect("JSON");
    assert_eq!(json["rule"], "leaf");
    assert_eq!(serde_json::from_value::<Finding>(json).expect("read back"), finding);
}
