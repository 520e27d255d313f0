//! What became of an announced body: it is there as announced, it is something else, it is still waited for, or it never came. Used by commit,
//! when S3 says that an object arrived, and by the sweeper, when S3 said nothing.

use chartseal_events::command::Announcement;
use chartseal_events::state::{AnnouncedStatus, Record};
use chartseal_events::{Code, EventRef, Observation, StreamId};
use chartseal_infra::BlobKey;
use chartseal_infra::ports::{Aborted, Blobs, Clock, EventStore};
use chartseal_infra::road::{Failure, observe, observe_seen};
use chartseal_infra::telemetry::{fields, note};

use crate::{fold, trace_of};

/// How often it is looked again when somebody else settles the same upload.
const MAX_ATTEMPTS: u32 = 4;

/// What is done with an object that nobody waits for any more, and with unfinished uploads in parts that nobody will complete. Only the sweeper may
/// delete and abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphans {
    /// They are left to the sweeper.
    Leave,
    /// They are deleted and aborted.
    Delete,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is there and matches; this says so.
    Uploaded(EventRef),
    /// It had been settled as uploaded before, at this time (Unix milliseconds).
    Already {
        /// When.
        at_ms: u64,
    },
    /// It has not come yet, and may.
    Waiting,
    /// Something else is there than was announced; nothing was recorded, and it may not be waited for any more.
    Mismatch,
    /// It is no longer waited for.
    Expired,
    /// It is settled, but so many uploads in parts were begun under its key that not all are aborted yet: settle it again.
    Unfinished,
    /// Nobody announced it.
    Unknown,
}

impl Settled {
    /// The word for it in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uploaded(_) => "uploaded",
            Self::Already { .. } => "already-uploaded",
            Self::Waiting => "waiting",
            Self::Mismatch => "upload-mismatch",
            Self::Expired => "expired",
            Self::Unfinished => "unfinished",
            Self::Unknown => "unknown",
        }
    }
}

/// Finds out what became of an upload, and writes it down.
pub async fn settle_upload<E: EventStore, B: Blobs, C: Clock>(
    events: &E,
    blobs: &B,
    clock: &C,
    upload: BlobKey,
    orphans: Orphans,
) -> Result<Settled, Failure> {
    for _ in 0..MAX_ATTEMPTS {
        match settle_once(events, blobs, clock, upload, orphans).await {
            // Somebody else has settled it in between: look again.
            Err(Failure::Refused(refusal)) if is_race(refusal.code) => {}
            settled => return settled,
        }
    }
    Err(Code::Conflict.into())
}

const fn is_race(code: Code) -> bool {
    matches!(code, Code::VersionUploaded | Code::UploadExpired | Code::NotUploaded | Code::Conflict)
}

async fn settle_once<E: EventStore, B: Blobs, C: Clock>(
    events: &E,
    blobs: &B,
    clock: &C,
    upload: BlobKey,
    orphans: Orphans,
) -> Result<Settled, Failure> {
    let stream = StreamId::Record(upload.record);
    let stored = events.load(&stream).await?;
    trace_of(&stored, upload.announced);
    let view = fold(stream, &stored)?;
    let Some(stand) = view.record(upload.record).and_then(|record| Stand::of(record, upload)) else {
        return Ok(Settled::Unknown);
    };
    let (record, announced) = (upload.record, upload.announced);
    match stand.status {
        AnnouncedStatus::Uploaded => {
            let ended = abort_unfinished(blobs, upload, &stand, orphans).await?;
            let already = Settled::Already { at_ms: stand.uploaded_at_ms.unwrap_or_default() };
            return Ok(if ended { already } else { Settled::Unfinished });
        }
        AnnouncedStatus::Expired => {
            let ended = remove_orphan(blobs, upload, &stand, orphans).await?;
            return Ok(if ended { Settled::Expired } else { Settled::Unfinished });
        }
        AnnouncedStatus::Pending => {}
    }
    let head = if stand.other_uploaded { None } else { blobs.head(&upload.to_string()).await? };
    let mismatch = head.as_ref().is_some_and(|head| !head.holds(stand.announcement));
    if let Some(head) = head.filter(|_| !mismatch) {
        let found = Observation::ObjectFound { record, announced, version_id: head.version_id };
        let taken = observe_seen(events, clock, &found, view.clone()).await?;
        note::add(&fields::UPLOADS_FOUND, usize::from(!taken.repeated));
        return Ok(match abort_unfinished(blobs, upload, &stand, orphans).await? {
            false => Settled::Unfinished,
            true if taken.repeated => Settled::Already { at_ms: clock.now_ms() },
            true => Settled::Uploaded(taken.event.at),
        });
    }
    if mismatch {
        // Presigned calls take nothing else, so somebody went another way.
        note::add(&fields::UPLOADS_MISMATCHED, 1);
        note::odd(&upload, "the stored object is not what was announced");
    }
    if stand.other_uploaded || clock.now_ms() >= stand.expires_at_ms {
        let taken = observe(events, clock, &Observation::ObjectMissing { record, announced }).await?;
        note::add(&fields::UPLOADS_EXPIRED, usize::from(!taken.repeated));
        let ended = remove_orphan(blobs, upload, &stand, orphans).await?;
        return Ok(if ended { Settled::Expired } else { Settled::Unfinished });
    }
    Ok(if mismatch { Settled::Mismatch } else { Settled::Waiting })
}

/// Where an announcement stands in its record.
struct Stand<'a> {
    announcement: &'a Announcement,
    status: AnnouncedStatus,
    expires_at_ms: u64,
    /// When the version's body was found, of whatever announcement.
    uploaded_at_ms: Option<u64>,
    other_uploaded: bool,
}

impl<'a> Stand<'a> {
    fn of(record: &'a Record, upload: BlobKey) -> Option<Self> {
        let version = record.version(upload.version)?;
        let announced = version.announced.get(&upload.announced)?;
        Some(Self {
            announcement: &announced.announcement,
            status: announced.status,
            expires_at_ms: announced.expires_at_ms,
            uploaded_at_ms: version.uploaded.as_ref().map(|uploaded| uploaded.at_ms),
            other_uploaded: version.uploaded.as_ref().is_some_and(|uploaded| uploaded.announced != upload.announced),
        })
    }
}

/// Aborts whatever was begun under an announcement that is settled: an upload whose answer was lost, or that was given up. Whether none is left.
async fn abort_unfinished<B: Blobs>(
    blobs: &B,
    upload: BlobKey,
    stand: &Stand<'_>,
    orphans: Orphans,
) -> Result<bool, Failure> {
    if orphans == Orphans::Leave || stand.announcement.parts().is_none() {
        return Ok(true);
    }
    let Aborted { count, more } = blobs.abort_uploads(&upload.to_string()).await?;
    note::add(&fields::UPLOADS_ABORTED, count);
    Ok(!more)
}

/// Deletes what is stored under the key of an announcement that is recorded as expired. Whether nothing is left.
async fn remove_orphan<B: Blobs>(
    blobs: &B,
    upload: BlobKey,
    stand: &Stand<'_>,
    orphans: Orphans,
) -> Result<bool, Failure> {
    if orphans == Orphans::Leave {
        return Ok(true);
    }
    // First, so that none is completed after the look for an object.
    if !abort_unfinished(blobs, upload, stand, orphans).await? {
        return Ok(false);
    }
    let key = upload.to_string();
    if let Some(head) = blobs.head(&key).await? {
        blobs.delete(&key, &head.version_id).await?;
        note::add(&fields::ORPHANS_REMOVED, 1);
    }
    Ok(true)
}
