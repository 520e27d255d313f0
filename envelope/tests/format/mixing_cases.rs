//! Hostile messages that are put together from genuine pieces, games with the final frame, and lengths that overflow.

use chartseal_envelope::vector_hooks::seal_with_message_id;
use chartseal_envelope::{DataKey, FrameBytes, Sealed, Sealing};

use crate::shape::{AnnouncementShape, Bytes, ContextShape, MustFail, counting_bytes, sha256_hex};
use crate::vector_cases::{KEY, SMALL_FRAME, Victim, context, reference_message, wrapped_key};

/// Bytes of a whole regular frame.
const FRAME: usize = 64 + 32;

pub fn mixed() -> Vec<MustFail> {
    [final_frames(), lengths(), versions(), records()].concat()
}

fn final_frames() -> Vec<MustFail> {
    let victim = Victim::new();
    let case = |name, failure, meaning, change: &dyn Fn(&mut Vec<u8>)| {
        victim.case(name, failure, meaning, |vector| change(&mut vector.body.0))
    };
    // A genuine final frame of the same key and message, where the victim has a regular one.
    let short = reference_message(KEY).frames(&counting_bytes(128), false);
    vec![
        case("regular-made-final", "frame-tampered", "The second frame is rewritten as the final one", &|body| {
            let content_and_tag = body[FRAME + 16..2 * FRAME].to_vec();
            body.truncate(FRAME);
            body.extend([&[0xff; 4][..], &[0, 0, 0, 2], &[0; 11], &[2], &[0, 0, 0, 64], &content_and_tag].concat());
        }),
        case("final-made-regular", "frame-tampered", "A full final frame is rewritten as a regular one", &|body| {
            body.truncate(0);
            body.extend(&short[0]);
            body.extend([&short[1][4..20], &short[1][24..]].concat());
        }),
        case(
            "final-frame-early",
            "trailing-bytes",
            "A genuine final frame stands second, and a third follows",
            &|body| {
                *body = [&short[..], &victim.frames[2..]].concat().concat();
            },
        ),
        case(
            "final-frame-early-and-last",
            "body-length-mismatch",
            "Whoever holds the key ended the record early",
            &|body| {
                *body = short.concat();
            },
        ),
        case("final-frame-only", "frame-out-of-order", "Only the final frame is there", &|body| {
            body.clone_from(&victim.frames[2]);
        }),
    ]
}

fn lengths() -> Vec<MustFail> {
    let victim = Victim::new();
    vec![
        victim.case(
            "final-length-overflows",
            "final-frame-too-long",
            "The final frame says it holds 4,294,967,295 bytes",
            |vector| vector.body.0[2 * FRAME + 20..2 * FRAME + 24].fill(0xff),
        ),
        victim.case(
            "frame-number-overflows",
            "frame-out-of-order",
            "The final frame has the largest number",
            |vector| vector.body.0[2 * FRAME + 4..2 * FRAME + 8].fill(0xff),
        ),
        victim.case(
            "header-context-length-overflows",
            "header-truncated",
            "The context says it has 65,535 bytes",
            |vector| vector.header.0[35..37].fill(0xff),
        ),
        victim.case(
            "header-value-length-overflows",
            "header-truncated",
            "The record's id says it is longer than the context",
            |vector| vector.header.0[47..49].fill(0xff),
        ),
        victim.case(
            "announced-body-bytes-overflow",
            "announced-body-too-large",
            "The announcement names 2^53 - 1 bytes",
            |vector| vector.announcement.body_bytes = (1 << 53) - 1,
        ),
        victim.case(
            "announced-body-bytes-between",
            "announced-impossible-length",
            "The announced length is one byte more than a body can have without one more frame",
            |vector| vector.announcement.body_bytes = 40 + 64 + 1,
        ),
        victim.case(
            "header-context-trailing",
            "header-context-pairs",
            "A byte follows the context's pairs",
            |vector| {
                let header = &mut vector.header.0;
                header[36] += 1;
                let end = 37 + usize::from(header[36]) - 1;
                header.insert(end, 0);
            },
        ),
    ]
}

/// Another version of the victim's record, with a key of its own.
fn other_version() -> (Sealed, Vec<u8>) {
    other_message(&ContextShape { version: 2, ..context() })
}

/// Another record of the same version, with a key of its own.
fn other_record() -> (Sealed, Vec<u8>) {
    other_message(&ContextShape { record: context().record.replace('J', "K"), ..context() })
}

fn other_message(place: &ContextShape) -> (Sealed, Vec<u8>) {
    let sealing = Sealing {
        key: &DataKey::from_bytes([0x55; 32]),
        context: &place.context(),
        wrapped_key: &wrapped_key().wrapped_key(),
        frame_bytes: FrameBytes::beyond_vault_limits(SMALL_FRAME),
    };
    let mut body = Vec::new();
    let sealed = seal_with_message_id(&sealing, [0x2e; 32], &counting_bytes(150)[..], &mut body).unwrap();
    (sealed, body)
}

fn versions() -> Vec<MustFail> {
    let victim = Victim::new();
    let (other, body) = other_version();
    let announced = AnnouncementShape::of(&other.announcement());
    vec![
        victim.case("body-of-other-version", "frame-tampered", "The body is another version's", |vector| {
            vector.body = Bytes(body.clone());
        }),
        victim.case("header-of-other-message", "wrong-message", "The header is another version's", |vector| {
            vector.header = Bytes(other.header.clone());
        }),
        victim.case("message-of-other-version", "wrong-message", "Header and body are another version's", |vector| {
            (vector.header, vector.body) = (Bytes(other.header.clone()), Bytes(body.clone()));
        }),
        victim.case(
            "message-and-announcement-of-other-version",
            "wrong-context",
            "Header, body and announcement are another version's, whole and genuine",
            |vector| {
                (vector.header, vector.body) = (Bytes(other.header.clone()), Bytes(body.clone()));
                vector.announcement = announced.clone();
            },
        ),
        victim.case(
            "announcement-of-other-version",
            "wrong-message",
            "The announcement is another version's",
            |vector| vector.announcement = announced.clone(),
        ),
        victim.case("key-of-other-version", "wrong-key", "The data key is another version's", |vector| {
            vector.data_key = Bytes([0x55; 32].to_vec());
        }),
        victim.case(
            "announcement-with-roots-of-other-version",
            "frames-root-mismatch",
            "The announcement is right but for both roots, which are another version's",
            |vector| {
                vector.announcement.frames_root.clone_from(&announced.frames_root);
                vector.announcement.parts_root.clone_from(&announced.parts_root);
            },
        ),
        victim.case(
            "announced-composite-of-one-part",
            "parts-root-mismatch",
            "The announcement of a body of one part names a composite checksum, SHA-256 over the part's digest",
            |vector| {
                let digest = hex::decode(sha256_hex(&vector.body.0)).unwrap();
                vector.announcement.parts_root = sha256_hex(&digest);
            },
        ),
    ]
}

fn records() -> Vec<MustFail> {
    let victim = Victim::new();
    let (other, body) = other_record();
    let announced = AnnouncementShape::of(&other.announcement());
    vec![
        victim.case("body-of-other-record", "frame-tampered", "The body is another record's", |vector| {
            vector.body = Bytes(body.clone());
        }),
        victim.case("message-of-other-record", "wrong-message", "Header and body are another record's", |vector| {
            (vector.header, vector.body) = (Bytes(other.header.clone()), Bytes(body.clone()));
        }),
        victim.case(
            "message-and-announcement-of-other-record",
            "wrong-context",
            "Header, body and announcement are another record's, whole and genuine",
            |vector| {
                (vector.header, vector.body) = (Bytes(other.header.clone()), Bytes(body.clone()));
                vector.announcement = announced.clone();
            },
        ),
        victim.case(
            "announcement-of-other-record",
            "wrong-message",
            "The announcement is another record's",
            |vector| vector.announcement = announced.clone(),
        ),
    ]
}
