//! Events: past-tense facts, stored as the exact bytes that were hashed. Nothing here re-serialises before it verifies.

mod outcome;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use outcome::*;

use crate::command::Command;
use crate::encoding::{Bytes, Hash};
use crate::limits::MAX_EVENT_BYTES;
use crate::stream::StreamId;
use crate::strict;

/// The version of the event's own shape.
pub const EVENT_VERSION: u32 = 1;

/// A place in a stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EventRef {
    /// The stream.
    pub stream: StreamId,
    /// 0 for the first event.
    pub seq: u64,
}

impl fmt::Display for EventRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.stream, self.seq)
    }
}

/// The last event of a stream, as far as somebody has seen it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Its place.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: Hash,
}

/// Another stream's event that a decision relied on: `[stream, seq, leaf]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Seen(pub StreamId, pub u64, pub Hash);

/// An event's bytes at their place, with their hash. What they say has not been looked at: [`StoredEvent::open`] does.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place.
    pub at: EventRef,
    /// The exact bytes: UTF-8 JSON.
    pub body: String,
    /// RFC 6962 leaf hash of the body.
    pub leaf: Hash,
}

impl fmt::Debug for StoredEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.at, self.leaf)
    }
}

/// The leaf hash of an event body: SHA-256(0x00 || 0x01 || body). 0x00 is RFC 6962's leaf prefix, 0x01 marks an event.
pub fn leaf_hash(body: &[u8]) -> Hash {
    Hash::of(&[&[0x00, 0x01], body])
}

/// What is wrong with an event's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Longer than an event may be.
    #[error("the event is longer than {MAX_EVENT_BYTES} bytes")]
    TooLong,
    /// Not the documented JSON.
    #[error("the event's bytes are not an event of a known version and type")]
    Malformed,
    /// It says it is another event.
    #[error("the event says that it stands at another place")]
    Misplaced,
    /// Its command is not one.
    #[error("the event's command is not well formed")]
    Command,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    v: u32,
    #[serde(rename = "type")]
    typ: String,
    stream: StreamId,
    seq: u64,
    at: u64,
    prev: Hash,
    seen: Vec<Seen>,
    nonce: Bytes<16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    outcome: Value,
}

/// An event that has been read from its bytes.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its place.
    pub place: EventRef,
    /// Its leaf hash.
    pub leaf: Hash,
    /// When it was accepted, Unix milliseconds.
    pub at_ms: u64,
    /// The leaf hash of the event before it in its stream; zeros for the first.
    pub prev: Hash,
    /// The other streams' events that the decision relied on.
    pub seen: Vec<Seen>,
    /// 16 random bytes, so that a hash never gives low-entropy content away.
    pub nonce: Bytes<16>,
    /// The signed command that it follows from; absent for what the vault itself observed. The signature has not been checked.
    pub command: Option<Command>,
    /// What happened.
    pub outcome: Outcome,
}

/// What goes into a new event beside its outcome.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The place it takes.
    pub place: EventRef,
    /// The stream's last leaf; [`Hash::ZERO`] for the first event.
    pub prev: Hash,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// What the decision relied on.
    pub seen: &'a [Seen],
    /// 16 random bytes.
    pub nonce: Bytes<16>,
    /// The command.
    pub command: Option<&'a Command>,
}

impl StoredEvent {
    /// The event of these bytes at this place.
    pub fn new(at: EventRef, body: String) -> Self {
        let leaf = leaf_hash(body.as_bytes());
        Self { at, body, leaf }
    }

    /// Writes a new event.
    pub fn write(envelope: Envelope<'_>, outcome: &Outcome) -> Result<Self, EventError> {
        let body = Body {
            v: EVENT_VERSION,
            typ: outcome.typ().to_owned(),
            stream: envelope.place.stream,
            seq: envelope.place.seq,
            at: envelope.at_ms,
            prev: envelope.prev,
            seen: envelope.seen.to_vec(),
            nonce: envelope.nonce,
            command: envelope.command.map(|command| command.jws().text().to_owned()),
            outcome: outcome.to_value(),
        };
        let body = serde_json::to_string(&body).map_err(|_| EventError::Malformed)?;
        if body.len() > MAX_EVENT_BYTES { Err(EventError::TooLong) } else { Ok(Self::new(envelope.place, body)) }
    }

    /// Reads what the bytes say, and checks that they say they stand where they stand.
    pub fn open(&self) -> Result<Event, EventError> {
        let event = Event::read(&self.body, self.leaf)?;
        if event.place == self.at { Ok(event) } else { Err(EventError::Misplaced) }
    }

    /// This event as its stream's head.
    pub fn head(&self) -> Head {
        Head { seq: self.at.seq, leaf: self.leaf }
    }
}

impl Event {
    /// Reads what the bytes of a body say, at the place that they name. `leaf` is the [`leaf_hash`] of these bytes.
    pub fn read(body: &str, leaf: Hash) -> Result<Self, EventError> {
        if body.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLong);
        }
        let body: Body = strict::object(body.as_bytes()).map_err(|_| EventError::Malformed)?;
        if body.v != EVENT_VERSION {
            return Err(EventError::Malformed);
        }
        let command = body.command.map(|text| Command::parse(&text)).transpose().map_err(|_| EventError::Command)?;
        Ok(Self {
            place: EventRef { stream: body.stream, seq: body.seq },
            leaf,
            at_ms: body.at,
            prev: body.prev,
            seen: body.seen,
            nonce: body.nonce,
            command,
            outcome: Outcome::parse(&body.typ, &body.outcome)?,
        })
    }
}
