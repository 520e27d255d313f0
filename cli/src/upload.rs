//! Uploading: create, encrypt here, announce what was encrypted, send it, and wait until the vault has it.
//!
//! Nothing leaves this machine before it is encrypted, and no term before it is blinded. Each run has a fresh message id, so a file that changed
//! in between is a new run with a new announcement. What an earlier run of the program left unfinished is gone on with ([`resume`]). The steps are
//! public, so that a test can play an uploader who does something else.

mod announce;
mod board;
mod journal;
mod parts;
mod resume;
mod slot_key;
mod unfinished;

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use chartseal_envelope::{
    Context, DataKey, FrameBytes, MAX_BODY_BYTES, SealError, Sealed, Sealing, WrappedKey, body_bytes, seal,
};
use chartseal_events::command::{RecordCreate, RecordVersion, is_media_type};
use chartseal_events::wire::{AnnouncedUpload, CreatedRecord, PresignedCall};
use chartseal_events::{Code, Event, Hash, Id, Outcome, StreamId};
use chartseal_ledger::terms::{Facet, Term, Token, index_terms};
use sha2::{Digest as _, Sha256};

use crate::announcement;
use crate::client::{Call, Client, Taken};
use crate::error::{Error, printable};
use crate::http::ADDRESS_REFUSED;
use crate::patience::{Attempts, Patience};
use crate::progress::{Counted, Progress, Stage};
use crate::records::check_wrapped;
use crate::tampering::Tampering;

pub use unfinished::Unfinished;

/// How long an upload is waited for after its last byte was sent.
const UPLOADED_PATIENCE: Patience = Patience {
    total: Duration::from_mins(2),
    first_wait: Duration::from_millis(100),
    longest_wait: Duration::from_secs(2),
};

/// What is to become a record, or a version of one.
#[derive(Debug, Clone, Copy)]
pub struct NewRecord<'a> {
    /// The file.
    pub path: &'a Path,
    /// RFC 6838 media type.
    pub media_type: &'a str,
    /// What it is called; private.
    pub label: Option<&'a str>,
    /// What it is found by; blinded. `provider:<own id>` is added.
    pub terms: &'a [Term],
}

impl NewRecord<'_> {
    /// Longest label, as the vault's rules for an announcement's private part say.
    pub const MAX_LABEL_BYTES: usize = 200;

    /// Refuses here what the announcement would be refused for.
    pub fn check(&self) -> Result<(), Error> {
        self.checked_file().map(drop)
    }

    fn checked_file(&self) -> Result<File, Error> {
        if !is_media_type(self.media_type) {
            return Err(Error::MediaType(printable(self.media_type)));
        }
        match self.label {
            Some(label) if label.len() > Self::MAX_LABEL_BYTES => Err(Error::Label("is longer than 200 bytes")),
            Some(label) if label.contains('\0') => Err(Error::Label("has a character NUL")),
            _ => checked_file(self.path),
        }
    }
}

/// A version of a record that has its data key, and nothing else yet.
#[derive(Debug)]
pub struct Created {
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// The data key.
    pub key: DataKey,
    /// The data key as KMS wrapped it.
    pub wrapped_key: WrappedKey,
    /// The encryption context.
    pub context: Context,
    /// `record.created.v1`
    pub event: Event,
}

/// An encrypted body, waiting in a file to be sent.
#[derive(Debug)]
pub struct Spooled {
    /// The body.
    pub body: File,
    /// Header, digests, message id.
    pub sealed: Sealed,
    /// SHA-256 of the plaintext.
    pub sha256: Hash,
}

/// A version of a record that the vault has.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// SHA-256 of the plaintext.
    pub sha256: Hash,
    /// Bytes of the plaintext.
    pub plaintext_bytes: u64,
    /// Whether an earlier run of the program had begun it.
    pub resumed: bool,
    /// `record.uploaded.v1`
    pub event: Event,
}

impl Client {
    /// The tokens that a record is found by.
    pub fn record_tokens(&self, terms: &[Term]) -> Result<Vec<Token>, Error> {
        let own = Term::new(Facet::Provider, &self.provider()?.to_string())?;
        self.tokens(&index_terms(terms.iter().chain([&own]))?)
    }

    /// A new record: an id and a data key.
    pub fn create_record(&self) -> Result<Created, Error> {
        self.created(&self.send(&Call::new("/records", RecordCreate {}))?)
    }

    /// A new version of one's own record.
    pub fn create_version(&self, record: Id) -> Result<Created, Error> {
        let path = format!("/records/{record}/versions");
        self.created(&self.send(&Call::new(&path, RecordVersion { record }))?)
    }

    fn created(&self, taken: &Taken<CreatedRecord>) -> Result<Created, Error> {
        let Taken { answer, event, .. } = taken;
        let (StreamId::Record(record), Outcome::RecordCreated(outcome)) = (event.place.stream, &event.outcome) else {
            return Err(Tampering::ReceiptOutcome(event.place).into());
        };
        if answer.record != record || answer.version != outcome.version {
            return Err(Tampering::AnswerDiffers("the record's id or version").into());
        }
        let context = self.context(record, outcome.version)?;
        let given = &answer.context;
        let version = outcome.version.to_string();
        if (context.tenant(), context.record(), version.as_str()) != (&*given.tenant, &*given.record, &*given.version) {
            return Err(Tampering::AnswerDiffers("the encryption context").into());
        }
        let wrapped = check_wrapped(&answer.wrapped_key, &outcome.wrapped_sha256)?;
        let wrapped_key = WrappedKey::kms(&answer.key_arn, &wrapped).map_err(|_| Tampering::WrappedKey)?;
        let key = match &answer.sealed_key {
            Some(sealed) => self.open_key(sealed, record, outcome.version, None)?,
            // The first answer was lost; the repeated one has no key.
            None => self.owner_key(record, outcome.version, &outcome.wrapped_sha256)?,
        };
        Ok(Created { record, version: outcome.version, key, wrapped_key, context, event: event.clone() })
    }

    /// Signs what was encrypted; the answer says where to send it.
    pub fn announce(
        &self,
        created: &Created,
        spooled: &Spooled,
        media_type: &str,
        tokens: &[Token],
        label: Option<&str>,
    ) -> Result<Taken<AnnouncedUpload>, Error> {
        let signed = announcement::to_sign(created.record, created.version, media_type, &spooled.sealed);
        self.announce_run(&signed, &spooled.sealed.header, tokens, label)
    }

    /// Sends the body, again if need be: an object that is there already is the one an earlier attempt sent.
    pub fn put(&self, call: &PresignedCall, spooled: &mut Spooled, progress: &dyn Progress) -> Result<(), Error> {
        let (body, sealed) = (&spooled.body, &spooled.sealed);
        let is_whole = || is_whole(body, sealed.parts_root).map_err(spool_failed);
        self.put_body(call, body, sealed.body_bytes, progress, is_whole)
    }

    fn put_body(
        &self,
        call: &PresignedCall,
        mut body: &File,
        body_bytes: u64,
        progress: &dyn Progress,
        is_whole: impl Fn() -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let mut attempts = Attempts::new(self.vault.patience());
        loop {
            body.seek(SeekFrom::Start(0)).map_err(spool_failed)?;
            progress.begin(Stage::Upload, body_bytes, 0);
            let outcome = self.vault.transport().put(call, &mut Counted::new(body, progress), body_bytes);
            progress.end();
            let passing = match outcome {
                Ok(200..300 | 412) => return Ok(()),
                Ok(status @ (408 | 409 | 429 | 500..)) => Error::StorageRefused { status },
                // What the address was signed for is what is sent: almost always the time is over.
                Ok(ADDRESS_REFUSED) => return Err(Error::UploadExpired),
                // The store computed another checksum than was announced.
                Ok(400) if is_whole()? => Error::DamagedOnTheWay,
                Ok(400) => return Err(Error::SpoolDamaged),
                Ok(status) => return Err(Error::StorageRefused { status }),
                Err(error) => error,
            };
            if !attempts.again() {
                return Err(passing);
            }
        }
    }

    /// Waits until the vault has found the announced body, and returns `record.uploaded.v1` from checked evidence.
    pub fn wait_uploaded(&self, record: Id, version: u32, message_id: &[u8; 32]) -> Result<Event, Error> {
        let (arrived, event) = self.wait_arrived(record, version)?;
        if arrived == *message_id { Ok(event) } else { Err(Error::refusal(Code::VersionUploaded)) }
    }

    /// Waits until the vault has found a body of this version: the message id of its run, and the event.
    fn wait_arrived(&self, record: Id, version: u32) -> Result<([u8; 32], Event), Error> {
        let mut waits = UPLOADED_PATIENCE.begin();
        loop {
            let checked = self.record(record)?;
            let current = checked.record()?.version(version).and_then(|version| version.current());
            if let Some((announced, uploaded)) = current {
                let event = checked.sound.event(&StreamId::Record(record), uploaded.seq);
                let event = event.ok_or(Tampering::NotShown("the upload"))?.clone();
                return Ok((announced.announcement.message_id.0, event));
            }
            if !waits.wait() {
                return Err(Error::Waited {
                    what: "the upload's arrival",
                    waited_s: UPLOADED_PATIENCE.total.as_secs(),
                    last: Cow::Borrowed("announced"),
                });
            }
        }
    }
}

impl Created {
    /// Encrypts into a file without a name.
    pub fn spool(&self, plaintext: impl Read + Send) -> Result<Spooled, Error> {
        self.spool_into(tempfile::tempfile().map_err(spool_failed)?, plaintext)
    }

    fn spool_into(&self, body: File, plaintext: impl Read + Send) -> Result<Spooled, Error> {
        let mut hashed = Hashed { inner: plaintext, digest: Sha256::new() };
        let sealing = Sealing {
            key: &self.key,
            context: &self.context,
            wrapped_key: &self.wrapped_key,
            frame_bytes: FrameBytes::DEFAULT,
        };
        let mut writer = BufWriter::new(&body);
        let sealed = seal(&sealing, &mut hashed, &mut writer)?;
        writer.flush().map_err(spool_failed)?;
        drop(writer);
        Ok(Spooled { body, sealed, sha256: Hash(hashed.digest.finalize().into()) })
    }
}

/// Whether a body that goes in one piece is what was announced.
fn is_whole(mut body: &File, parts_root: [u8; 32]) -> io::Result<bool> {
    body.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    io::copy(&mut body, &mut digest)?;
    Ok(parts_root == <[u8; 32]>::from(digest.finalize()))
}

fn spool_failed(error: io::Error) -> Error {
    Error::Seal(SealError::Write(error))
}

/// Opens a file, and refuses one that would not fit before anything is created for it.
fn checked_file(path: &Path) -> Result<File, Error> {
    // Before it is opened: a pipe would wait for somebody who writes.
    let metadata = path.metadata().map_err(Error::file(path))?;
    if !metadata.is_file() {
        let is = if metadata.is_dir() { "a folder" } else { "a device or a pipe" };
        return Err(Error::NotAFile { path: path.to_owned(), is });
    }
    let file = File::open(path).map_err(Error::file(path))?;
    if body_bytes(metadata.len(), FrameBytes::DEFAULT) > MAX_BODY_BYTES {
        return Err(SealError::BodyTooLarge.into());
    }
    Ok(file)
}

/// A reader that hashes what goes through it.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(&buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use chartseal_events::Action;
    use chartseal_events::command::Announcement;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_longest_label_is_the_vaults() {
        let zeros = "A".repeat(43);
        let announcement: Announcement = serde_json::from_value(json!({
            "record": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "version": 1, "media_type": "text/plain", "suite": "0478",
            "message_id": zeros, "commitment": zeros, "frame_bytes": 4096, "body_bytes": 40,
            "frames_root": "00".repeat(32), "parts_root": "00".repeat(32),
        }))
        .expect("an announcement");
        let rules = Action::from(announcement).private_rules();
        let label = rules.iter().find(|rule| rule.name == "label").expect("a rule");
        assert_eq!((label.max_bytes, label.required), (NewRecord::MAX_LABEL_BYTES, false));
    }

    #[test]
    fn what_would_be_refused_is_refused_here() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("scan");
        std::fs::write(&path, b"x").expect("written");
        let long = "\u{fc}".repeat(101);
        let good = NewRecord { path: &path, media_type: "text/plain", label: Some(&long[..200]), terms: &[] };
        good.check().expect("good");
        let bad = [
            (NewRecord { media_type: "Text/Plain; charset=utf-8", ..good }, "bad-media-type"),
            (NewRecord { label: Some(&long), ..good }, "bad-label"),
            (NewRecord { label: Some("a\0"), ..good }, "bad-label"),
            (NewRecord { path: folder.path(), ..good }, "not-a-file"),
            (NewRecord { path: Path::new("/dev/null"), ..good }, "not-a-file"),
        ];
        for (new, code) in bad {
            let error = new.check().expect_err(code);
            assert_eq!((&*error.code(), error.exit()), (code, crate::error::Exit::Usage));
        }
    }
}
