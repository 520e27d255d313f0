//! Decisions about requests for access: asking, verifying the requester, approving, denying, releasing keys and downloads, expiring.

use super::people::check_head;
use super::records::deadline;
use super::{Decision, Draft, Facts, Signer, taken_before};
use crate::codes::{Code, Refusal};
use crate::command::{AccessApprove, AccessDeny, AccessRequest, Command, KeyIssue, RequestDownload};
use crate::event::{
    AccessApproved, AccessDenied, AccessExpired, AccessRequested, AccessVerified, ExpiryReason, KeyIssued,
    RecordDownloaded,
};
use crate::id::{Id, Kid, Kind, Thumbprint};
use crate::limits::MAX_DECISION_MS;
use crate::state::{ProviderStatus, Request, RequestState, Staff, View};
use crate::stream::StreamId;

pub(super) fn request(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &AccessRequest,
    facts: &Facts,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let (staff, provider) = signer.member()?;
    let stream = StreamId::Request(command.new_id(Kind::Request));
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    let record = view.record(fields.record).ok_or(Code::NotFound)?;
    let own = record.owner == provider.id;
    // To others a version exists from its upload on.
    let version =
        record.version(fields.version).filter(|version| own || version.uploaded.is_some()).ok_or(Code::NotFound)?;
    if own {
        return Err(Code::OwnRecord.into());
    }
    version.current().ok_or(Code::NotUploaded)?;
    let asked = AccessRequested {
        record: record.id,
        version: fields.version,
        owner: record.owner,
        requester: provider.id,
        requester_key: Thumbprint::of(&staff.sign_key),
        purpose: fields.purpose,
        grant_seconds: fields.grant_seconds,
        expires_at: deadline(facts, now_ms, MAX_DECISION_MS)?,
    };
    Ok(Draft::new(stream, asked).into())
}

pub(super) fn requester_checked(view: &View, request: Id, requester: Id, person: Id) -> Result<Decision, Refusal> {
    let request = view.request(request).ok_or(Code::NotFound)?;
    if request.asked.requester != requester || request.by != Kid::Person(person) {
        return Err(Code::Internal.into());
    }
    if request.state != RequestState::Requested {
        return Err(Code::AlreadyDecided.into());
    }
    let verified = view.provider(requester).is_some_and(|provider| provider.status == ProviderStatus::Verified);
    let same_key =
        |staff: &Staff| staff.provider == requester && Thumbprint::of(&staff.sign_key) == request.asked.requester_key;
    let live = view.staff(person).is_some_and(same_key);
    let stream = StreamId::Request(request.id);
    let draft =
        if verified && live { Draft::new(stream, AccessVerified {}) } else { Draft::new(stream, AccessDenied {}) };
    Ok(draft.into())
}

pub(super) fn approve(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &AccessApprove,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let stream = StreamId::Request(fields.request);
    let request = match decidable(view, command, signer, fields.request, now_ms)? {
        Ok(request) => request,
        Err(done) => return Ok(done),
    };
    if request.state != RequestState::Verified {
        return Err(Code::NotVerifiedYet.into());
    }
    check_head(view, stream, &fields.head)?;
    Ok(Draft::new(stream, AccessApproved { until: now_ms + request.asked.grant_seconds * 1000 }).into())
}

pub(super) fn deny(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &AccessDeny,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let stream = StreamId::Request(fields.request);
    if let Err(done) = decidable(view, command, signer, fields.request, now_ms)? {
        return Ok(done);
    }
    check_head(view, stream, &fields.head)?;
    Ok(Draft::new(stream, AccessDenied {}).into())
}

/// A request that this operator can decide on now; or the decision that this same command led to before.
fn decidable<'a>(
    view: &'a View,
    command: &Command,
    signer: &Signer<'_>,
    request: Id,
    now_ms: u64,
) -> Result<Result<&'a Request, Decision>, Refusal> {
    let (operator, _) = signer.operator()?;
    let request = view.request(request).ok_or(Code::NotFound)?;
    if let Some(done) = taken_before(view, StreamId::Request(request.id), command)? {
        return Ok(Err(done));
    }
    if operator == request.asked.requester_key {
        return Err(Code::ApproverIsRequester.into());
    }
    match request.state {
        RequestState::Undecided => Err(Code::RequestExpired.into()),
        state if !state.is_open() => Err(Code::AlreadyDecided.into()),
        _ if now_ms >= request.asked.expires_at => Err(Code::RequestExpired.into()),
        _ => Ok(Ok(request)),
    }
}

pub(super) fn issue_key(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &KeyIssue,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let (staff, request) = granted(view, signer, fields.request, fields.record, now_ms)?;
    let stream = StreamId::Request(request.id);
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    let issued = KeyIssued { record: fields.record, version: request.asked.version, seal_key: staff.seal_key };
    Ok(Draft::new(stream, issued).into())
}

pub(super) fn download(
    view: &View,
    command: &Command,
    signer: &Signer<'_>,
    fields: &RequestDownload,
    now_ms: u64,
) -> Result<Decision, Refusal> {
    let (_, request) = granted(view, signer, fields.request, fields.record, now_ms)?;
    let stream = StreamId::Request(request.id);
    if let Some(done) = taken_before(view, stream, command)? {
        return Ok(done);
    }
    Ok(Draft::new(stream, RecordDownloaded { record: fields.record, version: request.asked.version }).into())
}

/// The signer's own request, with a live grant. Checked anew at every call, repeated ones too: a grant that is over releases nothing.
fn granted<'a>(
    view: &'a View,
    signer: &Signer<'a>,
    request: Id,
    record: Id,
    now_ms: u64,
) -> Result<(&'a Staff, &'a Request), Refusal> {
    let (staff, provider) = signer.member()?;
    let request =
        view.request(request).filter(|request| request.asked.requester == provider.id).ok_or(Code::NotFound)?;
    if request.asked.record != record {
        return Err(Code::NotFound.into());
    }
    match request.state {
        RequestState::Approved { until_ms } if now_ms < until_ms => {}
        RequestState::Approved { .. } | RequestState::Over => return Err(Code::GrantOver.into()),
        RequestState::Requested | RequestState::Verified => return Err(Code::NotApproved.into()),
        RequestState::Denied => return Err(Code::RequestDenied.into()),
        RequestState::Undecided => return Err(Code::RequestExpired.into()),
    }
    let version = view.record(record).and_then(|record| record.version(request.asked.version)).ok_or(Code::NotFound)?;
    version.current().ok_or(Code::NotUploaded)?;
    Ok((staff, request))
}

pub(super) fn deadline_reached(view: &View, request: Id, now_ms: u64) -> Result<Decision, Refusal> {
    let request = view.request(request).ok_or(Code::NotFound)?;
    let reason = match request.state {
        state if state.is_open() && now_ms >= request.asked.expires_at => ExpiryReason::Undecided,
        RequestState::Approved { until_ms } if now_ms >= until_ms => ExpiryReason::GrantOver,
        state if state.is_open() => return Err(Code::NotApproved.into()),
        _ => return Err(Code::AlreadyDecided.into()),
    };
    Ok(Draft::new(StreamId::Request(request.id), AccessExpired { reason }).into())
}
