//! A vault that holds its log's key, and seals otherwise than was written: with right hashes, links and map where it can make them. Each lie is found under its
//! name, at its place.

use chartseal_events::event::{Envelope, Genesis, leaf_hash};
use chartseal_events::{Bytes, EventRef, Hash, Outcome, StoredEvent, StreamId};
use chartseal_ledger::map::{Change, MAP_VERSION, Operation, Value};
use chartseal_ledger::seal::MapState;
use chartseal_replay::Rule;
use chartseal_replay::testing::{Log, Person, Served, T0, World};

use super::scene::{BLOCK, expect, expect_all, first, relinked, scene, sealed};
use super::{read, report};

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

/// Other operations on the map, or another map in the header.
type Lie = fn(Vec<Operation>, MapState) -> (Vec<Operation>, MapState);

/// The map says something else than the events.
#[test]
fn the_map_is_what_the_events_make_of_it() {
    let bodies = scene().ended().bodies();
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
