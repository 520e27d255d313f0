//! How each frozen vector was made. The files are compared with this, so neither can change alone.

use chartseal_envelope::vector_hooks::seal_with_message_id;
use chartseal_envelope::{Announcement, DataKey, FrameBytes, Header, Sealing};

use crate::mixing_cases::mixed;
use crate::reference::{Reference, merkle_root};
use crate::shape::{
    AnnouncementShape, Bytes, ContextShape, Golden, MustFail, WrappedKeyShape, counting_bytes, sha256_hex,
};

pub const KEY: [u8; 32] = [0x4b; 32];
const MESSAGE_ID: [u8; 32] = [0x1d; 32];
const KEY_ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-4000-8000-000000000000";
/// Frames of the small vectors; the vault's own are 64 KiB and more.
pub const SMALL_FRAME: u32 = 64;

pub fn context() -> ContextShape {
    ContextShape { tenant: "vault.example".into(), record: "01JDB3YQ7X0000000000000000".into(), version: 1 }
}

pub fn wrapped_key() -> WrappedKeyShape {
    WrappedKeyShape {
        provider_id: "aws-kms".into(),
        provider_info: Bytes(KEY_ARN.as_bytes().to_vec()),
        ciphertext: Bytes(b"a data key as KMS wraps it".to_vec()),
    }
}

fn golden(name: &str, meaning: &str, frame_bytes: u32, plaintext_bytes: usize) -> Golden {
    let sealing = Sealing {
        key: &DataKey::from_bytes(KEY),
        context: &context().context(),
        wrapped_key: &wrapped_key().wrapped_key(),
        frame_bytes: FrameBytes::beyond_vault_limits(frame_bytes),
    };
    let mut body = Vec::new();
    let sealed = seal_with_message_id(&sealing, MESSAGE_ID, &counting_bytes(plaintext_bytes)[..], &mut body).unwrap();
    Golden {
        name: name.into(),
        meaning: meaning.into(),
        ours: true,
        data_key: Bytes(KEY.to_vec()),
        context: context(),
        wrapped_key: wrapped_key(),
        announcement: AnnouncementShape::of(&sealed.announcement()),
        plaintext_bytes,
        body_sha256: sha256_hex(&body),
        header: Bytes(sealed.header),
        body: (body.len() < 1000).then_some(Bytes(body)),
    }
}

/// A message with an empty final frame after a full one, as the Python SDK writes it.
fn empty_final_frame() -> Golden {
    let mut vector = golden(
        "aligned-empty-final",
        "Two full frames and an empty final frame; allowed, but not ours",
        SMALL_FRAME,
        128,
    );
    let frames = reference_message(KEY).frames(&counting_bytes(128), true);
    let body = frames.concat();
    let header = Header::parse(&vector.header.0).unwrap();
    let frame_bytes = FrameBytes::beyond_vault_limits(SMALL_FRAME);
    vector.ours = false;
    vector.announcement = AnnouncementShape::of(&Announcement::measure(&header, frame_bytes, &body[..]).unwrap());
    assert_eq!(vector.announcement.frames_root, hex::encode(merkle_root(&frames)));
    vector.body_sha256 = sha256_hex(&body);
    vector.body = Some(Bytes(body));
    vector
}

pub fn reference_message(key: [u8; 32]) -> Reference<'static> {
    Reference {
        key,
        message_id: MESSAGE_ID,
        context: [("record", "01JDB3YQ7X0000000000000000"), ("tenant", "vault.example"), ("version", "1")],
        wrapped_key: [b"aws-kms", KEY_ARN.as_bytes(), b"a data key as KMS wraps it"],
        frame_bytes: SMALL_FRAME as usize,
    }
}

pub fn one_byte() -> Golden {
    golden("one-byte", "One final frame with one byte", SMALL_FRAME, 1)
}

pub fn many_frames() -> Golden {
    golden("many-frames", "Five frames, an uneven tree", SMALL_FRAME, 300)
}

pub fn smallest_vault_frame() -> Golden {
    golden(
        "smallest-vault-frame",
        "Frames of 64 KiB, the vault's smallest: two full, one with 100 bytes",
        65_536,
        131_172,
    )
}

pub fn goldens() -> Vec<Golden> {
    vec![
        golden("empty", "No plaintext: one empty final frame", SMALL_FRAME, 0),
        one_byte(),
        golden("one-short-of-a-frame", "One final frame that is almost full", SMALL_FRAME, 63),
        golden("aligned", "Exactly one frame: one full final frame", SMALL_FRAME, 64),
        golden("one-over-a-frame", "One full frame and a final frame with one byte", SMALL_FRAME, 65),
        golden("aligned-two", "Exactly two frames: the second is a full final frame", SMALL_FRAME, 128),
        empty_final_frame(),
        many_frames(),
        smallest_vault_frame(),
        golden(
            "largest-vault-frame",
            "Frames of 1 MiB, the vault's largest: one full, one with 1 byte",
            1_048_576,
            1_048_577,
        ),
        golden(
            "two-parts",
            "A body of two parts, so that parts_root is S3's composite checksum and not the body's SHA-256; the border lies inside a frame",
            1_048_576,
            67_108_865,
        ),
    ]
}

/// One message of three frames (64, 64 and 22 bytes) and everything that can be done to it.
pub struct Victim {
    vector: MustFail,
    pub frames: Vec<Vec<u8>>,
}

impl Victim {
    pub fn new() -> Self {
        let golden = golden("", "", SMALL_FRAME, 150);
        let frames = reference_message(KEY).frames(&counting_bytes(150), false);
        let body = golden.body.unwrap();
        assert_eq!(frames.concat(), body.0);
        let vector = MustFail {
            name: String::new(),
            meaning: String::new(),
            failure: String::new(),
            data_key: golden.data_key,
            context: golden.context,
            announcement: golden.announcement,
            header: golden.header,
            body,
        };
        Self { vector, frames }
    }

    pub fn case(&self, name: &str, failure: &str, meaning: &str, change: impl FnOnce(&mut MustFail)) -> MustFail {
        let mut vector = self.vector.clone();
        (vector.name, vector.failure, vector.meaning) = (name.into(), failure.into(), meaning.into());
        change(&mut vector);
        vector
    }

    fn reframed(&self, order: &[usize]) -> Bytes {
        Bytes(order.iter().flat_map(|&frame| self.frames[frame].clone()).collect())
    }
}

pub fn must_fail() -> Vec<MustFail> {
    [body_cases(), header_cases(), announcement_cases(), key_cases(), mixed()].concat()
}

fn body_cases() -> Vec<MustFail> {
    let victim = Victim::new();
    let case = |name, failure, meaning, change: &dyn Fn(&mut Vec<u8>)| {
        victim.case(name, failure, meaning, |vector| change(&mut vector.body.0))
    };
    let reframed = |name, failure, meaning, order: &[usize]| {
        victim.case(name, failure, meaning, |vector| vector.body = victim.reframed(order))
    };
    vec![
        case("body-empty", "truncated", "The body is missing", &Vec::clear),
        case("body-cut-in-frame", "truncated", "The body ends inside its second frame", &|body| body.truncate(140)),
        case("body-cut-in-tag", "truncated", "The last byte is missing", &|body| body.truncate(body.len() - 1)),
        reframed("body-cut-at-frame", "truncated", "The final frame is missing", &[0, 1]),
        reframed("frames-swapped", "frame-out-of-order", "The first two frames are swapped", &[1, 0, 2]),
        reframed("frame-duplicated", "frame-out-of-order", "The first frame stands twice", &[0, 0, 1, 2]),
        reframed("frame-dropped", "frame-out-of-order", "The second frame is missing", &[0, 2]),
        reframed("final-frame-duplicated", "trailing-bytes", "The final frame stands twice", &[0, 1, 2, 2]),
        case("body-trailing-byte", "trailing-bytes", "A byte follows the final frame", &|body| body.push(0)),
        case("frame-number-flipped", "frame-out-of-order", "A bit of the first frame's number is flipped", &|body| {
            body[3] ^= 2;
        }),
        case("frame-iv-flipped", "frame-wrong-iv", "A bit of the first frame's IV is flipped", &|body| body[4] ^= 1),
        case("frame-content-flipped", "frame-tampered", "A bit of the second frame's content is flipped", &|body| {
            body[96 + 16] ^= 0x80;
        }),
        case("frame-tag-flipped", "frame-tampered", "A bit of the first frame's tag is flipped", &|body| body[95] ^= 1),
        case("end-mark-flipped", "frame-out-of-order", "A bit of the end mark is flipped", &|body| body[192] ^= 1),
        case("final-length-too-long", "final-frame-too-long", "The final frame says it holds 65 bytes", &|body| {
            body[215] = 65;
        }),
        case("final-length-longer", "truncated", "The final frame says it holds one byte more than it does", &|body| {
            body[215] = 23;
        }),
        case(
            "final-length-shorter",
            "frame-tampered",
            "The final frame says it holds one byte less than it does",
            &|body| {
                body[215] = 21;
            },
        ),
        case("frame-of-another-key", "frame-tampered", "The second frame was sealed under another key", &|body| {
            let foreign = reference_message([0x55; 32]).frames(&counting_bytes(150), false);
            body[96..192].copy_from_slice(&foreign[1]);
        }),
        victim.case(
            "frame-of-another-message",
            "frame-tampered",
            "The second frame is of another message under the same key",
            |vector| {
                let other = Reference { message_id: [0x99; 32], ..reference_message(KEY) };
                vector.body.0[96..192].copy_from_slice(&other.frames(&counting_bytes(150), false)[1]);
            },
        ),
        victim.case(
            "body-sealed-again",
            "frames-root-mismatch",
            "Whoever holds the key sealed another plaintext of the same length under the same message id",
            |vector| vector.body.0 = reference_message(KEY).frames(&[0; 150], false).concat(),
        ),
        victim.case(
            "body-longer-but-genuine",
            "body-length-mismatch",
            "Whoever holds the key sealed a longer plaintext",
            |vector| {
                vector.body.0 = reference_message(KEY).frames(&counting_bytes(300), false).concat();
            },
        ),
        victim.case(
            "body-shorter-but-genuine",
            "body-length-mismatch",
            "Whoever holds the key sealed a shorter plaintext",
            |vector| {
                vector.body.0 = reference_message(KEY).frames(&counting_bytes(149), false).concat();
            },
        ),
    ]
}

fn header_cases() -> Vec<MustFail> {
    let victim = Victim::new();
    let header = Header::parse(&victim.vector.header.0).unwrap();
    let length = header.as_bytes().len();
    let end_of_fields = length - 16 - 32 - 4 - 1;
    let case = |name, failure, meaning, change: &dyn Fn(&mut Vec<u8>)| {
        victim.case(name, failure, meaning, |vector| change(&mut vector.header.0))
    };
    let replace = |bytes: &mut Vec<u8>, from: &[u8], to: &[u8]| {
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        bytes.splice(at..at + from.len(), to.iter().copied());
    };
    vec![
        case("header-empty", "header-truncated", "The header is missing", &Vec::clear),
        case("header-cut", "header-truncated", "The header's last byte is missing", &|bytes| {
            bytes.truncate(length - 1);
        }),
        case("header-trailing-byte", "header-trailing-bytes", "A byte follows the header", &|bytes| bytes.push(0)),
        case("header-too-long", "header-too-long", "The header has 4097 bytes", &|bytes| bytes.resize(4097, 0)),
        case("header-version-1", "header-format-version", "The header says message format version 1", &|bytes| {
            bytes[0] = 1;
        }),
        case("header-signed-suite", "header-suite", "The header says the suite with signatures, 0x0578", &|bytes| {
            bytes[1] = 5;
        }),
        case(
            "header-uncommitted-suite",
            "header-suite",
            "The header says a suite without commitment, 0x0178",
            &|bytes| bytes[1] = 1,
        ),
        case("header-message-id-flipped", "wrong-message", "A bit of the message id is flipped", &|bytes| {
            bytes[3] ^= 1;
        }),
        case("header-context-name", "header-context-pairs", "A context pair has another name", &|bytes| {
            replace(bytes, b"tenant", b"tenent");
        }),
        case("header-context-order", "header-context-pairs", "The context pairs are not in order", &|bytes| {
            replace(bytes, b"\0\x06record", b"\0\x06tenant");
        }),
        case("header-context-count", "header-context-pairs", "The context says it has two pairs", &|bytes| {
            bytes[38] = 2;
        }),
        case("header-context-version", "header-context-value", "The context's version is not a number", &|bytes| {
            replace(bytes, b"\0\x07version\0\x011", b"\0\x07version\0\x01x");
        }),
        case("header-other-record", "wrong-context", "The header names another record, of the same length", &|bytes| {
            replace(bytes, b"01JDB3YQ7X", b"01JDB3YQ7Y");
        }),
        case("header-not-text", "header-not-text", "The tenant's name is not UTF-8", &|bytes| {
            replace(bytes, b"vault.example", b"vault.\xffxample");
        }),
        case("header-no-provider", "header-wrapped-key", "The key provider's id is empty", &|bytes| {
            replace(bytes, b"\0\x07aws-kms", b"\0\0");
        }),
        case("header-two-keys", "header-key-count", "The header says it has two encrypted data keys", &|bytes| {
            replace(bytes, b"\0\x01\0\x07aws-kms", b"\0\x02\0\x07aws-kms");
        }),
        case("header-wrapped-key-flipped", "header-tampered", "A bit of the wrapped key is flipped", &|bytes| {
            replace(bytes, b"KMS wraps", b"KMS wrapt");
        }),
        case("header-unframed", "header-content-type", "The header says unframed content", &|bytes| {
            bytes[end_of_fields] = 1;
        }),
        case("header-frame-length-zero", "header-frame-bytes", "The header says frames of no bytes", &|bytes| {
            bytes[end_of_fields + 4] = 0;
        }),
        case("header-frame-length-huge", "header-frame-bytes", "The header says frames of more than 1 MiB", &|bytes| {
            bytes[end_of_fields + 1] = 1;
        }),
        case("header-frame-length-other", "wrong-frame-bytes", "The header says frames of 65 bytes", &|bytes| {
            bytes[end_of_fields + 4] = 65;
        }),
        case("header-commitment-flipped", "commitment-mismatch", "A bit of the commitment is flipped", &|bytes| {
            bytes[length - 17] ^= 1;
        }),
        case("header-tag-flipped", "header-tampered", "A bit of the header's tag is flipped", &|bytes| {
            bytes[length - 1] ^= 1;
        }),
        victim.case(
            "header-and-announcement-frame-length",
            "header-tampered",
            "Header and announcement agree on a frame length that was not sealed",
            |vector| {
                vector.header.0[end_of_fields + 4] = 65;
                vector.announcement.frame_bytes = 65;
            },
        ),
        victim.case("header-of-other-version", "wrong-context", "The reader asked for another version", |vector| {
            vector.context.version = 2;
        }),
        victim.case("header-of-other-tenant", "wrong-context", "The reader asked in another vault", |vector| {
            vector.context.tenant = "other.example".into();
        }),
    ]
}

fn announcement_cases() -> Vec<MustFail> {
    let victim = Victim::new();
    let case = |name, failure, meaning, change: &dyn Fn(&mut AnnouncementShape)| {
        victim.case(name, failure, meaning, |vector| change(&mut vector.announcement))
    };
    vec![
        case("announced-suite", "announced-suite", "The announcement names the suite with signatures", &|said| {
            said.suite = "0578".into();
        }),
        case("announced-message-id", "wrong-message", "The announcement names another message id", &|said| {
            said.message_id.0[0] ^= 1;
        }),
        case("announced-commitment", "commitment-mismatch", "The announcement names another commitment", &|said| {
            said.commitment.0[31] ^= 1;
        }),
        case("announced-frame-bytes", "wrong-frame-bytes", "The announcement names another frame length", &|said| {
            said.frame_bytes = 128;
        }),
        case("announced-body-bytes-more", "body-length-mismatch", "The announcement names one byte more", &|said| {
            said.body_bytes += 1;
        }),
        case("announced-body-bytes-less", "body-length-mismatch", "The announcement names one byte less", &|said| {
            said.body_bytes -= 1;
        }),
        case(
            "announced-body-bytes-huge",
            "announced-body-too-large",
            "The announcement names more than 625 GiB, 10,000 parts of 64 MiB",
            &|said| {
                said.body_bytes = 10_000 * 64 * 1024 * 1024 + 1;
            },
        ),
        case(
            "announced-body-bytes-impossible",
            "announced-impossible-length",
            "No body has the announced length",
            &|said| {
                said.body_bytes = 39;
            },
        ),
        case("announced-frames-root", "frames-root-mismatch", "The announcement names another tree root", &|said| {
            said.frames_root = sha256_hex(b"another tree");
        }),
        case("announced-parts-root", "parts-root-mismatch", "The announcement names another checksum", &|said| {
            said.parts_root = sha256_hex(b"another body");
        }),
    ]
}

fn key_cases() -> Vec<MustFail> {
    let victim = Victim::new();
    vec![
        victim.case("wrong-key", "wrong-key", "The data key is another one", |vector| vector.data_key.0[0] ^= 1),
        victim.case(
            "wrong-commitment",
            "wrong-key",
            "Header and announcement agree on a commitment that is not this key's",
            |vector| {
                let at = vector.header.0.len() - 16 - 32;
                vector.header.0[at] ^= 1;
                vector.announcement.commitment.0[0] ^= 1;
            },
        ),
    ]
}
