//! Whole messages, and that the number of threads changes nothing.

use std::io;

use chartseal_envelope::{
    Context, DataKey, FrameBytes, Header, MAX_HEADER_BYTES, MessageError, Opening, RawAesError, RawAesKey, Sealing,
    Threads, WrappedKey, open_message, open_message_on, open_on, seal_message, seal_message_on, seal_on,
};

fn plaintext() -> Vec<u8> {
    (0..1_000_003_u32).map(|i| (i % 251) as u8).collect()
}

#[test]
fn any_number_of_threads_seals_and_opens_the_same() {
    let (key, context) = (DataKey::from_bytes([5; 32]), Context::new("t", "r", 1).unwrap());
    let wrapped_key = WrappedKey::kms("arn", b"wrapped").unwrap();
    let frame_bytes = FrameBytes::try_from(65_536).unwrap();
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes };
    for sealers in [1, 2, 3, 8] {
        let mut body = Vec::new();
        let sealed = seal_on(Threads::new(sealers), &sealing, &plaintext()[..], &mut body).unwrap();
        let announcement = sealed.announcement();
        let opening = Opening { key: &key, header: &sealed.header, context: &context, announcement: &announcement };
        for openers in [1, 2, 3, 8] {
            let mut out = Vec::new();
            open_on(Threads::new(openers), &opening, &body[..], &mut out).unwrap();
            assert!(out == plaintext(), "{sealers} sealed, {openers} opened");
            let mut tampered = body.clone();
            tampered[9 * 65_568 + 100] ^= 1;
            let mut out = Vec::new();
            let error = open_on(Threads::new(openers), &opening, &tampered[..], &mut out).unwrap_err();
            assert_eq!(error.code(), "frame-tampered");
            assert!(out == plaintext()[..9 * 65_536], "exactly what came before");
        }
    }
}

#[test]
fn an_exported_message_opens_with_the_wrapping_key_alone() {
    let mine = RawAesKey::new("hospital", "export", [7; 32]).unwrap();
    let (key, context) = (DataKey::generate().unwrap(), Context::new("t", "r", 1).unwrap());
    let wrapped_key = mine.wrap(&key, &context).unwrap();
    let frame_bytes = FrameBytes::try_from(65_536).unwrap();
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes };
    for threads in [Threads::ONE, Threads::new(2)] {
        let mut message = Vec::new();
        let written = seal_message_on(threads, &sealing, &plaintext()[..], &mut message).unwrap();
        assert_eq!(written, message.len() as u64);
        let unwrap = |header: &Header| mine.unwrap(header.wrapped_key(), header.context());
        let mut out = Vec::new();
        let opened = open_message_on(threads, &message[..], unwrap, &mut out).unwrap();
        assert_eq!((opened.plaintext_bytes, opened.header.context()), (out.len() as u64, &context));
        assert!(out == plaintext());
    }
}

#[test]
fn a_message_that_is_not_good_says_why() {
    let (key, context) = (DataKey::from_bytes([5; 32]), Context::new("t", "r", 1).unwrap());
    let wrapped_key = WrappedKey::kms("arn", b"wrapped").unwrap();
    let frame_bytes = FrameBytes::beyond_vault_limits(64);
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes };
    let mut message = Vec::new();
    seal_message(&sealing, &[1; 150][..], &mut message).unwrap();
    let code = |message: &[u8], with: [u8; 32]| {
        let opened = open_message(message, |_| Ok::<_, RawAesError>(DataKey::from_bytes(with)), io::sink());
        match opened.expect_err("not good") {
            MessageError::Open(error) => error.code(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(code(&message, [6; 32]), "wrong-key");
    assert_eq!(code(&message[..message.len() - 1], [5; 32]), "truncated");
    assert_eq!(code(&[&message[..], &[0]].concat(), [5; 32]), "trailing-bytes");
    assert_eq!(code(&message[..100], [5; 32]), "header-truncated");
    assert_eq!(code(&[], [5; 32]), "header-truncated");
    let mut changed = message.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(code(&changed, [5; 32]), "frame-tampered");
    // A context that claims to be longer than any header may be.
    let mut endless = message[..35].to_vec();
    endless.extend([0xff; 2]);
    endless.extend([0; 2 * MAX_HEADER_BYTES]);
    assert_eq!(code(&endless, [5; 32]), "header-too-long");
    let refused = open_message(&message[..], |_| Err(RawAesError::NotThisKey), io::sink());
    assert!(matches!(refused, Err(MessageError::Key(RawAesError::NotThisKey))));
}
