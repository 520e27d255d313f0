//! Symmetric keys in KMS: data keys and search keys.

use chartseal_events::Bytes;
use chartseal_infra::ports::{DataKeyOpener as _, DataKeys as _, KeyContext, SearchKeyVault as _, StoreError};

use crate::subject::{Subject, id};

pub async fn a_data_key_opens_under_its_own_context_alone(subject: &impl Subject) {
    let context = KeyContext { tenant: "vault.example".to_owned(), record: id(1), version: 1 };
    let pair = subject.keys().generate(&context).await.expect("a data key");
    let again = subject.keys().generate(&context).await.expect("a data key");
    assert_ne!(*pair.plaintext, *again.plaintext, "keys are fresh");
    assert!(subject.keys().key_arn().starts_with("arn:aws:kms:"));
    assert_eq!(*subject.opener().unwrap(&context, &pair.wrapped).await.expect("opens"), *pair.plaintext);

    let others = [
        KeyContext { tenant: "other.example".to_owned(), ..context.clone() },
        KeyContext { record: id(2), ..context.clone() },
        KeyContext { version: 2, ..context.clone() },
    ];
    for other in others {
        let opened = subject.opener().unwrap(&other, &pair.wrapped).await;
        assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{other:?}: {opened:?}");
    }
    let opened = subject.opener().unwrap(&context, b"no ciphertext").await;
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
    // The emulator's ciphertexts are not authenticated: what opens is another key then. (The event's hash of the wrapped key tells.)
    let mut flipped = pair.wrapped.clone();
    *flipped.last_mut().expect("bytes") ^= 1;
    match subject.opener().unwrap(&context, &flipped).await {
        Ok(key) => assert_ne!(*key, *pair.plaintext),
        Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}"),
    }
}

pub async fn the_first_search_key_is_kept(subject: &impl Subject) {
    let vault = subject.search_keys();
    assert!(vault.open(1).await.expect("looks").is_none());
    let public = |byte: u8| Bytes([byte; 32]);
    assert_eq!(vault.keep(1, &[1; 32], &public(11)).await.expect("keeps"), public(11));
    assert_eq!(vault.keep(1, &[2; 32], &public(12)).await.expect("tells of the one that is kept"), public(11));
    assert_eq!(vault.keep(2, &[2; 32], &public(12)).await.expect("keeps"), public(12));
    assert_eq!(vault.open(1).await.expect("opens").as_deref(), Some(&[1; 32]));
    assert_eq!(vault.open(2).await.expect("opens").as_deref(), Some(&[2; 32]));
}
