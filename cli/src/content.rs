//! What a version of a record holds, checked and decrypted into memory, to be looked at and never written down.

use std::io::{self, Write};

use chartseal_envelope::open;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::download::{Download, DownloadOf, Hashed};
use crate::error::Error;
use crate::progress::Progress;
use crate::tampering::of_opening;

/// A version of a record.
#[derive(Debug)]
pub struct Content {
    /// What was downloaded, and what was checked.
    pub download: Download,
    /// What it holds; none where that is longer than was asked for.
    pub bytes: Option<Zeroizing<Vec<u8>>>,
}

impl Client {
    /// Downloads, checks and decrypts into memory, if it holds at most `max_bytes`; a longer one is checked and put aside. The vault notes a download.
    pub fn content(&self, of: DownloadOf, max_bytes: u64, progress: &dyn Progress) -> Result<Content, Error> {
        let mut ready = self.ready(of, progress)?;
        // Ciphertext is never shorter than what it holds.
        let body_bytes = ready.proven.announcement.body_bytes;
        let room = usize::try_from(body_bytes.min(max_bytes)).unwrap_or(0);
        let received = self.receive(&mut ready, progress, &mut |opening, body| {
            // All of the room at once: memory that grows leaves copies behind. It may be the second time.
            let mut sink = Hashed::new(Kept { bytes: Zeroizing::new(Vec::with_capacity(room)), is_whole: true });
            let opened = open(opening, body, &mut sink)
                .map_err(|error| of_opening(error).map_or_else(Error::file("memory"), Error::from))?;
            let (kept, sha256) = sink.finish();
            Ok((opened.plaintext_bytes, sha256, kept))
        })?;
        let (bytes, sha256, kept) = received.settle();
        Ok(Content { download: ready.downloaded(bytes, sha256), bytes: kept.is_whole.then_some(kept.bytes) })
    }
}

/// Keeps what is written, as long as there is room.
struct Kept {
    bytes: Zeroizing<Vec<u8>>,
    is_whole: bool,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_whole &= self.bytes.len() + bytes.len() <= self.bytes.capacity();
        if self.is_whole {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.bytes.clear();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
