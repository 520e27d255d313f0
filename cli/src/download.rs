//! Downloading: ask, check everything that the bytes rest on, fetch the key, decrypt the body as it comes in, and only then let the file have its name.
//!
//! The order of the checks is the order of trust: first the events back to the pinned genesis, then what the uploader signed, then the header,
//! the key, the body, frame by frame. What is not authentic never stands under the name that was asked for. The ciphertext that came in
//! before a connection or the program ended is kept in the state folder, and gone on with ([`body`]).

mod body;
mod receive;
pub(crate) mod unfinished;

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use chartseal_envelope::{Announcement as Measured, Context, DataKey, Header, Opening, open};
use chartseal_events::command::{Announcement, KeyIssue, RecordDownload, RequestDownload};
use chartseal_events::encoding::from_base64url;
use chartseal_events::evidence::Sound;
use chartseal_events::state::RequestState;
use chartseal_events::wire::{IssuedKey, ReleasedDownload};
use chartseal_events::{Event, Hash, Id, Kid};
use sha2::{Digest as _, Sha256};

use crate::announcement;
use crate::client::{Call, Client, Taken};
use crate::error::Error;
use crate::nameless::Nameless;
use crate::progress::Progress;
use crate::tampering::{Tampering, of_opening};

/// What is to be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadOf {
    /// One's own record; without a version, the latest that is uploaded.
    Record(Id, Option<u32>),
    /// What a request was approved for.
    Request(Id),
}

/// A record that was downloaded, checked and decrypted.
#[derive(Debug, Clone)]
pub struct Download {
    /// The record.
    pub record: Id,
    /// Its version.
    pub version: u32,
    /// Media type, as the uploader signed it.
    pub media_type: String,
    /// SHA-256 of the plaintext.
    pub sha256: Hash,
    /// Bytes of the plaintext.
    pub bytes: u64,
    /// The checks that passed, in their order.
    pub checks: Vec<&'static str>,
    /// `record.downloaded.v1`
    pub event: Event,
}

/// A download that was released and may begin: everything about it is proven but its body.
pub(crate) struct Ready<'a> {
    pub(crate) proven: Proven,
    header: Vec<u8>,
    key: DataKey,
    released: Taken<ReleasedDownload>,
    pub(crate) checks: Checks<'a>,
}

/// The checks that have passed.
pub(crate) struct Checks<'a> {
    passed: Vec<&'static str>,
    progress: &'a dyn Progress,
}

impl Checks<'_> {
    fn pass(&mut self, check: &'static str) {
        self.progress.passed(check);
        self.passed.push(check);
    }
}

/// What is proven about a version of a record.
pub(crate) struct Proven {
    record: Id,
    version: u32,
    request: Option<Id>,
    pub(crate) announcement: Announcement,
    measured: Measured,
    wrapped_sha256: Hash,
    pub(crate) context: Context,
}

impl Client {
    /// Downloads, checks and decrypts to `out`. A file that is there is replaced only if `replace` says so.
    pub fn download(
        &self,
        of: DownloadOf,
        out: &Path,
        replace: bool,
        progress: &dyn Progress,
    ) -> Result<Download, Error> {
        // Before anything is asked for: a download that cannot be written should not stand in the log.
        let mut file = Nameless::open(out, replace)?;
        let mut ready = self.ready(of, progress)?;
        let received = self.receive(&mut ready, progress, &mut |opening, body| {
            decrypt(opening, body, file.file(), out).map_err(|error| error.needing(opening.announcement.body_bytes))
        })?;
        file.name()?;
        let (bytes, sha256) = received.settle();
        Ok(ready.downloaded(bytes, sha256))
    }

    /// Asks for a download and checks what its body will be held to.
    pub(crate) fn ready<'a>(&self, of: DownloadOf, progress: &'a dyn Progress) -> Result<Ready<'a>, Error> {
        let mut checks = Checks { passed: Vec::new(), progress };
        let released = self.release(of)?;
        checks.pass("receipt");
        let proven = self.prove(of, &released, &mut checks)?;
        let header = check_header(&released.answer.header, &proven)?;
        checks.pass("header");
        let key = self.key_for(&proven)?;
        checks.pass("key-release");
        Ok(Ready { proven, header, key, released, checks })
    }

    /// Asks for the download, signed.
    fn release(&self, of: DownloadOf) -> Result<Taken<ReleasedDownload>, Error> {
        match of {
            DownloadOf::Record(record, version) => {
                let version = match version {
                    Some(version) => version,
                    None => self.latest(record)?,
                };
                let path = format!("/records/{record}/download");
                self.send(&Call::new(&path, RecordDownload { record, version }))
            }
            DownloadOf::Request(request) => {
                let record = self.request(request)?.view.record;
                let path = format!("/requests/{request}/download");
                self.send(&Call::new(&path, RequestDownload { request, record }))
            }
        }
    }

    fn latest(&self, record: Id) -> Result<u32, Error> {
        let checked = self.record(record)?;
        let latest = checked.record()?.latest_uploaded().map(|(version, _)| version);
        latest.ok_or(Error::NoSuchVersion { version: None })
    }

    /// Checks the evidence and finds in it what the body must be.
    fn prove(
        &self,
        of: DownloadOf,
        released: &Taken<ReleasedDownload>,
        checks: &mut Checks<'_>,
    ) -> Result<Proven, Error> {
        let sound = self.vault.verify(&released.answer.evidence)?;
        continues(&sound, &released.event)?;
        checks.pass("evidence");
        let (record, version, request) = match of {
            DownloadOf::Request(id) => {
                let (record, version) = self.granted(&sound, id)?;
                (record, version, Some(id))
            }
            DownloadOf::Record(record, _) => {
                let owner = sound.view.record(record).map(|record| record.owner);
                if owner.is_none() || owner != self.wallet.provider() {
                    return Err(Tampering::NoGrant.into());
                }
                (record, downloaded_version(&released.event)?, None)
            }
        };
        if downloaded_version(&released.event)? != version {
            return Err(Tampering::ReceiptOutcome(released.event.place).into());
        }
        checks.pass("grant");
        let state = sound.view.record(record).ok_or(Tampering::NotShown("the record"))?;
        let proven_version = state.version(version).ok_or(Tampering::NotShown("the version"))?;
        let (announced, _) = proven_version.current().ok_or(Tampering::NotShown("the upload"))?;
        let signed_by_owner = match announced.by {
            Kid::Person(person) => sound.view.staff(person).is_some_and(|staff| staff.provider == state.owner),
            Kid::Key(_) => false,
        };
        if !signed_by_owner {
            return Err(Tampering::NotTheOwner.into());
        }
        let measured = announcement::to_check(&announced.announcement)?;
        checks.pass("announcement");
        Ok(Proven {
            record,
            version,
            request,
            announcement: announced.announcement.clone(),
            measured,
            wrapped_sha256: proven_version.wrapped_sha256,
            context: self.context(record, version)?,
        })
    }

    /// The record and version that the evidence shows a live grant to this wallet's provider for.
    fn granted(&self, sound: &Sound, request: Id) -> Result<(Id, u32), Error> {
        let request = sound.view.request(request).ok_or(Tampering::NotShown("the request"))?;
        let live = matches!(request.state, RequestState::Approved { until_ms } if self.vault.now_ms() < until_ms);
        if !live || Some(request.asked.requester) != self.wallet.provider() {
            return Err(Tampering::NoGrant.into());
        }
        Ok((request.asked.record, request.asked.version))
    }

    fn key_for(&self, proven: &Proven) -> Result<DataKey, Error> {
        let Proven { record, version, wrapped_sha256, .. } = proven;
        let Some(request) = proven.request else {
            return self.owner_key(*record, *version, wrapped_sha256);
        };
        let path = format!("/requests/{request}/key");
        let taken = self.send::<IssuedKey>(&Call::new(&path, KeyIssue { request, record: *record }))?;
        self.check_issued(&taken.event, &taken.answer, *version, wrapped_sha256)?;
        self.open_key(&taken.answer.sealed_key, *record, *version, Some(request))
    }
}

impl Ready<'_> {
    /// What is said of a download that is done.
    pub(crate) fn downloaded(self, bytes: u64, sha256: Hash) -> Download {
        Download {
            record: self.proven.record,
            version: self.proven.version,
            media_type: self.proven.announcement.media_type,
            sha256,
            bytes,
            checks: self.checks.passed,
            event: self.released.event,
        }
    }
}

/// Whether the receipt's event stands in the evidence, or follows right after what is there.
fn continues(sound: &Sound, event: &Event) -> Result<(), Tampering> {
    let place = event.place;
    if let Some(shown) = sound.event(&place.stream, place.seq) {
        return if shown.leaf == event.leaf { Ok(()) } else { Err(Tampering::AnswerDiffers("the receipt")) };
    }
    let head = sound.view.history(&place.stream).and_then(|history| history.head);
    let follows = head.is_some_and(|head| head.seq + 1 == place.seq && head.leaf == event.prev);
    if follows { Ok(()) } else { Err(Tampering::NotShown("the download")) }
}

fn downloaded_version(event: &Event) -> Result<u32, Tampering> {
    match &event.outcome {
        chartseal_events::Outcome::RecordDownloaded(downloaded) => Ok(downloaded.version),
        _ => Err(Tampering::ReceiptOutcome(event.place)),
    }
}

/// Holds the header to the signed announcement, to the record, and to the key that the record was created with.
fn check_header(text: &str, proven: &Proven) -> Result<Vec<u8>, Tampering> {
    let malformed = Tampering::AnswerDiffers("the header is not base64url");
    let bytes = from_base64url(text).map_err(|_| malformed)?;
    let header = Header::parse(&bytes).map_err(Tampering::HeaderMalformed)?;
    header.check_context(&proven.context).map_err(Tampering::HeaderMismatch)?;
    if Hash::of(&[header.wrapped_key().ciphertext()]) != proven.wrapped_sha256 {
        return Err(Tampering::WrappedKey);
    }
    header.check_announcement(&proven.measured).map_err(Tampering::HeaderMismatch)?;
    Ok(bytes)
}

/// Decrypts into a file that has no name yet. It may have one once this has come back: then all of it is known to be authentic.
fn decrypt(
    opening: &Opening<'_>,
    body: &mut (dyn Read + Send),
    file: &mut File,
    out: &Path,
) -> Result<(u64, Hash), Error> {
    let failed = || Error::file(out);
    // It may be the second time.
    file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(failed())?;
    // Straight from the frame's buffer, which is cleared: another one would keep plaintext.
    let mut sink = Hashed::new(file);
    let opened =
        open(opening, body, &mut sink).map_err(|error| of_opening(error).map_or_else(failed(), Error::from))?;
    sink.flush().map_err(failed())?;
    Ok((opened.plaintext_bytes, sink.finish().1))
}

/// A writer that hashes what goes through it.
pub(crate) struct Hashed<W> {
    inner: W,
    digest: Sha256,
}

impl<W: Write> Hashed<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, digest: Sha256::new() }
    }

    /// The writer, and the digest of everything.
    pub(crate) fn finish(self) -> (W, Hash) {
        (self.inner, Hash(self.digest.finalize().into()))
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
