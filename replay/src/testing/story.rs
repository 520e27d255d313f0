//! What happens in a vault: everything once, or a mix that goes on for as long as it is wanted.

use std::collections::VecDeque;

use chartseal_events::command::{
    AccessApprove, AccessDeny, AccessRequest, Announcement, AuditorAdd, AuditorRemove, KeyIssue, OperatorAdd,
    OperatorRemove, ProviderInvite, ProviderRegister, ProviderSuspend, ProviderVerify, RecordCreate, RecordDownload,
    RecordKey, RecordVersion, RequestDownload, SUITE, SearchPerform,
};
use chartseal_events::decide::code_hash;
use chartseal_events::id::Kind;
use chartseal_events::purpose::Purpose;
use chartseal_events::{Bytes, Code, Hash, Id, Kid, Observation, StoredEvent, StreamId, Thumbprint};

use super::{CODE, Person, World};

impl World {
    /// An organisation that was invited.
    pub fn invite(&mut self) -> Id {
        let operator = self.operator.clone();
        let expires_at = self.now_ms + 86_400_000;
        let event = self.run(&operator, ProviderInvite { code_hash: code_hash(&CODE), expires_at }).expect("invited");
        id(&event)
    }

    /// A person of a provider that is invited and registered.
    pub fn pending(&mut self, number: u32) -> Person {
        let provider = self.invite();
        let mut person = Person::new(number);
        let (sign_key, seal_key) = (person.public(), Bytes([7; 32]));
        let command = self.sign(&person, ProviderRegister { provider, code: Bytes(CODE), sign_key, seal_key });
        self.take(&command).expect("registered");
        person.kid = Kid::Person(command.new_id(Kind::Staff));
        person.act = Some(provider);
        person
    }

    /// Lets an operator verify a provider.
    pub fn verify(&mut self, provider: Id) -> StoredEvent {
        let (operator, head) = (self.operator.clone(), self.head(StreamId::Provider(provider)));
        self.run(&operator, ProviderVerify { provider, head }).expect("verified")
    }

    /// Lets an operator suspend a provider.
    pub fn suspend(&mut self, provider: Id) -> StoredEvent {
        let operator = self.operator.clone();
        self.run(&operator, ProviderSuspend { provider }).expect("suspended")
    }

    /// A person of a verified provider.
    pub fn member(&mut self, number: u32) -> Person {
        let person = self.pending(number);
        self.verify(person.provider());
        person
    }

    /// A new record.
    pub fn create(&mut self, who: &Person) -> Id {
        id(&self.run(who, RecordCreate {}).expect("created"))
    }

    /// What is announced for a record's version.
    pub fn announcement(record: Id, version: u32, run: u8) -> Announcement {
        Announcement {
            record,
            version,
            media_type: "application/dicom".to_owned(),
            suite: SUITE.to_owned(),
            message_id: Bytes([run; 32]),
            commitment: Bytes([8; 32]),
            frame_bytes: 65_536,
            body_bytes: 1_000,
            frames_root: Hash([run; 32]),
            parts_root: Hash([7; 32]),
        }
    }

    /// A record whose first version is there.
    pub fn uploaded(&mut self, who: &Person) -> Id {
        let record = self.create(who);
        self.upload(who, record, 1);
        record
    }

    /// The body of a version arrives.
    pub fn upload(&mut self, who: &Person, record: Id, version: u32) {
        let announced = self.run(who, Self::announcement(record, version, 1)).expect("announced").at.seq;
        let version_id = "3HL4kqtJlcpXroDTDmJ-rmSpXd3dIbrH".to_owned();
        self.observe(&Observation::ObjectFound { record, announced, version_id }).expect("uploaded");
    }

    /// A request that operators can decide on.
    pub fn request(&mut self, who: &Person, record: Id) -> Id {
        let ask = AccessRequest { record, version: 1, purpose: Purpose::Treatment, grant_seconds: 3_600 };
        let request = id(&self.run(who, ask).expect("requested"));
        let Kid::Person(person) = who.kid else { panic!("not registered") };
        self.observe(&Observation::RequesterChecked { request, requester: who.provider(), person }).expect("checked");
        request
    }

    /// An operator approves.
    pub fn approve(&mut self, request: Id) -> Result<StoredEvent, Code> {
        let (operator, head) = (self.operator.clone(), self.head(StreamId::Request(request)));
        self.run(&operator, AccessApprove { request, head })
    }

    /// An operator denies.
    pub fn deny(&mut self, request: Id) -> StoredEvent {
        let (operator, head) = (self.operator.clone(), self.head(StreamId::Request(request)));
        self.run(&operator, AccessDeny { request, head }).expect("denied")
    }

    /// The requester gets the key, and the record.
    pub fn fetch(&mut self, who: &Person, request: Id, record: Id) {
        self.run(who, KeyIssue { request, record }).expect("issued");
        self.run(who, RequestDownload { request, record }).expect("downloaded");
    }
}

fn id(event: &StoredEvent) -> Id {
    match event.at.stream {
        StreamId::Provider(id) | StreamId::Record(id) | StreamId::Request(id) => id,
        other => panic!("{other}"),
    }
}

/// A history with every type of event.
pub fn every_type() -> World {
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
    world.run(&ann, RecordKey { record, version: 1 }).expect("key");
    world.run(&ann, RecordDownload { record, version: 1 }).expect("download");
    world.run(&bob, SearchPerform {}).expect("search");

    let request = world.request(&bob, record);
    world.approve(request).expect("approved");
    world.fetch(&bob, request, record);
    let denied = world.request(&bob, record);
    world.deny(denied);
    let undecided = world.request(&bob, record);

    world.run(&ann, RecordVersion { record }).expect("version");
    let lost = world.run(&ann, World::announcement(record, 2, 3)).expect("announced").at.seq;
    world.now_ms += 7_200_000;
    world.observe(&Observation::ObjectMissing { record, announced: lost }).expect("expired");
    world.observe(&Observation::DeadlineReached { request: undecided }).expect("undecided");
    world.observe(&Observation::DeadlineReached { request }).expect("over");
    world.upload(&ann, record, 2);

    let carol = world.pending(12);
    world.suspend(carol.provider());
    world.verify(carol.provider());
    let late = world.request(&carol, record);
    world.suspend(carol.provider());
    world.deny(late);
    for round in 0..20 {
        let who = if round % 2 == 0 { &ann } else { &bob };
        let record = world.uploaded(who);
        let asks = if round % 2 == 0 { &bob } else { &ann };
        let request = world.request(asks, record);
        world.approve(request).expect("approved");
        world.fetch(asks, request, record);
        world.run(asks, SearchPerform {}).expect("search");
    }
    world
}

/// A vault in use: some providers, records that come and are asked for, searches.
#[derive(Debug)]
pub struct Mix {
    /// The vault.
    pub world: World,
    people: Vec<Person>,
    /// Records that are still asked for, with their owner's number.
    records: VecDeque<(Id, usize)>,
    random: u64,
}

/// So many records can be asked for.
const ASKED_FOR: usize = 20_000;

impl Mix {
    /// With so many providers.
    pub fn new(providers: u32) -> Self {
        let mut world = World::new();
        let people = (0..providers).map(|number| world.member(100 + number)).collect();
        Self { world, people, records: VecDeque::new(), random: 1 }
    }

    fn below(&mut self, bound: usize) -> usize {
        // An LCG's upper half (Knuth's MMIX) is random enough to choose people by.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).expect("31 bits") % bound
    }

    /// Some events more: a record comes, two searches, somebody asks for a record, gets it or not.
    pub fn go_on(&mut self) {
        let owner = self.below(self.people.len());
        let record = self.world.uploaded(&self.people[owner].clone());
        self.records.push_back((record, owner));
        if self.records.len() > ASKED_FOR
            && let Some((forgotten, _)) = self.records.pop_front()
        {
            self.world.forget(StreamId::Record(forgotten));
        }
        let looking = self.below(self.people.len());
        let who = self.people[looking].clone();
        for _ in 0..2 {
            self.world.run(&who, SearchPerform {}).expect("search");
        }
        let place = self.below(self.records.len());
        let (record, owner) = self.records[place];
        if owner == looking {
            self.world.run(&who, RecordKey { record, version: 1 }).expect("key");
            self.world.run(&who, RecordDownload { record, version: 1 }).expect("download");
            return;
        }
        let request = self.world.request(&who, record);
        if self.below(5) == 0 {
            self.world.deny(request);
        } else {
            self.world.approve(request).expect("approved");
            self.world.fetch(&who, request, record);
        }
        self.world.forget(StreamId::Request(request));
    }
}
