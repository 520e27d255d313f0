//! Sealing: plaintext in, detached header and body frames out, a few frames in memory, on all cores.
//!
//! Source: AWS Encryption SDK specification, client-apis/encrypt.md. A plaintext that ends on a frame's border ends in a full final frame, as the
//! specification recommends; an empty plaintext is one empty final frame.
//!
//! Encryption and leaf hashes run on any thread; the parts' digests and the writing go in order.

use std::io::{self, Read, Write};

use zeroize::Zeroize as _;

use crate::aead::{Refused, TAG_BYTES};
use crate::buffer::FrameBuffer;
use crate::digests::{MAX_PARTS, PART_BYTES, Parts, parts_root};
use crate::entropy::{self, EntropyError};
use crate::frame::{self, FrameAad, FrameBytes};
use crate::header::Header;
use crate::header_fields::{Context, WrappedKey};
use crate::keys::{DataKey, MessageKeys};
use crate::merkle::{self, Tree};
use crate::pipeline::{self, Goes, Jobs, Threads};
use crate::{Announcement, SUITE};

/// Most bytes of a body: as many parts as S3 takes, 625 GiB.
pub const MAX_BODY_BYTES: u64 = PART_BYTES * MAX_PARTS;

/// What to seal under and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    /// The data key of this version of the record.
    pub key: &'a DataKey,
    /// The record and version.
    pub context: &'a Context,
    /// The data key as KMS wrapped it.
    pub wrapped_key: &'a WrappedKey,
    /// Plaintext bytes of each frame but the last.
    pub frame_bytes: FrameBytes,
}

/// What sealing made, beside the body it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The detached header. header || body is a whole message.
    pub header: Vec<u8>,
    /// 32 fresh random bytes.
    pub message_id: [u8; 32],
    /// The commitment to the data key.
    pub commitment: [u8; 32],
    /// Plaintext bytes of each frame but the last.
    pub frame_bytes: FrameBytes,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Bytes of the plaintext.
    pub plaintext_bytes: u64,
    /// RFC 6962 tree root over the frames as they stand in the body.
    pub frames_root: [u8; 32],
    /// The SHA-256 checksum that S3 states of the stored body, see [`crate::parts_root`].
    pub parts_root: [u8; 32],
    /// SHA-256 of each part of the body, in order: every [`PART_BYTES`] bytes, the last one what is left.
    pub parts: Vec<[u8; 32]>,
}

/// Why nothing was sealed. What was written of the body is useless and should be deleted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The body would not fit into an upload.
    #[error("the record is too large: its body would have more than {MAX_BODY_BYTES} bytes")]
    BodyTooLarge,
    /// No random bytes for the message id.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The plaintext could not be read.
    #[error("the record could not be read: {0}")]
    Read(#[source] io::Error),
    /// The body could not be written.
    #[error("the body could not be written: {0}")]
    Write(#[source] io::Error),
    /// The cipher refused.
    #[error("the cipher refused to seal")]
    Cipher,
}

impl From<Refused> for SealError {
    fn from(_: Refused) -> Self {
        Self::Cipher
    }
}

impl Sealed {
    pub(crate) fn of(
        header: &Header,
        commitment: [u8; 32],
        frame_bytes: FrameBytes,
        [body_bytes, plaintext_bytes]: [u64; 2],
        tree: &Tree,
        parts: Parts,
    ) -> Self {
        let parts = parts.finish();
        Self {
            header: header.as_bytes().to_vec(),
            message_id: *header.message_id(),
            commitment,
            frame_bytes,
            body_bytes,
            plaintext_bytes,
            frames_root: tree.root(),
            parts_root: parts_root(&parts),
            parts,
        }
    }

    /// What the uploader signs.
    pub fn announcement(&self) -> Announcement {
        Announcement {
            suite: SUITE,
            message_id: self.message_id,
            commitment: self.commitment,
            frame_bytes: self.frame_bytes,
            body_bytes: self.body_bytes,
            frames_root: self.frames_root,
            parts_root: self.parts_root,
        }
    }
}

/// Seals `plaintext`, writes the body frames to `body` and returns the header and the digests to announce.
///
/// Each call is a message of its own, with a fresh random message id: the same record sealed twice gives two unrelated bodies.
pub fn seal(sealing: &Sealing<'_>, plaintext: impl Read + Send, body: impl Write + Send) -> Result<Sealed, SealError> {
    seal_on(Threads::available(), sealing, plaintext, body)
}

/// [`seal`] on so many threads.
pub fn seal_on(
    threads: Threads,
    sealing: &Sealing<'_>,
    plaintext: impl Read + Send,
    body: impl Write + Send,
) -> Result<Sealed, SealError> {
    Run::fresh(threads)?.seal(sealing, plaintext, body)
}

/// Writes a whole message, header || body, as any official SDK reads it; gives its length. No digests are made: it is not for a vault.
pub fn seal_message(
    sealing: &Sealing<'_>,
    plaintext: impl Read + Send,
    message: impl Write + Send,
) -> Result<u64, SealError> {
    seal_message_on(Threads::available(), sealing, plaintext, message)
}

/// [`seal_message`] on so many threads.
pub fn seal_message_on(
    threads: Threads,
    sealing: &Sealing<'_>,
    plaintext: impl Read + Send,
    mut message: impl Write + Send,
) -> Result<u64, SealError> {
    let run = Run::fresh(threads)?;
    let (keys, header) = run.begin(sealing)?;
    message.write_all(header.as_bytes()).map_err(SealError::Write)?;
    let mut cutter = Cutter::new(plaintext, sealing.frame_bytes, run.limit_bytes);
    let jobs = Jobs {
        read: |buffer: &mut FrameBuffer| cutter.cut(buffer),
        work: |buffer: &mut FrameBuffer| encrypt(&keys, &run.message_id, buffer),
        emit: |buffer: &mut FrameBuffer| message.write_all(buffer.frame()).map_err(SealError::Write),
    };
    pipeline::run(threads, || FrameBuffer::new(sealing.frame_bytes), jobs)?;
    message.flush().map_err(SealError::Write)?;
    Ok(header.as_bytes().len() as u64 + cutter.body_bytes)
}

/// Seals under a given message id. Only for frozen vectors: a message id used twice under one key gives both plaintexts away.
#[doc(hidden)]
pub fn seal_with_message_id(
    sealing: &Sealing<'_>,
    message_id: [u8; 32],
    plaintext: impl Read + Send,
    body: impl Write + Send,
) -> Result<Sealed, SealError> {
    Run::with_message_id(Threads::available(), message_id).seal(sealing, plaintext, body)
}

/// Seals with another limit than the vault's, so that tests reach it.
#[doc(hidden)]
pub fn seal_within(
    limit_bytes: u64,
    sealing: &Sealing<'_>,
    plaintext: impl Read + Send,
    body: impl Write + Send,
) -> Result<Sealed, SealError> {
    Run { limit_bytes, ..Run::fresh(Threads::available())? }.seal(sealing, plaintext, body)
}

/// One encryption run.
pub(crate) struct Run {
    pub(crate) threads: Threads,
    pub(crate) message_id: [u8; 32],
    limit_bytes: u64,
}

impl Run {
    /// A run of its own, under a message id that nobody chose.
    pub(crate) fn fresh(threads: Threads) -> Result<Self, EntropyError> {
        let mut message_id = [0; 32];
        entropy::fill(&mut message_id)?;
        Ok(Self::with_message_id(threads, message_id))
    }

    pub(crate) fn with_message_id(threads: Threads, message_id: [u8; 32]) -> Self {
        Self { threads, message_id, limit_bytes: MAX_BODY_BYTES }
    }

    /// How long the body of a plaintext in memory is, if it is allowed.
    pub(crate) fn body_length(&self, plaintext_bytes: usize, frame_bytes: FrameBytes) -> Result<usize, SealError> {
        let frames = plaintext_bytes.div_ceil(frame_bytes.len());
        let length = frame::body_bytes(plaintext_bytes as u64, frame_bytes);
        // The largest number is the end mark's.
        let numbered = u32::try_from(frames).is_ok_and(|frames| frames < u32::MAX);
        let allowed = usize::try_from(length).ok().filter(|_| numbered && length <= self.limit_bytes);
        allowed.ok_or(SealError::BodyTooLarge)
    }

    pub(crate) fn begin(&self, sealing: &Sealing<'_>) -> Result<(MessageKeys, Header), Refused> {
        let keys = MessageKeys::derive(sealing.key, &self.message_id)?;
        let frame_bytes = sealing.frame_bytes.get();
        let header = Header::build(&keys, self.message_id, sealing.context, sealing.wrapped_key, frame_bytes)?;
        Ok((keys, header))
    }

    fn seal(
        &self,
        sealing: &Sealing<'_>,
        plaintext: impl Read + Send,
        mut body: impl Write + Send,
    ) -> Result<Sealed, SealError> {
        let (keys, header) = self.begin(sealing)?;
        let (mut tree, mut parts) = (Tree::default(), Parts::default());
        let mut cutter = Cutter::new(plaintext, sealing.frame_bytes, self.limit_bytes);
        let jobs = Jobs {
            read: |buffer: &mut FrameBuffer| cutter.cut(buffer),
            work: |buffer: &mut FrameBuffer| {
                encrypt(&keys, &self.message_id, buffer)?;
                buffer.leaf = merkle::leaf(buffer.frame());
                Ok(())
            },
            emit: |buffer: &mut FrameBuffer| {
                tree.push(buffer.leaf);
                parts.update(buffer.frame());
                body.write_all(buffer.frame()).map_err(SealError::Write)
            },
        };
        pipeline::run(self.threads, || FrameBuffer::new(sealing.frame_bytes), jobs)?;
        body.flush().map_err(SealError::Write)?;
        let lengths = [cutter.body_bytes, cutter.plaintext_bytes];
        Ok(Sealed::of(&header, keys.commitment, sealing.frame_bytes, lengths, &tree, parts))
    }
}

/// Encrypts the content in the buffer where it lies, and puts head and tag around it.
fn encrypt(keys: &MessageKeys, message_id: &[u8; 32], buffer: &mut FrameBuffer) -> Result<(), SealError> {
    buffer.put_head();
    let (iv, aad) = (frame::iv(buffer.sequence), FrameAad::of(message_id, buffer.place()));
    let content_bytes = buffer.content_bytes;
    let (content, tag_room) = buffer.content_and_tag().split_at_mut(content_bytes);
    tag_room.copy_from_slice(&keys.cipher.seal(iv, aad.as_bytes(), content)?);
    Ok(())
}

/// Cuts a plaintext into frames. One byte is read ahead, to know whether a full frame is the last.
struct Cutter<R> {
    plaintext: R,
    frame_bytes: FrameBytes,
    limit_bytes: u64,
    /// The first byte of the next frame.
    carried: Option<u8>,
    /// Frames cut.
    frames: u32,
    body_bytes: u64,
    plaintext_bytes: u64,
}

impl<R: Read> Cutter<R> {
    fn new(plaintext: R, frame_bytes: FrameBytes, limit_bytes: u64) -> Self {
        Self { plaintext, frame_bytes, limit_bytes, carried: None, frames: 0, body_bytes: 0, plaintext_bytes: 0 }
    }

    /// Reads the next frame's content into the buffer.
    fn cut(&mut self, buffer: &mut FrameBuffer) -> Result<Goes, SealError> {
        let full = self.frame_bytes.len();
        let room = &mut buffer.content_room()[..=full];
        let mut filled = 0;
        if let Some(first) = self.carried.take() {
            room[0] = first;
            filled = 1;
        }
        filled += fill(&mut self.plaintext, &mut room[filled..]).map_err(SealError::Read)?;
        let goes = if filled > full { Goes::On } else { Goes::Ends };
        if goes == Goes::On {
            self.carried = Some(room[full]);
        }
        // The largest number is the end mark's.
        self.frames = self.frames.checked_add(1).filter(|frames| *frames < u32::MAX).ok_or(SealError::BodyTooLarge)?;
        buffer.sequence = self.frames;
        buffer.is_final = goes == Goes::Ends;
        buffer.content_bytes = filled.min(full);
        self.plaintext_bytes += buffer.content_bytes as u64;
        self.body_bytes += buffer.frame().len() as u64;
        if self.body_bytes > self.limit_bytes { Err(SealError::BodyTooLarge) } else { Ok(goes) }
    }
}

impl<R> Drop for Cutter<R> {
    fn drop(&mut self) {
        self.carried.zeroize();
    }
}

/// Reads until `room` is full or the source ends, and returns how much was read.
fn fill(source: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < room.len() {
        match source.read(&mut room[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

const _: () = assert!(TAG_BYTES >= 1, "the byte that is read ahead stands where the tag will");
