//! The fold of a `record/` stream: versions, what was announced for each, what was uploaded.

use std::collections::BTreeMap;

use crate::command::{Action, Announcement};
use crate::encoding::Hash;
use crate::event::{Event, Outcome};
use crate::id::{Id, Kid};

/// Where an announced body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnnouncedStatus {
    /// It may still come.
    Pending,
    /// It came and matched.
    Uploaded,
    /// It is no longer waited for.
    Expired,
}

/// An encryption run that was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// What the uploader signed.
    pub announcement: Announcement,
    /// Who signed it.
    pub by: Kid,
    /// When it was accepted, Unix milliseconds.
    pub at_ms: u64,
    /// Until when it is waited for, Unix milliseconds.
    pub expires_at_ms: u64,
    /// Where it stands.
    pub status: AnnouncedStatus,
}

/// The body of a version, in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The `seq` of its announcement.
    pub announced: u64,
    /// S3's version id of the object.
    pub version_id: String,
    /// When it was found there, Unix milliseconds.
    pub at_ms: u64,
    /// The `seq` of the event that says so.
    pub seq: u64,
}

/// A version of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// When its data key came to be, Unix milliseconds.
    pub created_at_ms: u64,
    /// SHA-256 of its wrapped data key.
    pub wrapped_sha256: Hash,
    /// The encryption runs announced for it, by the `seq` of the event.
    pub announced: BTreeMap<u64, Announced>,
    /// Its body.
    pub uploaded: Option<Uploaded>,
}

impl Version {
    /// The announcement of the body that is there.
    pub fn current(&self) -> Option<(&Announced, &Uploaded)> {
        let uploaded = self.uploaded.as_ref()?;
        Some((self.announced.get(&uploaded.announced)?, uploaded))
    }
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: Id,
    /// The provider that owns it.
    pub owner: Id,
    /// Its versions; version 1 is the first.
    pub versions: Vec<Version>,
}

impl Record {
    pub(super) fn begin(id: Id, event: &Event) -> Option<Self> {
        let Outcome::RecordCreated(created) = &event.outcome else { return None };
        Self { id, owner: created.owner, versions: Vec::new() }.then(event)
    }

    /// A version, counted from 1.
    pub fn version(&self, version: u32) -> Option<&Version> {
        self.versions.get(usize::try_from(version).ok()?.checked_sub(1)?)
    }

    /// The latest version whose body is there.
    pub fn latest_uploaded(&self) -> Option<(u32, &Version)> {
        (1u32..).zip(&self.versions).filter(|(_, version)| version.uploaded.is_some()).last()
    }

    fn version_mut(&mut self, version: u32) -> Option<&mut Version> {
        self.versions.get_mut(usize::try_from(version).ok()?.checked_sub(1)?)
    }

    pub(super) fn then(mut self, event: &Event) -> Option<Self> {
        match &event.outcome {
            Outcome::RecordCreated(created) => {
                if usize::try_from(created.version).ok()? != self.versions.len() + 1 || created.owner != self.owner {
                    return None;
                }
                self.versions.push(Version {
                    created_at_ms: event.at_ms,
                    wrapped_sha256: created.wrapped_sha256,
                    announced: BTreeMap::new(),
                    uploaded: None,
                });
            }
            Outcome::RecordAnnounced(outcome) => {
                let command = event.command.as_ref()?;
                let Action::RecordAnnounce(announcement) = &command.action else { return None };
                if announcement.record != self.id || announcement.version != outcome.version {
                    return None;
                }
                let announced = Announced {
                    announcement: announcement.clone(),
                    by: command.kid(),
                    at_ms: event.at_ms,
                    expires_at_ms: outcome.expires_at,
                    status: AnnouncedStatus::Pending,
                };
                self.version_mut(outcome.version)?.announced.insert(event.place.seq, announced);
            }
            Outcome::RecordUploaded(outcome) => {
                let version = self.version_mut(outcome.version).filter(|version| version.uploaded.is_none())?;
                let announced = version.announced.get_mut(&outcome.announced)?;
                settle(announced, AnnouncedStatus::Uploaded)?;
                version.uploaded = Some(Uploaded {
                    announced: outcome.announced,
                    version_id: outcome.version_id.clone(),
                    at_ms: event.at_ms,
                    seq: event.place.seq,
                });
            }
            Outcome::UploadExpired(outcome) => {
                let version = self.version_mut(outcome.version)?;
                settle(version.announced.get_mut(&outcome.announced)?, AnnouncedStatus::Expired)?;
            }
            Outcome::KeyIssued(issued) if issued.record == self.id => {}
            Outcome::RecordDownloaded(downloaded) if downloaded.record == self.id => {}
            _ => return None,
        }
        Some(self)
    }
}

fn settle(announced: &mut Announced, status: AnnouncedStatus) -> Option<()> {
    if announced.status != AnnouncedStatus::Pending {
        return None;
    }
    announced.status = status;
    Some(())
}
