//! Opening: header, body and announcement in, plaintext out, a few frames in memory, on all cores.
//!
//! Source: AWS Encryption SDK specification, client-apis/decrypt.md, and DESIGN: a record is good only if it is the one its
//! uploader announced. Plaintext is written frame by frame, each after its tag was verified; but it is *released* only by `Ok`, after the last frame, the
//! length and the roots were checked too. Callers write to a temporary file and rename it.

use std::io::{self, Read, Write};

use subtle::ConstantTimeEq;

use crate::aead::Refused;
use crate::announcement::{Announcement, AnnouncementError};
use crate::buffer::FrameBuffer;
use crate::digests::{Parts, parts_root};
use crate::frame::{self, FrameAad, FrameError, FrameReader};
use crate::header::{Header, HeaderError, HeaderMismatch};
use crate::header_fields::Context;
use crate::keys::{DataKey, MessageKeys};
use crate::merkle::{self, Hash, Tree};
use crate::pipeline::{self, Jobs, Threads};

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
    /// The range is not one of the announced body.
    #[error("the range is of another announcement")]
    RangeOfAnother,
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
            Self::RangeOfAnother => "range-of-another",
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
pub fn open(opening: &Opening<'_>, body: impl Read + Send, plaintext: impl Write + Send) -> Result<Opened, OpenError> {
    open_on(Threads::available(), opening, body, plaintext)
}

/// [`open`] on so many threads.
pub fn open_on(
    threads: Threads,
    opening: &Opening<'_>,
    body: impl Read + Send,
    plaintext: impl Write + Send,
) -> Result<Opened, OpenError> {
    let (header, keys) = open_header(opening)?;
    let plaintext_bytes = open_body(threads, &keys, opening.announcement, body, plaintext)?;
    Ok(Opened { header, plaintext_bytes })
}

/// Everything that can be known before the body: cheap checks first, the key last.
pub(crate) fn open_header(opening: &Opening<'_>) -> Result<(Header, MessageKeys), OpenError> {
    opening.announcement.check()?;
    let header = Header::parse(opening.header)?;
    header.check_announcement(opening.announcement)?;
    header.check_context(opening.context)?;
    let keys = genuine_keys(opening.key, &header)?;
    Ok((header, keys))
}

/// The message's keys, if the data key is the one committed to and its holder wrote this header.
pub(crate) fn genuine_keys(key: &DataKey, header: &Header) -> Result<MessageKeys, OpenError> {
    let keys = MessageKeys::derive(key, header.message_id())?;
    if !keys.commits_to(header.commitment()) {
        return Err(OpenError::WrongKey);
    }
    if !header.is_genuine(&keys.cipher) {
        return Err(OpenError::HeaderTampered);
    }
    Ok(keys)
}

fn open_body(
    threads: Threads,
    keys: &MessageKeys,
    announced: &Announcement,
    body: impl Read + Send,
    mut plaintext: impl Write + Send,
) -> Result<u64, OpenError> {
    let mut frames = FrameReader::new(body, announced.frame_bytes);
    let (mut parts, mut held) = (Parts::default(), Held::default());
    let jobs = Jobs {
        read: |buffer: &mut FrameBuffer| {
            let goes = frames.read_frame(buffer)?;
            parts.update(buffer.frame());
            Ok(goes)
        },
        work: |buffer: &mut FrameBuffer| {
            buffer.leaf = merkle::leaf(buffer.frame());
            decrypt(keys, &announced.message_id, buffer)
        },
        emit: |buffer: &mut FrameBuffer| {
            held.hold(announced, buffer.leaf, buffer.frame().len(), buffer.content_bytes)?;
            plaintext.write_all(buffer.content()).map_err(OpenError::Write)
        },
    };
    pipeline::run(threads, || FrameBuffer::new(announced.frame_bytes), jobs)?;
    frames.nothing_follows()?;
    plaintext.flush().map_err(OpenError::Write)?;
    held.finish(announced, parts)
}

/// What has come of a body, frame by frame, to be held to its announcement.
#[derive(Default)]
pub(crate) struct Held {
    tree: Tree,
    body_bytes: u64,
    plaintext_bytes: u64,
}

impl Held {
    /// The next frame, which is genuine. A body that is longer than announced ends here.
    pub(crate) fn hold(
        &mut self,
        announced: &Announcement,
        leaf: Hash,
        frame_bytes: usize,
        content_bytes: usize,
    ) -> Result<(), OpenError> {
        self.tree.push(leaf);
        self.body_bytes += frame_bytes as u64;
        self.plaintext_bytes += content_bytes as u64;
        if self.body_bytes > announced.body_bytes { Err(self.wrong_length(announced)) } else { Ok(()) }
    }

    /// After the final frame: whether all of it is what was announced. Gives the plaintext's length.
    pub(crate) fn finish(self, announced: &Announcement, parts: Parts) -> Result<u64, OpenError> {
        if self.body_bytes != announced.body_bytes {
            return Err(self.wrong_length(announced));
        }
        if !bool::from(self.tree.root().ct_eq(&announced.frames_root)) {
            return Err(OpenError::FramesRootMismatch);
        }
        if !bool::from(parts_root(&parts.finish()).ct_eq(&announced.parts_root)) {
            return Err(OpenError::PartsRootMismatch);
        }
        Ok(self.plaintext_bytes)
    }

    fn wrong_length(&self, announced: &Announcement) -> OpenError {
        OpenError::BodyLengthMismatch { announced: announced.body_bytes, found: self.body_bytes }
    }
}

/// Decrypts the frame in the buffer where it lies.
pub(crate) fn decrypt(keys: &MessageKeys, message_id: &[u8; 32], buffer: &mut FrameBuffer) -> Result<(), OpenError> {
    let (iv, aad) = (frame::iv(buffer.sequence), FrameAad::of(message_id, buffer.place()));
    match keys.cipher.open(iv, aad.as_bytes(), buffer.content_and_tag()) {
        Ok(_) => Ok(()),
        Err(Refused) => Err(OpenError::FrameTampered { frame: buffer.sequence }),
    }
}
