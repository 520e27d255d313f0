//! Whole messages: header || body in one stream, as any official AWS Encryption SDK reads and writes them.
//!
//! A vault keeps the two apart and holds a body to its announcement. A message that was exported, or that an official SDK wrote, has no announcement:
//! what is checked here is what the format itself promises, that the holder of the data key wrote exactly this.

use std::io::{self, Read, Write};

use crate::buffer::FrameBuffer;
use crate::frame::{FrameBytes, FrameReader};
use crate::header::{Header, HeaderError, MAX_HEADER_BYTES};
use crate::keys::DataKey;
use crate::open::{OpenError, Opened, decrypt, genuine_keys};
use crate::pipeline::{self, Jobs, Threads};

/// Why a message was not opened. `E` is what the key's source says.
#[derive(Debug, thiserror::Error)]
pub enum MessageError<E> {
    /// The key could not be had.
    #[error("the message's key could not be had: {0}")]
    Key(#[source] E),
    /// The message is not good.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The message could not be read.
    #[error("the message could not be read: {0}")]
    Read(#[source] io::Error),
}

/// Writes header || body to `message` and returns how many bytes that were.
pub fn write_message(header: &[u8], mut body: impl Read, mut message: impl Write) -> io::Result<u64> {
    message.write_all(header)?;
    let body_bytes = io::copy(&mut body, &mut message)?;
    message.flush()?;
    Ok(header.len() as u64 + body_bytes)
}

/// Opens a whole message. `key_of` finds the data key for a header that is well formed and not yet known to be genuine. The plaintext is good
/// only if this returns `Ok`.
pub fn open_message<E: Send>(
    message: impl Read + Send,
    key_of: impl FnOnce(&Header) -> Result<DataKey, E>,
    plaintext: impl Write + Send,
) -> Result<Opened, MessageError<E>> {
    open_message_on(Threads::available(), message, key_of, plaintext)
}

/// [`open_message`] on so many threads.
pub fn open_message_on<E: Send>(
    threads: Threads,
    message: impl Read + Send,
    key_of: impl FnOnce(&Header) -> Result<DataKey, E>,
    mut plaintext: impl Write + Send,
) -> Result<Opened, MessageError<E>> {
    let (header, body) = read_header(message)?;
    let key = key_of(&header).map_err(MessageError::Key)?;
    let keys = genuine_keys(&key, &header)?;
    // A header's frame length is within what a reader holds in memory.
    let frame_bytes = FrameBytes::beyond_vault_limits(header.frame_bytes());
    let mut frames = FrameReader::new(body, frame_bytes);
    let mut plaintext_bytes = 0;
    let jobs = Jobs {
        read: |buffer: &mut FrameBuffer| Ok(frames.read_frame(buffer)?),
        work: |buffer: &mut FrameBuffer| decrypt(&keys, header.message_id(), buffer),
        emit: |buffer: &mut FrameBuffer| {
            plaintext_bytes += buffer.content_bytes as u64;
            plaintext.write_all(buffer.content()).map_err(OpenError::Write)
        },
    };
    pipeline::run(threads, || FrameBuffer::new(frame_bytes), jobs)?;
    frames.nothing_follows().map_err(OpenError::Frames)?;
    plaintext.flush().map_err(OpenError::Write)?;
    Ok(Opened { header, plaintext_bytes })
}

/// Reads the header at the front of a message, and gives it with what follows it.
fn read_header<E>(mut message: impl Read + Send) -> Result<(Header, impl Read + Send), MessageError<E>> {
    let mut front = Vec::with_capacity(MAX_HEADER_BYTES);
    message.by_ref().take(MAX_HEADER_BYTES as u64).read_to_end(&mut front).map_err(MessageError::Read)?;
    let (header, rest) = header_at_front(&front).map_err(OpenError::from)?;
    let rest = rest.to_vec();
    Ok((header, io::Cursor::new(rest).chain(message)))
}

/// The header that a message begins with, and what follows it, in at most as many bytes as a header may have.
pub(crate) fn header_at_front(front: &[u8]) -> Result<(Header, &[u8]), HeaderError> {
    Header::parse_prefix(front).map_err(|error| match error {
        HeaderError::Truncated if front.len() == MAX_HEADER_BYTES => HeaderError::TooLong,
        other => other,
    })
}
