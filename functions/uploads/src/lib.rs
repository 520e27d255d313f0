//! Uploads in parts: bodies of more than 64 MiB go to S3 in parts of 64 MiB, each by a URL that takes exactly that part's bytes (DESIGN section 6).
//!
//! Nothing is written to the vault here, and nothing decided: what may be uploaded is in the signed announcement, what became of it is for commit.
//! The function keeps no state either; the client holds S3's upload id, which is good for the announced object's key alone. So every call may be
//! repeated, and a call whose answer was lost costs at most the parts that were sent. A beginning can be repeated until 16 uploads of one body are
//! unfinished: whoever loses so many answers is no client that means to send it.
//!
//! In scope: where to send which part; which parts are there; putting the object together once they are exactly the announced ones. Out of scope:
//! announcing (`records`), `record.uploaded.v1` (`commit`), aborting (`sweeper`: this role may not).
//!
//! Calls of AWS, beside the read token's two queries (the person's and the provider's stream):
//!
//! | route | DynamoDB | S3 |
//! |---|---|---|
//! | `/upload/parts` of a new upload | 1 query | 1 ListMultipartUploads, 1 CreateMultipartUpload |
//! | the same where 16 are unfinished | 1 query | 1 ListMultipartUploads |
//! | `/upload/parts` of an upload | 1 query | 1 ListParts |
//! | the same where S3 does not know the upload | 1 query | 1 ListParts, 1 HEAD |
//! | `/upload/complete` of *n* parts | 1 query | ⌈n / 1,000⌉ ListParts, 1 CompleteMultipartUpload |
//! | the same where it was completed before | 1 query | 1 ListParts, 1 HEAD |
//! | the same after `record.uploaded.v1` | 1 query | none |
//!
//! Presigning is no call. A file of *n* parts that is sent in one go asks ⌈n / 100⌉ times for URLs, and once more for each whose 15 minutes are over.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod complete;
mod parts;
mod run;

use chartseal_events::Code;
use chartseal_http::{Access, Answer, Failure, Incoming, PathValues, Route, Service};
use chartseal_infra::ports::{Blobs, Clock, EventStore};

pub use complete::complete;
pub use parts::parts;

/// The function, on its ports.
#[derive(Debug, Clone)]
pub struct Uploads<E, B, C> {
    /// The vault's origin.
    pub origin: String,
    /// The streams.
    pub events: E,
    /// The bodies.
    pub blobs: B,
    /// The time.
    pub clock: C,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Where to send parts.
    Parts,
    /// All parts have been sent.
    Complete,
}

const fn read(pattern: &'static str, call: Call, codes: &'static [Code]) -> Route<Call> {
    Route { method: "POST", pattern, access: Access::Read, call, codes }
}

/// The function's routes.
pub const ROUTES: &[Route<Call>] = &[
    read(
        "/records/{id}/upload/parts",
        Call::Parts,
        &[
            Code::MalformedJson,
            Code::BadField,
            Code::NotAnnounced,
            Code::NotInParts,
            Code::VersionUploaded,
            Code::UploadExpired,
            Code::UploadUnknown,
            Code::UploadMismatch,
            Code::TooManyUploads,
        ],
    ),
    read(
        "/records/{id}/upload/complete",
        Call::Complete,
        &[
            Code::MalformedJson,
            Code::BadField,
            Code::NotAnnounced,
            Code::NotInParts,
            Code::VersionUploaded,
            Code::UploadExpired,
            Code::UploadUnknown,
            Code::UploadMismatch,
            Code::UploadIncomplete,
        ],
    ),
];

impl<E: EventStore, B: Blobs, C: Clock> Service for Uploads<E, B, C> {
    type Call = Call;

    const ROUTES: &'static [Route<Call>] = ROUTES;

    async fn handle(&self, call: Call, incoming: &Incoming, path: &PathValues) -> Result<Answer, Failure> {
        match call {
            Call::Parts => parts(self, incoming, path).await,
            Call::Complete => complete(self, incoming, path).await,
        }
    }
}

/// The routes, as OpenAPI describes them.
#[cfg(feature = "openapi")]
#[derive(utoipa::OpenApi)]
#[openapi(paths(parts::parts, complete::complete))]
pub struct Api;
