//! A vault in memory that decides, writes and seals, and a source that serves its log: for tests and measurements.
//!
//! What it writes is what the vault writes: signed by wallets, decided by `decide`, sealed in order. Attacks are made of the same parts: whoever has the
//! log's key seals whatever they like.
#![allow(clippy::missing_panics_doc, reason = "a test that cannot be set up ends here")]

mod log;
mod served;
mod story;

use std::collections::HashMap;
use std::sync::Arc;

use chartseal_events::command::Claims;
use chartseal_events::decide::{Writing, write};
use chartseal_events::event::Genesis;
use chartseal_events::private::{PrivatePart, PrivateValue};
use chartseal_events::state::History;
use chartseal_events::{
    Action, Bytes, Cause, Code, Command, Decision, Facts, Hash, Id, Kid, Observation, StoredEvent, StreamId,
    Thumbprint, View, decide,
};
use ed25519_dalek::SigningKey;

pub use log::{Log, ORIGIN, log_key, log_verifier};
pub use served::Served;
pub use story::{Mix, every_type};

/// When the vault begins, Unix milliseconds.
pub const T0: u64 = 1_795_392_000_000;
/// The code of every invitation.
pub const CODE: [u8; 16] = [5; 16];

/// Somebody with a wallet.
#[derive(Debug, Clone)]
pub struct Person {
    /// The wallet's signing key.
    pub key: SigningKey,
    /// Who signs.
    pub kid: Kid,
    /// For which provider.
    pub act: Option<Id>,
}

impl Person {
    /// A person whose keys follow from a number.
    pub fn new(number: u32) -> Self {
        let seed = Hash::of(&[b"person", &number.to_be_bytes()]);
        let key = SigningKey::from_bytes(&seed.0);
        let kid = Kid::Key(Thumbprint::of(&Bytes(key.verifying_key().to_bytes())));
        Self { key, kid, act: None }
    }

    /// The public signing key.
    pub fn public(&self) -> Bytes<32> {
        Bytes(self.key.verifying_key().to_bytes())
    }

    /// The provider that the person acts for.
    pub fn provider(&self) -> Id {
        self.act.expect("registered")
    }
}

/// The vault.
#[derive(Debug)]
pub struct World {
    histories: HashMap<StreamId, Arc<History>>,
    /// The time.
    pub now_ms: u64,
    /// The first operator.
    pub operator: Person,
    counter: u64,
    /// What was written and is not sealed.
    pub open: Vec<StoredEvent>,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A vault that has just been deployed.
    pub fn new() -> Self {
        let operator = Person::new(0);
        let mut world =
            Self { histories: HashMap::new(), now_ms: T0, operator: operator.clone(), counter: 0, open: Vec::new() };
        let genesis = Genesis {
            origin: ORIGIN.to_owned(),
            log_key: Bytes(log_key().verifying_key().to_bytes()),
            clock_key: Person::new(u32::MAX).public(),
            search_key: Bytes([3; 32]),
            operators: vec![operator.public()],
            operator_threshold: 1,
        };
        world.observe(&Observation::Deployed(genesis)).expect("deployed");
        world
    }

    /// A command, signed.
    pub fn sign(&mut self, who: &Person, action: impl Into<Action>) -> Command {
        let action = action.into();
        self.now_ms += 100;
        let claims = Claims { aud: ORIGIN.to_owned(), iat: self.now_ms / 1000, jti: self.fresh_id(), act: who.act };
        let names = action.private_rules().iter().filter(|rule| rule.required).map(|rule| rule.name.to_owned());
        let value = PrivateValue { salt: Bytes([9; 16]), value: "x".to_owned() };
        let part: PrivatePart = names.map(|name| (name, value.clone())).collect();
        Command::sign(who.kid, claims, action, &part, &who.key)
    }

    fn fresh_id(&mut self) -> Id {
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.number().to_be_bytes());
        Id::from_parts(self.now_ms, random)
    }

    /// A number that was not given before.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A stream as it is now.
    pub fn history(&self, stream: StreamId) -> Arc<History> {
        self.histories.get(&stream).cloned().unwrap_or_else(|| History::empty(stream).into())
    }

    /// These streams as they are now.
    pub fn view(&self, streams: impl IntoIterator<Item = StreamId>) -> View {
        View::new(streams.into_iter().map(|stream| self.history(stream)))
    }

    /// A stream's last leaf hash.
    pub fn head(&self, stream: StreamId) -> Hash {
        self.history(stream).head.expect("begun").leaf
    }

    /// Nothing more happens to this stream: its state is forgotten.
    pub fn forget(&mut self, stream: StreamId) {
        self.histories.remove(&stream);
    }

    fn facts(&self) -> Facts {
        Facts {
            wrapped_sha256: Some(Hash([4; 32])),
            version: None,
            expires_at_ms: Some(self.now_ms + 3_600_000),
            hits: Some(3),
        }
    }

    /// Signs, decides, writes.
    pub fn run(&mut self, who: &Person, action: impl Into<Action>) -> Result<StoredEvent, Code> {
        let command = self.sign(who, action);
        self.take(&command)
    }

    /// Decides on a command and writes what follows.
    pub fn take(&mut self, command: &Command) -> Result<StoredEvent, Code> {
        let view = self.view(command.reads().map_err(|refusal| refusal.code)?);
        self.settle(&view, Cause::Command(command), Some(command))
    }

    /// Decides on what the vault found out, and writes what follows.
    pub fn observe(&mut self, observation: &Observation) -> Result<StoredEvent, Code> {
        self.now_ms += 100;
        let view = self.view(observation.reads());
        self.settle(&view, Cause::Observation(observation), None)
    }

    fn settle(&mut self, view: &View, cause: Cause<'_>, command: Option<&Command>) -> Result<StoredEvent, Code> {
        let drafts = match decide(view, cause, &self.facts(), self.now_ms).map_err(|refusal| refusal.code)? {
            Decision::Append(drafts) => drafts,
            Decision::Existing(_) => return Err(Code::Conflict),
        };
        self.append(view, &drafts, command)
    }

    /// Writes these events, right or wrong, as they would be written after what `view` has.
    pub fn append(
        &mut self,
        view: &View,
        drafts: &[chartseal_events::Draft],
        command: Option<&Command>,
    ) -> Result<StoredEvent, Code> {
        let mut nonces = Vec::new();
        for _ in drafts {
            let mut nonce = [0; 16];
            nonce[..8].copy_from_slice(&self.number().to_be_bytes());
            nonces.push(Bytes(nonce));
        }
        let writing = Writing { at_ms: self.now_ms, nonces: &nonces, command };
        let events = write(view, drafts, writing).map_err(|refusal| refusal.code)?;
        for event in &events {
            let stream = event.at.stream;
            let history = self.histories.entry(stream).or_insert_with(|| History::empty(stream).into());
            Arc::make_mut(history).apply(event).map_err(|_| Code::Internal)?;
            self.open.push(event.clone());
        }
        Ok(events[0].clone())
    }
}
