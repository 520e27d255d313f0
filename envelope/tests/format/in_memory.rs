//! From memory into memory: the same as the streaming pipeline and as the naive reference, whatever was in the vector before.

use chartseal_envelope::vector_hooks::{seal_into_with_message_id, seal_with_message_id};
use chartseal_envelope::{
    Context, DataKey, FrameBytes, Header, MAX_HEADER_BYTES, MessageError, Opening, PART_BYTES, RawAesError, Sealing,
    Threads, WrappedKey, open, open_into, open_message, open_message_into, open_on, seal_into, seal_message_into,
};
use proptest::prelude::*;

use crate::reference::{Reference, merkle_root};

struct Case {
    key: DataKey,
    context: Context,
    wrapped_key: WrappedKey,
}

impl Case {
    fn new(key: [u8; 32]) -> Self {
        Self {
            key: DataKey::from_bytes(key),
            context: Context::new("t", "r", 1).unwrap(),
            wrapped_key: WrappedKey::kms("arn", b"wrapped").unwrap(),
        }
    }

    fn sealing(&self, frame_bytes: u32) -> Sealing<'_> {
        let frame_bytes = FrameBytes::beyond_vault_limits(frame_bytes);
        Sealing { key: &self.key, context: &self.context, wrapped_key: &self.wrapped_key, frame_bytes }
    }

    fn key_of(&self) -> impl FnOnce(&Header) -> Result<DataKey, RawAesError> + '_ {
        |_| Ok(self.key.clone())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_reference_and_the_stream(
        key: [u8; 32],
        message_id: [u8; 32],
        frame_bytes in 1_u32..80,
        plaintext in prop::collection::vec(any::<u8>(), 0..400),
        before in prop::collection::vec(any::<u8>(), 0..600),
        threads in 1_usize..4,
    ) {
        let (case, threads) = (Case::new(key), Threads::new(threads));
        let sealing = case.sealing(frame_bytes);
        let mut body = before.clone();
        let sealed = seal_into_with_message_id(threads, &sealing, message_id, &plaintext, &mut body).unwrap();
        let reference = Reference {
            key,
            message_id,
            context: [("record", "r"), ("tenant", "t"), ("version", "1")],
            wrapped_key: [b"aws-kms", b"arn", b"wrapped"],
            frame_bytes: frame_bytes as usize,
        };
        let frames = reference.frames(&plaintext, false);
        prop_assert_eq!(&sealed.header, &reference.header());
        prop_assert_eq!(&body, &frames.concat());
        prop_assert_eq!(sealed.frames_root, merkle_root(&frames));
        let mut streamed = Vec::new();
        prop_assert_eq!(&sealed, &seal_with_message_id(&sealing, message_id, &plaintext[..], &mut streamed).unwrap());

        let announcement = sealed.announcement();
        let opening =
            Opening { key: &case.key, header: &sealed.header, context: &case.context, announcement: &announcement };
        let mut out = before.clone();
        let opened = open_into(threads, &opening, &body, &mut out).unwrap();
        prop_assert_eq!(&out, &plaintext);
        prop_assert_eq!(opened, open(&opening, &body[..], std::io::sink()).unwrap());

        let mut message = before.clone();
        seal_message_into(threads, &sealing, &plaintext, &mut message).unwrap();
        prop_assert_eq!(message.len(), sealed.header.len() + body.len());
        let mut out = before;
        let opened = open_message_into(threads, &message, case.key_of(), &mut out).unwrap();
        prop_assert_eq!(&out, &plaintext);
        prop_assert_eq!(opened, open_message(&message[..], case.key_of(), std::io::sink()).unwrap());
    }

    #[test]
    fn an_empty_final_frame_is_read_too(key: [u8; 32], frame_bytes in 1_u32..80, frames in 1_usize..5, fill: u8) {
        let case = Case::new(key);
        let plaintext = vec![fill; frames * frame_bytes as usize];
        let reference = Reference {
            key,
            message_id: [9; 32],
            context: [("record", "r"), ("tenant", "t"), ("version", "1")],
            wrapped_key: [b"aws-kms", b"arn", b"wrapped"],
            frame_bytes: frame_bytes as usize,
        };
        let message = [reference.header(), reference.frames(&plaintext, true).concat()].concat();
        let mut out = Vec::new();
        open_message_into(Threads::new(2), &message, case.key_of(), &mut out).unwrap();
        prop_assert_eq!(out, plaintext);
    }
}

/// The order of failures is the stream's whatever the number of threads, and nothing stays of what was opened before.
#[test]
fn a_failure_leaves_nothing() {
    let case = Case::new([5; 32]);
    let plaintext: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    let mut body = Vec::new();
    let sealed = seal_into(Threads::new(2), &case.sealing(65_536), &plaintext, &mut body).unwrap();
    let announcement = sealed.announcement();
    let opening =
        Opening { key: &case.key, header: &sealed.header, context: &case.context, announcement: &announcement };
    let stride = 65_568;
    for change in [
        &(|body: &mut Vec<u8>| body[9 * stride + 100] ^= 1) as &dyn Fn(&mut Vec<u8>),
        &|body| {
            // Two things are wrong; the earlier one is told.
            body[12 * stride] ^= 1;
            body[11 * stride + 100] ^= 1;
        },
        &|body| body.truncate(stride * 15),
        &|body| body.push(0),
        &|body| body.clear(),
    ] {
        let mut changed = body.clone();
        change(&mut changed);
        for threads in [1, 2, 3, 8].map(Threads::new) {
            let expected = open_on(threads, &opening, &changed[..], std::io::sink()).unwrap_err();
            let mut out = plaintext.clone();
            let error = open_into(threads, &opening, &changed, &mut out).unwrap_err();
            assert_eq!(error.to_string(), expected.to_string());
            assert!(out.is_empty(), "plaintext stays after {error}");
        }
    }
}

#[test]
fn a_message_fails_as_a_streamed_one() {
    let case = Case::new([5; 32]);
    let mut message = Vec::new();
    seal_message_into(Threads::ONE, &case.sealing(64), &[1; 150], &mut message).unwrap();
    let mut endless = message[..35].to_vec();
    endless.extend([0xff; 2]);
    endless.extend([0; 2 * MAX_HEADER_BYTES]);
    let (cut, longer) = (message[..message.len() - 1].to_vec(), [&message[..], &[0]].concat());
    let last_byte = [&cut[..], &[message.last().unwrap() ^ 1]].concat();
    let failing = [
        (&cut, "truncated"),
        (&longer, "trailing-bytes"),
        (&last_byte, "frame-tampered"),
        (&endless, "header-too-long"),
    ];
    for (bytes, code) in failing {
        let mut out = vec![7; 1000];
        match open_message_into(Threads::new(2), bytes, case.key_of(), &mut out) {
            Err(MessageError::Open(error)) => assert_eq!(error.code(), code),
            other => panic!("{other:?} and not {code}"),
        }
        assert!(out.is_empty());
    }
    let refused = open_message_into(Threads::ONE, &message, |_| Err(RawAesError::NotThisKey), &mut vec![7; 1000]);
    assert!(matches!(refused, Err(MessageError::Key(RawAesError::NotThisKey))));
}

/// A body of several parts: the digests of parts end where S3's parts do.
#[test]
fn several_parts_are_digested_alike() {
    let case = Case::new([5; 32]);
    let plaintext = vec![7; usize::try_from(PART_BYTES).unwrap() + 70_000];
    let sealing = case.sealing(1024 * 1024);
    let (mut body, mut streamed) = (Vec::new(), Vec::new());
    let sealed = seal_into_with_message_id(Threads::new(2), &sealing, [3; 32], &plaintext, &mut body).unwrap();
    assert_eq!(sealed, seal_with_message_id(&sealing, [3; 32], &plaintext[..], &mut streamed).unwrap());
    assert_eq!(sealed.parts.len(), 2);
    assert!(body == streamed);
}
