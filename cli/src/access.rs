//! Requests for access: asking, looking, waiting, deciding.

use std::borrow::Cow;
use std::time::Duration;

use chartseal_events::command::{AccessApprove, AccessDeny, AccessRequest};
use chartseal_events::evidence::Sound;
use chartseal_events::purpose::Purpose;
use chartseal_events::state::{Request, RequestState};
use chartseal_events::wire::{Accepted, Party, RequestPage, RequestView};
use chartseal_events::{Event, Id, StreamId};

use crate::client::{Call, Client, steadily};
use crate::error::Error;
use crate::opening;
use crate::patience::Patience;
use crate::people::KnownParty;
use crate::records::page_path;
use crate::tampering::Tampering;

/// Most pages of a list that are followed.
const MAX_PAGES: usize = 1_000;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct NewRequest<'a> {
    /// The record.
    pub record: Id,
    /// Its version, as the search shows it.
    pub version: u32,
    /// Why.
    pub purpose: Purpose,
    /// For how long, from the approval on.
    pub grant_seconds: u64,
    /// Why, in words; private.
    pub justification: &'a str,
}

/// A request whose evidence has been checked and says what the view says.
#[derive(Debug, Clone)]
pub struct CheckedRequest {
    /// What the vault shows.
    pub view: RequestView,
    /// Where it stands, as proven.
    pub state: RequestState,
    /// The last event of its stream: the one that a decision names.
    pub last_event: Event,
    /// The record's owner.
    pub owner: KnownParty,
    /// The provider that asked.
    pub requester: KnownParty,
    /// What is proven.
    pub sound: Sound,
}

impl CheckedRequest {
    /// The events of its stream.
    pub fn events(&self) -> &[Event] {
        self.sound.events.get(&StreamId::Request(self.view.request)).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Client {
    /// Asks for access; the request's id is its stream's.
    pub fn request_access(&self, new: &NewRequest<'_>) -> Result<(Id, Event), Error> {
        let NewRequest { record, version, purpose, grant_seconds, justification } = *new;
        let path = format!("/records/{record}/requests");
        let call = Call::new(&path, AccessRequest { record, version, purpose, grant_seconds });
        let event = self.send::<Accepted>(&call.private(&[("justification", justification)]))?.event;
        match event.place.stream {
            StreamId::Request(id) => Ok((id, event)),
            _ => Err(Tampering::ReceiptOutcome(event.place).into()),
        }
    }

    /// A request, as its parties and operators see it.
    pub fn request(&self, request: Id) -> Result<CheckedRequest, Error> {
        steadily(|| self.look_at_request(request))
    }

    fn look_at_request(&self, request: Id) -> Result<CheckedRequest, Error> {
        let view: RequestView = self.read(&format!("/requests/{request}"))?;
        let evidence = view.evidence.as_ref().ok_or(Tampering::NotShown("the request"))?;
        let sound = self.vault.verify(evidence)?;
        let proven = sound.view.request(request).ok_or(Tampering::NotShown("the request"))?;
        let last_event = sound.events.get(&StreamId::Request(request)).and_then(|events| events.last());
        let last_event = last_event.ok_or(Tampering::NotShown("the request"))?.clone();
        let asked = &proven.asked;
        let same = view.request == request
            && view.state == proven.state.name()
            && view.head == last_event.leaf
            && (view.record, view.version) == (asked.record, asked.version)
            && (view.owner, view.requester, view.by) == (asked.owner, asked.requester, proven.by)
            && view.purpose == asked.purpose.code()
            && (view.at, view.expires_at) == (proven.at_ms, asked.expires_at);
        if !same {
            return Err(Tampering::AnswerDiffers("the request").into());
        }
        if let RequestState::Approved { until_ms } = proven.state
            && view.until != Some(until_ms)
        {
            return Err(Tampering::AnswerDiffers("the grant's end").into());
        }
        let events = sound.events.get(&StreamId::Request(request)).map(Vec::as_slice).unwrap_or_default();
        check_private(&view, proven, events)?;
        let parties = view.parties.as_ref().ok_or(Tampering::NotShown("who the parties are"))?;
        let known = |party: &Party, provider| {
            let same = party.provider == provider;
            if same {
                KnownParty::of(provider, &party.private, &sound)
            } else {
                Err(Tampering::AnswerDiffers("a party"))
            }
        };
        let (owner, requester) = (known(&parties.owner, asked.owner)?, known(&parties.requester, asked.requester)?);
        Ok(CheckedRequest { state: proven.state, last_event, owner, requester, view, sound })
    }

    /// Requests that this wallet's provider is a party of, newest first; for operators, all. At most `limit`.
    pub fn requests(&self, limit: usize) -> Result<Vec<RequestView>, Error> {
        let mut requests = Vec::new();
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let page: RequestPage = self.read(&page_path("/requests", limit - requests.len(), cursor.as_deref()))?;
            requests.extend(page.requests);
            requests.truncate(limit);
            cursor = page.next;
            if cursor.is_none() || requests.len() >= limit {
                break;
            }
        }
        Ok(requests)
    }

    /// Waits until a request is in a state; one that can no longer get there is an error at once.
    pub fn wait_request(&self, request: Id, wanted: &str, timeout: Duration) -> Result<CheckedRequest, Error> {
        let patience =
            Patience { total: timeout, first_wait: Duration::from_millis(100), longest_wait: Duration::from_secs(2) };
        let mut waits = patience.begin();
        loop {
            let checked = self.request(request)?;
            let state = checked.state.name();
            if state == wanted {
                return Ok(checked);
            }
            if rank(state) >= rank(wanted) {
                return Err(Error::Settled { state });
            }
            if !waits.wait() {
                let waited_s = timeout.as_secs();
                return Err(Error::Waited { what: "the awaited state", waited_s, last: Cow::Borrowed(state) });
            }
        }
    }

    /// Approves a request, as it was looked at.
    pub fn approve(&self, looked_at: &CheckedRequest, comment: Option<&str>) -> Result<Event, Error> {
        let request = looked_at.view.request;
        let path = format!("/requests/{request}/approve");
        let private: Vec<_> = comment.map(|comment| ("comment", comment)).into_iter().collect();
        let call = Call::new(&path, AccessApprove { request, head: looked_at.last_event.leaf });
        self.send::<Accepted>(&call.private(&private)).map(|taken| taken.event)
    }

    /// Denies a request, as it was looked at.
    pub fn deny(&self, looked_at: &CheckedRequest, reason: &str) -> Result<Event, Error> {
        let request = looked_at.view.request;
        let path = format!("/requests/{request}/deny");
        let call = Call::new(&path, AccessDeny { request, head: looked_at.last_event.leaf });
        self.send::<Accepted>(&call.private(&[("reason", reason)])).map(|taken| taken.event)
    }
}

/// Whether the reasons that are shown are those that were signed.
fn check_private(view: &RequestView, proven: &Request, events: &[Event]) -> Result<(), Tampering> {
    if let Some(justification) = &view.justification {
        let asked = events.first().ok_or(Tampering::NotShown("the request"))?;
        opening::check(asked, "justification", justification)?;
    }
    let Some(reason) = &view.reason else { return Ok(()) };
    let decided = events.iter().find(|event| Some(event.place.seq) == proven.decided_seq);
    let decided = decided.ok_or(Tampering::NotShown("the decision"))?;
    opening::check(decided, "comment", reason).or_else(|_| opening::check(decided, "reason", reason))
}

/// How far a state is along a request's way; states of one rank exclude each other.
fn rank(state: &str) -> u8 {
    match state {
        "requested" => 0,
        "verified" => 1,
        "approved" | "denied" | "expired" => 2,
        _ => 3,
    }
}
