//! Fetching a body and handing it on as it comes in, with what an earlier run of the program left of it in the state folder.
//!
//! In scope: where ciphertext is kept and how long, a fresh address, the second go when what was kept was wrong. Not in scope: reading over bad
//! networks ([`super::body`]), and what is made of the plaintext.

use std::io::Read;

use chartseal_envelope::Opening;
use chartseal_events::Hash;
use chartseal_events::wire::PresignedCall;

use super::body::{Body, Partial};
use super::unfinished::{self, DOWNLOADS, Noted};
use super::{DownloadOf, Proven, Ready, downloaded_version};
use crate::client::Client;
use crate::error::Error;
use crate::progress::{Progress, Stage};
use crate::state::{BODY, Slot};
use crate::tampering::Tampering;

/// What came of a body, and the ciphertext that is not needed once that is safe.
pub(crate) struct Received<T> {
    pub(crate) made: T,
    kept: Option<Slot>,
}

impl<T> Received<T> {
    /// What was made of the body is safe.
    pub(crate) fn settle(self) -> T {
        if let Some(slot) = self.kept {
            slot.remove();
        }
        self.made
    }
}

impl Client {
    /// Fetches the body and hands it on as it comes in. What is made of it must be put aside if this fails; if what an earlier run left was wrong, it
    /// is made again from the beginning.
    pub(crate) fn receive<T>(
        &self,
        ready: &mut Ready<'_>,
        progress: &dyn Progress,
        consume: &mut dyn FnMut(&Opening<'_>, &mut (dyn Read + Send)) -> Result<T, Error>,
    ) -> Result<Received<T>, Error> {
        let Ready { proven, header, key, released, checks } = ready;
        let opening = Opening { key, header, context: &proven.context, announcement: &proven.measured };
        let announced_bytes = proven.announcement.body_bytes;
        let mut renew = || self.renew(proven);
        let call = released.answer.download.clone();
        let patience = self.vault.patience();
        let mut body = Body::new(self.vault.transport(), call, &mut renew, announced_bytes, patience, progress);
        let kept = self.kept(proven).unwrap_or_else(|error| {
            progress.note(&format!("this download cannot be resumed: {error}"));
            None
        });
        let kept = kept.map(|(slot, partial)| {
            body.keep_in(partial);
            slot
        });
        let mut anew = self.transfers.fresh;
        loop {
            let here_bytes = body.rewind(anew);
            if here_bytes > 0 {
                progress.note(&format!("resuming: {here_bytes} of {announced_bytes} bytes are here"));
            }
            progress.begin(Stage::Download, announced_bytes, here_bytes);
            let outcome = consume(&opening, &mut body);
            progress.end();
            let error = match outcome {
                Ok(made) => {
                    for check in ["key-commitment", "header-tag", "frames", "frames-root", "body-checksum"] {
                        checks.pass(check);
                    }
                    return Ok(Received { made, kept });
                }
                Err(error @ Error::Tampered(_)) => error,
                Err(error) => body.failure().unwrap_or(error),
            };
            let tampered = matches!(error, Error::Tampered(_));
            if tampered && here_bytes > 0 {
                progress.note("what was kept of an earlier download is damaged: all of it is fetched again");
                anew = true;
                continue;
            }
            if let (true, Some(slot)) = (tampered, kept) {
                slot.remove();
            }
            return Err(error);
        }
    }

    /// A fresh address of the same body.
    fn renew(&self, proven: &Proven) -> Result<PresignedCall, Error> {
        let own = DownloadOf::Record(proven.record, Some(proven.version));
        let again = self.release(proven.request.map_or(own, DownloadOf::Request))?;
        if downloaded_version(&again.event)? != proven.version {
            return Err(Tampering::ReceiptOutcome(again.event.place).into());
        }
        Ok(again.answer.download)
    }

    /// The place of a body in the state folder, and what it has of it; none where nothing is kept, or where another process is at it.
    fn kept(&self, proven: &Proven) -> Result<Option<(Slot, Partial)>, Error> {
        let state = &self.transfers.state;
        if !state.is_kept() {
            return Ok(None);
        }
        let slots = state.slots(DOWNLOADS)?;
        unfinished::sweep(&slots);
        let place = format!("{}/{}", proven.record, proven.version);
        let parts: [&[u8]; 4] = [
            b"chartseal/download-slot/v1\0",
            &self.vault.pin().genesis.0,
            &proven.announcement.message_id.0,
            place.as_bytes(),
        ];
        let Some(slot) = slots.claim(&Hash::of(&parts).to_string())? else { return Ok(None) };
        let file = match slot.open(BODY)? {
            Some(file) => file,
            None => slot.create(BODY)?,
        };
        let noted = Noted {
            origin: self.vault.origin().to_owned(),
            record: proven.record,
            version: proven.version,
            body_bytes: proven.announcement.body_bytes,
        };
        noted.write(&slot);
        let path = slot.file(BODY);
        let partial = Partial::new(file, path.clone()).map_err(Error::spool(path))?;
        Ok(Some((slot, partial)))
    }
}
