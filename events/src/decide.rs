//! Decisions: pure functions from what the streams say and what is asked for to the next events. The same function decides when a command
//! arrives and when an auditor re-runs it on the stored bytes; both must come to the same events.

mod access;
mod admission;
mod people;
mod records;

use crate::codes::{Code, Refusal};
use crate::command::{Action, Command};
use crate::encoding::{Bytes, Hash};
use crate::event::{Envelope, EventRef, Genesis, Outcome, Seen, StoredEvent};
use crate::id::Id;
use crate::state::View;
use crate::stream::StreamId;

pub use admission::{Signer, authenticate, signer};
pub use people::code_hash;

/// What the vault itself found out; there is no command for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// The stack was deployed: the vault begins.
    Deployed(Genesis),
    /// An announced object is in S3, with the announced size and checksum.
    ObjectFound {
        /// The record.
        record: Id,
        /// The `seq` of the announcement.
        announced: u64,
        /// S3's version id.
        version_id: String,
    },
    /// An announced object is not there and the time for it is over, or another run was uploaded first.
    ObjectMissing {
        /// The record.
        record: Id,
        /// The `seq` of the announcement.
        announced: u64,
    },
    /// The requester's streams were looked at.
    RequesterChecked {
        /// The request.
        request: Id,
        /// The provider that asked.
        requester: Id,
        /// The person who asked.
        person: Id,
    },
    /// A deadline of a request was reached.
    DeadlineReached {
        /// The request.
        request: Id,
    },
}

impl Observation {
    /// Every stream that deciding on it relies on.
    pub fn reads(&self) -> Vec<StreamId> {
        match self {
            Self::Deployed(_) => vec![StreamId::Vault],
            Self::ObjectFound { record, .. } | Self::ObjectMissing { record, .. } => vec![StreamId::Record(*record)],
            Self::RequesterChecked { request, requester, person } => {
                vec![StreamId::Request(*request), StreamId::Provider(*requester), StreamId::Staff(*person)]
            }
            Self::DeadlineReached { request } => vec![StreamId::Request(*request)],
        }
    }
}

/// What a decision follows from.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'a> {
    /// A person's signed command.
    Command(&'a Command),
    /// Something the vault found out.
    Observation(&'a Observation),
}

/// What the vault adds to a command: values that come from the stack's parameters or from other services, and are stated in the outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256 of the wrapped data key that was made.
    pub wrapped_sha256: Option<Hash>,
    /// The version that the data key was made for; somebody else may have taken it in between.
    pub version: Option<u32>,
    /// The deadline of what begins, Unix milliseconds.
    pub expires_at_ms: Option<u64>,
    /// How many records a search found.
    pub hits: Option<u32>,
}

/// An event that is to be appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// To which stream.
    pub stream: StreamId,
    /// What happened.
    pub outcome: Outcome,
}

impl Draft {
    fn new(stream: StreamId, outcome: impl Into<Outcome>) -> Self {
        Self { stream, outcome: outcome.into() }
    }
}

/// What a decision comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// These events, all or none.
    Append(Vec<Draft>),
    /// It has been done: this is the event.
    Existing(EventRef),
}

impl From<Draft> for Decision {
    fn from(draft: Draft) -> Self {
        Self::Append(vec![draft])
    }
}

/// Decides. `view` must hold every stream of `Command::reads` or `Observation::reads`, whole. The signature is verified here, against the key that
/// the streams give. Nothing is read but the arguments.
pub fn decide(view: &View, cause: Cause<'_>, facts: &Facts, now_ms: u64) -> Result<Decision, Refusal> {
    let command = match cause {
        Cause::Observation(observation) => return observe(view, observation, now_ms),
        Cause::Command(command) => command,
    };
    let signer = authenticate(view, command)?;
    match &command.action {
        Action::OperatorAdd(fields) => people::add_operator(view, command, &signer, fields),
        Action::OperatorRemove(fields) => people::remove_operator(view, command, &signer, fields),
        Action::AuditorAdd(fields) => people::add_auditor(view, command, &signer, fields),
        Action::AuditorRemove(fields) => people::remove_auditor(view, command, &signer, fields),
        Action::ProviderInvite(fields) => people::invite(view, command, &signer, fields, now_ms),
        Action::ProviderRegister(fields) => people::register(view, command, fields, now_ms),
        Action::ProviderVerify(fields) => people::verify(view, command, &signer, fields),
        Action::ProviderSuspend(fields) => people::suspend(view, command, &signer, fields),
        Action::RecordCreate(_) => records::create(view, command, &signer, facts),
        Action::RecordVersion(fields) => records::add_version(view, command, &signer, fields, facts, now_ms),
        Action::RecordAnnounce(fields) => records::announce(view, command, &signer, fields, facts, now_ms),
        Action::RecordKey(fields) => records::owner_key(view, command, &signer, fields),
        Action::RecordDownload(fields) => records::owner_download(view, command, &signer, fields),
        Action::AccessRequest(fields) => access::request(view, command, &signer, fields, facts, now_ms),
        Action::AccessApprove(fields) => access::approve(view, command, &signer, fields, now_ms),
        Action::AccessDeny(fields) => access::deny(view, command, &signer, fields, now_ms),
        Action::KeyIssue(fields) => access::issue_key(view, command, &signer, fields, now_ms),
        Action::RequestDownload(fields) => access::download(view, command, &signer, fields, now_ms),
        Action::SearchPerform(_) => records::search(view, command, &signer, facts),
    }
}

fn observe(view: &View, observation: &Observation, now_ms: u64) -> Result<Decision, Refusal> {
    match observation {
        Observation::Deployed(genesis) => people::begin(view, genesis),
        Observation::ObjectFound { record, announced, version_id } => {
            records::object_found(view, *record, *announced, version_id)
        }
        Observation::ObjectMissing { record, announced } => records::object_missing(view, *record, *announced, now_ms),
        Observation::RequesterChecked { request, requester, person } => {
            access::requester_checked(view, *request, *requester, *person)
        }
        Observation::DeadlineReached { request } => access::deadline_reached(view, *request, now_ms),
    }
}

/// What writing a decision's events needs beside the decision: one fresh 16-byte nonce for each event, the clock, the cause.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'a> {
    /// Unix milliseconds; the `now_ms` that was decided with.
    pub at_ms: u64,
    /// Random bytes, one for each draft.
    pub nonces: &'a [Bytes<16>],
    /// The command, where there is one.
    pub command: Option<&'a Command>,
}

/// Turns drafts into events that follow their streams' heads in `view`. What was seen is every other stream in view that has begun.
pub fn write(view: &View, drafts: &[Draft], writing: Writing<'_>) -> Result<Vec<StoredEvent>, Refusal> {
    let mut events = Vec::with_capacity(drafts.len());
    for (draft, nonce) in drafts.iter().zip(writing.nonces) {
        let history = view.history(&draft.stream).ok_or(Code::Internal)?;
        let (seq, prev) = history.next();
        let seen = seen_by(view, &draft.stream);
        let envelope = Envelope {
            place: EventRef { stream: draft.stream, seq },
            prev,
            at_ms: writing.at_ms,
            seen: &seen,
            nonce: *nonce,
            command: writing.command,
        };
        events.push(StoredEvent::write(envelope, &draft.outcome).map_err(|_| Code::Internal)?);
    }
    if events.len() == drafts.len() { Ok(events) } else { Err(Code::Internal.into()) }
}

/// The heads of the other streams in view.
pub(crate) fn seen_by(view: &View, stream: &StreamId) -> Vec<Seen> {
    let others = view.histories().filter(|history| history.stream != *stream);
    others.filter_map(|history| history.head.map(|head| Seen(history.stream, head.seq, head.leaf))).collect()
}

/// The place where this stream took this same command before.
fn taken_before(view: &View, stream: StreamId, command: &Command) -> Result<Option<Decision>, Refusal> {
    let history = view.history(&stream).ok_or(Code::Internal)?;
    let seq = history.commands.find(command)?;
    Ok(seq.map(|seq| Decision::Existing(EventRef { stream, seq })))
}
