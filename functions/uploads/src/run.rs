//! The announced encryption run that a call is about, and who may send it.

use chartseal_events::command::Announcement;
use chartseal_events::limits::MAX_UPLOAD_ID_BYTES;
use chartseal_events::state::{Announced, AnnouncedStatus, Version};
use chartseal_events::{Bytes, Code, Id, Refusal, StreamId, strict};
use chartseal_http::{Failure, Incoming, PathValues, Reader, reader};
use chartseal_infra::ports::{BlobHead, Blobs, Clock, EventStore, PartsUpload};
use chartseal_infra::{BlobKey, road};
use serde::de::DeserializeOwned;

use crate::Uploads;

/// Longest life of a part's URL, milliseconds. It is given again for the same part.
const MAX_PART_LIFE_MS: u64 = 15 * 60 * 1000;

/// What is asked about a run.
pub(crate) trait Asked: DeserializeOwned {
    /// The version that the run is of, and the run's message id.
    fn run(&self) -> (u32, Bytes<32>);

    /// What can be refused without looking at anything.
    fn check(&self) -> Result<(), Refusal>;
}

/// Who calls, and about which record.
#[derive(Debug, Clone, Copy)]
struct Sender {
    provider: Id,
    record: Id,
}

/// An announced run of a body in parts.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The key of the object to be.
    pub(crate) key: String,
    /// What was signed.
    pub(crate) announcement: Announcement,
    /// How many parts the body has.
    pub(crate) count: u32,
    expires_at_ms: u64,
    stand: Stand,
}

/// Where a run stands in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// It may come, until it expires.
    Pending,
    /// It is there, and recorded.
    Uploaded,
    /// Another run of the version is there.
    Overtaken,
    /// It is recorded as expired.
    Expired,
}

impl Sender {
    /// Checks the read token. Only members of providers own records.
    async fn of<E: EventStore, B, C: Clock>(
        vault: &Uploads<E, B, C>,
        incoming: &Incoming,
        path: &PathValues,
        now_ms: u64,
    ) -> Result<Self, Failure> {
        let Reader::Member { provider, .. } = reader(incoming, &vault.origin, &vault.events, now_ms).await? else {
            return Err(Code::NotMember.into());
        };
        Ok(Self { provider, record: path.id("id")? })
    }
}

impl Run {
    /// Who calls, what they ask, and the run that it is about: what both routes begin with.
    pub(crate) async fn of_call<A: Asked, E: EventStore, B, C: Clock>(
        vault: &Uploads<E, B, C>,
        incoming: &Incoming,
        path: &PathValues,
        now_ms: u64,
    ) -> Result<(A, Self), Failure> {
        let sender = Sender::of(vault, incoming, path, now_ms).await?;
        let asked: A = strict::parse(&incoming.body).map_err(|_| Code::MalformedJson)?;
        asked.check()?;
        let run = Self::find(vault, sender, asked.run(), now_ms).await?;
        Ok((asked, run))
    }

    /// Finds the run in the record's stream. To strangers there is no record.
    async fn find<E: EventStore, B, C: Clock>(
        vault: &Uploads<E, B, C>,
        sender: Sender,
        (version, message_id): (u32, Bytes<32>),
        now_ms: u64,
    ) -> Result<Self, Failure> {
        let view = road::look(&vault.events, [StreamId::Record(sender.record)], now_ms).await?;
        let record = view.record(sender.record).filter(|record| record.owner == sender.provider);
        let found = record.ok_or(Code::NotFound)?.version(version).and_then(|version| of_version(version, message_id));
        let (seq, run, stand) = found.ok_or(Code::NotAnnounced)?;
        Ok(Self {
            key: BlobKey { record: sender.record, version, announced: seq }.to_string(),
            announcement: run.announcement.clone(),
            count: run.announcement.parts().ok_or(Code::NotInParts)?,
            expires_at_ms: run.expires_at_ms,
            stand,
        })
    }

    /// Whether the body is there and recorded.
    pub(crate) fn is_uploaded(&self) -> bool {
        self.stand == Stand::Uploaded
    }

    /// How long a URL may live, seconds; refused where the body is not waited for.
    pub(crate) fn life_s(&self, now_ms: u64) -> Result<u32, Refusal> {
        let life_s = self.expires_at_ms.saturating_sub(now_ms).min(MAX_PART_LIFE_MS) / 1000;
        match self.stand {
            Stand::Uploaded | Stand::Overtaken => Err(Code::VersionUploaded.into()),
            Stand::Pending if life_s > 0 => u32::try_from(life_s).map_err(|_| Code::Internal.into()),
            Stand::Pending | Stand::Expired => Err(Code::UploadExpired.into()),
        }
    }

    /// One of its uploads.
    pub(crate) fn upload<'a>(&'a self, id: &'a str) -> PartsUpload<'a> {
        PartsUpload { key: &self.key, id }
    }

    /// Looks for the object where S3 does not know the upload: refused unless it is there, as announced.
    pub(crate) async fn must_be_there<B: Blobs>(&self, blobs: &B) -> Result<(), Failure> {
        match blobs.head(&self.key).await? {
            Some(head) if self.is(&head) => Ok(()),
            Some(_) => Err(Code::UploadMismatch.into()),
            None => Err(Code::UploadUnknown.into()),
        }
    }

    /// Whether an object is the announced body.
    pub(crate) fn is(&self, head: &BlobHead) -> bool {
        head.holds(&self.announcement)
    }
}

/// The run with this message id: the one that is there, else the last that was announced, because one that expired can be announced again.
fn of_version(version: &Version, message_id: Bytes<32>) -> Option<(u64, &Announced, Stand)> {
    let same = |run: &Announced| run.announcement.message_id == message_id;
    if let Some((run, uploaded)) = version.current().filter(|(run, _)| same(run)) {
        return Some((uploaded.announced, run, Stand::Uploaded));
    }
    let (seq, run) = version.announced.iter().rev().find(|(_, run)| same(run))?;
    let stand = match run.status {
        _ if version.uploaded.is_some() => Stand::Overtaken,
        AnnouncedStatus::Expired => Stand::Expired,
        AnnouncedStatus::Pending | AnnouncedStatus::Uploaded => Stand::Pending,
    };
    Some((*seq, run, stand))
}

/// An upload id as S3 makes them: short, and without a character that a URL or a log line would trip over.
pub(crate) fn check_upload_id(id: &str) -> Result<(), Refusal> {
    let sound = (1..=MAX_UPLOAD_ID_BYTES).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    if sound { Ok(()) } else { Err(Refusal::field(Code::BadField, "upload_id")) }
}
