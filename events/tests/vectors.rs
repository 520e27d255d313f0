//! Frozen vectors: the bytes of every command and event type, and what must fail. Other implementations read the same file. It is written once:
//! a change of format makes a new version and new vectors, never other ones. `CHARTSEAL_WRITE_VECTORS=1 cargo test` writes it where a type is new.

mod world;

use std::collections::BTreeSet;
use std::path::PathBuf;

use chartseal_events::command::{
    AccessDeny, AuditorAdd, AuditorRemove, KeyIssue, OperatorAdd, OperatorRemove, RecordDownload, RecordKey,
    RecordVersion, RequestDownload, SearchPerform,
};
use chartseal_events::encoding::base64url;
use chartseal_events::event::{StoredEvent, leaf_hash};
use chartseal_events::evidence::Evidence;
use chartseal_events::id::Kind;
use chartseal_events::jws::{COMMAND_TYP, Jws, READ_TYP};
use chartseal_events::{Action, Code, Command, EventRef, Hash, Id, Kid, Observation, Outcome, StreamId, Thumbprint};
use serde::{Deserialize, Serialize};
use world::{Person, World, private};

#[derive(Serialize, Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct Vectors {
    about: String,
    thumbprint: ThumbprintVector,
    derived_ids: Vec<DerivedId>,
    commitment: CommitmentVector,
    genesis: Hash,
    /// Streams with the exact bodies of their events: one vault's whole history, with every event type.
    streams: Evidence,
    /// Leaf hashes of the same events, in the same order.
    leaves: Vec<Hash>,
    must_fail: Vec<MustFail>,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct ThumbprintVector {
    public_key: String,
    thumbprint: String,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct DerivedId {
    kind: String,
    kid: Kid,
    jti: Id,
    id: Id,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct CommitmentVector {
    salt: String,
    value: String,
    commitment: Hash,
}

/// A command that must be refused when it is read, or whose signature must not verify.
#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct MustFail {
    name: String,
    jws: String,
    public_key: String,
    code: String,
}

fn path() -> PathBuf {
    // Cargo names the package it tests; the one it was built in may be another checkout's, where two share a target folder.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(package).join("vectors/events-v1.json")
}

fn history() -> World {
    let mut world = World::new();
    let (ann, bob) = (world.member(10), world.member(11));
    let operator = world.operator.clone();
    let second = Person::new(20);
    world.run(&operator, OperatorAdd { sign_key: second.public() }).expect("added");
    world.run(&operator, OperatorRemove { operator: Thumbprint::of(&second.public()) }).expect("removed");
    let auditor = Person::new(21);
    world.run(&operator, AuditorAdd { sign_key: auditor.public() }).expect("added");
    world.run(&operator, AuditorRemove { auditor: Thumbprint::of(&auditor.public()) }).expect("removed");
    let record = world.uploaded(&ann);
    world.run(&ann, RecordKey { record, version: 1 }).expect("issued");
    world.run(&ann, RecordDownload { record, version: 1 }).expect("released");
    world.run(&ann, RecordVersion { record }).expect("version 2");
    let announced = world.run(&ann, World::announcement(record, 2, 2)).expect("announced").at.seq;
    world.run(&bob, SearchPerform {}).expect("searched");
    let request = world.checked_request(&bob, record);
    world.approve(&operator, request).expect("approved");
    world.run(&bob, KeyIssue { request, record }).expect("issued");
    world.run(&bob, RequestDownload { request, record }).expect("released");
    let denied = world.checked_request(&bob, record);
    let head = world.head(StreamId::Request(denied));
    world.run(&operator, AccessDeny { request: denied, head }).expect("denied");
    let unanswered = world.request(&bob, record);
    world.suspend(bob.provider()).expect("suspended");
    let others = record_of(&mut world);
    let live = world.request(&ann, others);
    world.check(&ann, live).expect("verified");
    world.now_ms += 4_000_000;
    world.observe(&Observation::ObjectMissing { record, announced }).expect("expired");
    world.observe(&Observation::DeadlineReached { request }).expect("over");
    world.observe(&Observation::DeadlineReached { request: unanswered }).expect("undecided");
    world
}

/// Another member's record.
fn record_of(world: &mut World) -> Id {
    let carol = world.member(12);
    world.uploaded(&carol)
}

fn must_fail() -> Vec<MustFail> {
    let mut world = World::new();
    let ann = world.member(10);
    let good = world.sign(&ann, RecordVersion { record: Id::from_parts(1, [1; 10]) });
    let payload = String::from_utf8(good.jws().payload().to_vec()).expect("JSON");
    let (header, rest) = good.jws().text().split_once('.').expect("three parts");
    let resigned = |payload: &str| Jws::sign(COMMAND_TYP, ann.kid, payload.as_bytes(), &ann.key).text().to_owned();
    let reheaded = |header: &str| format!("{}.{rest}", base64url(header.as_bytes()));
    let kid = ann.kid;
    let text = good.jws().text();
    let cases = [
        ("alg none", reheaded(&format!(r#"{{"alg":"none","kid":"{kid}","typ":"{COMMAND_TYP}"}}"#)), Code::BadAlgorithm),
        (
            "alg HS256",
            reheaded(&format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"{COMMAND_TYP}"}}"#)),
            Code::BadAlgorithm,
        ),
        (
            "typ of a read token",
            reheaded(&format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{READ_TYP}"}}"#)),
            Code::MalformedCommand,
        ),
        (
            "crit",
            reheaded(&format!(r#"{{"alg":"EdDSA","crit":["x"],"kid":"{kid}","typ":"{COMMAND_TYP}"}}"#)),
            Code::MalformedCommand,
        ),
        (
            "embedded key",
            reheaded(&format!(r#"{{"alg":"EdDSA","jwk":{{}},"kid":"{kid}","typ":"{COMMAND_TYP}"}}"#)),
            Code::MalformedCommand,
        ),
        (
            "kid twice",
            reheaded(&format!(r#"{{"alg":"EdDSA","kid":"{kid}","kid":"{kid}","typ":"{COMMAND_TYP}"}}"#)),
            Code::MalformedCommand,
        ),
        (
            "header re-spelled: what was signed has changed",
            reheaded(&format!(r#"{{"kid":"{kid}","alg":"EdDSA","typ":"{COMMAND_TYP}"}}"#)),
            Code::SignatureInvalid,
        ),
        ("payload without jti", resigned(&payload.replace(r#""jti""#, r#""jtj""#)), Code::MalformedCommand),
        ("unknown field", resigned(&payload.replacen('{', r#"{"admin":true,"#, 1)), Code::MalformedCommand),
        ("field twice", resigned(&payload.replacen('{', r#"{"iat":1,"#, 1)), Code::MalformedCommand),
        ("unknown type", resigned(&payload.replace("record.version.v1", "record.version.v2")), Code::MalformedCommand),
        ("lower-case id", resigned(&payload.replace("0000000001", "000000000l")), Code::MalformedCommand),
        (
            "unknown private field",
            resigned(&payload.replace(r#""private":{}"#, &format!(r#""private":{{"x":"{}"}}"#, Hash([1; 32])))),
            Code::MalformedCommand,
        ),
        ("padding", format!("{text}=="), Code::MalformedCommand),
        ("four parts", format!("{text}.x"), Code::MalformedCommand),
        ("no signature", format!("{header}.{}.", base64url(payload.as_bytes())), Code::MalformedCommand),
        (
            "signature of another payload",
            {
                let other = resigned(&payload.replacen("20", "30", 1));
                let signature = other.rsplit_once('.').expect("three parts").1;
                format!("{}.{signature}", text.rsplit_once('.').expect("three parts").0)
            },
            Code::SignatureInvalid,
        ),
    ];
    let public_key = ann.public().to_string();
    let case = |(name, jws, code): (&str, String, Code)| MustFail {
        name: name.to_owned(),
        jws,
        public_key: public_key.clone(),
        code: code.name().to_owned(),
    };
    cases.into_iter().map(case).collect()
}

fn written() -> Vectors {
    let world = history();
    let person = Person::new(7);
    let jti = Id::from_parts(1_795_392_000_000, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let kinds =
        [(Kind::Provider, "provider"), (Kind::Staff, "staff"), (Kind::Record, "record"), (Kind::Request, "request")];
    let part = private(&[("reason", "Grüße")]);
    Vectors {
        about:
            "chartseal command and event vectors, version 1; see docs/EVENT-LOG.md. Keys are made from public seeds."
                .to_owned(),
        thumbprint: ThumbprintVector {
            public_key: person.public().to_string(),
            thumbprint: Thumbprint::of(&person.public()).to_string(),
        },
        derived_ids: kinds
            .into_iter()
            .map(|(kind, name)| DerivedId {
                kind: name.to_owned(),
                kid: person.kid,
                jti,
                id: Id::derive(kind, &person.kid, jti),
            })
            .collect(),
        commitment: CommitmentVector {
            salt: part["reason"].salt.to_string(),
            value: part["reason"].value.clone(),
            commitment: part["reason"].commitment(),
        },
        genesis: world.genesis(),
        leaves: world.streams.values().flatten().map(|event| event.leaf).collect(),
        streams: world.evidence(),
        must_fail: must_fail(),
    }
}

fn frozen() -> Vectors {
    if std::env::var_os("CHARTSEAL_WRITE_VECTORS").is_some() {
        let json = serde_json::to_string_pretty(&written()).expect("JSON") + "\n";
        std::fs::write(path(), json).expect("the vectors can be written");
    }
    let json = std::fs::read_to_string(path()).expect("events/vectors/events-v1.json");
    serde_json::from_str(&json).expect("the vectors can be read")
}

#[test]
fn the_code_still_writes_the_frozen_bytes() {
    assert_eq!(written(), frozen());
}

#[test]
fn the_frozen_history_is_sound_and_has_every_type() {
    let vectors = frozen();
    let sound = vectors.streams.verify(&vectors.genesis).expect("sound");
    let events: Vec<_> = sound.events.values().flatten().collect();
    assert_eq!(events.iter().map(|event| event.leaf).collect::<Vec<_>>(), vectors.leaves);
    let outcomes: BTreeSet<_> = events.iter().map(|event| event.outcome.typ()).collect();
    assert_eq!(outcomes, Outcome::TYPES.iter().copied().collect());
    let commands: BTreeSet<_> = events.iter().filter_map(|event| Some(event.command.as_ref()?.action.typ())).collect();
    assert_eq!(commands, Action::TYPES.iter().copied().collect());
    for (stream, bodies) in &vectors.streams.0 {
        for (seq, body) in (0u64..).zip(bodies) {
            let stored = StoredEvent::new(EventRef { stream: *stream, seq }, body.clone());
            assert_eq!(stored.leaf, leaf_hash(body.as_bytes()));
        }
    }
}

#[test]
fn what_must_fail_fails_as_it_says() {
    for case in frozen().must_fail {
        let key = case.public_key.parse().expect("a key");
        let result =
            Command::parse(&case.jws).map_err(|refusal| refusal.code).and_then(|command| command.jws().verify(&key));
        assert_eq!(result.map_err(Code::name), Err(case.code.as_str()), "{}", case.name);
    }
}
