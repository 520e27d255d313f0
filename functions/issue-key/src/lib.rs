//! Data keys, released to one wallet at a time: an owner's own, and a requester's under a live grant.
//!
//! The only function whose role may unwrap a data key; it has no way to the bodies in S3. The order is the promise: the event says that a
//! key is released before the key exists in the clear, and a grant is checked at every call, a repeated one too. Sealed keys are never stored.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

use chartseal_events::encoding::base64url;
#[cfg(feature = "openapi")]
use chartseal_events::wire::CommandRequest;
use chartseal_events::wire::{IssuedKey, Receipt};
use chartseal_events::{Action, Code, Facts, Hash, Id, Kid, Outcome};
use chartseal_http::{
    Access, Admitted, Answer, Failure, Incoming, PathValues, Route, Service, admit, same, seal_data_key, still_granted,
};
use chartseal_infra::ports::{Clock, DataKeyOpener, EventStore, KeyContext, KeyTable, StoreError};
use chartseal_infra::road;

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct IssueKey<S, O, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams and the wrapped keys.
    pub store: S,
    /// What unwraps.
    pub opener: O,
    /// The time.
    pub clock: C,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// An owner's own key.
    OwnersKey,
    /// A requester's key.
    RequestersKey,
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    Route {
        method: "POST",
        pattern: "/records/{id}/key",
        access: Access::Command,
        call: Call::OwnersKey,
        codes: &[Code::ProviderPending, Code::ProviderSuspended],
    },
    Route {
        method: "POST",
        pattern: "/requests/{id}/key",
        access: Access::Command,
        call: Call::RequestersKey,
        codes: &[
            Code::ProviderPending,
            Code::ProviderSuspended,
            Code::NotApproved,
            Code::RequestDenied,
            Code::RequestExpired,
            Code::GrantOver,
            Code::NotUploaded,
        ],
    },
];

impl<S: EventStore + KeyTable, O: DataKeyOpener, C: Clock> Service for IssueKey<S, O, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::OwnersKey => owners_key(self, incoming, path).await,
            Call::RequestersKey => requesters_key(self, incoming, path).await,
        }
    }
}

/// Fetch the data key of one's own record
///
/// Takes `record.key.v1`, signed by a person of the owner. The key is sealed to that person's wallet.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/key", tag = "keys", request_body = CommandRequest,
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 201, description = "The data key, sealed.", body = IssuedKey)),
))]
pub async fn owners_key<S: EventStore + KeyTable, O: DataKeyOpener, C: Clock>(
    vault: &IssueKey<S, O, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::RecordKey(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("record", path.id("id")?, fields.record)?;
    release(vault, &admitted, None).await
}

/// Fetch the data key that a request was granted
///
/// Takes `key.issue.v1`, signed by a person of the requester. The grant is checked at every call; the key is sealed to that person's wallet.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/requests/{id}/key", tag = "keys", request_body = CommandRequest,
    params(("id" = String, Path, description = "The request's id.")),
    responses((status = 201, description = "The data key, sealed.", body = IssuedKey)),
))]
pub async fn requesters_key<S: EventStore + KeyTable, O: DataKeyOpener, C: Clock>(
    vault: &IssueKey<S, O, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::KeyIssue(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("request", path.id("id")?, fields.request)?;
    release(vault, &admitted, Some(fields.request)).await
}

async fn release<S: EventStore + KeyTable, O: DataKeyOpener, C: Clock>(
    vault: &IssueKey<S, O, C>,
    admitted: &Admitted,
    request: Option<Id>,
) -> Result<Answer, Failure> {
    let command = &admitted.command;
    let taken = road::take(&vault.store, &vault.clock, command, &admitted.luggage(Facts::default())).await?;
    let event =
        taken.event.open().map_err(|error| StoreError::Damaged { what: format!("{}: {error}", taken.event.at) })?;
    // What is released is what the event says is released, and to the key that it names.
    let (Outcome::KeyIssued(issued), Kid::Person(person)) = (&event.outcome, command.kid()) else {
        return Err(Code::Internal.into());
    };
    let (record, version) = (issued.record, issued.version);
    let stated = taken.view.record(record).and_then(|record| record.version(version)).ok_or(Code::Internal)?;
    let wrapped = vault.store.wrapped(record, version).await?;
    let wrapped = wrapped.filter(|wrapped| Hash::of(&[wrapped]) == stated.wrapped_sha256).ok_or_else(|| {
        StoreError::Damaged { what: format!("the wrapped key of {record}/{version} is gone or another one") }
    })?;
    let context = KeyContext { tenant: vault.origin.clone(), record, version };
    let key = vault.opener.unwrap(&context, &wrapped).await?;
    // What came before took its time, and the grant may have ended in it.
    if let Some(request) = request {
        still_granted(&taken, request, vault.clock.now_ms())?;
    }
    let sealed_key = seal_data_key(&key, &context, request, person, &issued.seal_key)?;
    let (event, key_arn) = (Receipt::from(&taken.event), vault.opener.key_arn().to_owned());
    Answer::taken(&taken, &IssuedKey { event, sealed_key, wrapped_key: base64url(&wrapped), key_arn })
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(owners_key, requesters_key))]
pub struct Api;
