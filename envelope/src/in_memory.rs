//! Sealing and opening from memory into memory: the cipher reads from the one and writes to the other, and nothing is copied.
//!
//! The same bytes, digests, failures and order of failures as the streaming [`crate::seal`] and [`crate::open`], on the same pipeline; only that its
//! items are places in the result and not buffers. For what is small enough to be held whole; what comes from a network or a disk and goes there is
//! better streamed.
//!
//! The result is a vector of the caller's. Its memory is used again where it suffices, because a fresh page costs the operating system about as much as
//! filling it with ciphertext: a caller with many objects should keep one vector. What was in it is overwritten.
//!
//! After a failure the vector is empty and every byte that was written to it has been wiped: there may have been plaintext in it whose place
//! nobody vouches for.

use std::mem;

use zeroize::Zeroize as _;

use crate::aead::{Refused, TAG_BYTES};
use crate::digests::Parts;
use crate::frame::{self, FrameAad, FrameBytes, FrameSlices, Place};
use crate::header::{Header, MAX_HEADER_BYTES};
use crate::keys::{DataKey, MessageKeys};
use crate::merkle::{self, Hash, Tree};
use crate::message::{MessageError, header_at_front};
use crate::open::{self, OpenError, Opened, Opening};
use crate::pipeline::{self, Goes, Jobs, Threads};
use crate::seal::{Run, SealError, Sealed, Sealing};

/// A message without digests that is shorter is done before another thread has begun.
const MIN_BYTES_FOR_THREADS: usize = 4 * 1024 * 1024;

/// [`crate::seal`] of a plaintext in memory: `body` is the body afterwards, and nothing else.
pub fn seal_into(
    threads: Threads,
    sealing: &Sealing<'_>,
    plaintext: &[u8],
    body: &mut Vec<u8>,
) -> Result<Sealed, SealError> {
    wiped_unless_ok(body, |body| seal_run(&Run::fresh(threads)?, sealing, plaintext, body))
}

/// [`seal_into`] under a given message id. Only for frozen vectors: a message id used twice under one key gives both plaintexts away.
#[doc(hidden)]
pub fn seal_into_with_message_id(
    threads: Threads,
    sealing: &Sealing<'_>,
    message_id: [u8; 32],
    plaintext: &[u8],
    body: &mut Vec<u8>,
) -> Result<Sealed, SealError> {
    let run = Run::with_message_id(threads, message_id);
    wiped_unless_ok(body, |body| seal_run(&run, sealing, plaintext, body))
}

fn seal_run(run: &Run, sealing: &Sealing<'_>, plaintext: &[u8], body: &mut Vec<u8>) -> Result<Sealed, SealError> {
    let (keys, header) = run.begin(sealing)?;
    let length = run.body_length(plaintext.len(), sealing.frame_bytes)?;
    make_room(body, length);
    let (mut tree, mut parts) = (Tree::default(), Parts::default());
    let each = |frame: &mut Sealable<'_>| {
        frame.encrypt(&keys, &run.message_id)?;
        frame.leaf = merkle::leaf(frame.frame);
        Ok(())
    };
    frames_into(run.threads, sealing.frame_bytes, plaintext, body, each, |frame| {
        tree.push(frame.leaf);
        parts.update(frame.frame);
    })?;
    let lengths = [body.len() as u64, plaintext.len() as u64];
    Ok(Sealed::of(&header, keys.commitment, sealing.frame_bytes, lengths, &tree, parts))
}

/// [`crate::seal_message`] of a plaintext in memory: `message` is header || body afterwards, and nothing else.
pub fn seal_message_into(
    threads: Threads,
    sealing: &Sealing<'_>,
    plaintext: &[u8],
    message: &mut Vec<u8>,
) -> Result<(), SealError> {
    wiped_unless_ok(message, |message| {
        let run = Run::fresh(threads)?;
        let (keys, header) = run.begin(sealing)?;
        let header = header.as_bytes();
        make_room(message, header.len() + run.body_length(plaintext.len(), sealing.frame_bytes)?);
        let (front, body) = message.split_at_mut(header.len());
        front.copy_from_slice(header);
        let each = |frame: &mut Sealable<'_>| frame.encrypt(&keys, &run.message_id);
        frames_into(worthwhile(threads, plaintext), sealing.frame_bytes, plaintext, body, each, |_| {})
    })
}

fn worthwhile(threads: Threads, input: &[u8]) -> Threads {
    if input.len() < MIN_BYTES_FOR_THREADS { Threads::ONE } else { threads }
}

/// A frame that is sealed where it lies in the body.
#[derive(Default)]
struct Sealable<'a> {
    place: Place,
    plaintext: &'a [u8],
    frame: &'a mut [u8],
    leaf: Hash,
}

impl Sealable<'_> {
    fn encrypt(&mut self, keys: &MessageKeys, message_id: &[u8; 32]) -> Result<(), SealError> {
        let (head, rest) = self.frame.split_at_mut(self.place.head_bytes());
        let (content, tag) = rest.split_at_mut(self.place.content_bytes);
        self.place.put_head(head);
        let (iv, aad) = (frame::iv(self.place.sequence), FrameAad::of(message_id, self.place));
        Ok(keys.cipher.seal_into(iv, aad.as_bytes(), self.plaintext, content, tag)?)
    }
}

/// Cuts a plaintext into frames, which fill `body`. `each` runs on any thread; `in_order` follows, in order.
fn frames_into<'a>(
    threads: Threads,
    frame_bytes: FrameBytes,
    plaintext: &'a [u8],
    body: &'a mut [u8],
    each: impl Fn(&mut Sealable<'a>) -> Result<(), SealError> + Sync,
    mut in_order: impl FnMut(&Sealable<'a>) + Send,
) -> Result<(), SealError> {
    let (mut plaintext, mut body, mut sequence) = (plaintext, body, 0_u32);
    let jobs = Jobs {
        read: |next: &mut Sealable<'a>| {
            // Below the end mark, as the body's length was checked.
            sequence += 1;
            let is_final = plaintext.len() <= frame_bytes.len();
            let content_bytes = plaintext.len().min(frame_bytes.len());
            let place = Place { sequence, is_final, content_bytes };
            let (now, later) = plaintext.split_at(content_bytes);
            let (frame, rest) = mem::take(&mut body).split_at_mut(place.frame_bytes());
            (plaintext, body) = (later, rest);
            *next = Sealable { place, plaintext: now, frame, leaf: [0; 32] };
            Ok(if is_final { Goes::Ends } else { Goes::On })
        },
        work: each,
        emit: |frame: &mut Sealable<'a>| {
            in_order(frame);
            Ok(())
        },
    };
    pipeline::run(threads, Sealable::default, jobs)
}

/// [`crate::open`] of a body in memory: `plaintext` is the record afterwards, and nothing else; after a failure it is empty.
pub fn open_into(
    threads: Threads,
    opening: &Opening<'_>,
    body: &[u8],
    plaintext: &mut Vec<u8>,
) -> Result<Opened, OpenError> {
    wiped_unless_ok(plaintext, |plaintext| {
        let (header, keys) = open::open_header(opening)?;
        let announced = opening.announcement;
        make_room(plaintext, body.len());
        let mut frames = FrameSlices::new(body, announced.frame_bytes);
        let (mut parts, mut held) = (Parts::default(), open::Held::default());
        let read = |frame: &[u8]| parts.update(frame);
        let each = |frame: &mut Openable<'_>| {
            frame.leaf = merkle::leaf(frame.frame);
            frame.decrypt(&keys, &announced.message_id)
        };
        let in_order = |frame: &Openable<'_>| held.hold(announced, frame.leaf, frame.frame.len(), frame.room.len());
        contents_into(threads, &mut frames, plaintext, OpenJobs { read, each, in_order })?;
        frames.nothing_follows()?;
        let plaintext_bytes = held.finish(announced, parts)?;
        truncate(plaintext, plaintext_bytes);
        Ok(Opened { header, plaintext_bytes })
    })
}

/// [`crate::open_message`] of a message in memory: `plaintext` is what was sealed afterwards, and nothing else; after a failure it is empty.
pub fn open_message_into<E>(
    threads: Threads,
    message: &[u8],
    key_of: impl FnOnce(&Header) -> Result<DataKey, E>,
    plaintext: &mut Vec<u8>,
) -> Result<Opened, MessageError<E>> {
    wiped_unless_ok(plaintext, |plaintext| {
        let (front, _) = message.split_at(message.len().min(MAX_HEADER_BYTES));
        let header = header_at_front(front).map_err(OpenError::from)?.0;
        let body = &message[header.as_bytes().len()..];
        let key = key_of(&header).map_err(MessageError::Key)?;
        let keys = open::genuine_keys(&key, &header)?;
        make_room(plaintext, body.len());
        let mut frames = FrameSlices::new(body, FrameBytes::beyond_vault_limits(header.frame_bytes()));
        let mut plaintext_bytes = 0;
        let each = |frame: &mut Openable<'_>| frame.decrypt(&keys, header.message_id());
        let in_order = |frame: &Openable<'_>| {
            plaintext_bytes += frame.room.len() as u64;
            Ok(())
        };
        let jobs = OpenJobs { read: |_: &[u8]| (), each, in_order };
        contents_into(worthwhile(threads, body), &mut frames, plaintext, jobs)?;
        frames.nothing_follows().map_err(OpenError::Frames)?;
        truncate(plaintext, plaintext_bytes);
        Ok(Opened { header, plaintext_bytes })
    })
}

/// A frame whose content is opened where it will lie in the plaintext.
#[derive(Default)]
struct Openable<'a> {
    place: Place,
    frame: &'a [u8],
    room: &'a mut [u8],
    leaf: Hash,
}

impl Openable<'_> {
    fn decrypt(&mut self, keys: &MessageKeys, message_id: &[u8; 32]) -> Result<(), OpenError> {
        let (iv, aad) = (frame::iv(self.place.sequence), FrameAad::of(message_id, self.place));
        // Unwrap safety: a frame is longer than its tag.
        let (head_and_content, tag) = self.frame.split_last_chunk::<TAG_BYTES>().expect("a frame has a tag");
        let content = &head_and_content[self.place.head_bytes()..];
        let opened = keys.cipher.open_into(iv, aad.as_bytes(), content, tag, self.room);
        opened.map_err(|Refused| OpenError::FrameTampered { frame: self.place.sequence })
    }
}

/// What is done with each frame: as it is read, on any thread, and then in order.
struct OpenJobs<R, K, M> {
    read: R,
    each: K,
    in_order: M,
}

/// Opens frame after frame into `plaintext`, which has room for all contents.
fn contents_into<'a, R, K, M>(
    threads: Threads,
    frames: &mut FrameSlices<'a>,
    plaintext: &'a mut [u8],
    jobs: OpenJobs<R, K, M>,
) -> Result<(), OpenError>
where
    R: FnMut(&[u8]) + Send,
    K: Fn(&mut Openable<'a>) -> Result<(), OpenError> + Sync,
    M: FnMut(&Openable<'a>) -> Result<(), OpenError> + Send,
{
    let OpenJobs { mut read, each, mut in_order } = jobs;
    let mut plaintext = plaintext;
    let jobs = Jobs {
        read: |next: &mut Openable<'a>| {
            let (place, frame) = frames.next_frame()?;
            read(frame);
            // The contents of all frames together are shorter than the body, whose length the room has.
            let (room, rest) = mem::take(&mut plaintext).split_at_mut(place.content_bytes);
            plaintext = rest;
            *next = Openable { place, frame, room, leaf: [0; 32] };
            Ok(if place.is_final { Goes::Ends } else { Goes::On })
        },
        work: each,
        emit: |frame: &mut Openable<'a>| in_order(frame),
    };
    pipeline::run(threads, Openable::default, jobs)
}

/// Makes the vector so long. What was in it may stay, since all of it will be overwritten; zeroing it first would take a third of the time.
fn make_room(out: &mut Vec<u8>, length: usize) {
    if out.capacity() < length {
        // What goes back to the operating system may have been plaintext.
        out.zeroize();
        // Zeroed memory comes from the operating system as it is, untouched; a vector that grows is copied and written to.
        *out = vec![0; length];
    }
    out.resize(length, 0);
}

fn truncate(out: &mut Vec<u8>, length: u64) {
    // Unwrap safety: no longer than what is in memory.
    out.truncate(usize::try_from(length).expect("it is in memory"));
}

/// Runs it; if it fails, nothing of what it wrote stays in the vector.
fn wiped_unless_ok<T, E>(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> Result<T, E>) -> Result<T, E> {
    let filled = fill(out);
    if filled.is_err() {
        out.zeroize();
    }
    filled
}
