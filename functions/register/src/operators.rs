//! Operators of the vault.

#[cfg(feature = "openapi")]
use chartseal_events::wire::{Accepted, CommandRequest};
use chartseal_events::{Action, Code};
use chartseal_http::{Answer, Failure, Incoming, PathValues, accept, admit, same};
use chartseal_infra::ports::{Clock, EventStore};

use crate::Register;

/// Make a key an operator's
///
/// Takes `operator.add.v1`, signed by an operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/operators", tag = "operators", request_body = CommandRequest,
    responses((status = 201, description = "The key is an operator's.", body = Accepted)),
))]
pub async fn add_operator<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::OperatorAdd(_) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    accept(&vault.events, &vault.clock, &admitted).await
}

/// Take an operator's rights away
///
/// Takes `operator.remove.v1`, signed by an operator.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/operators/{kid}/remove", tag = "operators", request_body = CommandRequest,
    params(("kid" = String, Path, description = "The key's RFC 7638 thumbprint.")),
    responses((status = 201, description = "The key is no longer an operator's.", body = Accepted)),
))]
pub async fn remove_operator<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::OperatorRemove(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("operator", path.parse("kid")?, fields.operator)?;
    accept(&vault.events, &vault.clock, &admitted).await
}
