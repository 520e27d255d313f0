//! KMS: ciphertexts that open only under the context they were made with, and only unchanged. The keys are constants, so it keeps no secret.

use chartseal_events::{Bytes, Hash};
use zeroize::Zeroizing;

use super::MemoryVault;
use crate::ports::{DataKeyOpener, DataKeyPair, DataKeys, KeyContext, LogKey, SearchKeyVault, StoreError};

const RECORD_KEY_ARN: &str = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000001";
const SEARCH_KEY: &str = "search key";
/// The public key of RFC 8032, section 7.1, test 1.
const LOG_KEY: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72,
    0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

/// nonce(8) || key XOR pad || tag(32)
fn wrap(kms_key: &str, context: &str, nonce: u64, key: &[u8; 32]) -> Vec<u8> {
    let nonce = nonce.to_be_bytes();
    let pad = Hash::of(&[b"pad\0", kms_key.as_bytes(), b"\0", &nonce]);
    let mut wrapped = nonce.to_vec();
    wrapped.extend(key.iter().zip(pad.0).map(|(byte, pad)| byte ^ pad));
    let tag = tag(kms_key, context, &wrapped);
    wrapped.extend(tag.0);
    wrapped
}

fn unwrap(kms_key: &str, context: &str, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
    let damaged = || StoreError::Damaged { what: "a wrapped key, or the context it is opened with".to_owned() };
    let (body, found_tag) = wrapped.split_at_checked(40).ok_or_else(damaged)?;
    if tag(kms_key, context, body).0 != found_tag {
        return Err(damaged());
    }
    let (nonce, masked) = body.split_at(8);
    let pad = Hash::of(&[b"pad\0", kms_key.as_bytes(), b"\0", nonce]);
    let mut key = Zeroizing::new([0; 32]);
    for (byte, (masked, pad)) in key.iter_mut().zip(masked.iter().zip(pad.0)) {
        *byte = masked ^ pad;
    }
    Ok(key)
}

fn tag(kms_key: &str, context: &str, body: &[u8]) -> Hash {
    Hash::of(&[b"tag\0", kms_key.as_bytes(), b"\0", context.as_bytes(), b"\0", body])
}

fn text(context: &KeyContext) -> String {
    format!("tenant={};record={};version={}", context.tenant, context.record, context.version)
}

impl DataKeys for MemoryVault {
    fn key_arn(&self) -> &str {
        RECORD_KEY_ARN
    }

    async fn generate(&self, context: &KeyContext) -> Result<DataKeyPair, StoreError> {
        let mut world = self.world();
        world.wraps += 1;
        // Different each time, and the same in each run of a test.
        let plaintext = Zeroizing::new(Hash::of(&[b"data key\0", &world.wraps.to_be_bytes()]).0);
        let wrapped = wrap(RECORD_KEY_ARN, &text(context), world.wraps, &plaintext);
        Ok(DataKeyPair { plaintext, wrapped })
    }
}

impl DataKeyOpener for MemoryVault {
    fn key_arn(&self) -> &str {
        RECORD_KEY_ARN
    }

    async fn unwrap(&self, context: &KeyContext, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, StoreError> {
        unwrap(RECORD_KEY_ARN, &text(context), wrapped)
    }
}

impl SearchKeyVault for MemoryVault {
    async fn keep(&self, epoch: u32, key: &[u8; 32], public_key: &Bytes<32>) -> Result<Bytes<32>, StoreError> {
        let mut world = self.world();
        world.wraps += 1;
        let nonce = world.wraps;
        let context = format!("epoch={epoch}");
        let kept = world.search_keys.entry(epoch);
        Ok(kept.or_insert_with(|| (wrap(SEARCH_KEY, &context, nonce, key), *public_key)).1)
    }

    async fn open(&self, epoch: u32) -> Result<Option<Zeroizing<[u8; 32]>>, StoreError> {
        let world = self.world();
        let kept = world.search_keys.get(&epoch);
        kept.map(|(kept, _)| unwrap(SEARCH_KEY, &format!("epoch={epoch}"), kept)).transpose()
    }
}

impl LogKey for MemoryVault {
    async fn public_key(&self) -> Result<Bytes<32>, StoreError> {
        Ok(Bytes(LOG_KEY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        let wrapped = wrap("key", "context", 1, &[7; 32]);
        assert_eq!(*unwrap("key", "context", &wrapped).expect("unchanged"), [7; 32]);
        for index in 0..wrapped.len() {
            let mut other = wrapped.clone();
            other[index] ^= 1;
            assert!(unwrap("key", "context", &other).is_err(), "byte {index}");
        }
        for cut in 0..wrapped.len() {
            assert!(unwrap("key", "context", &wrapped[..cut]).is_err(), "cut to {cut}");
        }
    }
}
