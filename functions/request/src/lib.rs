//! Requests for access: making one, listing them, looking at one.
//!
//! A request is seen by its parties (the provider that asks, the owner of the record) and by operators. To everybody else it does not exist.
//! Out of scope: deciding (`decide`), what follows from a request (`consumer`), keys and downloads (`issue-key`, `download`).
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod ask;
mod show;

use chartseal_events::Code;
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service};
use chartseal_infra::ports::{Clock, EventStore, Index};

pub use ask::ask;
pub use show::{list, show};

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Requests<E, I, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams.
    pub events: E,
    /// The index.
    pub index: I,
    /// The time.
    pub clock: C,
    /// How long a request waits for a decision.
    pub decision_seconds: u64,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A provider asks for access to a record.
    Ask,
    /// The caller's requests.
    List,
    /// A request is looked at.
    Show,
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    Route {
        method: "POST",
        pattern: "/records/{id}/requests",
        access: Access::Command,
        call: Call::Ask,
        codes: &[Code::ProviderPending, Code::ProviderSuspended, Code::OwnRecord, Code::NotUploaded],
    },
    Route { method: "GET", pattern: "/requests", access: Access::Read, call: Call::List, codes: &[Code::BadField] },
    Route {
        method: "GET",
        pattern: "/requests/{id}",
        access: Access::Read,
        call: Call::Show,
        codes: &[Code::Conflict, Code::TooMuchEvidence],
    },
];

impl<E: EventStore, I: Index, C: Clock> Service for Requests<E, I, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Ask => ask(self, incoming, path).await,
            Call::List => list(self, incoming).await,
            Call::Show => show(self, incoming, path).await,
        }
    }
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(ask::ask, show::list, show::show))]
pub struct Api;

#[cfg(test)]
mod tests;
