//! Wrapped keys that were tampered with: refused as damaged wherever one bit differs, by KMS itself.
//!
//! AWS: KMS wraps with AES-256-GCM ("AES-GCM" in "Cryptography essentials", AWS KMS Developer Guide), and `Decrypt` refuses what is not its own
//! (`InvalidCiphertextException`) or another key's (`IncorrectKeyException`; "Decrypt", AWS KMS API Reference). winterbaume does, too. The
//! emulator does not: there the hash in the log has to tell (`issue-key`, `tests/stories/mischief.rs`).

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use chartseal_events::Bytes;
use chartseal_infra::aws::{KmsDataKeyOpener, KmsDataKeys, ServiceFailure};
use chartseal_infra::ports::{
    DataKeyOpener as _, DataKeyPair, DataKeys as _, KeyContext, SearchKeyVault as _, StoreError,
};

use super::symmetric_key;
use super::{Opinion, on};
use crate::subject::{Subject as _, id};

/// Most bytes that KMS looks at ("Decrypt", AWS KMS API Reference: `CiphertextBlob`).
const MAX_CIPHERTEXT_BYTES: usize = 6_144;

on! {
    a_wrapped_key_with_any_bit_flipped_is_damaged: second;
    a_wrapped_key_of_another_length_is_damaged: second, emulator;
    another_keys_ciphertext_is_damaged: second;
    a_search_key_with_any_byte_changed_is_damaged: second;
    a_key_that_may_not_be_used_is_unavailable: second, emulator;
    a_tampered_wrapped_key_opens_to_noise: emulator;
}

fn context() -> KeyContext {
    KeyContext { tenant: "vault.example".to_owned(), record: id(1), version: 1 }
}

async fn pair(opinion: &Opinion) -> DataKeyPair {
    opinion.keys().generate(&context()).await.expect("a data key")
}

async fn assert_damaged(opener: &KmsDataKeyOpener, wrapped: &[u8], what: &str) {
    let answer = opener.unwrap(&context(), wrapped).await;
    assert!(matches!(answer, Err(StoreError::Damaged { .. })), "{what}: {answer:?}");
}

async fn a_wrapped_key_with_any_bit_flipped_is_damaged(opinion: &Opinion) {
    let sound = pair(opinion).await;
    for bit in 0..sound.wrapped.len() * 8 {
        let mut flipped = sound.wrapped.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_damaged(opinion.opener(), &flipped, &format!("bit {bit}")).await;
    }
    assert_eq!(*opinion.opener().unwrap(&context(), &sound.wrapped).await.expect("untouched"), *sound.plaintext);
}

async fn a_wrapped_key_of_another_length_is_damaged(opinion: &Opinion) {
    let wrapped = pair(opinion).await.wrapped;
    for bytes in 0..wrapped.len() {
        assert_damaged(opinion.opener(), &wrapped[..bytes], &format!("cut to {bytes} bytes")).await;
    }
    for bytes in [wrapped.len() + 1, wrapped.len() + 16, MAX_CIPHERTEXT_BYTES, MAX_CIPHERTEXT_BYTES + 1, 100_000] {
        let mut longer = wrapped.clone();
        longer.resize(bytes, 0);
        assert_damaged(opinion.opener(), &longer, &format!("{bytes} bytes")).await;
    }
    let doubled = [wrapped.as_slice(), &wrapped].concat();
    assert_damaged(opinion.opener(), &doubled, "twice").await;
}

async fn another_keys_ciphertext_is_damaged(opinion: &Opinion) {
    let kms = aws_sdk_kms::Client::new(&opinion.kms_config);
    let other = symmetric_key(&kms).await;
    let wrapped = KmsDataKeys::new(&opinion.kms_config, &other).generate(&context()).await.expect("a data key").wrapped;
    // By `IncorrectKeyException`: the ciphertext is sound.
    assert_damaged(opinion.opener(), &wrapped, "another key's").await;
    KmsDataKeyOpener::new(&opinion.kms_config, other).unwrap(&context(), &wrapped).await.expect("its own");
}

async fn a_search_key_with_any_byte_changed_is_damaged(opinion: &Opinion) {
    let (vault, tables) = (opinion.search_keys(), opinion.client());
    vault.keep(1, &[1; 32], &Bytes([11; 32])).await.expect("keeps");
    vault.keep(2, &[2; 32], &Bytes([12; 32])).await.expect("keeps");
    let key = |epoch: u32| ("epoch", AttributeValue::N(epoch.to_string()));
    let stored = async |epoch: u32| {
        let (name, value) = key(epoch);
        let answer = tables.get_item().table_name(&opinion.search_table).key(name, value).send().await.expect("reads");
        let item = answer.item.expect("kept above");
        item["wrapped"].as_b().expect("bytes").as_ref().to_vec()
    };
    let replace = async |wrapped: Vec<u8>| {
        let (name, value) = key(1);
        let put = tables.put_item().table_name(&opinion.search_table).item(name, value);
        let put = put.item("public", AttributeValue::B(Blob::new([11; 32])));
        put.item("wrapped", AttributeValue::B(Blob::new(wrapped))).send().await.expect("writes");
    };
    let (first, second) = (stored(1).await, stored(2).await);
    for byte in 0..first.len() {
        let mut wrapped = first.clone();
        wrapped[byte] ^= 0x80;
        replace(wrapped).await;
        let opened = vault.open(1).await;
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "byte {byte}: {opened:?}");
    }
    // Another epoch's is sound, but not here.
    replace(second).await;
    assert!(matches!(vault.open(1).await, Err(StoreError::Damaged { .. })));
    replace(first).await;
    assert_eq!(vault.open(1).await.expect("opens").as_deref(), Some(&[1; 32]));
}

/// The code that KMS gave.
fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Unavailable { service: "KMS", source }) => {
            source.downcast::<ServiceFailure>().expect("what KMS said").code
        }
        other => panic!("{other:?}"),
    }
}

async fn a_key_that_may_not_be_used_is_unavailable(opinion: &Opinion) {
    let wrapped = pair(opinion).await.wrapped;
    let kms = aws_sdk_kms::Client::new(&opinion.kms_config);
    let arn = opinion.keys().key_arn();
    kms.disable_key().key_id(arn).send().await.expect("disabled");
    assert_eq!(unavailable(opinion.opener().unwrap(&context(), &wrapped).await), "DisabledException");
    assert_eq!(unavailable(opinion.keys().generate(&context()).await.map(|_| ())), "DisabledException");
    kms.enable_key().key_id(arn).send().await.expect("enabled");
    opinion.opener().unwrap(&context(), &wrapped).await.expect("opens again");
    kms.schedule_key_deletion().key_id(arn).pending_window_in_days(7).send().await.expect("scheduled");
    assert_eq!(unavailable(opinion.opener().unwrap(&context(), &wrapped).await), "KMSInvalidStateException");
}

/// What infra/local/README.md says of the emulator. Where this fails, it has learnt: say so there, and name it with the tests above.
async fn a_tampered_wrapped_key_opens_to_noise(opinion: &Opinion) {
    let pair = pair(opinion).await;
    let mut wrapped = pair.wrapped.clone();
    *wrapped.last_mut().expect("bytes") ^= 1;
    let opened = opinion.opener().unwrap(&context(), &wrapped).await.expect("the emulator looks at the context alone");
    assert_ne!(*opened, *pair.plaintext);
    let kms = aws_sdk_kms::Client::new(&opinion.kms_config);
    let other = KmsDataKeys::new(&opinion.kms_config, symmetric_key(&kms).await);
    let others = other.generate(&context()).await.expect("a data key");
    let opened = opinion.opener().unwrap(&context(), &others.wrapped).await.expect("nor does it look whose it is");
    assert_ne!(*opened, *others.plaintext);
}
