//! Announcements: what will be uploaded, signed by the uploader, and leave to upload exactly that.

use std::collections::BTreeSet;

use chartseal_envelope::{Context, Header, WrappedKey};
use chartseal_events::command::Announcement;
use chartseal_events::encoding::from_base64url;
use chartseal_events::limits::{MAX_TOKENS, MAX_UPLOAD_WINDOW_MS, PART_BYTES};
use chartseal_events::private::PrivatePart;
use chartseal_events::state::{AnnouncedStatus, Version};
#[cfg(feature = "openapi")]
use chartseal_events::wire::CommandRequest;
use chartseal_events::wire::{AnnouncedUpload, PartsPlan, Receipt};
use chartseal_events::{Action, Bytes, Cause, Code, Facts, Hash, Refusal, decide};
use chartseal_http::{Answer, Failure, Incoming, PathValues, Submission, presigned, same};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Blobs, Clock, DataKeys, KeyItem, StoreError};
use chartseal_infra::road::{self, Taken};

use crate::{Records, Store};

/// Longest life of a presigned PUT, milliseconds. It is given again for the same command.
const MAX_UPLOAD_LIFE_MS: u64 = 15 * 60 * 1000;

/// Announce a body and get leave to upload it
///
/// Takes `record.announce.v1`, signed by a person of the owner, with the message header beside it. The private field `tokens` has 1 to 32
/// different term tokens, base64url, one space between two. The same announcement gives a fresh URL until the upload is there or has expired. A body
/// of more than 64 MiB is sent in parts: the answer has `parts` in place of `upload`, and `POST /records/{id}/upload/parts` gives the URLs.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/upload", tag = "records", request_body = CommandRequest,
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 201, description = "A PUT that takes exactly the announced bytes, once; or how the body is cut into parts.", body = AnnouncedUpload)),
))]
pub async fn announce<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let now_ms = vault.clock.now_ms();
    let submission = Submission::parse(incoming)?;
    let Action::RecordAnnounce(announcement) = &submission.command.action else {
        return Err(Code::WrongCommand.into());
    };
    let announcement = announcement.clone();
    same("record", path.id("id")?, announcement.record)?;
    check_tokens(&submission.private)?;
    let admitted = submission.admit(&vault.origin, now_ms)?;
    let header = admitted.header.as_deref().ok_or(Refusal::field(Code::MalformedJson, "header"))?;

    // Decided before the header is looked at, so that a stranger learns nothing of the wrapped key.
    let command = &admitted.command;
    let window_ms = upload_window_ms(vault.upload_expiry_ms, &announcement);
    let facts = Facts { expires_at_ms: Some(now_ms + window_ms), ..Facts::default() };
    let view = road::look(&vault.store, command.reads()?, now_ms).await?;
    decide(&view, Cause::Command(command), &facts, now_ms)?;
    let version = view.record(announcement.record).and_then(|record| record.version(announcement.version));
    let version = version.ok_or(Code::NotFound)?;

    let header = check_header(vault, header, &announcement, version).await?;
    let mut luggage = admitted.luggage(facts);
    luggage.keys.extend(new_header(vault, header, &announcement, version).await?);
    let taken = road::take_seen(&vault.store, &vault.clock, command, &luggage, view).await?;
    Answer::taken(&taken, &leave(vault, &taken, &announcement).await?)
}

/// Between 1 and 32 different tokens of 32 bytes. That there is a field at all is the command's own rule.
fn check_tokens(private: &PrivatePart) -> Result<(), Refusal> {
    let Some(tokens) = private.get("tokens").map(|private| private.value.as_str()) else { return Ok(()) };
    if tokens.split(' ').count() > MAX_TOKENS {
        return Err(Refusal::field(Code::TooManyTerms, "tokens"));
    }
    let mut seen = BTreeSet::new();
    for token in tokens.split(' ') {
        let token: Bytes<32> = token.parse().map_err(|_| Refusal::field(Code::BadField, "tokens"))?;
        if !seen.insert(token) {
            return Err(Refusal::field(Code::BadField, "tokens"));
        }
    }
    Ok(())
}

/// Reads the header and holds it to the version and the announcement. Whether it is genuine only the key's holders can know.
async fn check_header<S: Store, B, D: DataKeys, C>(
    vault: &Records<S, B, D, C>,
    text: &str,
    announcement: &Announcement,
    version: &Version,
) -> Result<Header, Failure> {
    let (record, number) = (announcement.record, announcement.version);
    let wrapped = vault.store.wrapped(record, number).await?;
    let wrapped = wrapped.filter(|wrapped| Hash::of(&[wrapped]) == version.wrapped_sha256).ok_or_else(|| {
        StoreError::Damaged { what: format!("the wrapped key of {record}/{number} is gone or another one") }
    })?;
    let wrapped = WrappedKey::kms(vault.data_keys.key_arn(), &wrapped).map_err(|_| Code::Internal)?;
    let context = Context::new(vault.origin.as_str(), record.to_string(), number).map_err(|_| Code::Internal)?;

    let mismatch = Refusal::field(Code::HeaderMismatch, "header");
    let bytes = from_base64url(text).map_err(|_| mismatch)?;
    let header = Header::parse(&bytes).map_err(|_| mismatch)?;
    header.check_context(&context).and_then(|()| header.check_wrapped_key(&wrapped)).map_err(|_| mismatch)?;
    let announced = *header.message_id() == announcement.message_id.0
        && *header.commitment() == announcement.commitment.0
        && header.frame_bytes() == announcement.frame_bytes;
    if announced { Ok(header) } else { Err(mismatch.into()) }
}

/// The header as it is to be kept; none where it is kept already, because the same encryption run was announced before.
async fn new_header<S: Store, B, D, C>(
    vault: &Records<S, B, D, C>,
    header: Header,
    announcement: &Announcement,
    version: &Version,
) -> Result<Option<KeyItem>, Failure> {
    let (record, number, message_id) = (announcement.record, announcement.version, announcement.message_id);
    if version.announced.values().any(|run| run.announcement.message_id == message_id)
        && let Some(kept) = vault.store.header(record, number, &message_id).await?
    {
        let same = kept == header.as_bytes();
        return if same { Ok(None) } else { Err(Refusal::field(Code::HeaderMismatch, "header").into()) };
    }
    Ok(Some(KeyItem::Header { record, version: number, message_id, header: header.as_bytes().to_vec() }))
}

/// How long a body is waited for: once the vault's time for each of its parts, so that a large one can arrive over a slow line; a day at most.
fn upload_window_ms(upload_expiry_ms: u64, announcement: &Announcement) -> u64 {
    let parts = u64::from(announcement.parts().unwrap_or(1));
    upload_expiry_ms.saturating_mul(parts).min(MAX_UPLOAD_WINDOW_MS)
}

/// Leave to upload what was announced, as long as it is waited for. Nothing is asked of S3: parts are begun when the first ones are about to be sent.
async fn leave<S: Store, B: Blobs, D, C: Clock>(
    vault: &Records<S, B, D, C>,
    taken: &Taken,
    announcement: &Announcement,
) -> Result<AnnouncedUpload, Failure> {
    let (record, number, seq) = (announcement.record, announcement.version, taken.event.at.seq);
    let version = taken.view.record(record).and_then(|record| record.version(number)).ok_or(Code::Internal)?;
    let run = version.announced.get(&seq).ok_or(Code::Internal)?;
    if version.uploaded.is_some() {
        return Err(Code::VersionUploaded.into());
    }
    let now_ms = vault.clock.now_ms();
    let life_s = run.expires_at_ms.saturating_sub(now_ms).min(MAX_UPLOAD_LIFE_MS) / 1000;
    if run.status != AnnouncedStatus::Pending || life_s == 0 {
        return Err(Code::UploadExpired.into());
    }
    let event = Receipt::from(&taken.event);
    if let Some(count) = announcement.parts() {
        let parts = PartsPlan { part_bytes: PART_BYTES, count };
        return Ok(AnnouncedUpload { event, upload: None, parts: Some(parts) });
    }
    let life_s = u32::try_from(life_s).map_err(|_| Code::Internal)?;
    let key = BlobKey { record, version: number, announced: seq }.to_string();
    let sha256 = announcement.parts_root.0;
    let put = vault.blobs.presign_put(&key, announcement.body_bytes, sha256, now_ms, life_s).await?;
    Ok(AnnouncedUpload { event, upload: Some(presigned(put)), parts: None })
}
