//! Sending a body in parts: an S3 multipart upload that any later run of the program can go on with.
//!
//! The store keeps what it has, and the vault says what that is: an address for each part that is missing. So nothing here rests on what an
//! earlier run believed to have sent, and a part whose answer was lost is found instead of sent again.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::sync::atomic::{AtomicBool, Ordering};

use chartseal_envelope::PART_BYTES;
use chartseal_events::limits::{MAX_PARTS_ASKED, MAX_UPLOAD_ID_BYTES};
use chartseal_events::wire::{
    CompleteRequest, CompletedUpload, PartCall, PartDigest, PartsPlan, PartsRequest, PartsResponse, PresignedCall,
};
use chartseal_events::{Code, Hash};
use sha2::{Digest as _, Sha256};

use super::board::{Addressed, Board, Shipment};
use super::journal::{Journal, Run};
use super::slot_key::SlotKey;
use crate::client::Client;
use crate::error::Error;
use crate::progress::{Counted, Progress, Stage};
use crate::state::{BODY, Slot};
use crate::tampering::Tampering;

/// How often a multipart upload is begun anew, or found to lack parts, before it is given up.
const MAX_ROUNDS: u32 = 3;

/// A run that is being sent in parts.
pub(super) struct Parts<'a> {
    pub(super) client: &'a Client,
    pub(super) slot: &'a Slot,
    pub(super) key: &'a SlotKey,
    pub(super) journal: &'a mut Journal,
    pub(super) progress: &'a dyn Progress,
}

/// How completing went that did not fail.
enum Completed {
    Stored,
    /// Parts are missing.
    Incomplete,
    /// The multipart upload is gone.
    Unknown,
}

impl Parts<'_> {
    /// Sends what is missing and completes the upload.
    pub(super) fn send(&mut self, plan: &PartsPlan) -> Result<(), Error> {
        let parts = self.run()?.parts.len() as u64;
        if plan.part_bytes != PART_BYTES || u64::from(plan.count) != parts {
            return Err(Tampering::AnswerDiffers("how the body is cut into parts").into());
        }
        let mut last = Code::UploadIncomplete;
        for _ in 0..MAX_ROUNDS {
            // All parts may be there, and even put together: then only the answer was lost.
            if self.run()?.completing && self.has_completed()? {
                return Ok(());
            }
            match self.send_missing() {
                Ok(()) => {}
                Err(error) if error.is_refusal(Code::UploadUnknown) => {
                    if self.has_completed()? {
                        return Ok(());
                    }
                    last = Code::UploadUnknown;
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.note(|run| run.completing = true)?;
            if self.has_completed()? {
                return Ok(());
            }
        }
        Err(Error::refusal(last))
    }

    /// Completes the upload; false if it has to be sent, or some of it.
    fn has_completed(&mut self) -> Result<bool, Error> {
        let completed = match self.run()?.upload_id.clone() {
            Some(upload_id) => self.complete(upload_id)?,
            None => Completed::Unknown,
        };
        match completed {
            Completed::Stored => return Ok(true),
            Completed::Incomplete => self.note(|run| run.completing = false)?,
            Completed::Unknown => self.note(|run| (run.completing, run.upload_id) = (false, None))?,
        }
        Ok(false)
    }

    fn complete(&self, upload_id: String) -> Result<Completed, Error> {
        let announced = &self.run()?.announcement;
        let path = format!("/records/{}/upload/complete", announced.record);
        let question = CompleteRequest { version: announced.version, message_id: announced.message_id, upload_id };
        match self.client.ask::<CompletedUpload>(&path, &question) {
            // That it is there is believed when the evidence shows `record.uploaded.v1`.
            Ok(_) => Ok(Completed::Stored),
            Err(error) if error.is_refusal(Code::UploadIncomplete) => Ok(Completed::Incomplete),
            Err(error) if error.is_refusal(Code::UploadUnknown) => Ok(Completed::Unknown),
            Err(error) => Err(error),
        }
    }

    fn send_missing(&mut self) -> Result<(), Error> {
        let numbers: Vec<u32> = (1..).take(self.run()?.parts.len()).collect();
        // The first page begins a multipart upload where there is none. Of the others, what is there is counted as it is learnt.
        let (page, unasked) = numbers.split_at(numbers.len().min(MAX_PARTS_ASKED));
        let now_ms = self.client.vault.now_ms();
        let answer = self.as_sender()?.ask(page)?;
        if self.run()?.upload_id.is_none() {
            self.note(|run| run.upload_id = Some(answer.upload_id))?;
        }
        let calls = answer.parts;
        let (missing, there): (Vec<_>, Vec<_>) = calls.into_iter().partition(|part| part.call.is_some());
        let run = self.run()?;
        let there_bytes = there.iter().map(|part| run.span(part.number).1).sum();
        if !there.is_empty() {
            self.progress.note(&resuming(there.len(), page.len(), numbers.len()));
        }
        let ready = missing.into_iter().filter_map(|part| Some(Addressed::new(part.number, part.call?, now_ms)));
        self.progress.begin(Stage::Upload, run.announcement.body_bytes, there_bytes);
        let sender = self.as_sender()?;
        let client = self.client;
        let sent =
            Board::new(&sender, ready, unasked.iter().copied(), client.transfers.parallel, client.vault.patience())
                .run();
        self.progress.end();
        sent
    }

    fn as_sender(&self) -> Result<Sender<'_>, Error> {
        Ok(Sender { client: self.client, slot: self.slot, run: self.run()?, progress: self.progress })
    }

    fn run(&self) -> Result<&Run, Error> {
        self.journal.run.as_ref().ok_or(Error::SpoolDamaged)
    }

    /// Changes the journal, here and in its file.
    fn note(&mut self, change: impl FnOnce(&mut Run)) -> Result<(), Error> {
        change(self.journal.run.as_mut().ok_or(Error::SpoolDamaged)?);
        self.journal.write(self.slot, self.key)
    }
}

fn resuming(there: usize, asked: usize, parts: usize) -> String {
    if asked == parts {
        format!("resuming: {there} of {parts} parts are there")
    } else {
        format!("resuming: {there} of the first {asked} of {parts} parts are there")
    }
}

/// What all workers share.
struct Sender<'a> {
    client: &'a Client,
    slot: &'a Slot,
    run: &'a Run,
    progress: &'a dyn Progress,
}

impl Sender<'_> {
    fn ask(&self, numbers: &[u32]) -> Result<PartsResponse, Error> {
        let announced = &self.run.announcement;
        let digest = |&number: &u32| Some(PartDigest { number, sha256: self.digest(number)? });
        let question = PartsRequest {
            version: announced.version,
            message_id: announced.message_id,
            upload_id: self.run.upload_id.clone(),
            parts: numbers.iter().filter_map(digest).collect(),
        };
        let answer: PartsResponse =
            self.client.ask(&format!("/records/{}/upload/parts", announced.record), &question)?;
        let same_upload = self.run.upload_id.as_ref().is_none_or(|id| *id == answer.upload_id);
        let sound = same_upload
            && (1..=MAX_UPLOAD_ID_BYTES).contains(&answer.upload_id.len())
            && answer.parts.iter().map(|part| &part.number).eq(numbers);
        if sound { Ok(answer) } else { Err(Tampering::AnswerDiffers("the parts of the upload").into()) }
    }

    fn digest(&self, number: u32) -> Option<Hash> {
        self.run.parts.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }

    /// The bytes of a part. Each worker opens the file itself, so that they do not move one another's place in it.
    fn open(&self, number: u32) -> io::Result<io::Take<File>> {
        let (start, length) = self.run.span(number);
        let mut file = File::open(self.slot.file(BODY))?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file.take(length))
    }

    fn is_whole(&self, number: u32) -> io::Result<bool> {
        let mut digest = Sha256::new();
        io::copy(&mut self.open(number)?, &mut digest)?;
        Ok(self.digest(number) == Some(Hash(digest.finalize().into())))
    }
}

impl Shipment for Sender<'_> {
    fn addresses(&self, numbers: &[u32]) -> Result<Vec<PartCall>, Error> {
        Ok(self.ask(numbers)?.parts)
    }

    fn send(&self, number: u32, call: &PresignedCall, stop: &AtomicBool) -> Result<u16, Error> {
        let part = self.open(number).map_err(Error::spool(self.slot.file(BODY)))?;
        let length = part.limit();
        let mut part = Counted::new(Stoppable { inner: part, stop }, self.progress);
        let outcome = self.client.vault.transport().put(call, &mut part, length);
        if !matches!(outcome, Ok(200..300)) {
            part.take_back();
        }
        outcome
    }

    fn refused(&self, number: u32, status: u16) -> Error {
        match self.is_whole(number) {
            // It is what the address was signed for.
            Ok(true) if status == 404 => Error::refusal(Code::UploadUnknown),
            Ok(true) if status == 400 => Error::DamagedOnTheWay,
            Ok(true) => Error::StorageRefused { status },
            Ok(false) => Error::SpoolDamaged,
            Err(error) => Error::spool(self.slot.file(BODY))(error),
        }
    }

    fn found(&self, number: u32) {
        self.progress.advance(self.run.span(number).1);
    }

    fn now_ms(&self) -> u64 {
        self.client.vault.now_ms()
    }
}

/// A reader that ends with an error when another worker has failed.
struct Stoppable<'a, R> {
    inner: R,
    stop: &'a AtomicBool,
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        self.inner.read(buffer)
    }
}
