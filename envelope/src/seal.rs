//! Sealing: plaintext in, detached header and body frames out, one frame in memory.
//!
//! Source: AWS Encryption SDK specification, client-apis/encrypt.md. A plaintext that ends on a frame's border ends in a full final frame, as the
//! specification recommends; an empty plaintext is one empty final frame.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::aead::{Refused, TAG_BYTES};
use crate::digests::{BodyDigests, MAX_PARTS, PART_BYTES};
use crate::entropy::{self, EntropyError};
use crate::frame::{self, FINAL_HEAD_BYTES, FrameBytes};
use crate::header::Header;
use crate::header_fields::{Context, WrappedKey};
use crate::keys::{DataKey, MessageKeys};
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
pub fn seal(sealing: &Sealing<'_>, plaintext: impl Read, body: impl Write) -> Result<Sealed, SealError> {
    let mut message_id = [0; 32];
    entropy::fill(&mut message_id)?;
    seal_with_message_id(sealing, message_id, plaintext, body)
}

/// Seals under a given message id. Only for frozen vectors: a message id used twice under one key gives both plaintexts away.
#[doc(hidden)]
pub fn seal_with_message_id(
    sealing: &Sealing<'_>,
    message_id: [u8; 32],
    plaintext: impl Read,
    body: impl Write,
) -> Result<Sealed, SealError> {
    let frame_bytes = sealing.frame_bytes;
    let keys = MessageKeys::derive(sealing.key, &message_id)?;
    let header = Header::build(&keys, message_id, sealing.context, sealing.wrapped_key, frame_bytes.get())?;
    let mut run = Run { keys, message_id, body, digests: BodyDigests::default(), plaintext_bytes: 0 };
    run.seal_frames(plaintext, frame_bytes)?;
    run.body.flush().map_err(SealError::Write)?;
    let digests = run.digests.finish();
    Ok(Sealed {
        header: header.as_bytes().to_vec(),
        message_id,
        commitment: run.keys.commitment,
        frame_bytes,
        body_bytes: digests.body_bytes,
        plaintext_bytes: run.plaintext_bytes,
        frames_root: digests.frames_root,
        parts_root: digests.parts_root(),
        parts: digests.parts,
    })
}

/// One encryption run.
struct Run<W> {
    keys: MessageKeys,
    message_id: [u8; 32],
    body: W,
    digests: BodyDigests,
    plaintext_bytes: u64,
}

impl<W: Write> Run<W> {
    /// Cuts the plaintext into frames. One byte is read ahead, to know whether a full frame is the last.
    fn seal_frames(&mut self, mut plaintext: impl Read, frame_bytes: FrameBytes) -> Result<(), SealError> {
        let full = frame_bytes.len();
        let mut buffer = Zeroizing::new(vec![0; FINAL_HEAD_BYTES + full + TAG_BYTES]);
        let mut read_ahead = 0;
        for sequence in 1..u32::MAX {
            let content = &mut buffer[FINAL_HEAD_BYTES..=FINAL_HEAD_BYTES + full];
            let filled = read_ahead + fill(&mut plaintext, &mut content[read_ahead..]).map_err(SealError::Read)?;
            if filled <= full {
                return self.seal_frame(&mut buffer, sequence, true, filled);
            }
            let first_of_next = content[full];
            self.seal_frame(&mut buffer, sequence, false, full)?;
            buffer[FINAL_HEAD_BYTES] = first_of_next;
            read_ahead = 1;
        }
        Err(SealError::BodyTooLarge)
    }

    /// Encrypts the content in the buffer where it lies, puts head and tag around it, and writes all of it at once.
    fn seal_frame(&mut self, buffer: &mut [u8], sequence: u32, is_final: bool, length: usize) -> Result<(), SealError> {
        // Unwrap safety: at most 1 MiB.
        let content_bytes = u32::try_from(length).expect("a frame is short");
        // Unwrap safety: the buffer has room for a head, a full frame and a tag.
        let (head, content) = buffer.split_first_chunk_mut::<FINAL_HEAD_BYTES>().expect("room for a head");
        let start = frame::put_head(head, is_final, sequence, content_bytes);
        let frame_end = (FINAL_HEAD_BYTES - start + length + TAG_BYTES) as u64;
        if self.digests.body_bytes() + frame_end > MAX_BODY_BYTES {
            return Err(SealError::BodyTooLarge);
        }
        let aad = frame::aad(&self.message_id, is_final, sequence, length);
        let tag = self.keys.cipher.seal(frame::iv(sequence), &aad, &mut content[..length])?;
        content[length..length + TAG_BYTES].copy_from_slice(&tag);
        let frame = &buffer[start..FINAL_HEAD_BYTES + length + TAG_BYTES];
        let (head, content_and_tag) = frame.split_at(FINAL_HEAD_BYTES - start);
        self.digests.add_frame(head, content_and_tag);
        self.plaintext_bytes += u64::from(content_bytes);
        self.body.write_all(frame).map_err(SealError::Write)
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
