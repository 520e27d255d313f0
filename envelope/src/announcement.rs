//! The announcement: what an uploader signs of a message before uploading it, and what a reader holds the message to.
//!
//! A header says which record it belongs to, but whoever holds the data key could write another. What binds a body to its
//! record is this set of values inside a signed event.

use std::io::Read;

use crate::SUITE;
use crate::buffer::FrameBuffer;
use crate::digests::{Parts, parts_root};
use crate::encoding;
use crate::frame::{self, FrameBytes, FrameError, FrameReader};
use crate::header::Header;
use crate::merkle::{self, Tree};
use crate::pipeline::{self, Jobs, Threads};
use crate::seal::MAX_BODY_BYTES;

/// The values of a message that its uploader signs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// Algorithm suite; only [`SUITE`] is accepted. JSON: `"0478"`.
    #[serde(with = "encoding::suite")]
    pub suite: u16,
    /// The message id in the header. JSON: base64url.
    #[serde(with = "encoding::base64url")]
    pub message_id: [u8; 32],
    /// The key commitment in the header. JSON: base64url.
    #[serde(with = "encoding::base64url")]
    pub commitment: [u8; 32],
    /// Plaintext bytes of each frame but the last.
    pub frame_bytes: FrameBytes,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// RFC 6962 tree root over the frames as they stand in the body. JSON: hexadecimal.
    #[serde(with = "encoding::hex32")]
    pub frames_root: [u8; 32],
    /// The SHA-256 checksum that S3 states of the stored body, see [`crate::parts_root`]. JSON: hexadecimal.
    #[serde(with = "encoding::hex32")]
    pub parts_root: [u8; 32],
}

/// What a body's bytes come to: to be held against its announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasuredBody {
    /// Its bytes.
    pub body_bytes: u64,
    /// RFC 6962 tree root over its frames.
    pub frames_root: [u8; 32],
    /// The SHA-256 checksum that S3 would state of it.
    pub parts_root: [u8; 32],
}

/// An announcement that no message can fulfil.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnnouncementError {
    /// Another suite than the vault's one.
    #[error("algorithm suite {found:#06x} is not supported, only {SUITE:#06x}")]
    Suite {
        /// The suite announced.
        found: u16,
    },
    /// More than an upload can carry.
    #[error("a body of {found} bytes is too large, the limit is {MAX_BODY_BYTES}")]
    BodyTooLarge {
        /// The length announced.
        found: u64,
    },
    /// No body of such frames has this length.
    #[error("no body of such frames has {found} bytes")]
    ImpossibleLength {
        /// The length announced.
        found: u64,
    },
}

impl AnnouncementError {
    /// A stable name of this failure, as the frozen vectors use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Suite { .. } => "announced-suite",
            Self::BodyTooLarge { .. } => "announced-body-too-large",
            Self::ImpossibleLength { .. } => "announced-impossible-length",
        }
    }
}

impl Announcement {
    /// Whether a message can fulfil this announcement at all.
    pub fn check(&self) -> Result<(), AnnouncementError> {
        if self.suite != SUITE {
            return Err(AnnouncementError::Suite { found: self.suite });
        }
        if self.body_bytes > MAX_BODY_BYTES {
            return Err(AnnouncementError::BodyTooLarge { found: self.body_bytes });
        }
        if self.plaintext_bytes().is_none() {
            return Err(AnnouncementError::ImpossibleLength { found: self.body_bytes });
        }
        Ok(())
    }

    /// Plaintext bytes of the announced body, or None if no body has the announced length.
    pub fn plaintext_bytes(&self) -> Option<u64> {
        frame::plaintext_bytes(self.body_bytes, self.frame_bytes)
    }

    /// How many frames the announced body has, or None if no body has the announced length.
    pub fn frames(&self) -> Option<u64> {
        self.plaintext_bytes().map(|_| frame::frame_count(self.body_bytes, self.frame_bytes))
    }

    /// Measures a message without any key: what its announcement must say. It says nothing about who wrote the message.
    ///
    /// `frame_bytes` is the header's frame length, which the caller has put within limits.
    pub fn measure(header: &Header, frame_bytes: FrameBytes, body: impl Read + Send) -> Result<Self, FrameError> {
        let MeasuredBody { body_bytes, frames_root, parts_root } = MeasuredBody::of(frame_bytes, body)?;
        Ok(Self {
            suite: SUITE,
            message_id: *header.message_id(),
            commitment: *header.commitment(),
            frame_bytes,
            body_bytes,
            frames_root,
            parts_root,
        })
    }
}

impl MeasuredBody {
    /// Measures a body, whoever wrote it; its frames are not opened.
    pub fn of(frame_bytes: FrameBytes, body: impl Read + Send) -> Result<Self, FrameError> {
        let mut frames = FrameReader::new(body, frame_bytes);
        let (mut parts, mut tree, mut body_bytes) = (Parts::default(), Tree::default(), 0);
        let jobs = Jobs {
            read: |buffer: &mut FrameBuffer| {
                let goes = frames.read_frame(buffer)?;
                parts.update(buffer.frame());
                Ok(goes)
            },
            work: |buffer: &mut FrameBuffer| {
                buffer.leaf = merkle::leaf(buffer.frame());
                Ok(())
            },
            emit: |buffer: &mut FrameBuffer| {
                tree.push(buffer.leaf);
                body_bytes += buffer.frame().len() as u64;
                Ok(())
            },
        };
        pipeline::run(Threads::available(), || FrameBuffer::new(frame_bytes), jobs)?;
        frames.nothing_follows()?;
        Ok(Self { body_bytes, frames_root: tree.root(), parts_root: parts_root(&parts.finish()) })
    }
}
