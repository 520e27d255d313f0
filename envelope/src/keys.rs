//! The data key, and what a message derives from it.
//!
//! Source: AWS Encryption SDK specification, framework/algorithm-suites.md, "Key Derivation" and "Key Commitment"; RFC 5869.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::SUITE;
use crate::aead::{Cipher, Kdf, Refused};
use crate::entropy::{self, EntropyError};

/// Bytes of a data key.
pub const DATA_KEY_BYTES: usize = 32;

/// The secret that one version of one record is encrypted under. Zeroed when dropped, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; DATA_KEY_BYTES]);

/// A data key of the wrong size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a data key has {DATA_KEY_BYTES} bytes, not {found}")]
pub struct DataKeyError {
    /// How many bytes there were.
    pub found: usize,
}

impl DataKey {
    /// A fresh random key. The vault takes its keys from KMS; tests and offline use take them from here.
    pub fn generate() -> Result<Self, EntropyError> {
        let mut key = Self([0; DATA_KEY_BYTES]);
        entropy::fill(&mut key.0)?;
        Ok(key)
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; DATA_KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key with these bytes, as KMS returns them.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, DataKeyError> {
        bytes.try_into().map(Self).map_err(|_| DataKeyError { found: bytes.len() })
    }

    /// The bytes, for a function that must hand them on (KMS, HPKE). Do not store, log or compare them.
    pub const fn expose(&self) -> &[u8; DATA_KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// What one message uses: a cipher of its own, and the commitment that pins it to one data key.
pub(crate) struct MessageKeys {
    pub(crate) cipher: Cipher,
    pub(crate) commitment: [u8; 32],
}

impl MessageKeys {
    /// HKDF-SHA512 with the message id as salt; info is suite id || "DERIVEKEY" for the cipher, "COMMITKEY" for the commitment.
    pub(crate) fn derive(key: &DataKey, message_id: &[u8; 32]) -> Result<Self, Refused> {
        let kdf = Kdf::extract(message_id, key.expose());
        let mut cipher_key = Zeroizing::new([0; 32]);
        kdf.expand(&[&SUITE.to_be_bytes(), b"DERIVEKEY"], &mut cipher_key)?;
        let mut commitment = [0; 32];
        kdf.expand(&[b"COMMITKEY"], &mut commitment)?;
        Ok(Self { cipher: Cipher::new(&cipher_key)?, commitment })
    }

    /// Whether `commitment` is this key's, in time that does not depend on where they differ.
    pub(crate) fn commits_to(&self, commitment: &[u8; 32]) -> bool {
        self.commitment.ct_eq(commitment).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_prints_itself() {
        assert_eq!(format!("{:?}", DataKey::from_bytes([7; 32])), "DataKey(..)");
    }

    #[test]
    fn only_32_bytes_are_a_key() {
        assert_eq!(DataKey::from_slice(&[0; 31]).err(), Some(DataKeyError { found: 31 }));
        assert!(DataKey::from_slice(&[0; 32]).is_ok());
    }

    #[test]
    fn another_message_id_is_another_commitment() {
        let key = DataKey::from_bytes([7; 32]);
        let (one, two) = (MessageKeys::derive(&key, &[1; 32]).unwrap(), MessageKeys::derive(&key, &[2; 32]).unwrap());
        assert!(one.commits_to(&one.commitment));
        assert!(!one.commits_to(&two.commitment));
    }
}
