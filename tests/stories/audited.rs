//! What an audit of the store sees: every kind of item is changed, dropped, doubled or invented behind the vault's back, and each is named, exactly
//! and with nothing else. All at once, because an audit of a vault that is harmed in many places must still name each of them.

mod ledger;
mod objects;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use chartseal_audit::Settings;
use chartseal_cli::Silent;
use chartseal_events::command::RecordKey;
use chartseal_events::event::{Envelope, EventRef, KeyIssued, RecordUploaded, Seen, StoredEvent};
use chartseal_events::wire::IssuedKey;
use chartseal_events::{Bytes, Command, Event, Hash, Id, Outcome, StreamId};
use chartseal_infra::layout;
use chartseal_tests::{Hands, Hospital, Stack, audit, audit_as, audited, impatient, sample};
use serde_json::{Value, json};

/// Records, so that each is harmed in one way.
const RECORDS: usize = 14;
const WOKEN: [&str; 4] = ["consumer", "commit", "sweeper", "seal"];

/// What is done, and what an audit must say of it.
#[derive(Default)]
struct Harm {
    deeds: Vec<Value>,
    expected: BTreeSet<(String, String)>,
}

/// A vault with something of everything, and all of its events.
struct Scene {
    stack: &'static Stack,
    anna: Hospital,
    benedikt: Hospital,
    clara: Hospital,
    pending: Hospital,
    records: Vec<Id>,
    /// Announced; its body has not come.
    open: Id,
    /// Asked for when nobody was awake any more.
    request: Id,
    /// The log before its last block.
    before: ledger::Before,
    events: Vec<Event>,
    bodies: Vec<StoredEvent>,
}

impl Harm {
    fn expect(&mut self, code: &str, item: impl Into<String>) {
        assert!(self.expected.insert((code.to_owned(), item.into())), "{code} twice");
    }

    fn put(&mut self, table: &str, item: &Value) {
        self.deeds.push(json!({"do": "put-item", "table": table, "item": item}));
    }

    fn drop_item(&mut self, table: &str, key: &Value) {
        self.deeds.push(json!({"do": "drop-item", "table": table, "key": key}));
    }

    fn set(&mut self, table: &str, key: &Value, attribute: &str, value: &Value) {
        let deed = json!({"do": "set-attribute", "table": table, "key": key, "attribute": attribute, "value": value});
        self.deeds.push(deed);
    }
}

fn key(place: EventRef) -> Value {
    json!({"stream": {"S": place.stream.to_string()}, "seq": {"N": place.seq.to_string()}})
}

fn two(first: &str, a: &str, second: &str, b: &str) -> Value {
    json!({first: {"S": a}, second: {"S": b}})
}

impl Scene {
    fn new() -> Self {
        let stack = Stack::tampered();
        let names = ["St. Anna", "St. Benedikt", "St. Clara"];
        let [anna, benedikt, clara] = names.map(|name| Hospital::verified(stack, name));
        let pending = Hospital::pending(stack, "St. Dorothea");
        let keep = || anna.keep(sample(3_000).path(), &["body:brain"]).record;
        let records: Vec<Id> = thread::scope(|scope| {
            let threads: Vec<_> = (0..RECORDS).map(|_| scope.spawn(keep)).collect();
            threads.into_iter().map(|thread| thread.join().expect("kept")).collect()
        });
        let path = format!("/records/{}/key", records[4]);
        let issue = chartseal_cli::Call::new(&path, RecordKey { record: records[4], version: 1 });
        anna.send::<IssuedKey>(&issue).expect("a key");
        let created = anna.create_record().expect("created");
        let spooled = created.spool(&b"a record"[..]).expect("encrypted");
        let tokens = anna.record_tokens(&[]).expect("tokens");
        anna.announce(&created, &spooled, "text/plain", &tokens, None).expect("announced");

        let again = anna.create_version(records[9]).expect("a second version");
        let mut second = again.spool(&b"a second version"[..]).expect("encrypted");
        let announced = anna.announce(&again, &second, "text/plain", &tokens, None).expect("announced");
        let call = announced.answer.upload.as_ref().expect("one PUT");
        anna.put(call, &mut second, &Silent).expect("sent");
        anna.wait_uploaded(records[9], 2, &second.sealed.message_id).expect("uploaded");

        ledger::fill(stack);

        // Once at least: what they note is harmed too.
        let sweep = || ["sweeper", "seal"].map(|sweeper| Hands(stack).invoke(sweeper, &json!({})));
        sweep();
        audited(stack, Duration::from_mins(1), || drop(sweep()));
        let before = ledger::Before::of(stack);
        Hands(stack).hints(&WOKEN, false);
        let request = benedikt.ask(records[8]);
        let items = Hands(stack).items("EventsTable");
        let bodies: Vec<StoredEvent> = items.iter().map(stored).collect();
        let events = bodies.iter().map(|stored| stored.open().expect("an event")).collect();
        Self { stack, anna, benedikt, clara, pending, records, open: created.record, request, before, events, bodies }
    }

    fn table(&self, name: &str) -> &'static str {
        self.stack.output(name)
    }

    fn place(&self, record: usize, seq: u64) -> EventRef {
        EventRef { stream: StreamId::Record(self.records[record]), seq }
    }

    fn event(&self, place: EventRef) -> &Event {
        self.events.iter().find(|event| event.place == place).expect("there")
    }

    fn moment(&self, place: EventRef) -> String {
        layout::moment(self.event(place).at_ms, place)
    }

    fn object(&self, record: usize) -> String {
        format!("records/{}/1/1", self.records[record])
    }

    /// Puts an event into the table as the vault would, after the last one of its stream.
    fn append(&self, harm: &mut Harm, place: EventRef, command: Option<&Command>, outcome: &Outcome, seen: &[Seen]) {
        let last = self.event(EventRef { seq: place.seq - 1, ..place });
        let at_ms = last.at_ms.max(command.map_or(0, |command| command.claims.iat * 1000)) + 1;
        let envelope = Envelope { place, prev: last.leaf, at_ms, seen, nonce: Bytes([7; 16]), command };
        self.store(harm, &StoredEvent::write(envelope, outcome).expect("written"), at_ms);
    }

    fn store(&self, harm: &mut Harm, event: &StoredEvent, at_ms: u64) {
        let mut item = key(event.at);
        item["body"] = json!({"B": hex::encode(&event.body)});
        item["at"] = json!({"N": at_ms.to_string()});
        item["hour"] = json!({"S": layout::hour(at_ms, &event.leaf)});
        item["moment"] = json!({"S": layout::moment(at_ms, event.at)});
        harm.put(self.table("EventsTable"), &item);
    }
}

fn stored(item: &Value) -> StoredEvent {
    let text = |name: &str, kind: &str| item[name][kind].as_str().expect("an attribute");
    let place = EventRef {
        stream: text("stream", "S").parse().expect("a stream"),
        seq: text("seq", "N").parse().expect("a number"),
    };
    let body = hex::decode(text("body", "B")).expect("hex");
    StoredEvent::new(place, String::from_utf8(body).expect("UTF-8"))
}

#[test]
fn an_audit_names_everything_that_is_changed_behind_the_vaults_back() {
    let scene = Scene::new();
    let stack = scene.stack;
    let policy =
        std::fs::read_to_string(stack.workspace.root().join("audit/policy.json")).expect("the auditor's policy");
    let tables = ["Events", "Private", "Keys", "SearchKeys", "Index", "Work", "Blocks", "Sealed"];
    let outputs = tables
        .map(|table| format!("{table}Table"))
        .into_iter()
        .chain(["BlobBucket", "LedgerBucket"].map(str::to_owned));
    let policy = outputs.fold(policy, |policy, name| policy.replace(&format!("${{{name}}}"), scene.table(&name)));
    let auditor = Hands(stack).with_policy(&format!("auditor-{}", std::process::id()), &policy);
    let usual = Settings { grace_ms: 300_000, ..impatient(stack) };
    let bodies = Settings { bodies: true, ..usual };
    let report = audit_as(&auditor, stack, bodies, Duration::ZERO).expect("the policy is enough");
    assert!(report.sound && !report.pending.is_empty(), "nobody has come to the request: {}", report.in_words());
    assert_eq!(report.bodies_read, report.things["object"].accounted, "every body is read");
    objects::other_bytes(&scene, bodies);
    let nobody = Hands(stack)
        .with_policy(&format!("nobody-{}", std::process::id()), &policy.replace("dynamodb:Scan", "dynamodb:GetItem"));
    audit_as(&nobody, stack, usual, Duration::ZERO).expect_err("who may not read everything judges nothing");

    let mut harm = Harm::default();
    unheard(&scene, &mut harm);
    events(&scene, &mut harm);
    appended(&scene, &mut harm);
    private_values(&scene, &mut harm);
    keys(&scene, &mut harm);
    lists(&scene, &mut harm);
    work(&scene, &mut harm);
    objects::harm(&scene, &mut harm);
    ledger::harm(&scene, &mut harm);
    Hands(stack).all(&harm.deeds);

    let report = audit(stack, impatient(stack), Duration::ZERO);
    let found: BTreeSet<(String, String)> =
        report.findings.iter().map(|finding| (finding.code.clone(), finding.item.clone())).collect();
    let missed: Vec<_> = harm.expected.difference(&found).collect();
    let more: Vec<_> = found.difference(&harm.expected).collect();
    assert!(missed.is_empty() && more.is_empty(), "missed: {missed:#?}\nmore: {more:#?}\n{}", report.in_words());
    assert_eq!(report.things["private"].erased, 1, "one was emptied on purpose");
    let json = serde_json::to_string(&report).expect("JSON");
    for secret in ["a story's file", "the patient is here", "St. Anna", "Doctor"] {
        assert!(!json.contains(secret) && !report.in_words().contains(secret), "{secret} is in the report");
    }

    // A month later, everything that was open is over, and nobody was awake to say so.
    let month = Duration::from_hours(31 * 24);
    let report = audit(stack, Settings { grace_ms: 300_000, ..impatient(stack) }, month);
    for (code, item) in [
        ("grant-overdue", format!("record/{}#1", scene.open)),
        ("grant-overdue", format!("request/{}#0", scene.request)),
    ] {
        assert!(report.findings.iter().any(|finding| finding.code == code && finding.item == item), "{code} {item}");
    }
    let other = Settings { genesis: Some(Hash::ZERO), ..impatient(stack) };
    let report = audit(stack, other, Duration::ZERO);
    assert!(report.findings.iter().any(|finding| finding.code == "event-changed" && finding.item == "vault#0"));

    // Last, what there is one of: no search key, no sweep, and no beginning.
    let harmed = |table: &str, key: Value, code: &str, item: &str| {
        let mut harm = Harm::default();
        harm.drop_item(scene.table(table), &key);
        Hands(stack).all(&harm.deeds);
        let report = audit(stack, impatient(stack), Duration::from_hours(1));
        let named = report.findings.iter().any(|finding| finding.code == code && finding.item == item);
        assert!(named, "{code} {item}:\n{}", report.in_words());
    };
    harmed("SearchKeysTable", json!({"epoch": {"N": "1"}}), "search-key-missing", "1");
    harmed("WorkTable", two("item", "cursor", "part", "sweep"), "cursor-missing", "cursor sweep");
    harmed("EventsTable", key(EventRef { stream: StreamId::Vault, seq: 0 }), "event-missing", "vault#0");
}

/// The request that was made when nobody was awake: with no time for the workers, all that should follow is missing.
fn unheard(scene: &Scene, harm: &mut Harm) {
    let asked = EventRef { stream: StreamId::Request(scene.request), seq: 0 };
    let moment = scene.moment(asked);
    harm.expect("event-overdue", asked.to_string());
    harm.expect("grant-overdue", asked.to_string());
    harm.expect("due-missing", asked.to_string());
    harm.expect("posting-missing", format!("requests {moment}"));
    for hospital in [&scene.anna, &scene.benedikt] {
        harm.expect("posting-missing", format!("requests/{} {moment}", hospital.id()));
    }
}

fn events(scene: &Scene, harm: &mut Harm) {
    let table = scene.table("EventsTable");
    // Another nonce, such that the event stays in its shard of the index over time: the next event no longer follows.
    let place = scene.place(0, 0);
    let before = scene.bodies.iter().find(|stored| stored.at == place).expect("there");
    let event = scene.event(place);
    let (old, at_ms) = (event.nonce.to_string(), event.at_ms);
    let other = (0u8..=255)
        .map(|byte| StoredEvent::new(place, before.body.replacen(&old, &Bytes([byte; 16]).to_string(), 1)))
        .find(|other| layout::hour(at_ms, &other.leaf) == layout::hour(at_ms, &before.leaf));
    scene.store(harm, &other.expect("one in four"), at_ms);
    harm.expect("event-unlinked", scene.place(0, 1).to_string());

    harm.drop_item(table, &key(scene.place(1, 1)));
    harm.expect("event-missing", scene.place(1, 1).to_string());
    harm.set(table, &key(scene.place(2, 2)), "body", &json!({"B": "7b7d"}));
    harm.expect("event-damaged", scene.place(2, 2).to_string());

    // Under another time in the index: it would be healed at another time, or never.
    let place = scene.place(7, 2);
    let event = scene.event(place);
    let hour = layout::hour(event.at_ms, &event.leaf);
    let (right, wrong) = (scene.moment(place), layout::moment(event.at_ms + 1, place));
    harm.set(table, &key(place), "moment", &json!({"S": wrong}));
    harm.expect("event-changed", place.to_string());
    harm.expect("by-time-missing", format!("{hour} {right}"));
    harm.expect("by-time-orphan", format!("{hour} {wrong}"));

    // Half of what was written together.
    let staff = scene.pending.wallet.kid().to_string().parse().map(StreamId::Staff).expect("a person");
    let place = EventRef { stream: staff, seq: 0 };
    harm.drop_item(table, &key(place));
    harm.expect("event-missing", place.to_string());
    harm.put(table, &json!({"stream": {"S": "nonsense"}, "seq": {"N": "1"}}));
    harm.expect("event-foreign", "nonsense 1");
}

/// Events that are well linked, and that the vault would never have written. The sealer was not awake.
fn appended(scene: &Scene, harm: &mut Harm) {
    let uploaded = RecordUploaded { version: 1, announced: 99, version_id: "x".to_owned() };
    scene.append(harm, scene.place(3, 3), None, &uploaded.into(), &[]);
    harm.expect("event-impossible", scene.place(3, 3).to_string());

    let issued = scene.event(scene.place(4, 3)).clone();
    scene.append(harm, scene.place(4, 4), issued.command.as_ref(), &issued.outcome, &issued.seen);
    harm.expect("event-repeated", scene.place(4, 4).to_string());
    harm.expect("event-overdue", scene.place(4, 4).to_string());

    let key_of =
        |record: usize, seal_key| Outcome::from(KeyIssued { record: scene.records[record], version: 1, seal_key });
    let sign = |hospital: &Hospital, record: usize| {
        hospital.sign(RecordKey { record: scene.records[record], version: 1 }, &[]).expect("signed").command
    };
    // To another wallet than the command's.
    scene.append(harm, scene.place(5, 3), Some(&sign(&scene.anna, 5)), &key_of(5, Bytes([1; 32])), &issued.seen);
    harm.expect("event-undue", scene.place(5, 3).to_string());
    harm.expect("event-overdue", scene.place(5, 3).to_string());
    // By somebody who may not.
    scene.append(harm, scene.place(6, 3), Some(&sign(&scene.benedikt, 6)), &key_of(6, Bytes([1; 32])), &issued.seen);
    harm.expect("event-undecidable", scene.place(6, 3).to_string());
    harm.expect("event-overdue", scene.place(6, 3).to_string());
}

fn private_values(scene: &Scene, harm: &mut Harm) {
    let table = scene.table("PrivateTable");
    let registered = |hospital: &Hospital| EventRef { stream: StreamId::Provider(hospital.id()), seq: 1 };
    harm.drop_item(table, &key(registered(&scene.anna)));
    harm.expect("private-missing", registered(&scene.anna).to_string());
    harm.set(table, &key(registered(&scene.benedikt)), "fields", &json!({"S": "x"}));
    harm.expect("private-damaged", registered(&scene.benedikt).to_string());
    harm.set(table, &key(registered(&scene.clara)), "fields", &json!({"S": "{}"}));
    let value = json!({"name": {"salt": Bytes([1; 16]).to_string(), "value": "Somebody"}}).to_string();
    harm.set(table, &key(registered(&scene.pending)), "fields", &json!({"S": value}));
    harm.expect("private-changed", registered(&scene.pending).to_string());
    for (stream, code) in
        [(format!("record/{}", scene.records[8]), "private-orphan"), ("nonsense".to_owned(), "private-foreign")]
    {
        harm.put(table, &json!({"stream": {"S": stream}, "seq": {"N": "0"}, "fields": {"S": value}}));
        let separator = if code == "private-orphan" { '#' } else { ' ' };
        harm.expect(code, format!("{stream}{separator}0"));
    }
}

fn keys(scene: &Scene, harm: &mut Harm) {
    let table = scene.table("KeysTable");
    let [changed, dropped, other, gone] = [10, 11, 12, 13].map(|record| scene.records[record]);
    let items = Hands(scene.stack).items("KeysTable");
    let names = items.iter().map(|item| item["record"]["S"].as_str().expect("a name").to_owned());
    let names: Vec<String> = names.filter(|name| name.split('/').count() == 3).collect();
    let header =
        |record: Id| names.iter().find(|name| name.starts_with(&record.to_string())).expect("a header").clone();

    harm.set(table, &json!({"record": {"S": format!("{changed}/1")}}), "wrapped", &json!({"B": "00"}));
    harm.expect("key-changed", format!("{changed}/1"));
    harm.drop_item(table, &json!({"record": {"S": format!("{dropped}/1")}}));
    harm.expect("key-missing", format!("{dropped}/1"));
    harm.set(table, &json!({"record": {"S": header(other)}}), "header", &json!({"B": "00"}));
    harm.expect("header-changed", header(other));
    harm.drop_item(table, &json!({"record": {"S": header(gone)}}));
    harm.expect("header-missing", header(gone));
    let orphan = format!("{}/2", scene.records[8]);
    harm.put(table, &json!({"record": {"S": orphan}, "wrapped": {"B": "00"}}));
    harm.expect("key-orphan", orphan);
    let orphan = format!("{}/1/{}", scene.records[8], Bytes([1; 32]));
    harm.put(table, &json!({"record": {"S": orphan}, "header": {"B": "00"}}));
    harm.expect("header-orphan", orphan);
    harm.put(table, &json!({"record": {"S": "nonsense"}, "header": {"B": "00"}}));
    harm.expect("header-foreign", "nonsense");

    let table = scene.table("SearchKeysTable");
    harm.set(table, &json!({"epoch": {"N": "1"}}), "public", &json!({"B": "00"}));
    harm.expect("search-key-changed", "1");
    harm.put(table, &json!({"epoch": {"N": "2"}, "public": {"B": "00"}, "wrapped": {"B": "00"}}));
    harm.expect("search-key-orphan", "2");
}

fn lists(scene: &Scene, harm: &mut Harm) {
    let table = scene.table("IndexTable");
    let moment = scene.moment(scene.place(8, 0));
    harm.set(table, &two("list", "records", "moment", &moment), "version", &json!({"N": "7"}));
    harm.expect("posting-changed", format!("records {moment}"));
    let moment = scene.moment(scene.place(10, 1));
    let items = Hands(scene.stack).items("IndexTable");
    let posted = items.iter().find(|item| item["moment"]["S"] == json!(moment)).expect("its tokens are posted");
    let list = posted["list"]["S"].as_str().expect("a list");
    harm.drop_item(table, &two("list", list, "moment", &moment));
    harm.expect("posting-missing", format!("{list} {moment}"));
    let moment = scene.moment(scene.place(8, 1));
    let mut item = two("list", "records", "moment", &moment);
    item["version"] = json!({"N": "0"});
    harm.put(table, &item);
    harm.expect("posting-orphan", format!("records {moment}"));
    // A version that was followed by another one is no longer found.
    let older = scene.place(9, 1);
    let items = Hands(scene.stack).items("PrivateTable");
    let private =
        items.iter().find(|item| item["stream"]["S"] == json!(older.stream.to_string()) && item["seq"]["N"] == "1");
    let fields = private.and_then(|item| item["fields"]["S"].as_str()).expect("its private values");
    let fields: Value = serde_json::from_str(fields).expect("JSON");
    let token = fields["tokens"]["value"].as_str().and_then(|tokens| tokens.split(' ').next()).expect("a token");
    let (list, moment) = (format!("token/{token}"), scene.moment(older));
    let mut item = two("list", &list, "moment", &moment);
    item["version"] = json!({"N": "1"});
    harm.put(table, &item);
    harm.expect("posting-overdue", format!("{list} {moment}"));
    harm.put(table, &two("list", "nonsense", "moment", "x"));
    harm.expect("posting-foreign", "nonsense x");
}

fn work(scene: &Scene, harm: &mut Harm) {
    let table = scene.table("WorkTable");
    let due = |event: EventRef, at_ms: u64| (format!("due/{}", layout::due_shard(event)), layout::moment(at_ms, event));
    let stranger = Id::from_parts(1, [1; 10]);
    for (code, (item, part)) in [
        ("due-orphan", due(EventRef { stream: StreamId::Record(stranger), seq: 0 }, 4_000_000_000_000)),
        ("due-overdue", due(scene.place(8, 1), 1_000)),
        ("due-foreign", ("nonsense".to_owned(), "x".to_owned())),
        ("task-orphan", (format!("task/{stranger}"), "token".to_owned())),
        ("rate-orphan", (format!("rate/{stranger}/5"), "tokens".to_owned())),
    ] {
        harm.put(table, &two("item", &item, "part", &part));
        harm.expect(code, format!("{item} {part}"));
    }
    harm.set(table, &two("item", "cursor", "part", "sweep"), "value", &json!({"N": "1"}));
    harm.expect("cursor-overdue", "cursor sweep");
    let announced = EventRef { stream: StreamId::Record(scene.open), seq: 1 };
    let ours = |item: &&Value| item["part"]["S"].as_str().is_some_and(|part| part.ends_with(&format!("#{announced}")));
    for item in Hands(scene.stack).items("WorkTable").iter().filter(ours) {
        let text = |name: &str| item[name]["S"].as_str().expect("a key");
        harm.drop_item(table, &two("item", text("item"), "part", text("part")));
    }
    harm.expect("due-missing", announced.to_string());
}
