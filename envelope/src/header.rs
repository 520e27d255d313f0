//! The header: what must be known before a body can be read. It is kept apart from the body.
//!
//! Source: AWS Encryption SDK specification, data-format/message-header.md, version 2. Reading is strict: one suite, framed content, the three
//! context pairs of the vault in order, one encrypted data key, no bytes left over. So a header has one spelling, and a check of its
//! fields needs no key; the key is needed to know that nobody else wrote it, which is [`crate::open`]'s business.

use subtle::ConstantTimeEq;

use crate::aead::{Cipher, IV_BYTES, Refused, TAG_BYTES};
use crate::frame::MAX_FRAME_BYTES;
use crate::header_fields::{
    Context, ContextError, MAX_PROVIDER_ID_BYTES, MAX_PROVIDER_INFO_BYTES, MAX_WRAPPED_KEY_BYTES, WrappedKey,
    WrappedKeyError,
};
use crate::keys::MessageKeys;
use crate::{Announcement, SUITE};

/// Most bytes of a header: all fields at their limits stay below it.
pub const MAX_HEADER_BYTES: usize = 4096;

const FORMAT_VERSION: u8 = 2;
const CONTENT_FRAMED: u8 = 2;
/// The header's tag uses the IV of zeros, which no frame has: frames count from one.
const HEADER_IV: [u8; IV_BYTES] = [0; IV_BYTES];

/// A header that was read and is well formed. Whether it is genuine is for [`crate::open`] to say, which has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    bytes: Vec<u8>,
    message_id: [u8; 32],
    context: Context,
    wrapped_key: WrappedKey,
    frame_bytes: u32,
    commitment: [u8; 32],
}

/// Bytes that are no header of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// More than [`MAX_HEADER_BYTES`].
    #[error("the header is longer than {MAX_HEADER_BYTES} bytes")]
    TooLong,
    /// A field continues past the end.
    #[error("the header ends in the middle of a field")]
    Truncated,
    /// Something follows the tag.
    #[error("{extra} bytes follow the header")]
    TrailingBytes {
        /// How many bytes too many.
        extra: usize,
    },
    /// Not message format version 2.
    #[error("message format version {found} is not supported, only {FORMAT_VERSION}")]
    FormatVersion {
        /// The version found.
        found: u8,
    },
    /// Not the one suite of the vault.
    #[error("algorithm suite {found:#06x} is not supported, only {SUITE:#06x}")]
    Suite {
        /// The suite found.
        found: u16,
    },
    /// Not exactly record, tenant and version, in this order.
    #[error("the encryption context is not exactly record, tenant and version, in this order")]
    ContextPairs,
    /// A context value that is not allowed.
    #[error("the encryption context has a bad value: {0}")]
    Context(#[from] ContextError),
    /// Not exactly one encrypted data key.
    #[error("the header has {found} encrypted data keys, not one")]
    KeyCount {
        /// How many there are.
        found: u16,
    },
    /// An encrypted data key that is not allowed.
    #[error("the encrypted data key is not allowed: {0}")]
    WrappedKey(#[from] WrappedKeyError),
    /// A name that is not UTF-8.
    #[error("a name in the header is not UTF-8")]
    NotText,
    /// Not framed content.
    #[error("content type {found} is not supported, only framed content ({CONTENT_FRAMED})")]
    ContentType {
        /// The content type found.
        found: u8,
    },
    /// Zero, or more than a reader will hold in memory.
    #[error("frames of {found} bytes are not supported, only 1 to {MAX_FRAME_BYTES}")]
    FrameBytes {
        /// The frame length found.
        found: u32,
    },
}

/// A well-formed header that is not the one expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderMismatch {
    /// The message id is not the one announced: this is another message.
    #[error("the header is of another message than the one announced")]
    WrongMessage,
    /// The key commitment is not the one announced.
    #[error("the header commits to another key than the announcement")]
    CommitmentMismatch,
    /// The frame length is not the one announced.
    #[error("the header has another frame length than the announcement")]
    WrongFrameBytes,
    /// The encryption context names another tenant, record or version.
    #[error("the header is of another record or version")]
    WrongContext,
    /// The encrypted data key is not the one that belongs to this version of the record.
    #[error("the header carries another encrypted data key")]
    WrongWrappedKey,
}

impl HeaderError {
    /// A stable name of this failure, as the frozen vectors use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "header-too-long",
            Self::Truncated => "header-truncated",
            Self::TrailingBytes { .. } => "header-trailing-bytes",
            Self::FormatVersion { .. } => "header-format-version",
            Self::Suite { .. } => "header-suite",
            Self::ContextPairs => "header-context-pairs",
            Self::Context(_) => "header-context-value",
            Self::KeyCount { .. } => "header-key-count",
            Self::WrappedKey(_) => "header-wrapped-key",
            Self::NotText => "header-not-text",
            Self::ContentType { .. } => "header-content-type",
            Self::FrameBytes { .. } => "header-frame-bytes",
        }
    }
}

impl HeaderMismatch {
    /// A stable name of this failure, as the frozen vectors use it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::WrongMessage => "wrong-message",
            Self::CommitmentMismatch => "commitment-mismatch",
            Self::WrongFrameBytes => "wrong-frame-bytes",
            Self::WrongContext => "wrong-context",
            Self::WrongWrappedKey => "wrong-wrapped-key",
        }
    }
}

impl Header {
    /// Reads a header that is all of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(HeaderError::TooLong);
        }
        let (header, rest) = Self::parse_prefix(bytes)?;
        if !rest.is_empty() {
            return Err(HeaderError::TrailingBytes { extra: rest.len() });
        }
        Ok(header)
    }

    /// Reads the header at the front of a whole message and returns it with the bytes after it, where the body begins.
    pub fn parse_prefix(message: &[u8]) -> Result<(Self, &[u8]), HeaderError> {
        let mut rest = Cursor(message);
        match rest.array()? {
            [FORMAT_VERSION] => {}
            [found] => return Err(HeaderError::FormatVersion { found }),
        }
        match u16::from_be_bytes(rest.array()?) {
            SUITE => {}
            found => return Err(HeaderError::Suite { found }),
        }
        let message_id = rest.array()?;
        let context = read_context(Cursor(rest.counted()?))?;
        let wrapped_key = read_wrapped_key(&mut rest)?;
        match rest.array()? {
            [CONTENT_FRAMED] => {}
            [found] => return Err(HeaderError::ContentType { found }),
        }
        let frame_bytes = u32::from_be_bytes(rest.array()?);
        if frame_bytes == 0 || frame_bytes > MAX_FRAME_BYTES {
            return Err(HeaderError::FrameBytes { found: frame_bytes });
        }
        let commitment = rest.array()?;
        rest.take(TAG_BYTES)?;
        let length = message.len() - rest.0.len();
        // All limits together stay below MAX_HEADER_BYTES, so a header that got here is short enough.
        Ok((
            Self { bytes: message[..length].to_vec(), message_id, context, wrapped_key, frame_bytes, commitment },
            rest.0,
        ))
    }

    /// Writes the header of a new message.
    pub(crate) fn build(
        keys: &MessageKeys,
        message_id: [u8; 32],
        context: &Context,
        wrapped_key: &WrappedKey,
        frame_bytes: u32,
    ) -> Result<Self, Refused> {
        let mut bytes = vec![FORMAT_VERSION];
        bytes.extend(SUITE.to_be_bytes());
        bytes.extend(message_id);
        put_counted(&mut bytes, &serialise_pairs(context));
        bytes.extend(1_u16.to_be_bytes());
        put_counted(&mut bytes, wrapped_key.provider_id().as_bytes());
        put_counted(&mut bytes, wrapped_key.provider_info());
        put_counted(&mut bytes, wrapped_key.ciphertext());
        bytes.push(CONTENT_FRAMED);
        bytes.extend(frame_bytes.to_be_bytes());
        bytes.extend(keys.commitment);
        let tag = keys.cipher.seal(HEADER_IV, &bytes, &mut [])?;
        bytes.extend(tag);
        Ok(Self {
            bytes,
            message_id,
            context: context.clone(),
            wrapped_key: wrapped_key.clone(),
            frame_bytes,
            commitment: keys.commitment,
        })
    }

    /// Whether the holder of the key wrote these very bytes.
    pub(crate) fn is_genuine(&self, cipher: &Cipher) -> bool {
        let (body, tag) = self.bytes.split_at(self.bytes.len() - TAG_BYTES);
        cipher.open(HEADER_IV, body, &mut tag.to_vec()).is_ok()
    }

    /// Whether this is the header of the announced message.
    pub fn check_announcement(&self, announcement: &Announcement) -> Result<(), HeaderMismatch> {
        if self.message_id != announcement.message_id {
            return Err(HeaderMismatch::WrongMessage);
        }
        if !bool::from(self.commitment.ct_eq(&announcement.commitment)) {
            return Err(HeaderMismatch::CommitmentMismatch);
        }
        if self.frame_bytes != announcement.frame_bytes.get() {
            return Err(HeaderMismatch::WrongFrameBytes);
        }
        Ok(())
    }

    /// Whether this header names that record and version.
    pub fn check_context(&self, expected: &Context) -> Result<(), HeaderMismatch> {
        if self.context == *expected { Ok(()) } else { Err(HeaderMismatch::WrongContext) }
    }

    /// Whether this header carries that encrypted data key.
    pub fn check_wrapped_key(&self, expected: &WrappedKey) -> Result<(), HeaderMismatch> {
        if self.wrapped_key == *expected { Ok(()) } else { Err(HeaderMismatch::WrongWrappedKey) }
    }

    /// The header's exact bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The algorithm suite; always [`SUITE`].
    pub const fn suite(&self) -> u16 {
        SUITE
    }

    /// The message id: 32 bytes, random for each encryption run.
    pub const fn message_id(&self) -> &[u8; 32] {
        &self.message_id
    }

    /// The encryption context.
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// The encrypted data key.
    pub const fn wrapped_key(&self) -> &WrappedKey {
        &self.wrapped_key
    }

    /// Plaintext bytes of each frame but the last. A header may say any number up to 1 MiB; an announcement of the vault may not.
    pub const fn frame_bytes(&self) -> u32 {
        self.frame_bytes
    }

    /// The commitment to the data key.
    pub const fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }
}

/// The context as a header carries it: how many pairs, then each.
pub(crate) fn serialise_pairs(context: &Context) -> Vec<u8> {
    let mut pairs = 3_u16.to_be_bytes().to_vec();
    for (name, value) in context.pairs() {
        put_counted(&mut pairs, name.as_bytes());
        put_counted(&mut pairs, value.as_bytes());
    }
    pairs
}

fn read_context(mut rest: Cursor<'_>) -> Result<Context, HeaderError> {
    if rest.0.is_empty() || rest.array()? != 3_u16.to_be_bytes() {
        return Err(HeaderError::ContextPairs);
    }
    let mut value_of = |name: &str| {
        if rest.counted()? != name.as_bytes() {
            return Err(HeaderError::ContextPairs);
        }
        std::str::from_utf8(rest.counted()?).map_err(|_| HeaderError::NotText)
    };
    let (record, tenant, version) = (value_of("record")?, value_of("tenant")?, value_of("version")?);
    if !rest.0.is_empty() {
        return Err(HeaderError::ContextPairs);
    }
    Ok(Context::from_text(tenant, record, version)?)
}

fn read_wrapped_key(rest: &mut Cursor<'_>) -> Result<WrappedKey, HeaderError> {
    match u16::from_be_bytes(rest.array()?) {
        1 => {}
        found => return Err(HeaderError::KeyCount { found }),
    }
    let (id, info, ciphertext) = (rest.counted()?, rest.counted()?, rest.counted()?);
    let id = std::str::from_utf8(id).map_err(|_| HeaderError::NotText)?;
    Ok(WrappedKey::of(id, info, ciphertext)?)
}

/// Appends a field behind its length in two bytes.
fn put_counted(bytes: &mut Vec<u8>, field: &[u8]) {
    const { assert!(MAX_PROVIDER_ID_BYTES + MAX_PROVIDER_INFO_BYTES + MAX_WRAPPED_KEY_BYTES < MAX_HEADER_BYTES) };
    // Unwrap safety: contexts and wrapped keys have limits, each far below 65,536 bytes.
    let length = u16::try_from(field.len()).expect("fields are short");
    bytes.extend(length.to_be_bytes());
    bytes.extend(field);
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], HeaderError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(HeaderError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(HeaderError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// A field behind its length in two bytes.
    fn counted(&mut self) -> Result<&'a [u8], HeaderError> {
        let length = u16::from_be_bytes(self.array()?);
        self.take(usize::from(length))
    }
}
