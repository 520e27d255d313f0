//! Frames: how a body is cut, and reading one frame at a time.
//!
//! Source: AWS Encryption SDK specification, data-format/message-body.md, framed data, and message-body-aad.md. Every IV is the frame's sequence number in
//! twelve bytes, as in all official SDKs; another one is refused although the specification leaves the choice to the writer.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::aead::{IV_BYTES, TAG_BYTES};

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

/// What a frame's tag covers beside its content: message id, kind, sequence number, content length.
pub(crate) fn aad(message_id: &[u8; 32], is_final: bool, sequence: u32, content_bytes: usize) -> Vec<u8> {
    let kind: &[u8] = if is_final { b"AWSKMSEncryptionClient Final Frame" } else { b"AWSKMSEncryptionClient Frame" };
    let mut aad = Vec::with_capacity(message_id.len() + kind.len() + SEQUENCE_BYTES + 8);
    aad.extend(message_id);
    aad.extend(kind);
    aad.extend(sequence.to_be_bytes());
    aad.extend((content_bytes as u64).to_be_bytes());
    aad
}

/// Writes the head of a frame at the end of `room` and returns where it starts.
pub(crate) fn put_head(room: &mut [u8; FINAL_HEAD_BYTES], is_final: bool, sequence: u32, content_bytes: u32) -> usize {
    if is_final {
        room[..4].copy_from_slice(&END_MARK);
        room[4..8].copy_from_slice(&sequence.to_be_bytes());
        room[8..20].copy_from_slice(&iv(sequence));
        room[20..].copy_from_slice(&content_bytes.to_be_bytes());
        0
    } else {
        let start = FINAL_HEAD_BYTES - REGULAR_HEAD_BYTES;
        room[start..start + 4].copy_from_slice(&sequence.to_be_bytes());
        room[start + 4..].copy_from_slice(&iv(sequence));
        start
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

/// One frame as it stands in the body.
pub(crate) struct Frame<'a> {
    pub(crate) sequence: u32,
    pub(crate) is_final: bool,
    pub(crate) head: &'a [u8],
    pub(crate) content_and_tag: &'a mut [u8],
}

/// Reads a body frame by frame, each into the same buffer.
pub(crate) struct FrameReader<R> {
    body: R,
    frame_bytes: FrameBytes,
    next: u32,
    ended: bool,
    buffer: Zeroizing<Vec<u8>>,
}

impl<R: Read> FrameReader<R> {
    pub(crate) fn new(body: R, frame_bytes: FrameBytes) -> Self {
        let buffer = Zeroizing::new(vec![0; FINAL_HEAD_BYTES + frame_bytes.len() + TAG_BYTES]);
        Self { body, frame_bytes, next: 1, ended: false, buffer }
    }

    /// The next frame; None once the final frame was read and nothing follows it.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        if self.ended {
            return self.nothing_follows().map(|()| None);
        }
        let sequence = self.next;
        self.fill(0, SEQUENCE_BYTES)?;
        let is_final = self.buffer[..SEQUENCE_BYTES] == END_MARK;
        let head_bytes = if is_final { FINAL_HEAD_BYTES } else { REGULAR_HEAD_BYTES };
        self.fill(SEQUENCE_BYTES, head_bytes)?;
        let content_bytes = self.check_head(is_final)?;
        let frame_end = head_bytes + content_bytes + TAG_BYTES;
        self.fill(head_bytes, frame_end)?;
        self.ended = is_final;
        if !is_final {
            self.next = sequence.checked_add(1).ok_or(FrameError::TooManyFrames)?;
        }
        let (head, content_and_tag) = self.buffer[..frame_end].split_at_mut(head_bytes);
        Ok(Some(Frame { sequence, is_final, head, content_and_tag }))
    }

    /// Checks the head in the buffer and returns how many content bytes follow it.
    fn check_head(&self, is_final: bool) -> Result<usize, FrameError> {
        let expected = self.next;
        let numbered = if is_final { &self.buffer[SEQUENCE_BYTES..] } else { &self.buffer[..] };
        let (found, rest) = take_u32(numbered);
        if found != expected {
            return Err(FrameError::OutOfOrder { expected, found });
        }
        if rest[..IV_BYTES] != iv(expected) {
            return Err(FrameError::WrongIv { frame: expected });
        }
        if !is_final {
            return Ok(self.frame_bytes.len());
        }
        let (content_bytes, _) = take_u32(&rest[IV_BYTES..]);
        if content_bytes > self.frame_bytes.get() {
            return Err(FrameError::FinalFrameTooLong { frame: expected, found: content_bytes });
        }
        // Unwrap safety: no more than a frame, which fits in memory.
        Ok(usize::try_from(content_bytes).expect("a frame fits in memory"))
    }

    fn fill(&mut self, from: usize, to: usize) -> Result<(), FrameError> {
        self.body.read_exact(&mut self.buffer[from..to]).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => FrameError::Truncated { frame: self.next },
            _ => FrameError::Read(error),
        })
    }

    fn nothing_follows(&mut self) -> Result<(), FrameError> {
        match self.body.read_exact(&mut [0]) {
            Ok(()) => Err(FrameError::TrailingBytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(FrameError::Read(error)),
        }
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
