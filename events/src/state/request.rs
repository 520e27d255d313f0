//! The fold of a `request/` stream: who asked for what, who decided, which keys and downloads followed.

use crate::event::{AccessRequested, Event, Outcome};
use crate::id::{Id, Kid};

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestState {
    /// Asked; the requester is being verified.
    Requested,
    /// Operators can decide.
    Verified,
    /// Access until then, Unix milliseconds.
    Approved {
        /// The grant's end, Unix milliseconds.
        until_ms: u64,
    },
    /// Refused.
    Denied,
    /// Nobody decided in time.
    Undecided,
    /// The grant's end was reached.
    Over,
}

impl RequestState {
    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Verified => "verified",
            Self::Approved { .. } => "approved",
            Self::Denied => "denied",
            Self::Undecided => "expired",
            Self::Over => "over",
        }
    }

    /// Whether it still waits for a decision.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Requested | Self::Verified)
    }
}

/// A request for access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: Id,
    /// What was asked for.
    pub asked: AccessRequested,
    /// The person who asked.
    pub by: Kid,
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// Where it stands.
    pub state: RequestState,
    /// How many keys were issued on it.
    pub keys_issued: u64,
    /// How many downloads were released on it.
    pub downloads: u64,
    /// The `seq` of the decision, whose private part has reason or comment.
    pub decided_seq: Option<u64>,
}

impl Request {
    pub(super) fn begin(id: Id, event: &Event) -> Option<Self> {
        let Outcome::AccessRequested(asked) = &event.outcome else { return None };
        Some(Self {
            id,
            asked: asked.clone(),
            by: event.command.as_ref()?.kid(),
            at_ms: event.at_ms,
            state: RequestState::Requested,
            keys_issued: 0,
            downloads: 0,
            decided_seq: None,
        })
    }

    pub(super) fn then(mut self, event: &Event) -> Option<Self> {
        use crate::event::ExpiryReason;
        self.state = match (&event.outcome, self.state) {
            (Outcome::AccessVerified(_), RequestState::Requested) => RequestState::Verified,
            (Outcome::AccessApproved(approved), RequestState::Verified) => {
                self.decided_seq = Some(event.place.seq);
                RequestState::Approved { until_ms: approved.until }
            }
            (Outcome::AccessDenied(_), state) if state.is_open() => {
                self.decided_seq = Some(event.place.seq);
                RequestState::Denied
            }
            (Outcome::AccessExpired(expired), state)
                if state.is_open() && expired.reason == ExpiryReason::Undecided =>
            {
                RequestState::Undecided
            }
            (Outcome::AccessExpired(expired), RequestState::Approved { .. })
                if expired.reason == ExpiryReason::GrantOver =>
            {
                RequestState::Over
            }
            (Outcome::KeyIssued(_), state @ RequestState::Approved { .. }) => {
                self.keys_issued += 1;
                state
            }
            (Outcome::RecordDownloaded(_), state @ RequestState::Approved { .. }) => {
                self.downloads += 1;
                state
            }
            _ => return None,
        };
        Some(self)
    }
}
