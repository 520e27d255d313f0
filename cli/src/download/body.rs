//! The encrypted body as it comes in: first what an earlier run of the program left, then the rest from the object store, over as many
//! connections as it takes. All of it is kept on the way, for the next run.
//!
//! Nothing is believed here: every frame is authenticated by whoever reads this, as it arrives. Bytes that an earlier run left, or that a
//! store sent where something else was asked for, cannot pass for others.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;

use chartseal_events::wire::PresignedCall;

use crate::error::Error;
use crate::http::{ADDRESS_REFUSED, Incoming, Transport};
use crate::patience::{Attempts, Patience};
use crate::progress::Progress;
use crate::tampering::Tampering;

/// How often an address is asked for again without a byte in between.
const MAX_ADDRESSES: u32 = 3;
/// How much is skipped at once of a body that begins earlier than asked for.
const SKIP_BYTES: usize = 64 * 1024;

/// Asks the vault for a fresh address of the same body.
pub(super) type Renew<'a> = &'a mut (dyn FnMut() -> Result<PresignedCall, Error> + Send);

/// A body of a known length, read once from its beginning to its end.
pub(super) struct Body<'a> {
    transport: &'a Transport,
    call: PresignedCall,
    renew: Renew<'a>,
    announced_bytes: u64,
    /// How much of it has been read.
    position: u64,
    incoming: Option<Incoming>,
    partial: Option<Partial>,
    attempts: Attempts,
    addresses: u32,
    progress: &'a dyn Progress,
    failure: Option<Error>,
}

/// What is kept of a body, from its beginning on.
pub(super) struct Partial {
    file: File,
    path: PathBuf,
    kept_bytes: u64,
}

impl Partial {
    /// What an earlier run left in this file.
    pub(super) fn new(file: File, path: PathBuf) -> io::Result<Self> {
        let kept_bytes = file.metadata()?.len();
        Ok(Self { file, path, kept_bytes })
    }

    /// Forgets all of it.
    fn empty(&mut self) -> io::Result<()> {
        self.kept_bytes = 0;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0)).map(drop)
    }
}

impl<'a> Body<'a> {
    pub(super) fn new(
        transport: &'a Transport,
        call: PresignedCall,
        renew: Renew<'a>,
        announced_bytes: u64,
        patience: Patience,
        progress: &'a dyn Progress,
    ) -> Self {
        Self {
            transport,
            call,
            renew,
            announced_bytes,
            position: 0,
            incoming: None,
            partial: None,
            attempts: Attempts::new(patience),
            addresses: 0,
            progress,
            failure: None,
        }
    }

    /// Reads from its beginning, as much as there is of it here; with `anew`, none. Returns how much there is.
    pub(super) fn rewind(&mut self, anew: bool) -> u64 {
        (self.position, self.incoming, self.failure) = (0, None, None);
        let usable = self.partial.as_mut().is_some_and(|partial| {
            if anew || partial.kept_bytes > self.announced_bytes {
                return partial.empty().is_ok();
            }
            partial.file.seek(SeekFrom::Start(0)).is_ok()
        });
        if !usable {
            self.partial = None;
        }
        self.partial.as_ref().map_or(0, |partial| partial.kept_bytes)
    }

    /// Keeps what is read in this file, and begins with what it has.
    pub(super) fn keep_in(&mut self, partial: Partial) {
        self.partial = Some(partial);
    }

    /// Why reading ended, where it was not for a reason of the system's.
    pub(super) fn failure(&mut self) -> Option<Error> {
        self.failure.take()
    }

    fn kept(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(partial) = self.partial.as_mut() else { return Ok(0) };
        let left = partial.kept_bytes.saturating_sub(self.position);
        if left == 0 {
            return Ok(0);
        }
        let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = partial.file.read(&mut buffer[..room]).map_err(Error::spool(&partial.path))?;
        if read == 0 {
            // It was cut off in between: the rest comes from the store.
            partial.kept_bytes = self.position;
        }
        Ok(read)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let Some(partial) = self.partial.as_mut() else { return };
        match partial.file.write_all(bytes) {
            Ok(()) => partial.kept_bytes += bytes.len() as u64,
            // A download that cannot go on later is better than none.
            Err(error) => {
                let _ = partial.empty();
                self.partial = None;
                self.progress
                    .note(&format!("this download cannot be resumed, for lack of a place to keep it: {error}"));
            }
        }
    }

    /// Some bytes from the store; none at the body's end.
    fn fetch(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        loop {
            let error = match self.fetch_once(buffer) {
                Ok(read) => {
                    self.attempts.achieved();
                    self.addresses = 0;
                    return Ok(read);
                }
                Err(error) => error,
            };
            self.incoming = None;
            match error {
                Error::Unreachable { .. } | Error::StorageRefused { status: 408 | 429 | 500.. } => {
                    if !self.attempts.again() {
                        return Err(error);
                    }
                }
                // The address's time is over.
                Error::StorageRefused { status: ADDRESS_REFUSED } if self.addresses < MAX_ADDRESSES => {
                    self.addresses += 1;
                    self.call = (self.renew)()?;
                }
                error => return Err(error),
            }
        }
    }

    fn fetch_once(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if self.incoming.is_none() {
            self.incoming = Some(self.connect()?);
        }
        let Some(incoming) = self.incoming.as_mut() else { return Ok(0) };
        let read = incoming.read(buffer)?;
        // Where the length is known, an end before it is a lost connection.
        match incoming.total_bytes {
            Some(_) if read == 0 => Err(incoming.broke_off()),
            _ if read == 0 => {
                Err(Tampering::BodyLength { announced: self.announced_bytes, found: self.position }.into())
            }
            _ => Ok(read),
        }
    }

    /// Opens the body where it has been read to.
    fn connect(&self) -> Result<Incoming, Error> {
        let mut incoming = self.transport.get(&self.call, self.position)?;
        if let Some(found) = incoming.total_bytes.filter(|total| *total != self.announced_bytes) {
            return Err(Tampering::BodyLength { announced: self.announced_bytes, found }.into());
        }
        // A store may send all of it where less was asked for (RFC 9110 section 14.2).
        let mut skipped = incoming.start;
        if skipped > self.position {
            return Err(Error::Undocumented { status: 206 });
        }
        let mut room = vec![0; SKIP_BYTES];
        while skipped < self.position {
            let want = usize::try_from(self.position - skipped).map_or(SKIP_BYTES, |left| left.min(SKIP_BYTES));
            match incoming.read(&mut room[..want])? {
                0 => return Err(incoming.broke_off()),
                read => skipped += read as u64,
            }
        }
        Ok(incoming)
    }
}

impl Body<'_> {
    /// Whether a body that said nothing of its length goes on where it should end.
    fn check_end(&mut self) -> Result<(), Error> {
        let Some(mut incoming) = self.incoming.take().filter(|incoming| incoming.total_bytes.is_none()) else {
            return Ok(());
        };
        match incoming.read(&mut [0]) {
            Ok(1..) => {
                let found = self.announced_bytes + 1;
                Err(Tampering::BodyLength { announced: self.announced_bytes, found }.into())
            }
            // All of it is here, however the connection ends.
            _ => Ok(()),
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = usize::try_from(self.announced_bytes - self.position).unwrap_or(usize::MAX);
        if left == 0 {
            return self.check_end().map(|()| 0);
        }
        let room = buffer.len().min(left);
        let buffer = &mut buffer[..room];
        let kept = self.kept(buffer)?;
        if kept > 0 {
            return Ok(kept);
        }
        let read = self.fetch(buffer)?;
        self.keep(&buffer[..read]);
        self.progress.advance(read as u64);
        Ok(read)
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.read_some(buffer) {
            Ok(read) => {
                self.position += read as u64;
                Ok(read)
            }
            Err(error) => {
                let said = io::Error::other(error.to_string());
                self.failure = Some(error);
                Err(said)
            }
        }
    }
}
