//! All parts have been sent: if they are exactly the announced ones, S3 puts the object together. commit hears of it from S3 and compares again.

use chartseal_events::wire::{CompleteRequest, CompletedUpload};
use chartseal_events::{Bytes, Code, Refusal};
use chartseal_http::{Answer, Failure, Incoming, PathValues};
use chartseal_infra::ports::{Blobs, Checksum, Clock, Completion, EventStore, PartsUpload, StoredPart};

use crate::Uploads;
use crate::run::{Asked, Run, check_upload_id};

/// Parts of which S3 is asked at once; it lists no more.
const PAGE: u32 = 1_000;

/// Put an upload together
///
/// Needs a read token of a member of the record's owner, for POST and this path. Every part must be there, and their SHA-256 values must come to the
/// announced `parts_root`. May be sent again: an upload that was completed before is answered in the same way. The version is uploaded when the vault
/// has found the object, moments later.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/upload/complete", tag = "records", request_body = CompleteRequest,
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 200, description = "The announced body is stored.", body = CompletedUpload)),
))]
pub async fn complete<E: EventStore, B: Blobs, C: Clock>(
    vault: &Uploads<E, B, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let (asked, run) = Run::of_call::<CompleteRequest, _, _, _>(vault, incoming, path, now_ms).await?;
    if run.is_uploaded() {
        return stored();
    }
    run.life_s(now_ms)?;

    let upload = run.upload(&asked.upload_id);
    let Some(parts) = all_parts(vault, &run, upload).await? else {
        run.must_be_there(&vault.blobs).await?;
        return stored();
    };
    match vault.blobs.complete_upload(upload, &parts).await {
        Ok(Completion::Done) => stored(),
        Ok(Completion::Exists | Completion::NoUpload) => {
            run.must_be_there(&vault.blobs).await?;
            stored()
        }
        Ok(Completion::OtherParts) => Err(Code::UploadIncomplete.into()),
        // Perhaps only the answer was lost.
        Err(error) => match vault.blobs.head(&run.key).await {
            Ok(Some(head)) if run.is(&head) => stored(),
            _ => Err(error.into()),
        },
    }
}

impl Asked for CompleteRequest {
    fn run(&self) -> (u32, Bytes<32>) {
        (self.version, self.message_id)
    }

    fn check(&self) -> Result<(), Refusal> {
        check_upload_id(&self.upload_id)
    }
}

fn stored() -> Result<Answer, Failure> {
    Answer::ok(&CompletedUpload { state: "stored".to_owned() })
}

/// Every part of the announced body, as S3 has it; none where S3 does not know the upload.
async fn all_parts<E, B: Blobs, C>(
    vault: &Uploads<E, B, C>,
    run: &Run,
    upload: PartsUpload<'_>,
) -> Result<Option<Vec<StoredPart>>, Failure> {
    let mut parts: Vec<StoredPart> = Vec::new();
    let mut first = 1;
    while first <= run.count {
        let last = run.count.min(first + PAGE - 1);
        let Some(page) = vault.blobs.stored_parts(upload, first..=last).await? else { return Ok(None) };
        let sound = |(number, stored): (u32, &StoredPart)| {
            stored.part.number == number && run.announcement.part_bytes(number) == Some(stored.part.size_bytes)
        };
        let expected = (first..=last).count();
        if page.len() != expected || !(first..=last).zip(&page).all(sound) {
            return Err(Code::UploadIncomplete.into());
        }
        parts.extend(page);
        first = last + 1;
    }
    let digests: Vec<[u8; 32]> = parts.iter().map(|stored| stored.part.sha256).collect();
    if Checksum::of_parts(&digests) != Checksum::announced(&run.announcement) {
        return Err(Code::UploadIncomplete.into());
    }
    Ok(Some(parts))
}
