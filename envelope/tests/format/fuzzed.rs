//! What must hold for any bytes at all. The fuzzer calls these (`envelope/fuzz`), and the ordinary tests replay its kept corpus through them.
#![allow(dead_code, missing_docs)] // each fuzz target uses one

use std::sync::LazyLock;

use chartseal_envelope::vector_hooks::seal_with_message_id;
use chartseal_envelope::{
    Announcement, Context, DataKey, FrameBytes, FrameIndex, FrameRange, Header, MAX_HEADER_BYTES, Opening, RangeProof,
    Sealed, Sealing, Threads, WrappedKey, body_bytes, open, open_into, open_message, open_message_into, open_range,
};
use sha2::{Digest, Sha256};

/// A header is read the same way whatever follows it, and has one spelling: its fields, written out again, are the same bytes.
pub fn header(data: &[u8]) {
    let whole = Header::parse(data);
    let Ok((header, rest)) = Header::parse_prefix(data) else {
        assert!(whole.is_err());
        return;
    };
    let taken = &data[..data.len() - rest.len()];
    assert!(taken.len() <= MAX_HEADER_BYTES);
    assert_eq!(header.as_bytes(), taken);
    assert_eq!(Header::parse(taken).as_ref(), Ok(&header));
    assert_eq!(whole.is_ok(), rest.is_empty());

    let counted = |field: &[u8]| [&u16::try_from(field.len()).unwrap().to_be_bytes()[..], field].concat();
    let mut pairs = vec![0, 3];
    for (name, value) in header.context().pairs() {
        pairs.extend([counted(name.as_bytes()), counted(value.as_bytes())].concat());
    }
    let wrapped = header.wrapped_key();
    let written = [
        &[0x02, 0x04, 0x78][..],
        header.message_id(),
        &counted(&pairs),
        &[0, 1],
        &counted(wrapped.provider_id().as_bytes()),
        &counted(wrapped.provider_info()),
        &counted(wrapped.ciphertext()),
        &[2],
        &header.frame_bytes().to_be_bytes(),
        header.commitment(),
    ]
    .concat();
    assert_eq!(written, taken[..taken.len() - 16]);
}

/// A body is measured exactly where a plain reader of whole buffers finds frames, and to the same roots.
pub fn frames(data: &[u8]) {
    let Some((&[length], body)) = data.split_first_chunk() else { return };
    let frame_bytes = u32::from(length) + 1;
    let message = &*MESSAGE;
    let header = Header::parse(&message.sealed.header).unwrap();
    let measured = Announcement::measure(&header, FrameBytes::beyond_vault_limits(frame_bytes), body);
    let plain = plain_frames(body, frame_bytes as usize);
    assert_eq!(measured.is_ok(), plain.is_some(), "{measured:?}");
    let (Ok(measured), Some(leaves)) = (measured, plain) else { return };
    assert_eq!(measured.body_bytes, body.len() as u64);
    assert_eq!(measured.parts_root, <[u8; 32]>::from(Sha256::digest(body)));
    assert_eq!(measured.frames(), Some(leaves.len() as u64));
    assert_eq!(measured.frames_root, root(&leaves));
}

/// An announcement that passes its check is possible: its numbers fit together, and its ranges cover the body without gap or overlap.
pub fn announcement(data: &[u8]) {
    let Ok(announced) = serde_json::from_slice::<Announcement>(data) else { return };
    let again = serde_json::to_vec(&announced).unwrap();
    assert_eq!(serde_json::from_slice::<Announcement>(&again).unwrap(), announced);
    if announced.check().is_err() {
        assert!(FrameRange::of_plaintext(&announced, 0..1).is_err());
        return;
    }
    let plaintext = announced.plaintext_bytes().unwrap();
    let ours = body_bytes(plaintext, announced.frame_bytes);
    // Another writer's body may end in an empty final frame, which costs 32 bytes more.
    assert!(announced.body_bytes == ours || announced.body_bytes == ours + 32);
    let frame = u64::from(announced.frame_bytes.get());
    let mut end = (0, 0);
    for first in (0..plaintext.div_ceil(frame)).take(20) {
        let asked = first * frame..plaintext.min((first + 1) * frame);
        let range = FrameRange::of_plaintext(&announced, asked.clone()).unwrap();
        assert_eq!((range.plaintext_bytes(), range.frames()), (asked, first..first + 1));
        assert_eq!((range.body_bytes().start, range.plaintext_bytes().start), end);
        end = (range.body_bytes().end, range.plaintext_bytes().end);
        assert!(end.0 <= announced.body_bytes);
    }
}

/// A message that was changed in any way does not open, and what was written until then is the plaintext's beginning.
pub fn message(data: &[u8]) {
    let message = &*MESSAGE;
    let whole = [&message.sealed.header[..], &message.body].concat();
    let changed = edited(&whole, data);
    let Ok((header, body)) = Header::parse_prefix(&changed) else { return };
    let announcement = message.sealed.announcement();
    let opening = Opening {
        key: &message.key,
        header: header.as_bytes(),
        context: &message.context,
        announcement: &announcement,
    };
    let mut out = Vec::new();
    let opened = open(&opening, body, &mut out);
    assert_eq!(opened.is_ok(), changed == whole);
    assert!(message.plaintext.starts_with(&out));
    let mut in_memory = vec![1; 7];
    let opened_into = open_into(Threads::new(2), &opening, body, &mut in_memory);
    assert_eq!(format!("{opened_into:?}"), format!("{opened:?}"));
    assert_eq!(in_memory, if opened.is_ok() { &message.plaintext[..] } else { &[] });
    let mut out = Vec::new();
    let opened = open_message(&changed[..], |_| Ok::<_, std::fmt::Error>(message.key.clone()), &mut out);
    assert_eq!(opened.is_ok(), changed == whole);
    assert!(message.plaintext.starts_with(&out));
    let mut in_memory = vec![1; 7];
    let key_of = |_: &Header| Ok::<_, std::fmt::Error>(message.key.clone());
    let opened_into = open_message_into(Threads::new(2), &changed, key_of, &mut in_memory);
    assert_eq!(format!("{opened_into:?}"), format!("{opened:?}"));
    assert_eq!(in_memory, if opened.is_ok() { &message.plaintext[..] } else { &[] });
}

/// Frames or a proof that were changed in any way prove nothing.
pub fn range(data: &[u8]) {
    let Some((&[from, to, what], edits)) = data.split_first_chunk() else { return };
    let message = &*MESSAGE;
    let announcement = message.sealed.announcement();
    let Ok(range) = FrameRange::of_plaintext(&announcement, u64::from(from)..u64::from(to)) else { return };
    let [start, end] = [range.body_bytes().start, range.body_bytes().end].map(|at| usize::try_from(at).unwrap());
    let proof = message.index.prove(&range).unwrap().to_bytes();
    let (frames, good_proof) = (&message.body[start..end], proof.clone());
    let (frames_now, proof_now) =
        if what & 1 == 0 { (edited(frames, edits), proof) } else { (frames.to_vec(), edited(&proof, edits)) };
    let Some(proof) = RangeProof::from_bytes(&proof_now) else { return };
    let opening = Opening {
        key: &message.key,
        header: &message.sealed.header,
        context: &message.context,
        announcement: &announcement,
    };
    let mut out = Vec::new();
    let opened = open_range(&opening, &range, &proof, &frames_now[..], &mut out);
    assert_eq!(opened.is_ok(), frames_now == frames && proof_now == good_proof);
    let [start, end] =
        [range.plaintext_bytes().start, range.plaintext_bytes().end].map(|at| usize::try_from(at).unwrap());
    assert!(message.plaintext[start..end].starts_with(&out));
}

/// The message that everything is done to: five frames of 16 bytes.
struct Message {
    key: DataKey,
    context: Context,
    sealed: Sealed,
    body: Vec<u8>,
    index: FrameIndex,
    plaintext: Vec<u8>,
}

static MESSAGE: LazyLock<Message> = LazyLock::new(|| {
    let key = DataKey::from_bytes([3; 32]);
    let context = Context::new("t", "r", 1).unwrap();
    let wrapped_key = WrappedKey::kms("arn", b"wrapped").unwrap();
    let frame_bytes = FrameBytes::beyond_vault_limits(16);
    let sealing = Sealing { key: &key, context: &context, wrapped_key: &wrapped_key, frame_bytes };
    let plaintext: Vec<u8> = (0..70).collect();
    let mut body = Vec::new();
    let sealed = seal_with_message_id(&sealing, [4; 32], &plaintext[..], &mut body).unwrap();
    let index = FrameIndex::measure(frame_bytes, &body[..]).unwrap();
    Message { key, context, sealed, body, index, plaintext }
});

/// Follows instructions of four bytes: what to do, where (two bytes), with what.
fn edited(bytes: &[u8], instructions: &[u8]) -> Vec<u8> {
    let mut now = bytes.to_vec();
    for &[what, high, low, value] in instructions.as_chunks().0.iter().take(16) {
        let at = usize::from(u16::from_be_bytes([high, low])) % (now.len() + 1);
        let span = usize::from(value).min(now.len() - at);
        match what % 6 {
            0 if at < now.len() => now[at] ^= value,
            1 => now.insert(at, value),
            2 => drop(now.drain(at..at + span)),
            3 => now.truncate(at),
            4 => now.extend_from_within(at..at + span),
            5 => now[at..].rotate_left(span),
            _ => {}
        }
    }
    now
}

/// The frames of a body, as leaf hashes; none where it is not laid out as frames.
fn plain_frames(body: &[u8], frame_bytes: usize) -> Option<Vec<[u8; 32]>> {
    let (mut rest, mut leaves) = (body, Vec::new());
    loop {
        let number = u32::try_from(leaves.len() + 1).ok()?.to_be_bytes();
        let iv = [&[0; 8][..], &number].concat();
        let is_final = rest.starts_with(&[0xff; 4]);
        let head = if is_final { [&[0xff; 4][..], &number, &iv].concat() } else { [&number[..], &iv].concat() };
        let after_head = rest.strip_prefix(&head[..])?;
        let length = if is_final {
            let length = u32::from_be_bytes(*after_head.first_chunk()?);
            4 + usize::try_from(length).ok().filter(|length| *length <= frame_bytes)?
        } else {
            frame_bytes
        };
        let (frame, next) = rest.split_at_checked(head.len() + length + 16)?;
        leaves.push(Sha256::new_with_prefix([0]).chain_update(frame).finalize().into());
        rest = next;
        if is_final {
            return rest.is_empty().then_some(leaves);
        }
    }
}

fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    if let [only] = leaves {
        return *only;
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    Sha256::new_with_prefix([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
}
