//! An operator's decision on a request for access. The decision is an event and nothing else: the stream's consumer tells the workflow.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "openapi")]
use chartseal_events::wire::{Accepted, CommandRequest};
use chartseal_events::{Action, Code};
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service, accept, admit, same};
use chartseal_infra::ports::{Clock, EventStore};

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Decide<E, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams.
    pub events: E,
    /// The time.
    pub clock: C,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A request is approved.
    Approve,
    /// A request is denied.
    Deny,
}

const fn decision(pattern: &'static str, call: Call, codes: &'static [Code]) -> Route<Call> {
    Route { method: "POST", pattern, access: Access::Command, call, codes }
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    decision(
        "/requests/{id}/approve",
        Call::Approve,
        &[
            Code::NotOperator,
            Code::ApproverIsRequester,
            Code::NotVerifiedYet,
            Code::AlreadyDecided,
            Code::RequestExpired,
            Code::HeadMoved,
        ],
    ),
    decision(
        "/requests/{id}/deny",
        Call::Deny,
        &[Code::NotOperator, Code::ApproverIsRequester, Code::AlreadyDecided, Code::RequestExpired, Code::HeadMoved],
    ),
];

impl<E: EventStore, C: Clock> Service for Decide<E, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Approve => approve(self, incoming, path).await,
            Call::Deny => deny(self, incoming, path).await,
        }
    }
}

/// Approve a request
///
/// Takes `access.approve.v1`, signed by an operator who is not the requester. It names the head of the request that the operator looked at. The
/// grant's clock starts now.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/requests/{id}/approve", tag = "requests", request_body = CommandRequest,
    params(("id" = String, Path, description = "The request.")),
    responses((status = 201, description = "Approved; the requester has access until the grant's end.", body = Accepted)),
))]
pub async fn approve<E: EventStore, C: Clock>(
    vault: &Decide<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::AccessApprove(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("request", path.id("id")?, fields.request)?;
    accept(&vault.events, &vault.clock, &admitted).await
}

/// Deny a request
///
/// Takes `access.deny.v1`, signed by an operator who is not the requester. It names the head of the request that the operator looked at.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/requests/{id}/deny", tag = "requests", request_body = CommandRequest,
    params(("id" = String, Path, description = "The request.")),
    responses((status = 201, description = "Denied.", body = Accepted)),
))]
pub async fn deny<E: EventStore, C: Clock>(
    vault: &Decide<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::AccessDeny(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("request", path.id("id")?, fields.request)?;
    accept(&vault.events, &vault.clock, &admitted).await
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(approve, deny))]
pub struct Api;

#[cfg(test)]
mod tests;
