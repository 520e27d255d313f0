//! Data keys as the SDKs' raw AES keyring wraps them.
//!
//! Source: AWS Encryption SDK specification, framework/raw-aes-keyring.md: AES-256-GCM with the serialized encryption context as AAD; the provider's
//! information is key name || tag length in bits || IV length || IV.

use chartseal_envelope::{Context, DataKey, Header, WrappedKey};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::Error;

/// The key under which data keys are wrapped here. It protects nothing.
pub const WRAPPING_KEY: [u8; 32] = [0x57; 32];
/// The keyring's namespace, which is the key provider's id.
pub const NAMESPACE: &str = "chartseal-interop";
/// The key's name.
pub const NAME: &str = "interop";

/// Key name, tag length in bits, IV length.
fn info_before_iv() -> Vec<u8> {
    [NAME.as_bytes(), &128_u32.to_be_bytes(), &12_u32.to_be_bytes()].concat()
}

fn cipher() -> LessSafeKey {
    // Unwrap safety: the key has the cipher's size.
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &WRAPPING_KEY).expect("32 bytes"))
}

/// The encryption context as the specification serializes it.
fn serialized(context: &Context) -> Vec<u8> {
    let mut bytes = 3_u16.to_be_bytes().to_vec();
    for (name, value) in context.pairs() {
        for text in [name.as_bytes(), value.as_bytes()] {
            // Unwrap safety: a context's texts are short.
            bytes.extend(u16::try_from(text.len()).expect("a short text").to_be_bytes());
            bytes.extend(text);
        }
    }
    bytes
}

/// Wraps a data key. The IV may be fixed: nothing is secret here.
pub fn wrap(key: &DataKey, context: &Context) -> WrappedKey {
    let iv = [0x2e; 12];
    let mut wrapped = key.expose().to_vec();
    let aad = Aad::from(serialized(context));
    // Unwrap safety: 32 bytes are far below the cipher's limit, and all lengths are within a header's.
    cipher().seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), aad, &mut wrapped).expect("short");
    WrappedKey::of(NAMESPACE, &[info_before_iv(), iv.to_vec()].concat(), &wrapped).expect("short fields")
}

/// Unwraps the data key in a header.
pub fn unwrap(header: &Header, context: &Context) -> Result<DataKey, Error> {
    let wrapped = header.wrapped_key();
    let iv = wrapped.provider_info().strip_prefix(info_before_iv().as_slice()).ok_or(Error::Unwrap)?;
    let nonce = Nonce::try_assume_unique_for_key(iv).map_err(|_| Error::Unwrap)?;
    let mut bytes = wrapped.ciphertext().to_vec();
    let aad = Aad::from(serialized(context));
    let key = cipher().open_in_place(nonce, aad, &mut bytes).map_err(|_| Error::Unwrap)?;
    if wrapped.provider_id() != NAMESPACE {
        return Err(Error::Unwrap);
    }
    DataKey::from_slice(key).map_err(|_| Error::Unwrap)
}
