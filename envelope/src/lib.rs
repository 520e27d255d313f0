//! The encrypted-record format and the release of its keys.
//!
//! In scope: one format, the AWS Encryption SDK message v2 with suite 0x0478 (AES-256-GCM, HKDF-SHA512, key commitment, no
//! signature), framed, its header detached from its body; the digests a signed announcement carries; and HPKE (RFC 9180),
//! by which a data key reaches one person's wallet. `docs/ENVELOPE.md` describes all of it to the byte.
//!
//! Not in scope: who may have a key (the events crate), where bytes are kept (infra), KMS.
//!
//! The crate is pure: no clock, no network, no async. It reads from [`std::io::Read`] and writes to [`std::io::Write`] with
//! a few frames in memory, whatever the size of the record, and works on frames in parallel. Randomness comes from the operating system through one
//! function.
//!
//! ```
//! use chartseal_envelope::{Context, DataKey, FrameBytes, Opening, Sealing, WrappedKey, open, seal};
//!
//! let key = DataKey::generate()?; // in the vault: KMS GenerateDataKey
//! let context = Context::new("vault.example", "01JDB3YQ7X0000000000000000", 1)?;
//! let wrapped_key = WrappedKey::kms("arn:aws:kms:eu-central-1:111122223333:key/example", b"ciphertext blob")?;
//!
//! let mut body = Vec::new();
//! let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes: FrameBytes::DEFAULT };
//! let sealed = seal(&sealing, &b"a record"[..], &mut body)?;
//!
//! let mut record = Vec::new(); // in the product: a temporary file, renamed only when `open` returns Ok
//! let announcement = sealed.announcement();
//! let opening = Opening { key: &key, header: &sealed.header, context: &context, announcement: &announcement };
//! open(&opening, &body[..], &mut record)?;
//! assert_eq!(record, b"a record");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod aead;
mod announcement;
mod buffer;
mod digests;
mod encoding;
mod entropy;
mod frame;
mod header;
mod header_fields;
mod in_memory;
pub mod key_release;
mod keys;
mod merkle;
mod message;
mod open;
mod pipeline;
mod range;
mod raw_aes;
mod seal;

pub use announcement::{Announcement, AnnouncementError, MeasuredBody};
pub use digests::{MAX_PARTS, PART_BYTES, parts_root};
pub use entropy::EntropyError;
pub use frame::{
    FRAME_OVERHEAD_BYTES, FrameBytes, FrameBytesError, FrameError, MAX_FRAME_BYTES, MIN_FRAME_BYTES, body_bytes,
};
pub use header::{Header, HeaderError, HeaderMismatch, MAX_HEADER_BYTES};
pub use header_fields::{
    Context, ContextError, KMS_PROVIDER_ID, MAX_PROVIDER_ID_BYTES, MAX_PROVIDER_INFO_BYTES, MAX_RECORD_BYTES,
    MAX_TENANT_BYTES, MAX_WRAPPED_KEY_BYTES, WrappedKey, WrappedKeyError,
};
pub use in_memory::{open_into, open_message_into, seal_into, seal_message_into};
pub use keys::{DATA_KEY_BYTES, DataKey, DataKeyError};
pub use message::{MessageError, open_message, open_message_on, write_message};
pub use open::{OpenError, Opened, Opening, open, open_on};
pub use pipeline::Threads;
pub use range::{FrameIndex, FrameRange, FrameRangeError, RangeProof, open_range};
pub use raw_aes::{RawAesError, RawAesKey};
pub use seal::{MAX_BODY_BYTES, SealError, Sealed, Sealing, seal, seal_message, seal_message_on, seal_on};

/// Entry points that only frozen vectors and tests may use: they give up a guarantee that the rest of the crate keeps.
#[doc(hidden)]
pub mod vector_hooks {
    pub use crate::in_memory::seal_into_with_message_id;
    pub use crate::key_release::seal_with_ephemeral as release_with_ephemeral;
    pub use crate::seal::{seal_with_message_id, seal_within};
}

/// Algorithm suite id of every message: AES-256-GCM, HKDF-SHA512, key commitment, no signature.
pub const SUITE: u16 = 0x0478;
