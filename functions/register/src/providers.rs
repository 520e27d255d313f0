//! Invitation, registration, verification, suspension.

use chartseal_events::id::Kind;
#[cfg(feature = "openapi")]
use chartseal_events::wire::{Accepted, CommandRequest};
use chartseal_events::wire::{Receipt, Registered};
use chartseal_events::{Action, Code, Facts};
use chartseal_http::{Answer, Failure, Incoming, PathValues, accept, admit, same};
use chartseal_infra::ports::{Clock, EventStore};
use chartseal_infra::road;

use crate::Register;

/// Invite an organisation
///
/// Takes `provider.invite.v1`, signed by an operator. The event's stream is `provider/<cloud ID>`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/invitations", tag = "providers", request_body = CommandRequest,
    responses((status = 201, description = "The organisation has its cloud ID and can register.", body = Accepted)),
))]
pub async fn invite<E: EventStore, C: Clock>(vault: &Register<E, C>, incoming: &Incoming) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::ProviderInvite(_) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    accept(&vault.events, &vault.clock, &admitted).await
}

/// Register a provider
///
/// Takes `provider.register.v1`, signed by the new wallet that it names.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/providers", tag = "providers", request_body = CommandRequest,
    responses((status = 201, description = "Registered; an operator verifies next.", body = Registered)),
))]
pub async fn register<E: EventStore, C: Clock>(vault: &Register<E, C>, incoming: &Incoming) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::ProviderRegister(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    let luggage = admitted.luggage(Facts::default());
    let taken = road::take(&vault.events, &vault.clock, &admitted.command, &luggage).await?;
    let registered = Registered {
        event: Receipt::from(&taken.event),
        provider: fields.provider,
        staff: admitted.command.new_id(Kind::Staff),
    };
    Answer::taken(&taken, &registered)
}

/// Verify a registration, or reinstate a suspended provider
///
/// Takes `provider.verify.v1`, signed by an operator. It names the head of the provider's stream that the operator looked at.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/providers/{id}/verify", tag = "providers", request_body = CommandRequest,
    params(("id" = String, Path, description = "The provider's cloud ID.")),
    responses((status = 201, description = "The provider may use the vault.", body = Accepted)),
))]
pub async fn verify<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::ProviderVerify(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("provider", path.id("id")?, fields.provider)?;
    accept(&vault.events, &vault.clock, &admitted).await
}

/// Suspend a provider
///
/// Takes `provider.suspend.v1`, signed by an operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/providers/{id}/suspend", tag = "providers", request_body = CommandRequest,
    params(("id" = String, Path, description = "The provider's cloud ID.")),
    responses((status = 201, description = "The provider may do nothing until it is verified again.", body = Accepted)),
))]
pub async fn suspend<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::ProviderSuspend(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("provider", path.id("id")?, fields.provider)?;
    accept(&vault.events, &vault.clock, &admitted).await
}
