//! How far a long piece of work is. The library tells; what is shown, and where, is for whoever listens.

use std::io::{self, Read};

/// A piece of work whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A file is compared with what was encrypted of it earlier.
    Compare,
    /// A file is being encrypted.
    Encrypt,
    /// Ciphertext is being sent.
    Upload,
    /// Ciphertext is being received, checked and decrypted.
    Download,
}

/// Listens to the progress of a call. Transfers tell it from several threads.
pub trait Progress: Sync {
    /// A stage begins; it has about so many bytes, of which so many were done by an earlier run of the program.
    fn begin(&self, stage: Stage, total_bytes: u64, done_bytes: u64);
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);
    /// So many bytes that were told as done must be done again.
    fn rewind(&self, bytes: u64);
    /// The stage is over.
    fn end(&self);
    /// A check of what was received has passed.
    fn passed(&self, check: &'static str);
    /// Something that a person wants to know, in a sentence.
    fn note(&self, note: &str);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Stage, _: u64, _: u64) {}
    fn advance(&self, _: u64) {}
    fn rewind(&self, _: u64) {}
    fn end(&self) {}
    fn passed(&self, _: &'static str) {}
    fn note(&self, _: &str) {}
}

/// A reader that tells how many bytes went through it, and takes it back where they went in vain.
pub(crate) struct Counted<'a, R> {
    inner: R,
    progress: &'a dyn Progress,
    told: u64,
}

impl<'a, R> Counted<'a, R> {
    pub(crate) fn new(inner: R, progress: &'a dyn Progress) -> Self {
        Self { inner, progress, told: 0 }
    }

    /// What was read has to be read again.
    pub(crate) fn take_back(&mut self) {
        self.progress.rewind(std::mem::take(&mut self.told));
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.told += read as u64;
        self.progress.advance(read as u64);
        Ok(read)
    }
}
