//! S3 says that an object arrived: it is compared with its announcement, its version is pinned, `record.uploaded.v1` is appended.
//!
//! In scope: EventBridge's `Object Created`. What the event says of the object is not believed; HEAD tells. Out of scope: objects for which no
//! event comes (sweeper), and deleting anything.
#![forbid(unsafe_code)]

use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Blobs, Clock, EventStore};
use chartseal_reactions::{Failure, Orphans, Settled, settle_upload};
use serde::Deserialize;

/// EventBridge's `Object Created`, as far as it is used.
#[derive(Debug, Deserialize)]
pub struct ObjectCreated {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
struct Detail {
    object: Object,
}

#[derive(Debug, Deserialize)]
struct Object {
    key: String,
}

/// Settles the upload that an object belongs to; none where the object is not one of the vault's.
pub async fn handle<E: EventStore, B: Blobs, C: Clock>(
    events: &E,
    blobs: &B,
    clock: &C,
    created: &ObjectCreated,
) -> Result<Option<Settled>, Failure> {
    let Ok(upload) = created.detail.object.key.parse::<BlobKey>() else {
        // Not even the key is logged: it was not made here.
        tracing::warn!(upload.settled = "not-ours", "an object with a key that the vault does not use");
        return Ok(None);
    };
    match settle_upload(events, blobs, clock, upload, Orphans::Leave).await {
        Ok(settled) => {
            tracing::info!(upload.key = %upload, upload.settled = settled.name(), "object settled");
            Ok(Some(settled))
        }
        Err(error) => {
            tracing::error!(upload.key = %upload, error = %error, "object not settled");
            Err(error)
        }
    }
}
