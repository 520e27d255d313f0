//! The key of what stands in the state folder: only the wallet gives it, so a stolen folder answers no guesses, and a changed one is noticed.

use chartseal_events::Hash;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Bytes of a block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// A key for HMAC-SHA256 (RFC 2104).
pub(super) struct SlotKey(Zeroizing<[u8; 32]>);

impl SlotKey {
    pub(super) fn of(signing_key: &SigningKey) -> Self {
        let secret = Zeroizing::new(signing_key.to_bytes());
        Self(Zeroizing::new(Hash::of(&[b"chartseal/upload-slot/v1\0", &*secret]).0))
    }

    /// The keyed hash of these fields, each with its length; `purpose` keeps hashes of one kind from passing for another.
    pub(super) fn mac(&self, purpose: &str, fields: &[&[u8]]) -> Hash {
        let mut message = Vec::new();
        for field in std::iter::once(&purpose.as_bytes()).chain(fields) {
            message.extend((field.len() as u64).to_be_bytes());
            message.extend(*field);
        }
        hmac(&*self.0, &message)
    }
}

/// HMAC-SHA256 under a key of at most a block.
fn hmac(key: &[u8], message: &[u8]) -> Hash {
    let pad = |mask: u8| {
        let mut block = Zeroizing::new([mask; BLOCK_BYTES]);
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(*pad(0x36)).chain_update(message).finalize();
    Hash(Sha256::new().chain_update(*pad(0x5c)).chain_update(inner).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyed_hash_is_that_of_rfc_4231() {
        let first = hmac(&[0x0b; 20], b"Hi There");
        assert_eq!(first.to_string(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        let second = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(second.to_string(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn fields_and_purposes_do_not_run_into_one_another() {
        let key = SlotKey::of(&SigningKey::from_bytes(&[1; 32]));
        let all =
            [key.mac("a", &[b"b", b"c"]), key.mac("a", &[b"bc"]), key.mac("ab", &[b"c"]), key.mac("b", &[b"b", b"c"])];
        assert!(all.iter().enumerate().all(|(index, one)| !all[..index].contains(one)));
        assert_ne!(SlotKey::of(&SigningKey::from_bytes(&[2; 32])).mac("a", &[b"b", b"c"]), all[0]);
    }
}
