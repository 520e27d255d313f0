//! Where to send parts: a URL for each, but for those that S3 has.

use chartseal_events::limits::{MAX_PARTS, MAX_PARTS_ASKED};
use chartseal_events::wire::{PartCall, PartDigest, PartsRequest, PartsResponse};
use chartseal_events::{Bytes, Code, Hash, Refusal};
use chartseal_http::{Answer, Failure, Incoming, PathValues, presigned};
use chartseal_infra::ports::{Blobs, Clock, EventStore, Part, StoredPart};

use crate::Uploads;
use crate::run::{Asked, Run, check_upload_id};

/// Most unfinished uploads of one body. Several that begin at the same time can be a few more.
const MAX_UNFINISHED: usize = 16;

/// Get the addresses of parts
///
/// Needs a read token of a member of the record's owner, for POST and this path. Names 1 to 100 parts of an announced body of more than 64 MiB, by rising
/// number, with the SHA-256 of each. Without `upload_id` a new multipart upload begins; with it, parts that S3 has already get no call. An address takes
/// exactly the part's bytes, and lives 15 minutes at most; ask again for a fresh one. At most 16 uploads of a body are unfinished at a time.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/upload/parts", tag = "records", request_body = PartsRequest,
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 200, description = "The upload, and a PUT for each part that is still to be sent.", body = PartsResponse)),
))]
pub async fn parts<E: EventStore, B: Blobs, C: Clock>(
    vault: &Uploads<E, B, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let (asked, run) = Run::of_call::<PartsRequest, _, _, _>(vault, incoming, path, now_ms).await?;
    let life_s = run.life_s(now_ms)?;
    let wanted = asked.parts.iter().map(|digest| part(&run, digest)).collect::<Result<Vec<_>, _>>()?;

    let (upload_id, there) = match asked.upload_id {
        None => (begin(vault, &run).await?, There::Parts(Vec::new())),
        Some(id) => {
            let there = there(vault, &run, &id, &wanted).await?;
            (id, there)
        }
    };
    let mut calls = Vec::with_capacity(wanted.len());
    for part in wanted {
        let call = if there.has(&part) {
            None
        } else {
            Some(vault.blobs.presign_part(run.upload(&upload_id), &part, now_ms, life_s).await?)
        };
        calls.push(PartCall { number: part.number, call: call.map(presigned) });
    }
    Answer::ok(&PartsResponse { upload_id, parts: calls })
}

/// Begins an upload, unless too many were begun: the sweeper has to abort every one of them.
async fn begin<E, B: Blobs, C>(vault: &Uploads<E, B, C>, run: &Run) -> Result<String, Failure> {
    if vault.blobs.count_uploads(&run.key, MAX_UNFINISHED + 1).await? >= MAX_UNFINISHED {
        return Err(Code::TooManyUploads.into());
    }
    Ok(vault.blobs.begin_upload(&run.key).await?)
}

/// What S3 has of a body.
enum There {
    /// These of the parts that were asked for.
    Parts(Vec<StoredPart>),
    /// All of it, put together.
    Body,
}

impl There {
    fn has(&self, part: &Part) -> bool {
        match self {
            Self::Parts(stored) => stored.iter().any(|stored| stored.part == *part),
            Self::Body => true,
        }
    }
}

/// Looks for the parts in S3, by one call. Where they are spread over more than 1,000 numbers not all are seen; those are sent once more.
async fn there<E, B: Blobs, C>(
    vault: &Uploads<E, B, C>,
    run: &Run,
    upload_id: &str,
    wanted: &[Part],
) -> Result<There, Failure> {
    let (first, last) = wanted.first().zip(wanted.last()).ok_or(Code::Internal)?;
    let numbers = first.number..=last.number;
    if let Some(stored) = vault.blobs.stored_parts(run.upload(upload_id), numbers).await? {
        return Ok(There::Parts(stored));
    }
    // It was completed, and the answer did not arrive; or it is gone.
    run.must_be_there(&vault.blobs).await?;
    Ok(There::Body)
}

impl Asked for PartsRequest {
    fn run(&self) -> (u32, Bytes<32>) {
        (self.version, self.message_id)
    }

    fn check(&self) -> Result<(), Refusal> {
        if let Some(id) = &self.upload_id {
            check_upload_id(id)?;
        }
        let rising = self.parts.windows(2).all(|pair| pair[0].number < pair[1].number);
        let in_range = self.parts.iter().all(|part| (1..=MAX_PARTS).contains(&part.number));
        let sound = (1..=MAX_PARTS_ASKED).contains(&self.parts.len()) && rising && in_range;
        if sound { Ok(()) } else { Err(Refusal::field(Code::BadField, "parts")) }
    }
}

/// A part of the announced body. What its bytes are, only the whole announcement says; that is looked at when all are there.
fn part(run: &Run, digest: &PartDigest) -> Result<Part, Refusal> {
    let PartDigest { number, sha256: Hash(sha256) } = *digest;
    let size_bytes = run.announcement.part_bytes(number).ok_or(Refusal::field(Code::BadField, "parts"))?;
    Ok(Part { number, size_bytes, sha256 })
}
