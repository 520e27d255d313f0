//! Decisions about records: creating, announcing, finding the object, the owner's own key and download, searching.

use super::{Decision, Draft, Facts, Signer, taken_before};
use crate::codes::{Code, Refusal};
use crate::command::{Announcement, Command, RecordDownload, RecordKey, RecordVersion};
use crate::event::{
    EventRef, KeyIssued, RecordAnnounced, RecordCreated, RecordDownloaded, RecordUploaded, SearchPerformed,
    UploadExpired,
};
use crate::id::{Id, Kind};
use crate::limits::{MAX_ANNOUNCEMENTS, MAX_UPLOAD_WINDOW_MS, MAX_VERSIONS};
use crate::state::{Announced, AnnouncedStatus, Provider, Record, Staff, Uploaded, Version, View};
use crate::stream::StreamId;

pub(super) fn create(view: &View, command: &Command, signer: &Signer<'_>, facts: &Facts) -> Result<Decision, Refusal> {
    let (_, provider) = signer.member()?;
    let stream = StreamId::Record(command.new_id(Kind::Record));
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    let wrapped_sha256 = facts.wrapped_sha256.ok_or(Code::Internal)?;
    Ok(Draft::new(stream, RecordCreated { owner: provider.id, version: 1, wrapped_sha256 }).into())
}

pub(super) fn add_version(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &RecordVersion,
    facts: &Facts,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let (_, provider, record) = owned(view, signer, fields.record)?;
    let stream = StreamId::Record(record.id);
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    // A version whose upload was broken off must not bar the record for ever: only one that may still arrive does.
    let awaited = |run: &Announced| run.status == AnnouncedStatus::Pending && now_ms < run.expires_at_ms;
    if record
        .versions
        .last()
        .is_none_or(|version| version.uploaded.is_none() && version.announced.values().any(awaited))
    {
        return Err(Code::VersionOpen.into());
    }
    let version = u32::try_from(record.versions.len() + 1).map_err(|_| Code::TooManyVersions)?;
    if version > MAX_VERSIONS {
        return Err(Code::TooManyVersions.into());
    }
    if facts.version.is_some_and(|made_for| made_for != version) {
        return Err(Code::Conflict.into());
    }
    let wrapped_sha256 = facts.wrapped_sha256.ok_or(Code::Internal)?;
    Ok(Draft::new(stream, RecordCreated { owner: provider.id, version, wrapped_sha256 }).into())
}

pub(super) fn announce(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    announcement: &Announcement,
    facts: &Facts,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let (_, _, record) = owned(view, signer, announcement.record)?;
    let stream = StreamId::Record(record.id);
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    let version = record.version(announcement.version).ok_or(Code::NotFound)?;
    if version.uploaded.is_some() {
        return Err(Code::VersionUploaded.into());
    }
    let same_run = |(_, announced): &(&u64, &Announced)| announced.announcement.message_id == announcement.message_id;
    for (seq, announced) in version.announced.iter().filter(same_run) {
        // A message id stands for one encryption run: under one key, two runs with one id would share their nonces.
        if announced.announcement != *announcement {
            return Err(Refusal::field(Code::BadField, "message_id"));
        }
        if announced.status == AnnouncedStatus::Pending && now_ms < announced.expires_at_ms {
            return Ok(Decision::Existing(EventRef { stream, seq: *seq }));
        }
    }
    if version.announced.len() >= MAX_ANNOUNCEMENTS {
        return Err(Code::TooManyAnnouncements.into());
    }
    let expires_at = deadline(facts, now_ms, MAX_UPLOAD_WINDOW_MS)?;
    Ok(Draft::new(stream, RecordAnnounced { version: announcement.version, expires_at }).into())
}

/// A deadline that the vault's parameters give must lie in the future and within its bound.
pub(super) fn deadline(facts: &Facts, now_ms: u64, max_ms: u64) -> Result<u64, Refusal> {
    facts.expires_at_ms.filter(|at| *at > now_ms && *at <= now_ms + max_ms).ok_or(Code::Internal.into())
}

pub(super) fn object_found(view: &View, record: Id, announced: u64, version_id: &str) -> Result<Decision, Refusal> {
    let (stream, version, number, run) = announced_run(view, record, announced)?;
    let same = |uploaded: &&Uploaded| uploaded.announced == announced && uploaded.version_id == version_id;
    if let Some(uploaded) = version.uploaded.as_ref().filter(same) {
        return Ok(Decision::Existing(EventRef { stream, seq: uploaded.seq }));
    }
    if version.uploaded.is_some() {
        return Err(Code::VersionUploaded.into());
    }
    if run.status == AnnouncedStatus::Expired {
        return Err(Code::UploadExpired.into());
    }
    let uploaded = RecordUploaded { version: number, announced, version_id: version_id.to_owned() };
    Ok(Draft::new(stream, uploaded).into())
}

pub(super) fn object_missing(view: &View, record: Id, announced: u64, now_ms: u64) -> Result<Decision, Refusal> {
    let (stream, version, number, run) = announced_run(view, record, announced)?;
    match run.status {
        AnnouncedStatus::Uploaded => Err(Code::VersionUploaded.into()),
        AnnouncedStatus::Expired => Err(Code::UploadExpired.into()),
        AnnouncedStatus::Pending if now_ms < run.expires_at_ms && version.uploaded.is_none() => {
            Err(Code::NotUploaded.into())
        }
        AnnouncedStatus::Pending => Ok(Draft::new(stream, UploadExpired { version: number, announced }).into()),
    }
}

fn announced_run(view: &View, record: Id, announced: u64) -> Result<(StreamId, &Version, u32, &Announced), Refusal> {
    let record = view.record(record).ok_or(Code::NotFound)?;
    let mut numbered = (1u32..).zip(&record.versions);
    let found = numbered.find_map(|(number, version)| Some((version, number, version.announced.get(&announced)?)));
    let (version, number, run) = found.ok_or(Code::NotFound)?;
    Ok((StreamId::Record(record.id), version, number, run))
}

pub(super) fn owner_key(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &RecordKey,
) -> Result<Decision, Refusal> {
    let (staff, _, record) = owned(view, signer, fields.record)?;
    let stream = StreamId::Record(record.id);
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    record.version(fields.version).ok_or(Code::NotFound)?;
    Ok(Draft::new(stream, KeyIssued { record: record.id, version: fields.version, seal_key: staff.seal_key }).into())
}

pub(super) fn owner_download(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &RecordDownload,
) -> Result<Decision, Refusal> {
    let (_, _, record) = owned(view, signer, fields.record)?;
    let stream = StreamId::Record(record.id);
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    let version = record.version(fields.version).ok_or(Code::NotFound)?;
    version.current().ok_or(Code::NotUploaded)?;
    Ok(Draft::new(stream, RecordDownloaded { record: record.id, version: fields.version }).into())
}

pub(super) fn search(view: &View, command: &Command, signer: &Signer<'_>, facts: &Facts) -> Result<Decision, Refusal> {
    signer.member()?;
    let stream = command.search_stream().ok_or(Code::Internal)?;
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    Ok(Draft::new(stream, SearchPerformed { hits: facts.hits.ok_or(Code::Internal)? }).into())
}

/// The signer's own record; another's does not exist for them.
fn owned<'a>(
    view: &'a View,
    signer: &Signer<'a>,
    record: Id,
) -> Result<(&'a Staff, &'a Provider, &'a Record), Refusal> {
    let (staff, provider) = signer.member()?;
    let record = view.record(record).filter(|record| record.owner == provider.id).ok_or(Code::NotFound)?;
    Ok((staff, provider, record))
}
