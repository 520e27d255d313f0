//! A pipe between two threads: what one decrypts the other encrypts again, a few pieces at a time, in memory that is cleared.
//!
//! It differs from a system's pipe in how it ends: only [`PipeWriter::finish`] ends it well. A writer that is dropped, because what came in did
//! not hold up, is an error to the reader and no end of a shorter text.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zeroize::Zeroizing;

/// How many pieces wait at most.
const PIECES: usize = 4;
/// Bytes of a piece at most.
const PIECE_BYTES: usize = 1024 * 1024;

enum Piece {
    Bytes(Zeroizing<Vec<u8>>),
    End,
}

/// The end that is written to.
pub(crate) struct PipeWriter(SyncSender<Piece>);

/// The end that is read from.
pub(crate) struct PipeReader {
    pieces: Receiver<Piece>,
    current: Zeroizing<Vec<u8>>,
    position: usize,
    ended: bool,
}

/// A new pipe.
pub(crate) fn pipe() -> (PipeWriter, PipeReader) {
    let (sender, pieces) = sync_channel(PIECES);
    (PipeWriter(sender), PipeReader { pieces, current: Zeroizing::default(), position: 0, ended: false })
}

impl PipeWriter {
    /// All was written, and all of it is good.
    pub(crate) fn finish(self) {
        // A reader that has gone has an error of its own.
        let _ = self.0.send(Piece::End);
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE_BYTES)];
        if !piece.is_empty() {
            let sent = self.0.send(Piece::Bytes(Zeroizing::new(piece.to_vec())));
            sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.current.len() && !self.ended {
            match self.pieces.recv() {
                Ok(Piece::Bytes(bytes)) => (self.current, self.position) = (bytes, 0),
                Ok(Piece::End) => self.ended = true,
                Err(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let read = (&self.current[self.position..]).read(buffer)?;
        self.position += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_ends_when_it_was_finished() {
        let (mut writer, mut reader) = pipe();
        let long: Vec<u8> = (0..251).cycle().take(3 * PIECE_BYTES + 7).collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                writer.write_all(&long).and_then(|()| writer.write_all(b"")).expect("written");
                writer.finish();
            });
            let mut read = Vec::new();
            reader.read_to_end(&mut read).expect("read");
            assert_eq!(read, long);
            assert_eq!(reader.read(&mut [0; 9]).expect("still at its end"), 0);
        });
    }

    #[test]
    fn a_writer_that_gives_up_is_no_end() {
        let (mut writer, mut reader) = pipe();
        writer.write_all(b"half").expect("written");
        drop(writer);
        let mut read = Vec::new();
        assert_eq!(reader.read_to_end(&mut read).map_err(|error| error.kind()), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(read, b"half");
        let (mut writer, reader) = pipe();
        drop(reader);
        assert_eq!(writer.write(b"x").map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
