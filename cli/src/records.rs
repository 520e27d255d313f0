//! Records as their parties see them: views held to their own evidence, and the data keys of one's own records.

use chartseal_envelope::key_release::{self, Binding, ReleaseError, SealedKey};
use chartseal_envelope::{Context, DataKey, WrappedKey};
use chartseal_events::command::RecordKey;
use chartseal_events::encoding::from_base64url;
use chartseal_events::evidence::Sound;
use chartseal_events::state::{Record, Version};
use chartseal_events::wire::{IssuedKey, RecordPage, RecordSummary, RecordVersionView, RecordView, SealedDataKey};
use chartseal_events::{Event, Hash, Id, Outcome, StreamId};

use crate::client::{Call, Client, Taken, steadily};
use crate::error::Error;
use crate::opening;
use crate::tampering::Tampering;

/// Most pages of a list that are followed.
const MAX_PAGES: usize = 1_000;

/// A record whose evidence has been checked and says what the view says.
#[derive(Debug, Clone)]
pub struct CheckedRecord {
    /// What the vault shows.
    pub view: RecordView,
    /// What is proven.
    pub sound: Sound,
}

impl CheckedRecord {
    /// The record's fold.
    pub fn record(&self) -> Result<&Record, Error> {
        Ok(self.sound.view.record(self.view.record).ok_or(Tampering::NotShown("the record"))?)
    }

    /// The last event of its stream.
    pub fn last_event(&self) -> Option<&Event> {
        self.sound.events.get(&StreamId::Record(self.view.record))?.last()
    }
}

impl Client {
    /// A record, as its owner, a grantee or an operator sees it.
    pub fn record(&self, record: Id) -> Result<CheckedRecord, Error> {
        steadily(|| self.look_at_record(record))
    }

    fn look_at_record(&self, record: Id) -> Result<CheckedRecord, Error> {
        let view: RecordView = self.read(&format!("/records/{record}"))?;
        let sound = self.vault.verify(&view.evidence)?;
        let proven = sound.view.record(record).ok_or(Tampering::NotShown("the record"))?;
        if view.record != record || view.owner != proven.owner {
            return Err(Tampering::AnswerDiffers("the record's id or owner").into());
        }
        let events = sound.events.get(&StreamId::Record(record)).map(Vec::as_slice).unwrap_or_default();
        for shown in &view.versions {
            check_version(shown, proven)?;
            check_label(shown, proven, events)?;
        }
        Ok(CheckedRecord { view, sound })
    }

    /// The provider's records, newest first; for operators, all. At most `limit`.
    pub fn records(&self, limit: usize) -> Result<Vec<RecordSummary>, Error> {
        let mut records = Vec::new();
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let page: RecordPage = self.read(&page_path("/records", limit - records.len(), cursor.as_deref()))?;
            records.extend(page.records);
            records.truncate(limit);
            cursor = page.next;
            if cursor.is_none() || records.len() >= limit {
                break;
            }
        }
        Ok(records)
    }

    /// The data key of a version of one's own record.
    pub fn owner_key(&self, record: Id, version: u32, wrapped_sha256: &Hash) -> Result<DataKey, Error> {
        self.owner_keys(record, version, wrapped_sha256).map(|(key, _)| key)
    }

    /// The data key of a version of one's own record, and the same as KMS wrapped it.
    pub(crate) fn owner_keys(
        &self,
        record: Id,
        version: u32,
        wrapped_sha256: &Hash,
    ) -> Result<(DataKey, WrappedKey), Error> {
        let path = format!("/records/{record}/key");
        let Taken { answer, event, .. } = self.send::<IssuedKey>(&Call::new(&path, RecordKey { record, version }))?;
        self.check_issued(&event, &answer, version, wrapped_sha256)?;
        let wrapped = check_wrapped(&answer.wrapped_key, wrapped_sha256)?;
        let wrapped_key = WrappedKey::kms(&answer.key_arn, &wrapped).map_err(|_| Tampering::WrappedKey)?;
        Ok((self.open_key(&answer.sealed_key, record, version, None)?, wrapped_key))
    }

    /// Whether the event of a released key says this version and this wallet, and the wrapped key is the record's.
    pub(crate) fn check_issued(
        &self,
        event: &Event,
        issued: &IssuedKey,
        version: u32,
        wrapped_sha256: &Hash,
    ) -> Result<(), Error> {
        match &event.outcome {
            Outcome::KeyIssued(outcome) if outcome.version == version && outcome.seal_key == self.wallet.seal_key() => {
            }
            _ => return Err(Tampering::ReceiptOutcome(event.place).into()),
        }
        check_wrapped(&issued.wrapped_key, wrapped_sha256).map(|_| ())
    }

    /// Opens a sealed data key: it opens only for this wallet, vault, record, version and request.
    pub(crate) fn open_key(
        &self,
        sealed: &SealedDataKey,
        record: Id,
        version: u32,
        request: Option<Id>,
    ) -> Result<DataKey, Error> {
        let broken = Tampering::SealedKey(ReleaseError::NotOpened);
        let (Some(enc), Some(ciphertext)) = (array(&sealed.enc), array(&sealed.ciphertext)) else {
            return Err(broken.into());
        };
        let (record, requester) = (record.to_string(), self.wallet.kid().to_string());
        let request = request.map(|id| id.to_string());
        let binding = Binding {
            tenant: self.vault.origin(),
            record: &record,
            version,
            request: request.as_deref(),
            requester: &requester,
        };
        let opened = key_release::open(&SealedKey { enc, ciphertext }, self.wallet.recipient_secret(), &binding);
        opened.map_err(|error| match error {
            ReleaseError::NotOpened => Tampering::SealedKey(error).into(),
            other => Error::Release(other),
        })
    }

    /// The encryption context of a version of a record of this vault.
    pub(crate) fn context(&self, record: Id, version: u32) -> Result<Context, Error> {
        let context = Context::new(self.vault.origin(), record.to_string(), version);
        Ok(context.map_err(|_| Tampering::Announcement("no encryption context can name it"))?)
    }
}

/// The wrapped key's bytes, if they are the ones that the record's event names.
pub(crate) fn check_wrapped(wrapped_key: &str, sha256: &Hash) -> Result<Vec<u8>, Error> {
    let bytes = from_base64url(wrapped_key).map_err(|_| Tampering::WrappedKey)?;
    if Hash::of(&[&bytes]) == *sha256 { Ok(bytes) } else { Err(Tampering::WrappedKey.into()) }
}

/// The path of a page of a list.
pub(crate) fn page_path(list: &str, limit: usize, cursor: Option<&str>) -> String {
    let limit = limit.clamp(1, 100);
    let Some(cursor) = cursor else { return format!("{list}?limit={limit}") };
    // Percent-encoding, RFC 3986 section 2.1: a cursor is opaque and may hold anything.
    let encoded = cursor.bytes().fold(String::new(), |text, byte| match byte {
        b'-' | b'_' | b'.' | b'~' => text + char::from(byte).encode_utf8(&mut [0; 4]),
        _ if byte.is_ascii_alphanumeric() => text + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => format!("{text}%{byte:02X}"),
    });
    format!("{list}?limit={limit}&cursor={encoded}")
}

fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    from_base64url(text).ok()?.try_into().ok()
}

fn check_version(shown: &RecordVersionView, record: &Record) -> Result<(), Tampering> {
    let proven = record.version(shown.version).ok_or(Tampering::AnswerDiffers("a version"))?;
    if shown.created_at != proven.created_at_ms {
        return Err(Tampering::AnswerDiffers("when a version was created"));
    }
    let current = proven.current();
    if shown.state == "uploaded" || current.is_some() {
        return check_uploaded(shown, proven);
    }
    Ok(())
}

/// Whether the label is one that an announcement of the version commits to.
fn check_label(shown: &RecordVersionView, record: &Record, events: &[Event]) -> Result<(), Tampering> {
    let (Some(label), Some(version)) = (&shown.label, record.version(shown.version)) else { return Ok(()) };
    let mut announced = events.iter().filter(|event| version.announced.contains_key(&event.place.seq));
    let signed = announced.any(|event| opening::check(event, "label", label).is_ok());
    if signed { Ok(()) } else { Err(Tampering::PrivateValue) }
}

fn check_uploaded(shown: &RecordVersionView, proven: &Version) -> Result<(), Tampering> {
    let (announced, uploaded) = proven.current().ok_or(Tampering::AnswerDiffers("whether a version is uploaded"))?;
    let same = shown.state == "uploaded"
        && shown.uploaded_at == Some(uploaded.at_ms)
        && shown.media_type.as_deref() == Some(&announced.announcement.media_type)
        && shown.body_bytes == Some(announced.announcement.body_bytes);
    if same { Ok(()) } else { Err(Tampering::AnswerDiffers("an uploaded version")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_sent_as_it_came() {
        assert_eq!(page_path("/records", 500, None), "/records?limit=100");
        assert_eq!(page_path("/records", 0, Some("a-b_c.~9")), "/records?limit=1&cursor=a-b_c.~9");
        assert_eq!(page_path("/records", 7, Some("a+/=& ")), "/records?limit=7&cursor=a%2B%2F%3D%26%20");
    }
}
