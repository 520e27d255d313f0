//! Releases: a data key sealed to one wallet, a download with what it rests on. Used by owners' and requesters' routes alike.

use chartseal_envelope::DataKey;
use chartseal_envelope::key_release::{self, Binding};
use chartseal_events::encoding::base64url;
use chartseal_events::state::RequestState;
use chartseal_events::wire::{EncryptionContext, PresignedCall, Receipt, ReleasedDownload, SealedDataKey};
use chartseal_events::{Bytes, Code, Id, Refusal, StreamId};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Blobs, Clock, EventStore, KeyContext, KeyTable, Presigned, StoreError};
use chartseal_infra::road::Taken;
use futures_util::future::try_join;
use zeroize::Zeroizing;

use crate::{Failure, evidence_closure};

/// How long a presigned GET lives, seconds.
pub const DOWNLOAD_LIFE_S: u32 = 15 * 60;

/// The encryption context of a version, as answers show it.
pub fn context(of: &KeyContext) -> EncryptionContext {
    EncryptionContext { tenant: of.tenant.clone(), record: of.record.to_string(), version: of.version.to_string() }
}

/// Seals a data key to a wallet. `request` is the access request it is released under; none for an owner.
pub fn seal_data_key(
    key: &Zeroizing<[u8; 32]>,
    of: &KeyContext,
    request: Option<Id>,
    person: Id,
    seal_key: &Bytes<32>,
) -> Result<SealedDataKey, Failure> {
    let (record, request, person) = (of.record.to_string(), request.map(|id| id.to_string()), person.to_string());
    let binding = Binding {
        tenant: &of.tenant,
        record: &record,
        version: of.version,
        request: request.as_deref(),
        requester: &person,
    };
    let key = DataKey::from_bytes(**key);
    let sealed = key_release::seal(&key, &seal_key.0, &binding).map_err(|_| Code::Internal)?;
    Ok(SealedDataKey { enc: base64url(&sealed.enc), ciphertext: base64url(&sealed.ciphertext) })
}

/// A presigned call, as answers show it.
pub fn presigned(call: Presigned) -> PresignedCall {
    PresignedCall {
        method: call.method.to_owned(),
        url: call.url,
        headers: call.headers,
        expires_at: call.expires_at_ms,
    }
}

/// Until when what a request was granted may be released, Unix milliseconds; a refusal where that is now over. Asked last, at the moment of the release: what
/// came before it took its time.
pub fn still_granted(taken: &Taken, request: Id, now_ms: u64) -> Result<u64, Refusal> {
    match taken.view.request(request).map(|request| request.state) {
        Some(RequestState::Approved { until_ms }) if now_ms < until_ms => Ok(until_ms),
        _ => Err(Code::GrantOver.into()),
    }
}

/// What a download that was taken releases: a GET of the pinned version, the header, and the evidence. `taken.view` must hold the record, and the request if
/// it is released under one: then the address does not outlive the grant.
pub async fn release_download<E: EventStore, K: KeyTable, B: Blobs>(
    (events, keys, blobs): (&E, &K, &B),
    taken: &Taken,
    (record, version): (Id, u32),
    request: Option<Id>,
    clock: &impl Clock,
) -> Result<ReleasedDownload, Failure> {
    let found = taken.view.record(record).and_then(|record| record.version(version)).ok_or(Code::NotFound)?;
    let (announced, uploaded) = found.current().ok_or(Code::NotUploaded)?;
    let message_id = &announced.announcement.message_id;
    let header = async { Ok(keys.header(record, version, message_id).await?) };
    let evidence = evidence_closure(events, [StreamId::Record(record), taken.event.at.stream]);
    let (header, evidence) = try_join(header, evidence).await?;
    let header =
        header.ok_or_else(|| StoreError::Damaged { what: format!("the header of {record}/{version} is gone") })?;
    let key = BlobKey { record, version, announced: uploaded.announced }.to_string();
    let now_ms = clock.now_ms();
    let life_s = match request {
        Some(request) => {
            let left_s = still_granted(taken, request, now_ms)?.saturating_sub(now_ms).div_ceil(1000);
            DOWNLOAD_LIFE_S.min(u32::try_from(left_s).unwrap_or(DOWNLOAD_LIFE_S))
        }
        None => DOWNLOAD_LIFE_S,
    };
    let download = blobs.presign_get(&key, &uploaded.version_id, now_ms, life_s).await?;
    Ok(ReleasedDownload {
        event: Receipt::from(&taken.event),
        download: presigned(download),
        header: base64url(&header),
        evidence,
    })
}
