//! Ranges: any range of any message opens to the same bytes as the whole, and nothing else is proven.

use chartseal_envelope::{
    Announcement, Context, DataKey, FrameBytes, FrameIndex, FrameRange, FrameRangeError, Opening, RangeProof, Sealed,
    Sealing, WrappedKey, open_range, seal,
};
use proptest::prelude::*;

struct Message {
    key: DataKey,
    context: Context,
    sealed: Sealed,
    body: Vec<u8>,
}

impl Message {
    fn of(plaintext: &[u8], frame_bytes: u32) -> Self {
        let key = DataKey::from_bytes([3; 32]);
        let context = Context::new("t", "r", 1).unwrap();
        let sealing = Sealing {
            key: &key,
            context: &context,
            wrapped_key: &WrappedKey::kms("arn", b"wrapped").unwrap(),
            frame_bytes: FrameBytes::beyond_vault_limits(frame_bytes),
        };
        let mut body = Vec::new();
        let sealed = seal(&sealing, plaintext, &mut body).unwrap();
        Self { key, context, sealed, body }
    }

    fn index(&self) -> FrameIndex {
        FrameIndex::measure(self.sealed.frame_bytes, &self.body[..]).unwrap()
    }

    fn open(&self, announced: &Announcement, range: &FrameRange, proof: &RangeProof) -> Result<Vec<u8>, &'static str> {
        let opening =
            Opening { key: &self.key, header: &self.sealed.header, context: &self.context, announcement: announced };
        let at = range.body_bytes();
        let frames = &self.body[usize::try_from(at.start).unwrap()..usize::try_from(at.end).unwrap()];
        let mut out = Vec::new();
        open_range(&opening, range, proof, frames, &mut out).map_err(|error| error.code())?;
        Ok(out)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_is_the_same_as_in_the_whole(
        plaintext in prop::collection::vec(any::<u8>(), 1..400),
        frame_bytes in 1_u32..40,
        one: prop::sample::Index,
        other: prop::sample::Index,
        flip: prop::sample::Index,
    ) {
        let message = Message::of(&plaintext, frame_bytes);
        let announced = message.sealed.announcement();
        let (one, other) = (one.index(plaintext.len()), other.index(plaintext.len()));
        let asked = one.min(other) as u64..one.max(other) as u64 + 1;
        let range = FrameRange::of_plaintext(&announced, asked.clone()).unwrap();
        let got = range.plaintext_bytes();
        prop_assert!(got.start <= asked.start && asked.end <= got.end);
        let index = message.index();
        prop_assert_eq!(index.root(), announced.frames_root);
        let proof = index.prove(&range).unwrap();
        let [from, to] = [got.start, got.end].map(|at| usize::try_from(at).unwrap());
        prop_assert_eq!(message.open(&announced, &range, &proof).unwrap(), &plaintext[from..to]);

        let mut bytes = proof.to_bytes();
        prop_assert_eq!(RangeProof::from_bytes(&bytes), Some(proof));
        if !bytes.is_empty() {
            let at = flip.index(bytes.len());
            bytes[at] ^= 1;
            let changed = RangeProof::from_bytes(&bytes).unwrap();
            prop_assert_eq!(message.open(&announced, &range, &changed), Err("frames-root-mismatch"));
        }
    }
}

/// Frames that the holder of the data key made for the same message id, but never announced.
#[test]
fn a_frame_that_was_never_announced_is_refused() {
    use chartseal_envelope::vector_hooks::seal_with_message_id;

    let message = Message::of(&[1; 300], 64);
    let sealing = Sealing {
        key: &message.key,
        context: &message.context,
        wrapped_key: &WrappedKey::kms("arn", b"wrapped").unwrap(),
        frame_bytes: message.sealed.frame_bytes,
    };
    let mut forged = Vec::new();
    seal_with_message_id(&sealing, message.sealed.message_id, &[2; 300][..], &mut forged).unwrap();
    let announced = message.sealed.announcement();
    let range = FrameRange::of_plaintext(&announced, 64..128).unwrap();
    let proof = message.index().prove(&range).unwrap();
    message.open(&announced, &range, &proof).unwrap();
    let other = Message { body: forged, ..message };
    assert_eq!(other.open(&announced, &range, &proof), Err("frames-root-mismatch"));
    let own_proof = other.index().prove(&range).unwrap();
    assert_eq!(other.open(&announced, &range, &own_proof), Err("frames-root-mismatch"));
}

#[test]
fn ranges_have_limits() {
    let message = Message::of(&[1; 300], 64);
    let announced = message.sealed.announcement();
    for outside in [0..0, 5..5, 0..301, 300..301, u64::MAX - 1..u64::MAX] {
        let refused = FrameRange::of_plaintext(&announced, outside);
        assert_eq!(refused, Err(FrameRangeError::OutOfRecord { plaintext_bytes: 300 }));
    }
    let stride = 65_536 + 32;
    let large = Announcement {
        frame_bytes: FrameBytes::try_from(65_536).unwrap(),
        body_bytes: 100_000 * stride + 40,
        ..announced.clone()
    };
    let too_long = FrameRange::of_plaintext(&large, 0..70_000 * 65_536);
    assert_eq!(too_long, Err(FrameRangeError::TooLong { frames: 70_000 }));
    let impossible = Announcement { body_bytes: 39, ..announced.clone() };
    assert_eq!(FrameRange::of_plaintext(&impossible, 0..1), Err(FrameRangeError::Announcement));
    assert_eq!(RangeProof::from_bytes(&[0; 31]), None);
    assert_eq!(RangeProof::from_bytes(&[0; 65 * 32]), None);
    let index = message.index();
    assert_eq!(FrameIndex::from_bytes(&announced, &index.to_bytes()), Some(index.clone()));
    let mut changed = index.to_bytes();
    changed[7] ^= 1;
    assert_eq!(FrameIndex::from_bytes(&announced, &changed), None);
    assert_eq!(FrameIndex::from_bytes(&announced, &changed[..32]), None);
    let other = FrameRange::of_plaintext(&Message::of(&[1; 100], 64).sealed.announcement(), 0..1).unwrap();
    assert_eq!(index.prove(&other), None);
    let proof = message.index().prove(&FrameRange::of_plaintext(&announced, 0..1).unwrap()).unwrap();
    assert_eq!(message.open(&announced, &other, &proof), Err("range-of-another"));
}
