//! Opening: header, body and announcement in, plaintext out, one frame in memory.
//!
//! Source: AWS Encryption SDK specification, client-apis/decrypt.md, and DESIGN: a record is good only if it is the one its
//! uploader announced. Plaintext is written frame by frame, each after its tag was verified; but it is *released* only by `Ok`, after the last frame, the
//! length and the roots were checked too. Callers write to a temporary file and rename it.

use std::io::{self, Read, Write};

use subtle::ConstantTimeEq;

use crate::aead::{Refused, TAG_BYTES};
use crate::announcement::{Announcement, AnnouncementError};
use crate::digests::BodyDigests;
use crate::frame::{self, Frame, FrameError, FrameReader};
use crate::header::{Header, HeaderError, HeaderMismatch};
use crate::header_fields::Context;
use crate::keys::{DataKey, MessageKeys};

/// What to open with, and what to hold the message to.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The data key of this version of the record.
    pub key: &'a DataKey,
    /// The detached header.
    pub header: &'a [u8],
    /// The record and version asked for.
    pub context: &'a Context,
    /// What the uploader signed.
    pub announcement: &'a Announcement,
}

/// What was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The header, now known to be genuine.
    pub header: Header,
    /// Bytes of the plaintext written.
    pub plaintext_bytes: u64,
}

/// Why a message is not good. What was written of the plaintext must be deleted.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The header is not well formed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No message can fulfil the announcement.
    #[error("the announcement is not possible: {0}")]
    Announcement(#[from] AnnouncementError),
    /// The header is not the one announced, or of another record.
    #[error(transparent)]
    Mismatch(#[from] HeaderMismatch),
    /// The message was sealed under another data key.
    #[error("the message was sealed under another key")]
    WrongKey,
    /// The header was changed after it was sealed.
    #[error("the header was changed after it was sealed")]
    HeaderTampered,
    /// The body is not laid out as frames.
    #[error(transparent)]
    Frames(#[from] FrameError),
    /// A frame was changed after it was sealed, or is of another message.
    #[error("frame {frame} was changed after it was sealed, or is of another message")]
    FrameTampered {
        /// The frame, counted from one.
        frame: u32,
    },
    /// The body has another length than announced.
    #[error("the body has {found} bytes or more, but {announced} were announced")]
    BodyLengthMismatch {
        /// Bytes announced.
        announced: u64,
        /// Bytes found until the difference was clear.
        found: u64,
    },
    /// The frames are genuine but are not the ones announced.
    #[error("the frames are not the ones announced")]
    FramesRootMismatch,
    /// The body is not the one whose checksum was announced.
    #[error("the body's checksum is not the one announced")]
    PartsRootMismatch,
    /// The plaintext could not be written.
    #[error("the record could not be written: {0}")]
    Write(#[source] io::Error),
    /// The key could not be prepared.
    #[error("the cipher refused the key")]
    Cipher,
}

impl OpenError {
    /// A stable name of this failure, as the frozen vectors use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Header(error) => error.code(),
            Self::Announcement(error) => error.code(),
            Self::Mismatch(error) => error.code(),
            Self::WrongKey => "wrong-key",
            Self::HeaderTampered => "header-tampered",
            Self::Frames(error) => error.code(),
            Self::FrameTampered { .. } => "frame-tampered",
            Self::BodyLengthMismatch { .. } => "body-length-mismatch",
            Self::FramesRootMismatch => "frames-root-mismatch",
            Self::PartsRootMismatch => "parts-root-mismatch",
            Self::Write(_) => "write-failed",
            Self::Cipher => "cipher-refused",
        }
    }
}

impl From<Refused> for OpenError {
    fn from(_: Refused) -> Self {
        Self::Cipher
    }
}

/// Opens a message and writes its plaintext, which is good only if this returns `Ok`.
pub fn open(opening: &Opening<'_>, body: impl Read, plaintext: impl Write) -> Result<Opened, OpenError> {
    let (header, keys) = open_header(opening)?;
    let plaintext_bytes = open_body(&keys, opening.announcement, body, plaintext)?;
    Ok(Opened { header, plaintext_bytes })
}

/// Everything that can be known before the body: cheap checks first, the key last.
fn open_header(opening: &Opening<'_>) -> Result<(Header, MessageKeys), OpenError> {
    opening.announcement.check()?;
    let header = Header::parse(opening.header)?;
    header.check_announcement(opening.announcement)?;
    header.check_context(opening.context)?;
    let keys = MessageKeys::derive(opening.key, header.message_id())?;
    if !keys.commits_to(header.commitment()) {
        return Err(OpenError::WrongKey);
    }
    if !header.is_genuine(&keys.cipher) {
        return Err(OpenError::HeaderTampered);
    }
    Ok((header, keys))
}

fn open_body(
    keys: &MessageKeys,
    announced: &Announcement,
    body: impl Read,
    mut plaintext: impl Write,
) -> Result<u64, OpenError> {
    let mut frames = FrameReader::new(body, announced.frame_bytes);
    let mut digests = BodyDigests::default();
    let mut plaintext_bytes = 0;
    while let Some(frame) = frames.next_frame()? {
        digests.add_frame(frame.head, frame.content_and_tag);
        let content = open_frame(keys, &announced.message_id, frame)?;
        let found = digests.body_bytes();
        if found > announced.body_bytes {
            return Err(OpenError::BodyLengthMismatch { announced: announced.body_bytes, found });
        }
        plaintext.write_all(content).map_err(OpenError::Write)?;
        plaintext_bytes += content.len() as u64;
    }
    plaintext.flush().map_err(OpenError::Write)?;
    let digests = digests.finish();
    if digests.body_bytes != announced.body_bytes {
        return Err(OpenError::BodyLengthMismatch { announced: announced.body_bytes, found: digests.body_bytes });
    }
    if !bool::from(digests.frames_root.ct_eq(&announced.frames_root)) {
        return Err(OpenError::FramesRootMismatch);
    }
    if !bool::from(digests.parts_root().ct_eq(&announced.parts_root)) {
        return Err(OpenError::PartsRootMismatch);
    }
    Ok(plaintext_bytes)
}

fn open_frame<'a>(keys: &MessageKeys, message_id: &[u8; 32], frame: Frame<'a>) -> Result<&'a [u8], OpenError> {
    let Frame { sequence, is_final, content_and_tag, .. } = frame;
    let aad = frame::aad(message_id, is_final, sequence, content_and_tag.len() - TAG_BYTES);
    match keys.cipher.open(frame::iv(sequence), &aad, content_and_tag) {
        Ok(content) => Ok(content),
        Err(Refused) => Err(OpenError::FrameTampered { frame: sequence }),
    }
}
