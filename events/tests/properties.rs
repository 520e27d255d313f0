//! Properties: whatever people do, in whatever order, the streams stay sound; whatever bytes come in, reading them never panics.

mod world;

use chartseal_events::command::{KeyIssue, RecordCreate, RecordVersion, RequestDownload, SearchPerform};
use chartseal_events::event::{EventRef, StoredEvent};
use chartseal_events::jws::{COMMAND_TYP, Jws};
use chartseal_events::private::{check_part, commitments};
use chartseal_events::{Code, Command, Id, Kid, Observation, StreamId, strict};
use proptest::prelude::*;
use world::{World, private};

#[derive(Debug, Clone, Copy)]
enum Step {
    Create,
    Announce(u8, u8),
    Found(u8, u8),
    Missing(u8, u8),
    Version(u8),
    Ask(u8),
    Check(u8),
    Approve(u8),
    Deny(u8),
    Key(u8, u8),
    Download(u8, u8),
    Deadline(u8),
    Suspend,
    Verify,
    Search,
    Wait(u16),
    Repeat,
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0u8..4;
    prop_oneof![
        Just(Step::Create),
        (small.clone(), 1u8..4).prop_map(|(r, run)| Step::Announce(r, run)),
        (small.clone(), 0u8..8).prop_map(|(r, seq)| Step::Found(r, seq)),
        (small.clone(), 0u8..8).prop_map(|(r, seq)| Step::Missing(r, seq)),
        small.clone().prop_map(Step::Version),
        small.clone().prop_map(Step::Ask),
        small.clone().prop_map(Step::Check),
        small.clone().prop_map(Step::Approve),
        small.clone().prop_map(Step::Deny),
        (small.clone(), small.clone()).prop_map(|(q, r)| Step::Key(q, r)),
        (small.clone(), small.clone()).prop_map(|(q, r)| Step::Download(q, r)),
        small.prop_map(Step::Deadline),
        Just(Step::Suspend),
        Just(Step::Verify),
        Just(Step::Search),
        (0u16..2_000).prop_map(Step::Wait),
        Just(Step::Repeat),
    ]
}

fn pick(ids: &[Id], index: u8) -> Id {
    if ids.is_empty() { Id::from_parts(1, [1; 10]) } else { ids[usize::from(index) % ids.len()] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_day_leaves_sound_streams(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        let (ann, bob) = (world.member(10), world.member(11));
        let operator = world.operator.clone();
        let (mut records, mut requests, mut last): (Vec<Id>, Vec<Id>, Option<Command>) = (vec![], vec![], None);
        for step in steps {
            let before = world.count();
            let mut run = |world: &mut World, who: &world::Person, action: chartseal_events::Action| {
                let command = world.sign(who, action);
                let result = world.take(&command);
                last = Some(command);
                result
            };
            let result = match step {
                Step::Create => run(&mut world, &ann, RecordCreate {}.into()),
                Step::Announce(r, n) => run(&mut world, &ann, World::announcement(pick(&records, r), u32::from(n), n).into()),
                Step::Found(r, seq) => world.found(pick(&records, r), u64::from(seq)),
                Step::Missing(r, seq) => {
                    world.observe(&Observation::ObjectMissing { record: pick(&records, r), announced: u64::from(seq) })
                }
                Step::Version(r) => run(&mut world, &ann, RecordVersion { record: pick(&records, r) }.into()),
                Step::Ask(r) => run(&mut world, &bob, World::ask(pick(&records, r)).into()),
                Step::Check(q) => world.check(&bob, pick(&requests, q)),
                Step::Approve(q) if !requests.is_empty() => world.approve(&operator, pick(&requests, q)),
                Step::Deny(q) if !requests.is_empty() => world.deny(&operator, pick(&requests, q)),
                Step::Approve(_) | Step::Deny(_) => Err(Code::NotFound),
                Step::Key(q, r) => run(&mut world, &bob, KeyIssue { request: pick(&requests, q), record: pick(&records, r) }.into()),
                Step::Download(q, r) => {
                    run(&mut world, &bob, RequestDownload { request: pick(&requests, q), record: pick(&records, r) }.into())
                }
                Step::Deadline(q) => world.observe(&Observation::DeadlineReached { request: pick(&requests, q) }),
                Step::Suspend => world.suspend(bob.provider()),
                Step::Verify => world.verify(bob.provider()),
                Step::Search => run(&mut world, &bob, SearchPerform {}.into()),
                Step::Wait(seconds) => {
                    world.now_ms += u64::from(seconds) * 1_000;
                    Err(Code::NotFound)
                }
                Step::Repeat => match &last {
                    Some(command) => world.take(command),
                    None => Err(Code::NotFound),
                },
            };
            match result {
                Ok(event) => {
                    match event.at.stream {
                        StreamId::Record(id) if event.at.seq == 0 && !records.contains(&id) => records.push(id),
                        StreamId::Request(id) if event.at.seq == 0 && !requests.contains(&id) => requests.push(id),
                        _ => {}
                    }
                    prop_assert!(world.count() <= before + 1);
                }
                Err(code) => {
                    prop_assert_eq!(world.count(), before, "a refusal leaves nothing behind: {}", code);
                    prop_assert_ne!(code, Code::Internal);
                }
            }
        }
        let sound = world.evidence().verify(&world.genesis());
        prop_assert!(sound.is_ok(), "{:?}", sound.err());
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,200}") {
        let _ = strict::value(&bytes);
        let _ = Command::parse(&text);
        let _ = text.parse::<StreamId>();
        let _ = text.parse::<Kid>();
        let place = EventRef { stream: StreamId::Vault, seq: 0 };
        let _ = StoredEvent::new(place, text.clone()).open();
        let jws = Jws::sign(COMMAND_TYP, Kid::Person(Id::from_parts(1, [1; 10])), text.as_bytes(), &World::new().operator.key);
        let _ = Command::parse(jws.text());
    }

    #[test]
    fn an_event_reads_back_as_it_was_written(seed in 10u8..80) {
        let mut world = World::new();
        let ann = world.member(seed);
        let record = world.uploaded(&ann);
        for stored in &world.streams[&StreamId::Record(record)] {
            let again = StoredEvent::new(stored.at, stored.body.clone());
            prop_assert_eq!(again.leaf, stored.leaf);
            prop_assert_eq!(again.open().expect("an event").place, stored.at);
        }
    }

    #[test]
    fn a_private_part_opens_only_its_own_commitments(value in "[a-z]{1,30}", other in "[a-z]{1,30}") {
        let rules = &[chartseal_events::private::FieldRule { name: "reason", required: true, max_bytes: 40 }];
        let part = private(&[("reason", &value)]);
        let lie = private(&[("reason", &other)]);
        prop_assert!(check_part(&part, &commitments(&part), rules).is_ok());
        prop_assert_eq!(check_part(&lie, &commitments(&part), rules).is_ok(), value == other);
    }
}
