//! Who may use the vault: operators, auditors, invitations, registrations, verification, suspension, and what others see of a provider.
//!
//! Every change is a signed command and one append; nothing is kept beside the streams.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod auditors;
mod operators;
mod profile;
mod providers;

use chartseal_events::Code;
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service};
use chartseal_infra::ports::{Clock, EventStore};

pub use auditors::{add_auditor, remove_auditor};
pub use operators::{add_operator, remove_operator};
pub use profile::show;
pub use providers::{invite, register, suspend, verify};

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Register<E, C> {
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
    /// A key becomes an operator's.
    AddOperator,
    /// A key is no longer an operator's.
    RemoveOperator,
    /// A key becomes an auditor's.
    AddAuditor,
    /// A key is no longer an auditor's.
    RemoveAuditor,
    /// An organisation is invited.
    Invite,
    /// An invited organisation registers.
    Register,
    /// A registration is verified.
    Verify,
    /// A provider is suspended.
    Suspend,
    /// A provider is looked at.
    Show,
}

const fn command(pattern: &'static str, call: Call, codes: &'static [Code]) -> Route<Call> {
    Route { method: "POST", pattern, access: Access::Command, call, codes }
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    command("/operators", Call::AddOperator, &[Code::NotOperator, Code::OperatorExists, Code::AuditorExists]),
    command("/operators/{kid}/remove", Call::RemoveOperator, &[Code::NotOperator, Code::LastOperator]),
    command("/auditors", Call::AddAuditor, &[Code::NotOperator, Code::OperatorExists, Code::AuditorExists]),
    command("/auditors/{kid}/remove", Call::RemoveAuditor, &[Code::NotOperator]),
    command("/invitations", Call::Invite, &[Code::NotOperator]),
    command(
        "/providers",
        Call::Register,
        &[Code::NotFound, Code::WrongCode, Code::InvitationUsed, Code::InvitationExpired],
    ),
    command(
        "/providers/{id}/verify",
        Call::Verify,
        &[Code::NotOperator, Code::NotRegistered, Code::AlreadyVerified, Code::HeadMoved],
    ),
    command(
        "/providers/{id}/suspend",
        Call::Suspend,
        &[Code::NotOperator, Code::NotRegistered, Code::AlreadySuspended],
    ),
    Route {
        method: "GET",
        pattern: "/providers/{id}",
        access: Access::Read,
        call: Call::Show,
        codes: &[Code::TooMuchEvidence],
    },
];

impl<E: EventStore, C: Clock> Service for Register<E, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::AddOperator => add_operator(self, incoming).await,
            Call::RemoveOperator => remove_operator(self, incoming, path).await,
            Call::AddAuditor => add_auditor(self, incoming).await,
            Call::RemoveAuditor => remove_auditor(self, incoming, path).await,
            Call::Invite => invite(self, incoming).await,
            Call::Register => register(self, incoming).await,
            Call::Verify => verify(self, incoming, path).await,
            Call::Suspend => suspend(self, incoming, path).await,
            Call::Show => show(self, incoming, path).await,
        }
    }
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    operators::add_operator,
    operators::remove_operator,
    auditors::add_auditor,
    auditors::remove_auditor,
    providers::invite,
    providers::register,
    providers::verify,
    providers::suspend,
    profile::show
))]
pub struct Api;
