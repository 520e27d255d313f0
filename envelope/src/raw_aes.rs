//! A data key wrapped under a key of the user's own, as the official SDKs' raw AES keyring wraps it: for messages that leave the vault.
//!
//! Source: AWS Encryption SDK specification, framework/raw-aes-keyring.md. AES-256-GCM under the wrapping key, a random IV of 12 bytes, the
//! serialised encryption context as AAD; provider id = the key's namespace; provider information = key name || tag length in bits (4 bytes) || IV
//! length (4 bytes) || IV.

use std::fmt;

use zeroize::Zeroizing;

use crate::aead::{Cipher, IV_BYTES, TAG_BYTES};
use crate::entropy::{self, EntropyError};
use crate::header::serialise_pairs;
use crate::header_fields::{Context, MAX_PROVIDER_ID_BYTES, WrappedKey};
use crate::keys::{DATA_KEY_BYTES, DataKey};

/// Most bytes of a wrapping key's name.
const MAX_NAME_BYTES: usize = 512;
/// Bits of the tag and bytes of the IV, as the provider information states them.
const TAG_AND_IV: [u8; 8] = [0, 0, 0, 128, 0, 0, 0, 12];

/// A wrapping key of 32 bytes with the namespace and the name by which its owner finds it.
pub struct RawAesKey {
    namespace: String,
    name: String,
    key: Zeroizing<[u8; 32]>,
}

/// Why a data key was not wrapped or unwrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RawAesError {
    /// Empty, too long, or the namespace of KMS.
    #[error("the namespace must be 1 to {MAX_PROVIDER_ID_BYTES} bytes and must not begin with aws-kms")]
    Namespace,
    /// Empty or too long.
    #[error("the key's name must be 1 to {MAX_NAME_BYTES} bytes")]
    Name,
    /// No random bytes for the IV.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The wrapped key was made with another wrapping key, or for another message, or was changed.
    #[error("the data key was not wrapped under this key for this record")]
    NotThisKey,
}

impl fmt::Debug for RawAesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawAesKey")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl RawAesKey {
    /// A wrapping key. Namespace and name stand in every message in clear.
    pub fn new(namespace: &str, name: &str, key: [u8; 32]) -> Result<Self, RawAesError> {
        // The specification keeps names that begin with aws-kms for KMS.
        if !(1..=MAX_PROVIDER_ID_BYTES).contains(&namespace.len()) || namespace.starts_with("aws-kms") {
            return Err(RawAesError::Namespace);
        }
        if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
            return Err(RawAesError::Name);
        }
        Ok(Self { namespace: namespace.to_owned(), name: name.to_owned(), key: Zeroizing::new(key) })
    }

    /// Wraps a data key for messages with this context.
    pub fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedKey, RawAesError> {
        let mut iv = [0; IV_BYTES];
        entropy::fill(&mut iv)?;
        let mut wrapped = Zeroizing::new([0; DATA_KEY_BYTES + TAG_BYTES]);
        let (secret, tag_room) = wrapped.split_at_mut(DATA_KEY_BYTES);
        secret.copy_from_slice(key.expose());
        let tag = self.cipher()?.seal(iv, &serialise_pairs(context), secret).map_err(|_| RawAesError::NotThisKey)?;
        tag_room.copy_from_slice(&tag);
        let info = [self.name.as_bytes(), &TAG_AND_IV, &iv].concat();
        WrappedKey::of(&self.namespace, &info, &wrapped[..]).map_err(|_| RawAesError::Name)
    }

    /// Unwraps a data key that was wrapped under this key for messages with this context, by us or by an official SDK.
    pub fn unwrap(&self, wrapped: &WrappedKey, context: &Context) -> Result<DataKey, RawAesError> {
        let iv = self.iv_of(wrapped).ok_or(RawAesError::NotThisKey)?;
        let mut secret = Zeroizing::new(wrapped.ciphertext().to_vec());
        let opened = self.cipher()?.open(iv, &serialise_pairs(context), &mut secret);
        let opened = opened.map_err(|_| RawAesError::NotThisKey)?;
        DataKey::from_slice(opened).map_err(|_| RawAesError::NotThisKey)
    }

    /// The IV, where namespace, name and lengths are this key's.
    fn iv_of(&self, wrapped: &WrappedKey) -> Option<[u8; IV_BYTES]> {
        let info = wrapped.provider_info().strip_prefix(self.name.as_bytes())?.strip_prefix(&TAG_AND_IV)?;
        (wrapped.provider_id() == self.namespace).then_some(info)?.try_into().ok()
    }

    fn cipher(&self) -> Result<Cipher, RawAesError> {
        Cipher::new(&self.key).map_err(|_| RawAesError::NotThisKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(version: u32) -> Context {
        Context::new("vault.example", "R", version).expect("a context")
    }

    #[test]
    fn what_was_wrapped_is_unwrapped_only_by_the_same_key_for_the_same_record() {
        let mine = RawAesKey::new("hospital", "export", [7; 32]).expect("a key");
        let data_key = DataKey::from_bytes([9; 32]);
        let wrapped = mine.wrap(&data_key, &context(1)).expect("wrapped");
        assert_eq!(mine.unwrap(&wrapped, &context(1)).expect("unwrapped").expose(), data_key.expose());
        assert_eq!(mine.unwrap(&wrapped, &context(2)).err(), Some(RawAesError::NotThisKey));
        for other in [("hospital", "export", [8; 32]), ("hospital", "expor", [7; 32]), ("hospita", "export", [7; 32])] {
            let other = RawAesKey::new(other.0, other.1, other.2).expect("a key");
            assert_eq!(other.unwrap(&wrapped, &context(1)).err(), Some(RawAesError::NotThisKey));
        }
        let again = mine.wrap(&data_key, &context(1)).expect("wrapped");
        assert_ne!(wrapped, again, "each wrapping has an IV of its own");
    }

    #[test]
    fn no_changed_byte_unwraps() {
        let mine = RawAesKey::new("hospital", "export", [7; 32]).expect("a key");
        let wrapped = mine.wrap(&DataKey::from_bytes([9; 32]), &context(1)).expect("wrapped");
        let (info, ciphertext) = (wrapped.provider_info(), wrapped.ciphertext());
        for at in 0..info.len() + ciphertext.len() {
            let mut changed = [info, ciphertext].concat();
            changed[at] ^= 1;
            let (info, ciphertext) = changed.split_at(info.len());
            let changed = WrappedKey::of("hospital", info, ciphertext).expect("well formed");
            assert_eq!(mine.unwrap(&changed, &context(1)).err(), Some(RawAesError::NotThisKey), "byte {at}");
        }
    }

    #[test]
    fn names_have_limits_and_the_key_is_never_printed() {
        assert_eq!(RawAesKey::new("", "n", [0; 32]).err(), Some(RawAesError::Namespace));
        assert_eq!(RawAesKey::new("aws-kms", "n", [0; 32]).err(), Some(RawAesError::Namespace));
        assert_eq!(RawAesKey::new("n", "", [0; 32]).err(), Some(RawAesError::Name));
        assert_eq!(RawAesKey::new("n", &"n".repeat(513), [0; 32]).err(), Some(RawAesError::Name));
        let shown = format!("{:?}", RawAesKey::new("hospital", "export", [0xab; 32]).expect("a key"));
        assert!(!shown.contains("171") && !shown.to_lowercase().contains("abab"), "{shown}");
    }
}
