//! The owner's download of its own record.

#[cfg(feature = "openapi")]
use chartseal_events::wire::{CommandRequest, ReleasedDownload};
use chartseal_events::{Action, Code, Facts};
use chartseal_http::{Answer, Failure, Incoming, PathValues, admit, release_download, same};
use chartseal_infra::ports::{Blobs, Clock, DataKeys};
use chartseal_infra::road;

use crate::{Records, Store};

/// Download one's own record
///
/// Takes `record.download.v1`, signed by a person of the owner.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/download", tag = "records", request_body = CommandRequest,
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 201, description = "A GET of the pinned version, the header, and the evidence.", body = ReleasedDownload)),
))]
pub async fn download<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::RecordDownload(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("record", path.id("id")?, fields.record)?;
    let luggage = admitted.luggage(Facts::default());
    let taken = road::take(&vault.store, &vault.clock, &admitted.command, &luggage).await?;
    let ports = (&vault.store, &vault.store, &vault.blobs);
    let released = release_download(ports, &taken, (fields.record, fields.version), None, &vault.clock).await?;
    Answer::taken(&taken, &released)
}
