//! A requester's download: under a live grant, a presigned GET of the version that was pinned when it was uploaded, with the message header and
//! the evidence that the grant, the record and the announcement rest on.
//!
//! Out of scope: the data key (`issue-key`); this function has no rights on any key.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "openapi")]
use chartseal_events::wire::{CommandRequest, ReleasedDownload};
use chartseal_events::{Action, Code, Facts};
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service, admit, release_download, same};
use chartseal_infra::ports::{Blobs, Clock, EventStore, KeyTable};
use chartseal_infra::road;

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Download<E, K, B, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams.
    pub events: E,
    /// Message headers.
    pub keys: K,
    /// Bodies.
    pub blobs: B,
    /// The time.
    pub clock: C,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A requester downloads.
    Download,
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[Route {
    method: "POST",
    pattern: "/requests/{id}/download",
    access: Access::Command,
    call: Call::Download,
    codes: &[
        Code::TooMuchEvidence,
        Code::ProviderPending,
        Code::ProviderSuspended,
        Code::NotApproved,
        Code::RequestDenied,
        Code::RequestExpired,
        Code::GrantOver,
        Code::NotUploaded,
    ],
}];

impl<E: EventStore, K: KeyTable, B: Blobs, C: Clock> Service for Download<E, K, B, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Download => download(self, incoming, path).await,
        }
    }
}

/// Download under a grant
///
/// Takes `request.download.v1`, signed by a person of the provider that asked. The grant is looked at anew on every call, repeated ones too.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/requests/{id}/download", tag = "requests", request_body = CommandRequest,
    params(("id" = String, Path, description = "The request.")),
    responses((status = 201, description = "Where to get the body, and what to check it with.", body = ReleasedDownload)),
))]
pub async fn download<E: EventStore, K: KeyTable, B: Blobs, C: Clock>(
    vault: &Download<E, K, B, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let admitted = admit(incoming, &vault.origin, now_ms)?;
    let Action::RequestDownload(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("request", path.id("id")?, fields.request)?;
    let luggage = admitted.luggage(Facts::default());
    let taken = road::take(&vault.events, &vault.clock, &admitted.command, &luggage).await?;
    let version = taken.view.request(fields.request).ok_or(Code::NotFound)?.asked.version;
    let ports = (&vault.events, &vault.keys, &vault.blobs);
    let of = (fields.record, version);
    let released = release_download(ports, &taken, of, Some(fields.request), &vault.clock).await?;
    Answer::taken(&taken, &released)
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(download))]
pub struct Api;

#[cfg(test)]
mod tests;
