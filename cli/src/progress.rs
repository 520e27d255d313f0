//! How far a long piece of work is. The library tells; what is shown, and where, is for whoever listens.

use std::io::{self, Read};

/// A piece of work whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A file is being encrypted.
    Encrypt,
    /// Ciphertext is being sent.
    Upload,
    /// Ciphertext is being received.
    Download,
    /// Ciphertext is being checked and decrypted.
    Decrypt,
}

/// Listens to the progress of a call.
pub trait Progress {
    /// A stage begins; it has about so many bytes.
    fn begin(&self, stage: Stage, total_bytes: u64);
    /// So many more bytes are done.
    fn advance(&self, bytes: u64);
    /// The stage is over.
    fn end(&self);
    /// A check of what was received has passed.
    fn passed(&self, check: &'static str);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Stage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
    fn passed(&self, _: &'static str) {}
}

/// A reader that tells how many bytes went through it.
pub(crate) struct Counted<'a, R> {
    inner: R,
    progress: &'a dyn Progress,
}

impl<'a, R> Counted<'a, R> {
    pub(crate) fn new(inner: R, progress: &'a dyn Progress) -> Self {
        Self { inner, progress }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.advance(read as u64);
        Ok(read)
    }
}
