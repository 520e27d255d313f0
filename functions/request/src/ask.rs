//! Asking for access.

#[cfg(feature = "openapi")]
use chartseal_events::wire::CommandRequest;
use chartseal_events::wire::{Accepted, Receipt};
use chartseal_events::{Action, Code, Facts};
use chartseal_http::{Answer, Failure, Incoming, PathValues, admit, same};
use chartseal_infra::ports::{Clock, EventStore, Index};
use chartseal_infra::road;

use crate::Requests;

/// Ask for access to a record
///
/// Takes `access.request.v1`, signed by a person of a verified provider. The event's stream is `request/<id>`; the vault verifies the
/// requester next, then its operators decide.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/requests", tag = "requests", request_body = CommandRequest,
    params(("id" = String, Path, description = "The record.")),
    responses((status = 201, description = "The request waits for a decision.", body = Accepted)),
))]
pub async fn ask<E: EventStore, I: Index, C: Clock>(
    vault: &Requests<E, I, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let admitted = admit(incoming, &vault.origin, now_ms)?;
    let Action::AccessRequest(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("record", path.id("id")?, fields.record)?;
    let facts = Facts { expires_at_ms: Some(now_ms + vault.decision_seconds * 1000), ..Facts::default() };
    let taken = road::take(&vault.events, &vault.clock, &admitted.command, &admitted.luggage(facts)).await?;
    Answer::taken(&taken, &Accepted { event: Receipt::from(&taken.event) })
}
