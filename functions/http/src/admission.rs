//! Commands on their way in: what can be refused before anything is loaded.

use chartseal_events::private::PrivatePart;
use chartseal_events::wire::{Accepted, CommandRequest, Receipt};
use chartseal_events::{Code, Command, Facts, Refusal};
use chartseal_infra::ports::{Clock, EventStore};
use chartseal_infra::road::{self, Luggage};
use chartseal_infra::telemetry::note;

use crate::{Answer, Failure, Incoming};

/// A command as it came, well formed and no more.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The command.
    pub command: Command,
    /// The private values that came with it.
    pub private: PrivatePart,
    /// The message header that came with it, base64url.
    pub header: Option<String>,
}

/// A command that may be decided on: it is for this vault, of now, and its private part is the one it commits to. Who signed it is found
/// out when it is decided on.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// The command.
    pub command: Command,
    /// Its private values.
    pub private: PrivatePart,
    /// The message header that came with it, base64url.
    pub header: Option<String>,
}

impl Submission {
    /// Reads a body.
    pub fn parse(incoming: &Incoming) -> Result<Self, Refusal> {
        let CommandRequest { command, private, header } = CommandRequest::parse(&incoming.body)?;
        let command = Command::parse(&command)?;
        note::trace(command.trace());
        Ok(Self { command, private, header })
    }

    /// Checks what does not depend on any stream.
    pub fn admit(self, origin: &str, now_ms: u64) -> Result<Admitted, Refusal> {
        self.command.admit(origin, now_ms, &self.private)?;
        Ok(Admitted { command: self.command, private: self.private, header: self.header })
    }
}

/// Reads and admits a command on a route that takes nothing beside it.
pub fn admit(incoming: &Incoming, origin: &str, now_ms: u64) -> Result<Admitted, Refusal> {
    let submission = Submission::parse(incoming)?;
    if submission.header.is_some() {
        return Err(Refusal::field(Code::MalformedJson, "header"));
    }
    submission.admit(origin, now_ms)
}

/// Checks that the command names what the path names.
pub fn same<T: Copy + PartialEq>(field: &'static str, path: T, command: T) -> Result<(), Refusal> {
    if path == command { Ok(()) } else { Err(Refusal::field(Code::PathMismatch, field)) }
}

impl Admitted {
    /// What goes along with the command, where that is these facts and its private values.
    pub fn luggage(&self, facts: Facts) -> Luggage {
        Luggage { facts, private: self.private.clone(), keys: Vec::new() }
    }
}

/// Takes a command that needs nothing but the streams, and answers with its event.
pub async fn accept<E: EventStore, C: Clock>(events: &E, clock: &C, admitted: &Admitted) -> Result<Answer, Failure> {
    let taken = road::take(events, clock, &admitted.command, &admitted.luggage(Facts::default())).await?;
    Answer::taken(&taken, &Accepted { event: Receipt::from(&taken.event) })
}
