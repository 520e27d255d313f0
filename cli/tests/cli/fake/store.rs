//! What the vault holds, and how it decides: with the decisions of the events crate, on whole streams.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use chartseal_events::decide::{Writing, write};
use chartseal_events::event::StoredEvent;
use chartseal_events::evidence::Evidence;
use chartseal_events::private::PrivatePart;
use chartseal_events::state::History;
use chartseal_events::{
    Bytes, Cause, Command, Decision, EventRef, Facts, Hash, Id, Observation, Outcome, Refusal, StreamId, View, decide,
};
use chartseal_ledger::terms::SearchKey;
use ed25519_dalek::SigningKey;

use super::log::Log;
use super::{Fault, Twist};

/// Everything the vault has.
pub struct Store {
    pub streams: BTreeMap<StreamId, Vec<StoredEvent>>,
    pub private: BTreeMap<(StreamId, u64), PrivatePart>,
    /// The data key of each version, and how it is wrapped.
    pub keys: BTreeMap<(Id, u32), ([u8; 32], Vec<u8>)>,
    pub headers: BTreeMap<(Id, u32), Vec<u8>>,
    /// Bodies by record and version.
    pub blobs: BTreeMap<(Id, u32), Vec<u8>>,
    pub search_key: SearchKey,
    pub log: Log,
    pub twist: Option<Twist>,
    /// What goes wrong next, by method and a piece of the path.
    pub faults: Vec<(&'static str, String, VecDeque<Fault>)>,
    /// Multipart uploads that were begun and not completed, by their id.
    pub multiparts: BTreeMap<String, Multipart>,
    /// How many of them there have been.
    pub begun_multiparts: usize,
    /// Every call that arrived: method and target.
    pub calls: Vec<(String, String)>,
    /// How far the vault's clock is from this machine's.
    pub clock_ms: i64,
    /// How far its `Date` header is from its clock.
    pub date_off_ms: i64,
    /// If set, the vault finds a body only when the next call of this method and a path that has this in it comes, once.
    pub commits_at: Option<(&'static str, &'static str)>,
    pub not_found_yet: Vec<Observation>,
    /// Whether presigned uploads are over.
    pub uploads_expired: bool,
}

/// A multipart upload.
pub struct Multipart {
    pub place: (Id, u32),
    /// Part by number.
    pub parts: BTreeMap<u32, Vec<u8>>,
}

impl Store {
    /// What goes wrong with a call.
    pub fn fault(&mut self, method: &str, target: &str) -> Option<Fault> {
        let mut faults = self.faults.iter_mut();
        let hit =
            faults.find(|(by, path, left)| *by == method && target.contains(path.as_str()) && !left.is_empty())?;
        hit.2.pop_front()
    }

    pub fn new(search_key: SearchKey, log_key: SigningKey, clock_key: SigningKey) -> Self {
        Self {
            streams: BTreeMap::new(),
            private: BTreeMap::new(),
            keys: BTreeMap::new(),
            headers: BTreeMap::new(),
            blobs: BTreeMap::new(),
            search_key,
            log: Log::new(log_key, clock_key),
            twist: None,
            faults: Vec::new(),
            multiparts: BTreeMap::new(),
            begun_multiparts: 0,
            calls: Vec::new(),
            clock_ms: 0,
            date_off_ms: 0,
            commits_at: None,
            not_found_yet: Vec::new(),
            uploads_expired: false,
        }
    }

    pub fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        u64::try_from(since.as_millis()).expect("fits").saturating_add_signed(self.clock_ms)
    }

    /// A call comes: what happened before it is found, if it was waited for.
    pub fn called(&mut self, method: &str, target: &str) {
        self.calls.push((method.to_owned(), target.to_owned()));
        if self.commits_at.is_some_and(|(by, path)| by == method && target.contains(path)) {
            for found in std::mem::take(&mut self.not_found_yet) {
                self.observe(&found).expect("it was announced");
                self.commits_at = None;
            }
        }
    }

    /// Takes a command, and does what the vault's workers would do next.
    pub fn take(&mut self, command: &Command, private: &PrivatePart, facts: &Facts) -> Result<StoredEvent, Refusal> {
        let event = self.decide(Cause::Command(command), command.reads()?, facts, Some(command))?;
        self.private.entry((event.at.stream, event.at.seq)).or_insert_with(|| private.clone());
        if let Outcome::AccessRequested(asked) = event.open().expect("ours").outcome {
            let (StreamId::Request(request), chartseal_events::Kid::Person(person)) = (event.at.stream, command.kid())
            else {
                panic!("a person asks")
            };
            // A repeated command finds the requester checked already.
            let _ = self.observe(&Observation::RequesterChecked { request, requester: asked.requester, person });
        }
        Ok(event)
    }

    /// Writes down what the vault found out.
    pub fn observe(&mut self, observation: &Observation) -> Result<StoredEvent, Refusal> {
        self.decide(Cause::Observation(observation), observation.reads(), &Facts::default(), None)
    }

    fn decide(
        &mut self,
        cause: Cause<'_>,
        reads: impl IntoIterator<Item = StreamId>,
        facts: &Facts,
        command: Option<&Command>,
    ) -> Result<StoredEvent, Refusal> {
        let view = View::new(reads.into_iter().map(|stream| self.history(stream)));
        let at_ms = self.now_ms();
        match decide(&view, cause, facts, at_ms)? {
            Decision::Existing(EventRef { stream, seq }) => {
                Ok(self.streams[&stream][usize::try_from(seq).expect("small")].clone())
            }
            Decision::Append(drafts) => {
                let nonces: Vec<_> = drafts.iter().map(|_| Bytes(random())).collect();
                let events = write(&view, &drafts, Writing { at_ms, nonces: &nonces, command })?;
                for event in &events {
                    self.streams.entry(event.at.stream).or_default().push(event.clone());
                }
                Ok(events[0].clone())
            }
        }
    }

    pub fn history(&self, stream: StreamId) -> History {
        let none = Vec::new();
        History::fold(stream, self.streams.get(&stream).unwrap_or(&none)).expect("sound")
    }

    /// Every stream there is.
    pub fn view(&self) -> View {
        View::new(self.streams.keys().map(|stream| self.history(*stream)))
    }

    /// Every stream's bytes.
    pub fn evidence(&self) -> Evidence {
        let bodies = |events: &Vec<StoredEvent>| events.iter().map(|event| event.body.clone()).collect();
        Evidence(self.streams.iter().map(|(stream, events)| (*stream, bodies(events))).collect())
    }
}

/// A fresh data key, how it is wrapped (which tells nothing), and the hash of that.
pub fn new_key() -> ([u8; 32], Vec<u8>, Hash) {
    let wrapped = random::<64>().to_vec();
    let hash = Hash::of(&[&wrapped]);
    (random(), wrapped, hash)
}

pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}
