//! New records and new versions: an id, and a data key of its own.

use chartseal_events::encoding::base64url;
use chartseal_events::event::StoredEvent;
#[cfg(feature = "openapi")]
use chartseal_events::wire::CommandRequest;
use chartseal_events::wire::{CreatedRecord, Receipt, SealedDataKey};
use chartseal_events::{Action, Cause, Code, Decision, EventRef, Facts, Hash, Id, Kid, Outcome, StreamId, decide};
use chartseal_http::{Admitted, Answer, Failure, Incoming, PathValues, admit, context, same, seal_data_key};
use chartseal_infra::ports::{Blobs, Clock, DataKeys, KeyItem, StoreError};
use chartseal_infra::road;

use crate::{Records, Store};

/// Create a record
///
/// Takes `record.create.v1`, signed by a person of a verified provider. The answer carries the new data key sealed to that person's wallet; a
/// repeated command gets the same event and no key, which is then at `POST /records/{id}/key`.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records", tag = "records", request_body = CommandRequest,
    responses((status = 201, description = "The record has its id and its data key.", body = CreatedRecord)),
))]
pub async fn create<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    incoming: &Incoming,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::RecordCreate(_) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    make(vault, &admitted).await
}

/// Create a version of a record
///
/// Takes `record.version.v1`, signed by a person of the owner. The version before it must have been uploaded.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/records/{id}/versions", tag = "records", request_body = CommandRequest,
    params(("id" = String, Path, description = "The record's id.")),
    responses((status = 201, description = "The version has its data key.", body = CreatedRecord)),
))]
pub async fn add_version<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    incoming: &Incoming,
    path: &PathValues,
) -> Result<Answer, Failure> {
    let admitted = admit(incoming, &vault.origin, vault.clock.now_ms())?;
    let Action::RecordVersion(fields) = &admitted.command.action else { return Err(Code::WrongCommand.into()) };
    same("record", path.id("id")?, fields.record)?;
    make(vault, &admitted).await
}

/// How often a key is made anew because somebody else took the version that it was made for.
const MAX_ATTEMPTS: u32 = 4;

async fn make<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    admitted: &Admitted,
) -> Result<Answer, Failure> {
    for _ in 1..MAX_ATTEMPTS {
        match make_once(vault, admitted).await {
            Err(Failure::Refused(refusal)) if refusal.code == Code::Conflict => {}
            settled => return settled,
        }
    }
    make_once(vault, admitted).await
}

async fn make_once<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    admitted: &Admitted,
) -> Result<Answer, Failure> {
    let command = &admitted.command;
    let now_ms = vault.clock.now_ms();
    // Decided with a stand-in for the key first, so that nobody makes KMS work who may not.
    let stand_in = Facts { wrapped_sha256: Some(Hash::ZERO), ..Facts::default() };
    let view = road::look(&vault.store, command.reads()?, now_ms).await?;
    let (record, version) = match decide(&view, Cause::Command(command), &stand_in, now_ms)? {
        Decision::Existing(place) => return repeated(vault, place).await,
        Decision::Append(drafts) => match drafts.as_slice() {
            [draft] => version_of(&draft.outcome, draft.stream).ok_or(Code::Internal)?,
            _ => return Err(Code::Internal.into()),
        },
    };
    let Kid::Person(person) = command.kid() else { return Err(Code::Internal.into()) };
    let seal_key = view.staff(person).ok_or(Code::Internal)?.seal_key;

    let of = vault.context(record, version);
    let pair = vault.data_keys.generate(&of).await?;
    let sealed_key = seal_data_key(&pair.plaintext, &of, None, person, &seal_key)?;
    let wrapped = pair.wrapped;
    let facts = Facts { wrapped_sha256: Some(Hash::of(&[&wrapped])), version: Some(version), ..Facts::default() };
    let mut luggage = admitted.luggage(facts);
    luggage.keys.push(KeyItem::Wrapped { record, version, wrapped: wrapped.clone() });
    // KMS may have taken seconds: whoever was suspended meanwhile gets no key, so all is looked at once more.
    let taken = road::take(&vault.store, &vault.clock, command, &luggage).await?;
    if taken.repeated {
        // The same command was quicker on another connection; the key made here was never kept.
        return repeated(vault, taken.event.at).await;
    }
    Answer::taken(&taken, &created(vault, &taken.event, (record, version), &wrapped, Some(sealed_key)))
}

/// A command that was taken before: its event and the wrapped key, and no sealed one.
async fn repeated<S: Store, B: Blobs, D: DataKeys, C: Clock>(
    vault: &Records<S, B, D, C>,
    place: EventRef,
) -> Result<Answer, Failure> {
    let damaged = |what: String| StoreError::Damaged { what };
    let found = vault.store.fetch(&[place]).await?.into_iter().flatten().next();
    let stored = found.ok_or_else(|| damaged(format!("{place} is gone")))?;
    let event = stored.open().map_err(|error| damaged(format!("{place}: {error}")))?;
    let (record, version) = version_of(&event.outcome, place.stream).ok_or(Code::Internal)?;
    let wrapped = vault.store.wrapped(record, version).await?;
    let wrapped = wrapped.ok_or_else(|| damaged(format!("the wrapped key of {record}/{version} is gone")))?;
    Answer::ok(&created(vault, &stored, (record, version), &wrapped, None))
}

fn version_of(outcome: &Outcome, stream: StreamId) -> Option<(Id, u32)> {
    match (outcome, stream) {
        (Outcome::RecordCreated(created), StreamId::Record(record)) => Some((record, created.version)),
        _ => None,
    }
}

fn created<S, B, D: DataKeys, C>(
    vault: &Records<S, B, D, C>,
    event: &StoredEvent,
    (record, version): (Id, u32),
    wrapped: &[u8],
    sealed_key: Option<SealedDataKey>,
) -> CreatedRecord {
    CreatedRecord {
        event: Receipt::from(event),
        record,
        version,
        wrapped_key: base64url(wrapped),
        key_arn: vault.data_keys.key_arn().to_owned(),
        context: context(&vault.context(record, version)),
        sealed_key,
    }
}
