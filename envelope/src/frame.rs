//! Frames: how a body is cut, and reading one frame at a time.
//!
//! Source: AWS Encryption SDK specification, data-format/message-body.md, framed data, and message-body-aad.md. Every IV is the frame's sequence number in
//! twelve bytes, as in all official SDKs; another one is refused although the specification leaves the choice to the writer.

use std::io::{self, Read};

use crate::aead::{IV_BYTES, TAG_BYTES};
use crate::buffer::FrameBuffer;
use crate::pipeline::Goes;

/// Fewest plaintext bytes of a frame in the vault: 64 KiB.
pub const MIN_FRAME_BYTES: u32 = 64 * 1024;
/// Most plaintext bytes of a frame, in the vault and for any reader: 1 MiB.
pub const MAX_FRAME_BYTES: u32 = 1024 * 1024;
/// What every frame costs beside its plaintext: sequence number, IV, tag. The last frame costs 8 more.
pub const FRAME_OVERHEAD_BYTES: u64 = (SEQUENCE_BYTES + IV_BYTES + TAG_BYTES) as u64;

const SEQUENCE_BYTES: usize = 4;
/// Before the content of every frame but the last: sequence number, IV.
pub(crate) const REGULAR_HEAD_BYTES: usize = SEQUENCE_BYTES + IV_BYTES;
/// Before the content of the last frame: end mark, sequence number, IV, content length.
pub(crate) const FINAL_HEAD_BYTES: usize = SEQUENCE_BYTES + REGULAR_HEAD_BYTES + 4;
const END_MARK: [u8; SEQUENCE_BYTES] = [0xff; SEQUENCE_BYTES];

/// How many plaintext bytes a frame holds: a power of two from 64 KiB to 1 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct FrameBytes(u32);

/// A frame length outside the vault's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame must be a power of two from {MIN_FRAME_BYTES} to {MAX_FRAME_BYTES} bytes, not {found}")]
pub struct FrameBytesError {
    /// The length found.
    pub found: u32,
}

impl FrameBytes {
    /// 256 KiB: a buffer that stays in a core's cache, 0.01 % of overhead, and 256 frames in the largest single upload.
    pub const DEFAULT: Self = Self(256 * 1024);

    /// The length in bytes.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// A length the vault does not allow, so that frozen vectors can be small. At most [`MAX_FRAME_BYTES`], at least one.
    #[doc(hidden)]
    pub fn beyond_vault_limits(bytes: u32) -> Self {
        Self(bytes.clamp(1, MAX_FRAME_BYTES))
    }

    pub(crate) fn len(self) -> usize {
        // Unwrap safety: at most 1 MiB.
        usize::try_from(self.0).expect("a frame fits in memory")
    }
}

impl TryFrom<u32> for FrameBytes {
    type Error = FrameBytesError;

    fn try_from(found: u32) -> Result<Self, FrameBytesError> {
        let allowed = found.is_power_of_two() && (MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(&found);
        if allowed { Ok(Self(found)) } else { Err(FrameBytesError { found }) }
    }
}

impl From<FrameBytes> for u32 {
    fn from(bytes: FrameBytes) -> Self {
        bytes.0
    }
}

/// Bytes of the body that [`crate::seal`] makes of so many plaintext bytes.
pub fn body_bytes(plaintext_bytes: u64, frame_bytes: FrameBytes) -> u64 {
    let frames = plaintext_bytes.div_ceil(u64::from(frame_bytes.0)).max(1);
    let last_costs_more = (FINAL_HEAD_BYTES - REGULAR_HEAD_BYTES) as u64;
    plaintext_bytes.saturating_add(frames.saturating_mul(FRAME_OVERHEAD_BYTES)).saturating_add(last_costs_more)
}

/// Frames in a body of so many bytes, which [`plaintext_bytes`] has found possible.
pub(crate) fn frame_count(body_bytes: u64, frame_bytes: FrameBytes) -> u64 {
    let smallest = (FINAL_HEAD_BYTES + TAG_BYTES) as u64;
    body_bytes.saturating_sub(smallest) / (u64::from(frame_bytes.0) + FRAME_OVERHEAD_BYTES) + 1
}

/// Plaintext bytes in a body of so many bytes, or None if no body has this length.
pub(crate) fn plaintext_bytes(body_bytes: u64, frame_bytes: FrameBytes) -> Option<u64> {
    let smallest = (FINAL_HEAD_BYTES + TAG_BYTES) as u64;
    let frame = u64::from(frame_bytes.0);
    let beyond_smallest = body_bytes.checked_sub(smallest)?;
    let regular_frames = beyond_smallest / (frame + FRAME_OVERHEAD_BYTES);
    let last = beyond_smallest % (frame + FRAME_OVERHEAD_BYTES);
    (last <= frame).then(|| regular_frames * frame + last)
}

/// The IV of frame `sequence`.
pub(crate) fn iv(sequence: u32) -> [u8; IV_BYTES] {
    let mut iv = [0; IV_BYTES];
    iv[IV_BYTES - SEQUENCE_BYTES..].copy_from_slice(&sequence.to_be_bytes());
    iv
}

const REGULAR_KIND: &[u8] = b"AWSKMSEncryptionClient Frame";
const FINAL_KIND: &[u8] = b"AWSKMSEncryptionClient Final Frame";

/// Which frame of a body one is: all that its head says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The frame's number, from one.
    pub(crate) sequence: u32,
    /// Whether it is the final frame.
    pub(crate) is_final: bool,
    /// Bytes of its content.
    pub(crate) content_bytes: usize,
}

impl Place {
    /// Bytes before the content.
    pub(crate) fn head_bytes(self) -> usize {
        if self.is_final { FINAL_HEAD_BYTES } else { REGULAR_HEAD_BYTES }
    }

    /// Bytes of the whole frame.
    pub(crate) fn frame_bytes(self) -> usize {
        self.head_bytes() + self.content_bytes + TAG_BYTES
    }

    /// Writes the frame's head, which fills `room`.
    pub(crate) fn put_head(self, room: &mut [u8]) {
        let (marks, numbers) = room.split_at_mut(if self.is_final { SEQUENCE_BYTES } else { 0 });
        marks.copy_from_slice(&END_MARK[..marks.len()]);
        numbers[..SEQUENCE_BYTES].copy_from_slice(&self.sequence.to_be_bytes());
        numbers[SEQUENCE_BYTES..REGULAR_HEAD_BYTES].copy_from_slice(&iv(self.sequence));
        if self.is_final {
            // Unwrap safety: at most 1 MiB.
            let content_bytes = u32::try_from(self.content_bytes).expect("a frame is short");
            numbers[REGULAR_HEAD_BYTES..].copy_from_slice(&content_bytes.to_be_bytes());
        }
    }

    /// What a frame's head says, if it is the one that should stand here. An end mark at its beginning makes it a final frame's.
    fn of_head(head: &[u8], expected: u32, frame_bytes: FrameBytes) -> Result<Self, FrameError> {
        let is_final = head.starts_with(&END_MARK);
        let numbered = if is_final { &head[SEQUENCE_BYTES..] } else { head };
        let (found, rest) = take_u32(numbered);
        if found != expected {
            return Err(FrameError::OutOfOrder { expected, found });
        }
        if rest[..IV_BYTES] != iv(expected) {
            return Err(FrameError::WrongIv { frame: expected });
        }
        if !is_final {
            return Ok(Self { sequence: expected, is_final, content_bytes: frame_bytes.len() });
        }
        let (content_bytes, _) = take_u32(&rest[IV_BYTES..]);
        if content_bytes > frame_bytes.get() {
            return Err(FrameError::FinalFrameTooLong { frame: expected, found: content_bytes });
        }
        // Unwrap safety: no more than a frame, which fits in memory.
        let content_bytes = usize::try_from(content_bytes).expect("a frame fits in memory");
        Ok(Self { sequence: expected, is_final, content_bytes })
    }
}

/// What a frame's tag covers beside its content: message id, kind, sequence number, content length.
pub(crate) struct FrameAad {
    bytes: [u8; 32 + FINAL_KIND.len() + SEQUENCE_BYTES + 8],
    length: usize,
}

impl FrameAad {
    pub(crate) fn of(message_id: &[u8; 32], place: Place) -> Self {
        let kind = if place.is_final { FINAL_KIND } else { REGULAR_KIND };
        let mut aad = Self { bytes: [0; _], length: 0 };
        for piece in [&message_id[..], kind, &place.sequence.to_be_bytes(), &(place.content_bytes as u64).to_be_bytes()]
        {
            aad.bytes[aad.length..aad.length + piece.len()].copy_from_slice(piece);
            aad.length += piece.len();
        }
        aad
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// A body that is not laid out as frames. No key was needed to see it. Frames count from one.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The body ends before its final frame does.
    #[error("the body ends inside frame {frame}")]
    Truncated {
        /// The frame it ends in.
        frame: u32,
    },
    /// A frame stands where another should: swapped, repeated or left out.
    #[error("frame {found} stands where frame {expected} should")]
    OutOfOrder {
        /// The frame that should stand here.
        expected: u32,
        /// The frame that does.
        found: u32,
    },
    /// The IV of a frame is not its sequence number.
    #[error("frame {frame} has an IV that is not its number")]
    WrongIv {
        /// The frame.
        frame: u32,
    },
    /// The final frame says it holds more than a frame can.
    #[error("final frame {frame} says it holds {found} bytes, more than a frame can")]
    FinalFrameTooLong {
        /// The frame.
        frame: u32,
        /// What it says.
        found: u32,
    },
    /// More frames than the format can number.
    #[error("the body has more frames than the format can number")]
    TooManyFrames,
    /// Something follows the final frame.
    #[error("bytes follow the final frame")]
    TrailingBytes,
    /// The body could not be read.
    #[error("the body could not be read: {0}")]
    Read(#[source] io::Error),
}

impl FrameError {
    /// A stable name of this failure, as the frozen vectors use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "truncated",
            Self::OutOfOrder { .. } => "frame-out-of-order",
            Self::WrongIv { .. } => "frame-wrong-iv",
            Self::FinalFrameTooLong { .. } => "final-frame-too-long",
            Self::TooManyFrames => "too-many-frames",
            Self::TrailingBytes => "trailing-bytes",
            Self::Read(_) => "read-failed",
        }
    }
}

/// Reads a body frame by frame.
pub(crate) struct FrameReader<R> {
    body: R,
    frame_bytes: FrameBytes,
    next: u32,
}

impl<R: Read> FrameReader<R> {
    /// From the first frame of a body on.
    pub(crate) fn new(body: R, frame_bytes: FrameBytes) -> Self {
        Self::from_frame(body, frame_bytes, 1)
    }

    /// From the frame with this number on.
    pub(crate) fn from_frame(body: R, frame_bytes: FrameBytes, next: u32) -> Self {
        Self { body, frame_bytes, next }
    }

    /// Reads the next frame; the final one ends the body.
    pub(crate) fn read_frame(&mut self, buffer: &mut FrameBuffer) -> Result<Goes, FrameError> {
        let sequence = self.next;
        let mut front = [0; SEQUENCE_BYTES];
        self.fill(&mut front)?;
        buffer.sequence = sequence;
        buffer.is_final = front == END_MARK;
        let start = if buffer.is_final { 0 } else { FINAL_HEAD_BYTES - REGULAR_HEAD_BYTES };
        let (marked, rest) = buffer.head_room()[start..].split_at_mut(SEQUENCE_BYTES);
        marked.copy_from_slice(&front);
        self.fill(rest)?;
        buffer.content_bytes = Place::of_head(buffer.head(), sequence, self.frame_bytes)?.content_bytes;
        self.fill(buffer.content_and_tag())?;
        if buffer.is_final {
            return Ok(Goes::Ends);
        }
        self.next = sequence.checked_add(1).ok_or(FrameError::TooManyFrames)?;
        Ok(Goes::On)
    }

    fn fill(&mut self, room: &mut [u8]) -> Result<(), FrameError> {
        self.body.read_exact(room).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => FrameError::Truncated { frame: self.next },
            _ => FrameError::Read(error),
        })
    }

    /// After the final frame: whether the body ends there.
    pub(crate) fn nothing_follows(&mut self) -> Result<(), FrameError> {
        match self.body.read_exact(&mut [0]) {
            Ok(()) => Err(FrameError::TrailingBytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(FrameError::Read(error)),
        }
    }
}

/// A body that lies in memory, frame by frame; it fails as [`FrameReader`] does.
pub(crate) struct FrameSlices<'b> {
    rest: &'b [u8],
    frame_bytes: FrameBytes,
    next: u32,
}

impl<'b> FrameSlices<'b> {
    pub(crate) fn new(body: &'b [u8], frame_bytes: FrameBytes) -> Self {
        Self { rest: body, frame_bytes, next: 1 }
    }

    /// The next frame as it stands in the body; the final one ends the body.
    pub(crate) fn next_frame(&mut self) -> Result<(Place, &'b [u8]), FrameError> {
        let truncated = FrameError::Truncated { frame: self.next };
        let is_final = self.rest.starts_with(&END_MARK);
        let head_bytes = if is_final { FINAL_HEAD_BYTES } else { REGULAR_HEAD_BYTES };
        let Some(head) = self.rest.get(..head_bytes) else { return Err(truncated) };
        let place = Place::of_head(head, self.next, self.frame_bytes)?;
        let Some((frame, rest)) = self.rest.split_at_checked(place.frame_bytes()) else { return Err(truncated) };
        self.rest = rest;
        if !place.is_final {
            self.next = self.next.checked_add(1).ok_or(FrameError::TooManyFrames)?;
        }
        Ok((place, frame))
    }

    /// After the final frame: whether the body ends there.
    pub(crate) fn nothing_follows(&self) -> Result<(), FrameError> {
        if self.rest.is_empty() { Ok(()) } else { Err(FrameError::TrailingBytes) }
    }
}

fn take_u32(bytes: &[u8]) -> (u32, &[u8]) {
    // Unwrap safety: callers pass a whole frame's head.
    let (number, rest) = bytes.split_first_chunk().expect("a head has its numbers");
    (u32::from_be_bytes(*number), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_two_from_64_kib_to_1_mib() {
        for allowed in [65_536, 131_072, 262_144, 524_288, 1_048_576] {
            assert_eq!(FrameBytes::try_from(allowed).map(FrameBytes::get), Ok(allowed));
        }
        for found in [0, 1, 4096, 32_768, 65_535, 65_537, 100_000, 2_097_152, u32::MAX] {
            assert_eq!(FrameBytes::try_from(found), Err(FrameBytesError { found }));
        }
    }

    #[test]
    fn body_and_plaintext_lengths_agree() {
        let frame = FrameBytes::beyond_vault_limits(10);
        for (plaintext, body) in [(0, 40), (1, 41), (9, 49), (10, 50), (11, 83), (20, 92), (21, 125)] {
            assert_eq!(body_bytes(plaintext, frame), body);
            assert_eq!(plaintext_bytes(body, frame), Some(plaintext));
        }
        // A regular frame followed by an empty final one, as some SDKs write 10 bytes.
        assert_eq!(plaintext_bytes(82, frame), Some(10));
        for impossible in [0, 39, 51, 60, 81] {
            assert_eq!(plaintext_bytes(impossible, frame), None, "{impossible}");
        }
    }
}
