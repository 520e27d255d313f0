//! Records: their ids and data keys, what is uploaded under them, who sees them, and the owner's download.
//!
//! No byte of a record passes through here, encrypted or not, and no data key is ever unwrapped here: a new one is sealed to the wallet
//! that asked and forgotten.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod announce;
mod create;
mod download;
mod show;
mod view;

use chartseal_events::{Code, Id};
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service};
use chartseal_infra::ports::{Blobs, Clock, DataKeys, EventStore, Index, KeyContext, KeyTable};

pub use announce::announce;
pub use create::{add_version, create};
pub use download::download;
pub use show::{list, show};

/// Streams, keys and lists, which live in one database.
pub trait Store: EventStore + KeyTable + Index {}

impl<T: EventStore + KeyTable + Index> Store for T {}

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Records<S, B, D, C> {
    /// The vault's origin.
    pub origin: String,
    /// How long an announced upload is waited for, milliseconds.
    pub upload_expiry_ms: u64,
    /// Streams, keys and lists.
    pub store: S,
    /// The bodies.
    pub blobs: B,
    /// What makes data keys.
    pub data_keys: D,
    /// The time.
    pub clock: C,
}

impl<S, B, D, C> Records<S, B, D, C> {
    /// What KMS authenticates with a version's data key.
    fn context(&self, record: Id, version: u32) -> KeyContext {
        KeyContext { tenant: self.origin.clone(), record, version }
    }
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A new record.
    Create,
    /// Records in a list.
    List,
    /// One record.
    Show,
    /// A new version of a record.
    AddVersion,
    /// A body that will be uploaded.
    Announce,
    /// The owner's download.
    Download,
}

const fn command(pattern: &'static str, call: Call, codes: &'static [Code]) -> Route<Call> {
    Route { method: "POST", pattern, access: Access::Command, call, codes }
}

const fn read(pattern: &'static str, call: Call, codes: &'static [Code]) -> Route<Call> {
    Route { method: "GET", pattern, access: Access::Read, call, codes }
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    command("/records", Call::Create, &[Code::ProviderPending, Code::ProviderSuspended]),
    read("/records", Call::List, &[Code::BadField]),
    read("/records/{id}", Call::Show, &[Code::TooMuchEvidence]),
    command(
        "/records/{id}/versions",
        Call::AddVersion,
        &[Code::ProviderPending, Code::ProviderSuspended, Code::VersionOpen, Code::TooManyVersions],
    ),
    command(
        "/records/{id}/upload",
        Call::Announce,
        &[
            Code::ProviderPending,
            Code::ProviderSuspended,
            Code::TooManyTerms,
            Code::HeaderMismatch,
            Code::UploadTooLarge,
            Code::VersionUploaded,
            Code::TooManyAnnouncements,
            Code::UploadExpired,
        ],
    ),
    command(
        "/records/{id}/download",
        Call::Download,
        &[Code::ProviderPending, Code::ProviderSuspended, Code::NotUploaded, Code::TooMuchEvidence],
    ),
];

impl<S: Store, B: Blobs, D: DataKeys, C: Clock> Service for Records<S, B, D, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Create => create(self, incoming).await,
            Call::List => list(self, incoming).await,
            Call::Show => show(self, incoming, path).await,
            Call::AddVersion => add_version(self, incoming, path).await,
            Call::Announce => announce(self, incoming, path).await,
            Call::Download => download(self, incoming, path).await,
        }
    }
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(create::create, create::add_version, announce::announce, show::list, show::show, download::download))]
pub struct Api;
