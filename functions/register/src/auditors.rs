//! Auditors of the vault: they read what operators read, and command nothing.

#[cfg(feature = "openapi")]
use chartseal_events::wire::{Accepted, CommandRequest};
use chartseal_events::{Action, Code};
use chartseal_http::{Answer, Failure, Incoming, PathValues, accept, admit, same};
use chartseal_infra::ports::{Clock, EventStore};

use crate::Register;

/// Make a key an auditor's
///
/// Takes `auditor.add.v1`, signed by an operator. The key signs read tokens alone.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/auditors", tag = "auditors", request_body = CommandRequest,
    responses((status = 201, description = "The key is an auditor's.", body = Accepted)),
))]
pub async fn add_auditor<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::AuditorAdd(_) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    accept(&vault.events, &vault.clock, &admitted).await
}

/// Take an auditor's rights away
///
/// Takes `auditor.remove.v1`, signed by an operator. It holds from the next call on.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/auditors/{kid}/remove", tag = "auditors", request_body = CommandRequest,
    params(("kid" = String, Path, description = "The key's RFC 7638 thumbprint.")),
    responses((status = 201, description = "The key is no longer an auditor's.", body = Accepted)),
))]
pub async fn remove_auditor<E: EventStore, C: Clock>(
    vault: &Register<E, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::AuditorRemove(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("auditor", path.parse("kid")?, fields.auditor)?;
    accept(&vault.events, &vault.clock, &admitted).await
}
