//! Properties: the streaming writer equals the naive reference at every size, and no change of any byte goes unnoticed.

use std::io::{self, Read};

use chartseal_envelope::vector_hooks::seal_with_message_id;
use chartseal_envelope::{
    Announcement, Context, DataKey, FrameBytes, Header, Opening, Sealed, Sealing, WrappedKey, open, seal,
};
use proptest::prelude::*;

use crate::reference::{Reference, merkle_root};

/// A source that gives as little as it likes on each read, and sometimes says it was interrupted.
struct Dribble<'a> {
    rest: &'a [u8],
    steps: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl<'a> Dribble<'a> {
    fn new(rest: &'a [u8], steps: Vec<usize>) -> Self {
        Self { rest, steps: steps.into_iter().cycle() }
    }
}

impl Read for Dribble<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.steps.next() {
            Some(0) => Err(io::ErrorKind::Interrupted.into()),
            step => {
                let end = step.unwrap_or(1).min(room.len());
                self.rest.read(&mut room[..end])
            }
        }
    }
}

struct Case {
    key: DataKey,
    context: Context,
    wrapped_key: WrappedKey,
}

impl Case {
    fn new(key: [u8; 32], version: u32) -> Self {
        Self {
            key: DataKey::from_bytes(key),
            context: Context::new("t", "r", version).unwrap(),
            wrapped_key: WrappedKey::kms("arn", b"wrapped").unwrap(),
        }
    }

    fn seal(&self, frame_bytes: u32, message_id: [u8; 32], plaintext: impl Read + Send) -> (Sealed, Vec<u8>) {
        let sealing = Sealing {
            key: &self.key,
            context: &self.context,
            wrapped_key: &self.wrapped_key,
            frame_bytes: FrameBytes::beyond_vault_limits(frame_bytes),
        };
        let mut body = Vec::new();
        (seal_with_message_id(&sealing, message_id, plaintext, &mut body).unwrap(), body)
    }

    fn open(
        &self,
        header: &[u8],
        announcement: &Announcement,
        body: impl Read + Send,
    ) -> Result<Vec<u8>, chartseal_envelope::OpenError> {
        let mut plaintext = Vec::new();
        open(&Opening { key: &self.key, header, context: &self.context, announcement }, body, &mut plaintext)?;
        Ok(plaintext)
    }
}

/// Steps of which at least one is not zero, so that reading ends.
fn steps() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..50, 0..6).prop_map(|mut steps| {
        steps.push(7);
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_reference(
        key: [u8; 32],
        message_id: [u8; 32],
        version: u32,
        frame_bytes in 1_u32..80,
        plaintext in prop::collection::vec(any::<u8>(), 0..400),
        steps in steps(),
    ) {
        let case = Case::new(key, version);
        let (sealed, body) = case.seal(frame_bytes, message_id, Dribble::new(&plaintext, steps.clone()));
        let version = version.to_string();
        let reference = Reference {
            key,
            message_id,
            context: [("record", "r"), ("tenant", "t"), ("version", &version)],
            wrapped_key: [b"aws-kms", b"arn", b"wrapped"],
            frame_bytes: frame_bytes as usize,
        };
        let frames = reference.frames(&plaintext, false);
        prop_assert_eq!(&sealed.header, &reference.header());
        prop_assert_eq!(&body, &frames.concat());
        prop_assert_eq!(sealed.frames_root, merkle_root(&frames));
        prop_assert_eq!(sealed.plaintext_bytes, plaintext.len() as u64);
        prop_assert_eq!(case.open(&sealed.header, &sealed.announcement(), Dribble::new(&body, steps)).unwrap(), plaintext);
    }

    #[test]
    fn an_empty_final_frame_is_read_too(
        key: [u8; 32],
        frame_bytes in 1_u32..80,
        frames in 0_usize..5,
        fill: u8,
    ) {
        let case = Case::new(key, 1);
        let plaintext = vec![fill; frames * frame_bytes as usize];
        let (sealed, _) = case.seal(frame_bytes, [9; 32], &plaintext[..]);
        let reference = Reference {
            key,
            message_id: [9; 32],
            context: [("record", "r"), ("tenant", "t"), ("version", "1")],
            wrapped_key: [b"aws-kms", b"arn", b"wrapped"],
            frame_bytes: frame_bytes as usize,
        };
        let body = reference.frames(&plaintext, true).concat();
        let header = Header::parse(&sealed.header).unwrap();
        let announcement = Announcement::measure(&header, sealed.frame_bytes, &body[..]).unwrap();
        prop_assert_eq!(announcement.plaintext_bytes(), Some(plaintext.len() as u64));
        prop_assert_eq!(case.open(&sealed.header, &announcement, &body[..]).unwrap(), plaintext);
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(
        frame_bytes in 1_u32..80,
        plaintext in prop::collection::vec(any::<u8>(), 0..200),
        place: prop::sample::Index,
        change in 1_u8..=255,
    ) {
        let case = Case::new([3; 32], 1);
        let (sealed, body) = case.seal(frame_bytes, [4; 32], &plaintext[..]);
        let header_bytes = sealed.header.len();
        let mut message = [&sealed.header[..], &body].concat();
        let at = place.index(message.len());
        message[at] ^= change;
        let (header, body) = message.split_at(header_bytes);
        prop_assert!(case.open(header, &sealed.announcement(), body).is_err(), "byte {at} changed unnoticed");
    }

    #[test]
    fn no_cut_goes_unnoticed(plaintext in prop::collection::vec(any::<u8>(), 0..200), place: prop::sample::Index) {
        let case = Case::new([3; 32], 1);
        let (sealed, body) = case.seal(16, [4; 32], &plaintext[..]);
        let kept = place.index(body.len());
        prop_assert!(case.open(&sealed.header, &sealed.announcement(), &body[..kept]).is_err());
        let kept = place.index(sealed.header.len());
        prop_assert!(case.open(&sealed.header[..kept], &sealed.announcement(), &body[..]).is_err());
    }

    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), front in 0_usize..200) {
        let case = Case::new([3; 32], 1);
        let (sealed, body) = case.seal(16, [4; 32], &[5; 40][..]);
        let (genuine_header, genuine_body) = (&sealed.header[..front.min(sealed.header.len())], &body[..front.min(body.len())]);
        let _ = Header::parse(&bytes);
        prop_assert!(case.open(&[genuine_header, &bytes].concat(), &sealed.announcement(), &body[..]).is_err() || bytes.is_empty()
            || [genuine_header, &bytes].concat() == sealed.header);
        let spliced = [genuine_body, &bytes].concat();
        prop_assert!(case.open(&sealed.header, &sealed.announcement(), &spliced[..]).is_err() || spliced == body);
    }
}

/// Every single byte of one message, each changed in two ways: few enough to try them all.
#[test]
fn every_byte_counts() {
    let case = Case::new([3; 32], 1);
    let (sealed, body) = case.seal(16, [4; 32], &[5; 40][..]);
    let message = [&sealed.header[..], &body].concat();
    for at in 0..message.len() {
        for change in [0x01, 0x80] {
            let mut changed = message.clone();
            changed[at] ^= change;
            let (header, body) = changed.split_at(sealed.header.len());
            assert!(case.open(header, &sealed.announcement(), body).is_err(), "byte {at} changed unnoticed");
        }
    }
}

#[test]
fn the_same_record_sealed_twice_is_two_unrelated_messages() {
    let case = Case::new([3; 32], 1);
    let sealing = Sealing {
        key: &case.key,
        context: &case.context,
        wrapped_key: &case.wrapped_key,
        frame_bytes: FrameBytes::DEFAULT,
    };
    let (mut one, mut two) = (Vec::new(), Vec::new());
    let first = seal(&sealing, &b"record"[..], &mut one).unwrap();
    let second = seal(&sealing, &b"record"[..], &mut two).unwrap();
    assert_ne!(first.message_id, second.message_id);
    assert_ne!(first.commitment, second.commitment);
    assert_ne!(one[24..], two[24..]);
}
