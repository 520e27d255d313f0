//! S3 says that an object arrived: it is compared with its announcement, its version is pinned, `record.uploaded.v1` is appended.
//!
//! In scope: EventBridge's `Object Created`. What the event says of the object is not believed; HEAD tells. Out of scope: objects for which no
//! event comes (sweeper), and deleting anything.
#![forbid(unsafe_code)]

use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Blobs, Clock, EventStore};
use chartseal_infra::telemetry::{fields, note};
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
    note::set(&fields::OPERATION, "object-created");
    let Ok(upload) = created.detail.object.key.parse::<BlobKey>() else {
        // Not even the key is logged: it was not made here.
        note::set(&fields::UPLOAD_SETTLED, "not-ours");
        return Ok(None);
    };
    note::set(&fields::UPLOAD_KEY, upload.to_string());
    let settled = settle_upload(events, blobs, clock, upload, Orphans::Leave).await?;
    note::set(&fields::UPLOAD_SETTLED, settled.name());
    Ok(Some(settled))
}
