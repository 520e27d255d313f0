//! A check that cannot fail proves nothing: for every invariant, worlds in which it is broken, and the checker must say so. First damage by hand, then
//! stores that do what they must not.

use std::sync::{Arc, Mutex};

use chartseal_events::command::OperatorAdd;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::wire::{CommandRequest, Receipt};
use chartseal_events::{Bytes, Code, Command, EventRef, Hash, Id, StreamId};
use chartseal_http::testing::Wallet;
use chartseal_http::{Answer, Cache};
use chartseal_infra::BlobKey;
use chartseal_infra::faulty::{Call, Deed, Fault, Faulty, Plan};
use chartseal_infra::memory::{Landing, MemoryVault};
use chartseal_infra::ports::{
    Blobs as _, Due, EventStore as _, Index as _, IndexEntry, IndexList, KeyItem, WorkList as _, Workflow as _,
};
use serde_json::json;

use crate::broken::{Broken, Defect};
use crate::check::{Breach, Invariant, Stock, check, check_drained, check_evidence, check_release};
use crate::functions::Functions;
use crate::story::story;
use crate::sweep::run;
use crate::world::{Hints, How, ROUNDS, Sent, World};

/// What is done to a world.
type Damage = fn(&mut World);

fn now<T>(done: impl Future<Output = T>) -> T {
    run(done)
}

fn place(stream: StreamId, seq: u64) -> EventRef {
    EventRef { stream, seq }
}

fn scan(world: &World) -> StreamId {
    StreamId::Record(world.cast.ids["scan"])
}

fn edit(world: &World, at: EventRef, change: impl Fn(&str) -> String) {
    let body = world.vault.events().into_iter().find(|event| event.at == at).expect("an event").body;
    world.vault.tamper(at, change(&body));
}

/// Another nonce: everything else holds.
fn another_nonce(body: &str) -> String {
    let nonce = body.find("\"nonce\":\"").expect("a nonce") + 9;
    format!("{}AAAAAAAAAAAAAAAAAAAAAA{}", &body[..nonce], &body[nonce + 22..])
}

fn forgotten(world: &mut World) {
    world.known.stored.clear();
}

const DAMAGES: &[(&str, Invariant, Damage)] = &[
    ("an event was written over", Invariant::WrittenOnce, |world| edit(world, place(scan(world), 1), another_nonce)),
    ("an event is gone", Invariant::WrittenOnce, |world| world.vault.delete_event(place(scan(world), 3))),
    ("a link does not fit", Invariant::Sound, |world| {
        forgotten(world);
        world.known.commands.clear();
        edit(world, place(scan(world), 1), another_nonce);
    }),
    ("a place is empty", Invariant::Sound, |world| {
        forgotten(world);
        world.known.commands.clear();
        world.vault.delete_event(place(scan(world), 3));
    }),
    ("a decision comes to something else", Invariant::Sound, |world| {
        forgotten(world);
        world.known.commands.clear();
        let last = world.vault.events().iter().filter(|event| event.at.stream == scan(world)).count() as u64 - 1;
        edit(world, place(scan(world), last), |body| body.replace("\"announced\":6", "\"announced\":2"));
    }),
    ("another vault", Invariant::Sound, |world| world.known.genesis = Some(Hash([1; 32]))),
    ("an answered event is not stored", Invariant::OnceForEach, |world| {
        let heard = world.known.commands.values_mut().find(|heard| heard.taken.is_some()).expect("a command");
        heard.taken = Some((place(StreamId::Vault, 99), Hash([1; 32])));
    }),
    ("a refused command is stored", Invariant::RefusalLeavesNothing, |world| {
        let heard = world.known.commands.values_mut().find(|heard| heard.taken.is_some()).expect("a command");
        (heard.taken, heard.refused) = (None, true);
    }),
    ("private values are gone", Invariant::Together, |world| {
        world.vault.set_private(place(scan(world), 2), PrivatePart::new());
    }),
    ("private values are others", Invariant::Together, |world| {
        let mut part = now(world.vault.private(&place(scan(world), 2))).expect("memory");
        for value in part.values_mut() {
            value.salt = Bytes([0xEE; 16]);
        }
        world.vault.set_private(place(scan(world), 2), part);
    }),
    ("private values of nobody", Invariant::Together, |world| {
        let value = PrivateValue { salt: Bytes([0; 16]), value: "x".to_owned() };
        world.vault.set_private(place(scan(world), 99), [("reason".to_owned(), value)].into());
    }),
    ("keys are gone", Invariant::Together, |world| world.vault.shred(world.cast.ids["scan"])),
    ("a key that nobody made", Invariant::Together, |world| {
        world.vault.set_key(KeyItem::Wrapped { record: world.cast.ids["scan"], version: 9, wrapped: vec![1] });
    }),
    ("another key", Invariant::Together, |world| {
        world.vault.set_key(KeyItem::Wrapped { record: world.cast.ids["scan"], version: 1, wrapped: vec![1] });
    }),
    ("a header of no run", Invariant::Together, |world| {
        let (record, message_id) = (world.cast.ids["scan"], Bytes([1; 32]));
        world.vault.set_key(KeyItem::Header { record, version: 1, message_id, header: vec![1] });
    }),
    ("other bytes in the bucket", Invariant::Body, |world| {
        world.vault.tamper_blob(&body(world), |bytes| bytes[0] ^= 1);
    }),
    ("a body is gone", Invariant::Body, |world| {
        let head = now(world.vault.head(&body(world))).expect("memory").expect("there");
        now(world.vault.delete(&body(world), &head.version_id)).expect("memory");
    }),
    ("a name in an event", Invariant::Words, |world| {
        forgotten(world);
        world.known.commands.clear();
        edit(world, place(scan(world), 1), |body| body.replacen('{', "{\"name\":\"Zacharias\",", 1));
    }),
    ("a name in an address", Invariant::Words, |world| {
        world.cast.calls.get_mut("v1").expect("a call").url.push_str("&name=Zacharias");
    }),
    ("a name among the lists", Invariant::Words, |world| {
        let entry = IndexEntry { at_ms: 1, event: place(scan(world), 0), version: 0 };
        now(world.vault.add(&[(IndexList::Token("Zacharias".to_owned()), entry)])).expect("memory");
    }),
    ("an entry that no event makes", Invariant::Index, |world| {
        let entry = IndexEntry { at_ms: 1, event: place(scan(world), 0), version: 0 };
        now(world.vault.add(&[(IndexList::Records, entry)])).expect("memory");
    }),
    ("an entry is missing", Invariant::Index, |world| {
        let entry = world.vault.index()["records"][0];
        now(world.vault.remove(&[(IndexList::Records, entry)])).expect("memory");
    }),
    ("nobody will look at a deadline", Invariant::Due, |world| {
        for due in world.vault.due_items() {
            now(world.vault.remove_due(due)).expect("memory");
        }
    }),
    ("something is overdue", Invariant::Due, |world| {
        now(world.vault.add_due(Due { at_ms: 1, event: place(scan(world), 2) })).expect("memory");
    }),
    ("deadlines pass unseen", Invariant::Due, |world| world.vault.advance(30 * 3_600_000)),
    ("a workflow for nothing", Invariant::Workflow, |world| {
        now(world.vault.start(Id::from_parts(1, [1; 10]), None)).expect("memory");
    }),
    ("a decision was told twice", Invariant::Workflow, |world| {
        let token = world.machine.token(world.cast.ids["cyd's"]).expect("a token");
        world.vault.wait_with(&token);
        now(world.vault.tell(&token, &json!({"decision": "denied"}))).expect("memory");
    }),
    ("nobody can tell a workflow", Invariant::Workflow, |world| {
        now(world.vault.put_task_token(world.cast.ids["cyd's second"], "other", "9")).expect("memory");
    }),
];

fn body(world: &World) -> String {
    BlobKey { record: world.cast.ids["scan"], version: 1, announced: 2 }.to_string()
}

#[test]
fn whatever_is_damaged_is_noticed() {
    let sound = run(World::told(Some("cyd asks once more")));
    check(&mut sound.fork()).expect("sound before it is damaged");
    run(check_drained(sound.fork())).expect("and in the end");
    for (name, invariant, damage) in DAMAGES {
        let mut world = sound.fork();
        damage(&mut world);
        let breach = check(&mut world).expect_err(name);
        assert_eq!(breach.invariant, *invariant, "{name}: {breach}");
    }
}

#[test]
fn half_of_a_registration_is_noticed() {
    let mut world = run(World::told(Some("ann registers")));
    forgotten(&mut world);
    let staff = world.cast.wallets["ann"].person();
    world.vault.delete_event(place(StreamId::Staff(staff), 0));
    assert_eq!(check(&mut world).expect_err("half").invariant, Invariant::Together);
}

#[test]
fn what_is_left_in_the_end_is_noticed() {
    let sound = run(World::told(None));
    let orphans: [(&str, Damage); 3] = [
        ("an object of nobody", |world| drop(world.vault.put_blob("records/x", b"x"))),
        ("another version", |world| drop(world.vault.put_blob(&body(world), b"x"))),
        ("an unfinished upload", |world| drop(now(world.vault.begin_upload(&body(world))))),
    ];
    for (name, damage) in orphans {
        let mut world = sound.fork();
        damage(&mut world);
        assert_eq!(run(check_drained(world)).expect_err(name).invariant, Invariant::Orphans, "{name}");
    }
    let (one, mut other) = (Stock::of(&sound), sound.fork());
    assert_eq!(Stock::of(&other), one);
    now(other.vault.start(Id::from_parts(1, [1; 10]), None)).expect("memory");
    assert_eq!(Stock::of(&other).same(&one).expect_err("another end").invariant, Invariant::End);
    other = sound.fork();
    edit(&other, place(scan(&other), 1), another_nonce);
    let genesis = other.known.genesis.expect("begun");
    assert_eq!(check_evidence(&genesis, &other.vault.events()).expect_err("tampered").invariant, Invariant::Sound);
}

#[test]
fn what_is_released_too_early_is_noticed() {
    let world = run(World::told(Some("bob fetches the key")));
    let stored = world.vault.events().last().expect("events").clone();
    let command = stored.open().expect("an event").command.expect("a command");
    let receipt = Receipt::from(&stored);
    let answer = |json: String| Answer { status: 201, json, problem: None, file: None, cache: Cache::Never };
    let released = answer(json!({"event": receipt, "sealed_key": {}}).to_string());
    let of = |vault: &MemoryVault, calls: &[Call], answer: &Answer| {
        check_release(vault, &world.known, Some(&command), calls, answer).map_err(|breach: Breach| breach.invariant)
    };
    let vault = &world.vault;
    assert_eq!(of(vault, &[Call::Append, Call::Unwrap], &released), Ok(()));
    assert_eq!(of(vault, &[Call::Unwrap, Call::Append], &released), Err(Invariant::Release), "opened first");
    let without = vault.fork();
    without.delete_event(stored.at);
    assert_eq!(of(&without, &[Call::Unwrap], &released), Err(Invariant::Release), "opened without its event");
    let lost = Answer {
        status: 503,
        json: "{}".to_owned(),
        problem: Some(Code::Unavailable),
        file: None,
        cache: Cache::Never,
    };
    assert_eq!(of(&without, &[Call::Append, Call::Unwrap], &lost), Err(Invariant::Release), "whatever was answered");
    assert_eq!(of(&without, &[], &released), Err(Invariant::Release), "an event that is not stored");
    let over = vault.fork();
    over.advance(2 * 3_600_000);
    assert_eq!(of(&over, &[Call::Append, Call::Unwrap], &released), Err(Invariant::Release), "the grant is over");
    let broken =
        Answer { status: 500, json: "{}".to_owned(), problem: Some(Code::Internal), file: None, cache: Cache::Never };
    assert_eq!(of(vault, &[], &broken), Err(Invariant::Answer));
}

/// Tells the story on a store with a defect; gives the breach that shows.
fn told_on(ports: fn(&MemoryVault, &Plan) -> Broken) -> Breach {
    run(async {
        let mut world = World::new();
        for group in story() {
            let sent = world.prepare(&group);
            let how = How {
                ports,
                plan: Plan::default(),
                hints: Hints::Delivered,
                patience: 2,
                rounds: ROUNDS,
                faulty_rounds: 1,
            };
            if let Err(breach) = world.go(&group, sent.as_ref(), &how).await.and_then(|()| check(&mut world)) {
                return breach;
            }
            if group.name == "ann begins to send parts" {
                // Somebody began another, and never heard of it.
                let (record, announced) = (world.cast.ids["scan"], world.cast.seqs["v2"]);
                let key = BlobKey { record, version: 2, announced }.to_string();
                world.vault.begin_upload(&key).await.expect("memory");
            }
            if let Err(breach) = check_drained(world.fork()).await {
                return breach;
            }
        }
        panic!("the defect was not noticed");
    })
}

#[test]
fn a_store_with_a_defect_is_noticed() {
    use Defect::{
        DeafWorkflow, DueForEver, FirstIsAll, HalfOfTheEvents, NoAbort, NoDelete, NoDue, NoIndex, NoKeys,
        NoPrivateValues, NoWorkflow, StaleIndex, WritesNothing,
    };
    macro_rules! noticed {
        ($($defect:ident: $($invariant:ident)|+;)+) => {$(
            let breach = told_on(|vault, _| Broken { vault: vault.clone(), defect: $defect });
            assert!(matches!(breach.invariant, $(Invariant::$invariant)|+), "{:?}: {breach}", $defect);
        )+};
    }
    noticed! {
        HalfOfTheEvents: Together | Sound;
        NoPrivateValues: Together;
        NoKeys: Together | Answer;
        WritesNothing: Release | Answer | OnceForEach | Sound;
        NoIndex: Index;
        StaleIndex: Index;
        FirstIsAll: Index;
        NoDue: Due;
        DueForEver: Due;
        NoWorkflow: Workflow | Due;
        DeafWorkflow: Workflow;
        NoAbort: Orphans;
        NoDelete: Orphans;
    }
}

/// A batch lands in part and comes again, on a store that takes one of it for all.
#[test]
fn a_batch_that_is_trusted_by_one_of_it_is_noticed() {
    let added = |defect, landing| run(told_in_part("ann creates a record", Call::AddEntries, landing, defect));
    let aborted = |defect, landing| {
        run(told_in_part("grants and requests come to their ends", Call::AbortUploads, landing, defect))
    };
    assert_eq!(added(Defect::TrustsTheFirst, Landing::First), Err(Invariant::Index));
    assert_eq!(added(Defect::TrustsTheLast, Landing::Rest), Err(Invariant::Index));
    // Each is found by its own kind alone, so both are needed.
    assert_eq!(added(Defect::TrustsTheFirst, Landing::Rest), Ok(()));
    assert_eq!(added(Defect::TrustsTheLast, Landing::First), Ok(()));
    assert_eq!(aborted(Defect::AbortsOnce, Landing::First), Err(Invariant::Orphans));
    assert_eq!(aborted(Defect::TrustsTheFirst, Landing::First), Ok(()), "that one is about lists");
}

/// Tells the story on a store with a defect, where the first call of this kind in this group that can lands in part.
async fn told_in_part(name: &str, call: Call, landing: Landing, defect: Defect) -> Result<(), Invariant> {
    let with = |defect| {
        let ports: fn(&MemoryVault, &Plan) -> Faulty<Broken> = match defect {
            Defect::TrustsTheFirst => |vault, plan| with_defect(vault, plan, Defect::TrustsTheFirst),
            Defect::TrustsTheLast => |vault, plan| with_defect(vault, plan, Defect::TrustsTheLast),
            _ => |vault, plan| with_defect(vault, plan, Defect::AbortsOnce),
        };
        How { ports, plan: Plan::default(), hints: Hints::Delivered, patience: 2, rounds: ROUNDS, faulty_rounds: 1 }
    };
    let mut world = World::new();
    for group in story() {
        let (sent, how) = (world.prepare(&group), with(defect));
        if group.name == name {
            let vault = world.vault.clone();
            how.plan.choose(move |made| {
                let (landed, cut) = (has_landed_in_part(&vault), vault.clone());
                (made == call && !landed).then(|| Fault::InPart(Box::pin(async move { cut.cut_next(landing) })))
            });
        }
        let done = world.go(&group, sent.as_ref(), &how).await.and_then(|()| check(&mut world));
        if group.name == name {
            assert!(has_landed_in_part(&world.vault), "{name}, {call}: {:?}", world.vault.cut_batches());
        }
        done.map_err(|breach| breach.invariant)?;
    }
    check_drained(world).await.map_err(|breach| breach.invariant)
}

fn has_landed_in_part(vault: &MemoryVault) -> bool {
    vault.cut_batches().iter().any(|(landed, _)| *landed > 0)
}

fn with_defect(vault: &MemoryVault, plan: &Plan, defect: Defect) -> Faulty<Broken> {
    Faulty::with(Broken { vault: vault.clone(), defect }, plan.clone())
}

/// An append that is not conditional loses the quicker one's event, which was answered.
#[test]
fn an_append_that_writes_over_is_noticed() {
    written_over(Call::Append, Fault::Overtaken);
}

/// And so it does where the good answer to a read was slow, and is no longer true when it comes.
#[test]
fn an_append_that_relies_on_a_slow_read_is_noticed() {
    written_over(Call::Load, |quicker| Fault::Slow(Box::pin(async {}), quicker));
}

fn written_over(call: Call, fault: fn(Deed) -> Fault) {
    run(async {
        let mut world = World::told(Some("anybody asks for the vault")).await;
        let group = story().into_iter().find(|group| group.name == "an operator adds another").expect("a group");
        let sent = world.prepare(&group);
        let quicker = {
            let sign_key = Wallet::operator(99).sign_key();
            let incoming = world.cast.post("operator", "/operators", OperatorAdd { sign_key }, &[]);
            Sent { operation: "POST /operators", incoming }
        };
        let (functions, answer) = (Functions(world.vault.clone()), Arc::new(Mutex::new(None)));
        let (sends, keeps) = (quicker.clone(), answer.clone());
        let plan = Plan::default();
        let deed = async move {
            let answer = functions.answer(sends.operation, &sends.incoming).await;
            *keeps.lock().expect("an answer") = Some(answer);
        };
        plan.fail_next(call, fault(Box::pin(deed)));
        let ports: fn(&MemoryVault, &Plan) -> Faulty<Broken> =
            |vault, plan| Faulty::with(Broken { vault: vault.clone(), defect: Defect::WritesOver }, plan.clone());
        let how = How { ports, plan, hints: Hints::Delivered, patience: 2, rounds: ROUNDS, faulty_rounds: 1 };
        world.go(&group, sent.as_ref(), &how).await.expect("it is answered as if all were well");
        let answer = answer.lock().expect("an answer").take().expect("the quicker one was answered");
        let request = CommandRequest::parse(&quicker.incoming.body).expect("a request");
        world.known.heard(&Command::parse(&request.command).expect("a command"), &answer);
        assert_eq!(check(&mut world).expect_err("an event was written over").invariant, Invariant::OnceForEach);
    });
}
