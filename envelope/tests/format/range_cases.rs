//! How each range vector was made: good ones of several shapes, and everything that can be done to one.

use std::ops::Range;

use chartseal_envelope::{FrameIndex, FrameRange};

use crate::reference::merkle_root;
use crate::shape::{Bytes, Golden, RangeShape, counting_bytes, sha256_hex};
use crate::vector_cases::{KEY, many_frames, one_byte, reference_message};

/// Frames 1 and 2 of five: subtrees beside it on both sides.
const VICTIM: Range<u64> = 70..180;

fn range(golden: &Golden, name: &str, meaning: &str, plaintext: Range<u64>) -> RangeShape {
    let announcement = golden.announcement.announcement();
    let body = &golden.body.as_ref().expect("a small message").0;
    let index = FrameIndex::measure(announcement.frame_bytes, &body[..]).unwrap();
    let range = FrameRange::of_plaintext(&announcement, plaintext.clone()).unwrap();
    let at = range.body_bytes();
    RangeShape {
        name: name.into(),
        meaning: meaning.into(),
        message: golden.name.clone(),
        announcement: None,
        plaintext_from: plaintext.start,
        plaintext_to: plaintext.end,
        frames_from: range.frames().start,
        frames_to: range.frames().end,
        body_from: at.start,
        body_to: at.end,
        body: Bytes(body[usize::try_from(at.start).unwrap()..usize::try_from(at.end).unwrap()].to_vec()),
        proof: Bytes(index.prove(&range).unwrap().to_bytes()),
        failure: None,
    }
}

/// One good range that something was done to.
fn hostile(name: &str, meaning: &str, failure: &str, change: impl FnOnce(&mut RangeShape)) -> RangeShape {
    let mut shape = range(&many_frames(), name, meaning, VICTIM);
    change(&mut shape);
    shape.failure = Some(failure.into());
    shape
}

pub fn ranges() -> Vec<RangeShape> {
    let many = many_frames();
    let one = one_byte();
    let mut shapes = vec![
        range(&one, "only-frame", "The only frame there is: an empty proof", 0..1),
        range(&many, "all", "All frames: an empty proof", 0..300),
        range(&many, "first", "The first frame", 0..64),
        range(&many, "inside-one", "One byte inside a frame", 100..101),
        range(&many, "middle", "Bytes of two frames, subtrees on both sides", VICTIM),
        range(&many, "last", "The final frame, a subtree of four before it", 299..300),
        range(&many, "to-the-end", "From a border to the end", 192..300),
    ];
    shapes.extend(hostile_frames());
    shapes.extend(hostile_proofs());
    shapes.extend(lying_announcements());
    shapes
}

/// Announcements whose roots are of these very frames and whose length is a lie: only a frame's kind and length show it.
fn lying_announcements() -> [RangeShape; 4] {
    [
        lie(
            "announced-without-the-final-frame",
            "truncated",
            "The first two of five frames are announced as the whole body",
            0..120,
            |frames| (frames[..2].to_vec(), 0),
        ),
        lie(
            "final-frame-early",
            "truncated",
            "A final frame, 8 bytes short of a whole one, stands before another",
            0..64,
            |frames| (vec![early(), frames[1].clone(), frames[4].clone()], 0),
        ),
        lie(
            "final-frame-shorter",
            "body-length-mismatch",
            "One byte more is announced than the final frame holds",
            256..301,
            |frames| (frames.to_vec(), 1),
        ),
        lie(
            "final-frame-longer",
            "body-length-mismatch",
            "One byte less is announced than the final frame holds",
            256..299,
            |frames| (frames.to_vec(), -1),
        ),
    ]
}

/// A genuine final frame that takes the room of a regular one.
fn early() -> Vec<u8> {
    reference_message(KEY).frames(&counting_bytes(64 - 8), false).remove(0)
}

fn lie(
    name: &str,
    failure: &str,
    meaning: &str,
    plaintext: Range<u64>,
    body: impl FnOnce(&[Vec<u8>]) -> (Vec<Vec<u8>>, i64),
) -> RangeShape {
    let golden = many_frames();
    let genuine = reference_message(KEY).frames(&counting_bytes(golden.plaintext_bytes), false);
    let (frames, off_by) = body(&genuine);
    let whole = frames.concat();
    let mut announced = golden.announcement.clone();
    announced.body_bytes = u64::try_from(whole.len()).unwrap().checked_add_signed(off_by).unwrap();
    announced.frames_root = hex::encode(merkle_root(&frames));
    announced.parts_root = sha256_hex(&whole);
    let range = FrameRange::of_plaintext(&announced.announcement(), plaintext.clone()).unwrap();
    let [from, to] = [range.frames().start, range.frames().end].map(|at| usize::try_from(at).unwrap());
    let mut proof = Vec::new();
    beside(&frames, 0, &(from..to), &mut proof);
    RangeShape {
        name: name.into(),
        meaning: meaning.into(),
        message: golden.name,
        announcement: Some(announced),
        plaintext_from: plaintext.start,
        plaintext_to: plaintext.end,
        frames_from: range.frames().start,
        frames_to: range.frames().end,
        body_from: range.body_bytes().start,
        body_to: range.body_bytes().end,
        body: Bytes(frames[from..to].concat()),
        proof: Bytes(proof),
        failure: Some(failure.into()),
    }
}

/// The proof, written plainly: the roots of the subtrees that the range does not touch.
fn beside(frames: &[Vec<u8>], start: usize, range: &Range<usize>, proof: &mut Vec<u8>) {
    if start + frames.len() <= range.start || range.end <= start {
        proof.extend(merkle_root(frames));
    } else if frames.len() > 1 {
        let split = frames.len().next_power_of_two() / 2;
        beside(&frames[..split], start, range, proof);
        beside(&frames[split..], start + split, range, proof);
    }
}

fn hostile_frames() -> [RangeShape; 6] {
    const FRAME: usize = 64 + 32;
    [
        hostile("changed-byte", "A byte of a frame was changed", "frame-tampered", |shape| shape.body.0[40] ^= 1),
        hostile("swapped", "The two frames are swapped", "frame-out-of-order", |shape| shape.body.0.rotate_left(FRAME)),
        hostile("repeated", "The first frame stands twice", "frame-out-of-order", |shape| {
            shape.body.0.copy_within(..FRAME, FRAME);
        }),
        hostile("other-range", "Other frames of the same message", "frame-out-of-order", |shape| {
            shape.body = range(&many_frames(), "", "", 0..128).body;
        }),
        hostile("cut", "The last byte is missing", "truncated", |shape| {
            shape.body.0.pop();
        }),
        hostile("longer", "One byte follows", "trailing-bytes", |shape| shape.body.0.push(0)),
    ]
}

fn hostile_proofs() -> [RangeShape; 5] {
    [
        hostile("proof-changed", "A bit of the proof was changed", "frames-root-mismatch", |shape| {
            shape.proof.0[0] ^= 1;
        }),
        hostile("proof-short", "A hash of the proof is missing", "frames-root-mismatch", |shape| {
            shape.proof.0.truncate(32);
        }),
        hostile("proof-long", "The proof has a hash too many", "frames-root-mismatch", |shape| {
            shape.proof.0.extend([0; 32]);
        }),
        hostile("proof-swapped", "Two hashes of the proof are swapped", "frames-root-mismatch", |shape| {
            shape.proof.0[..64].rotate_left(32);
        }),
        hostile("proof-of-another-range", "The proof of other frames", "frames-root-mismatch", |shape| {
            shape.proof = range(&many_frames(), "", "", 0..64).proof;
        }),
    ]
}
