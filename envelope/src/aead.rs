//! The one place that knows which library does AES-256-GCM and HKDF-SHA512.
//!
//! Another provider replaces this file and nothing else; the frozen vectors say whether it computes the same bytes.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf;

/// Bytes of an AES-256-GCM initialisation vector.
pub(crate) const IV_BYTES: usize = 12;
/// Bytes of an AES-256-GCM authentication tag.
pub(crate) const TAG_BYTES: usize = 16;

/// The provider refused. It does not say why, and neither do we.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// An AES-256-GCM key, ready to use.
pub(crate) struct Cipher(LessSafeKey);

impl Cipher {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Refused> {
        UnboundKey::new(&AES_256_GCM, key).map(|key| Self(LessSafeKey::new(key))).map_err(|_| Refused)
    }

    /// Encrypts `content` in place and returns its tag. The caller answers for never repeating an IV.
    pub(crate) fn seal(&self, iv: [u8; IV_BYTES], aad: &[u8], content: &mut [u8]) -> Result<[u8; TAG_BYTES], Refused> {
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(aad), content).map_err(|_| Refused)?;
        tag.as_ref().try_into().map_err(|_| Refused)
    }

    /// Decrypts `content || tag` in place and returns the plaintext, or `Refused` when either was touched.
    pub(crate) fn open<'a>(
        &self,
        iv: [u8; IV_BYTES],
        aad: &[u8],
        content_and_tag: &'a mut [u8],
    ) -> Result<&'a mut [u8], Refused> {
        let nonce = Nonce::assume_unique_for_key(iv);
        self.0.open_in_place(nonce, Aad::from(aad), content_and_tag).map_err(|_| Refused)
    }

    /// Encrypts `plaintext` into `content`, which is as long, and writes the tag. The caller answers for never repeating an IV.
    pub(crate) fn seal_into(
        &self,
        iv: [u8; IV_BYTES],
        aad: &[u8],
        plaintext: &[u8],
        content: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = Nonce::assume_unique_for_key(iv);
        self.0.seal_out_of_place_scatter(nonce, Aad::from(aad), plaintext, content, &[], tag).map_err(|_| Refused)
    }

    /// Decrypts `content` into `plaintext`, which is as long. After `Refused` nobody vouches for what is in it.
    pub(crate) fn open_into(
        &self,
        iv: [u8; IV_BYTES],
        aad: &[u8],
        content: &[u8],
        tag: &[u8; TAG_BYTES],
        plaintext: &mut [u8],
    ) -> Result<(), Refused> {
        let nonce = Nonce::assume_unique_for_key(iv);
        self.0.open_separate_gather(nonce, Aad::from(aad), content, tag, plaintext).map_err(|_| Refused)
    }
}

/// HKDF-SHA512 (RFC 5869): one extraction, any number of expansions to 32 bytes.
pub(crate) struct Kdf(hkdf::Prk);

impl Kdf {
    pub(crate) fn extract(salt: &[u8], input_key: &[u8]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA512, salt).extract(input_key))
    }

    pub(crate) fn expand(&self, info: &[&[u8]], output: &mut [u8; 32]) -> Result<(), Refused> {
        self.0.expand(info, ThirtyTwo).and_then(|material| material.fill(output)).map_err(|_| Refused)
    }
}

struct ThirtyTwo;

impl hkdf::KeyType for ThirtyTwo {
    fn len(&self) -> usize {
        32
    }
}
