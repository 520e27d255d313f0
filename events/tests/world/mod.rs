//! A vault in a test's memory: people with wallets, streams of events, and the one way to change them: decide, then append.
#![allow(dead_code, reason = "each test file uses its part of the world")]

use std::collections::BTreeMap;

use chartseal_events::command::{
    AccessApprove, AccessDeny, AccessRequest, Announcement, Claims, ProviderInvite, ProviderRegister, ProviderSuspend,
    ProviderVerify, RecordCreate, SUITE,
};
use chartseal_events::decide::{Writing, code_hash, write};
use chartseal_events::event::{Genesis, StoredEvent};
use chartseal_events::evidence::Evidence;
use chartseal_events::id::Kind;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::purpose::Purpose;
use chartseal_events::state::History;
use chartseal_events::{
    Action, Bytes, Cause, Code, Command, Decision, Facts, Hash, Id, Kid, Observation, Outcome, StreamId, Thumbprint,
    View, decide,
};
use ed25519_dalek::SigningKey;

pub const ORIGIN: &str = "vault.example";
pub const T0: u64 = 1_795_392_000_000;
pub const CODE: [u8; 16] = [5; 16];

#[derive(Clone)]
pub struct Person {
    pub key: SigningKey,
    pub seal_key: Bytes<32>,
    pub kid: Kid,
    pub act: Option<Id>,
}

impl Person {
    pub fn new(seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let kid = Kid::Key(Thumbprint::of(&Bytes(key.verifying_key().to_bytes())));
        Self { key, seal_key: Bytes([seed ^ 0x55; 32]), kid, act: None }
    }

    pub fn public(&self) -> Bytes<32> {
        Bytes(self.key.verifying_key().to_bytes())
    }

    pub fn id(&self) -> Id {
        match self.kid {
            Kid::Person(id) => id,
            Kid::Key(_) => panic!("not registered"),
        }
    }

    pub fn provider(&self) -> Id {
        self.act.expect("registered")
    }
}

pub fn private(fields: &[(&str, &str)]) -> PrivatePart {
    let value = |value: &str| PrivateValue { salt: Bytes([9; 16]), value: value.to_owned() };
    fields.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect()
}

/// The private fields that an action must have.
pub fn required_private(action: &Action) -> PrivatePart {
    let names: Vec<_> =
        action.private_rules().iter().filter(|rule| rule.required).map(|rule| (rule.name, "x")).collect();
    private(&names)
}

pub struct World {
    pub streams: BTreeMap<StreamId, Vec<StoredEvent>>,
    pub now_ms: u64,
    pub operator: Person,
    counter: u16,
}

impl World {
    /// A vault that has just been deployed, with one operator.
    pub fn new() -> Self {
        let operator = Person::new(1);
        let mut world = Self { streams: BTreeMap::new(), now_ms: T0, operator: operator.clone(), counter: 0 };
        let genesis = Genesis {
            origin: ORIGIN.to_owned(),
            log_key: Person::new(2).public(),
            clock_key: Person::new(3).public(),
            search_key: Bytes([3; 32]),
            operators: vec![operator.public()],
            operator_threshold: 1,
        };
        world.observe(&Observation::Deployed(genesis)).expect("deployed");
        world
    }

    pub fn sign(&mut self, who: &Person, action: impl Into<Action>) -> Command {
        let action = action.into();
        self.counter += 1;
        self.now_ms += 1_000;
        let mut random = [0; 10];
        random[8..].copy_from_slice(&self.counter.to_be_bytes());
        let claims = Claims {
            aud: ORIGIN.to_owned(),
            iat: self.now_ms / 1000,
            jti: Id::from_parts(self.now_ms, random),
            act: who.act,
        };
        let part = required_private(&action);
        Command::sign(who.kid, claims, action, &part, &who.key)
    }

    pub fn view(&self, streams: impl IntoIterator<Item = StreamId>) -> View {
        View::new(streams.into_iter().map(|stream| self.history(stream)))
    }

    pub fn history(&self, stream: StreamId) -> History {
        let events = self.streams.get(&stream).map_or(&[][..], Vec::as_slice);
        History::fold(stream, events).expect("a sound stream")
    }

    pub fn facts(&self) -> Facts {
        Facts {
            wrapped_sha256: Some(Hash([4; 32])),
            version: None,
            expires_at_ms: Some(self.now_ms + 3_600_000),
            hits: Some(0),
        }
    }

    /// Decides on a command and appends what follows.
    pub fn take(&mut self, command: &Command) -> Result<StoredEvent, Code> {
        let reparsed = Command::parse(command.jws().text()).expect("what is signed can be read");
        assert_eq!(&reparsed, command);
        command.check_claims(ORIGIN, self.now_ms).map_err(|refusal| refusal.code)?;
        let view = self.view(command.reads().map_err(|refusal| refusal.code)?);
        self.settle(&view, Cause::Command(command), Some(command))
    }

    pub fn observe(&mut self, observation: &Observation) -> Result<StoredEvent, Code> {
        let view = self.view(observation.reads());
        self.settle(&view, Cause::Observation(observation), None)
    }

    fn settle(&mut self, view: &View, cause: Cause<'_>, command: Option<&Command>) -> Result<StoredEvent, Code> {
        let drafts = match decide(view, cause, &self.facts(), self.now_ms).map_err(|refusal| refusal.code)? {
            Decision::Append(drafts) => drafts,
            Decision::Existing(place) => {
                let index = usize::try_from(place.seq).expect("small");
                return Ok(self.streams[&place.stream][index].clone());
            }
        };
        let nonces = vec![Bytes([6; 16]); drafts.len()];
        let events = write(view, &drafts, Writing { at_ms: self.now_ms, nonces: &nonces, command }).expect("written");
        for event in &events {
            self.streams.entry(event.at.stream).or_default().push(event.clone());
        }
        Ok(events[0].clone())
    }

    pub fn run(&mut self, who: &Person, action: impl Into<Action>) -> Result<StoredEvent, Code> {
        let command = self.sign(who, action);
        self.take(&command)
    }

    pub fn head(&self, stream: StreamId) -> Hash {
        self.history(stream).head.expect("begun").leaf
    }

    pub fn count(&self) -> usize {
        self.streams.values().map(Vec::len).sum()
    }

    // -- the steps of a day

    pub fn invite(&mut self) -> Id {
        let operator = self.operator.clone();
        let expires_at = self.now_ms + 86_400_000;
        let event = self.run(&operator, ProviderInvite { code_hash: code_hash(&CODE), expires_at }).expect("invited");
        match event.at.stream {
            StreamId::Provider(id) => id,
            _ => panic!("another stream"),
        }
    }

    pub fn register_command(&mut self, provider: Id, seed: u8) -> (Person, Command) {
        let mut person = Person::new(seed);
        let register =
            ProviderRegister { provider, code: Bytes(CODE), sign_key: person.public(), seal_key: person.seal_key };
        let command = self.sign(&person, register);
        person.kid = Kid::Person(command.new_id(Kind::Staff));
        person.act = Some(provider);
        (person, command)
    }

    pub fn pending(&mut self, seed: u8) -> Person {
        let provider = self.invite();
        let (person, command) = self.register_command(provider, seed);
        self.take(&command).expect("registered");
        person
    }

    pub fn verify(&mut self, provider: Id) -> Result<StoredEvent, Code> {
        let operator = self.operator.clone();
        let head = self.head(StreamId::Provider(provider));
        self.run(&operator, ProviderVerify { provider, head })
    }

    pub fn suspend(&mut self, provider: Id) -> Result<StoredEvent, Code> {
        let operator = self.operator.clone();
        self.run(&operator, ProviderSuspend { provider })
    }

    pub fn member(&mut self, seed: u8) -> Person {
        let person = self.pending(seed);
        self.verify(person.provider()).expect("verified");
        person
    }

    pub fn create(&mut self, who: &Person) -> Id {
        let event = self.run(who, RecordCreate {}).expect("created");
        match event.at.stream {
            StreamId::Record(id) => id,
            _ => panic!("another stream"),
        }
    }

    pub fn announcement(record: Id, version: u32, run: u8) -> Announcement {
        Announcement {
            record,
            version,
            media_type: "text/plain".to_owned(),
            suite: SUITE.to_owned(),
            message_id: Bytes([run; 32]),
            commitment: Bytes([8; 32]),
            frame_bytes: 65_536,
            body_bytes: 1_000,
            frames_root: Hash([run; 32]),
            parts_root: Hash([7; 32]),
        }
    }

    pub fn found(&mut self, record: Id, announced: u64) -> Result<StoredEvent, Code> {
        self.observe(&Observation::ObjectFound { record, announced, version_id: format!("v{announced}") })
    }

    /// A record whose first version is there.
    pub fn uploaded(&mut self, who: &Person) -> Id {
        let record = self.create(who);
        let announced = self.run(who, Self::announcement(record, 1, 1)).expect("announced");
        self.found(record, announced.at.seq).expect("uploaded");
        record
    }

    pub fn ask(record: Id) -> AccessRequest {
        AccessRequest { record, version: 1, purpose: Purpose::Treatment, grant_seconds: 3_600 }
    }

    pub fn request(&mut self, who: &Person, record: Id) -> Id {
        let event = self.run(who, Self::ask(record)).expect("requested");
        match event.at.stream {
            StreamId::Request(id) => id,
            _ => panic!("another stream"),
        }
    }

    pub fn check(&mut self, who: &Person, request: Id) -> Result<StoredEvent, Code> {
        let (requester, person) = (who.provider(), who.id());
        self.observe(&Observation::RequesterChecked { request, requester, person })
    }

    pub fn approve(&mut self, who: &Person, request: Id) -> Result<StoredEvent, Code> {
        let head = self.head(StreamId::Request(request));
        self.run(who, AccessApprove { request, head })
    }

    pub fn deny(&mut self, who: &Person, request: Id) -> Result<StoredEvent, Code> {
        let head = self.head(StreamId::Request(request));
        self.run(who, AccessDeny { request, head })
    }

    /// A request that operators can decide on.
    pub fn checked_request(&mut self, who: &Person, record: Id) -> Id {
        let request = self.request(who, record);
        self.check(who, request).expect("verified");
        request
    }

    pub fn genesis(&self) -> Hash {
        self.streams[&StreamId::Vault][0].leaf
    }

    pub fn evidence(&self) -> Evidence {
        let bodies = |events: &Vec<StoredEvent>| events.iter().map(|event| event.body.clone()).collect();
        Evidence(self.streams.iter().map(|(stream, events)| (*stream, bodies(events))).collect())
    }
}

pub fn outcome(event: &StoredEvent) -> Outcome {
    event.open().expect("an event").outcome
}
