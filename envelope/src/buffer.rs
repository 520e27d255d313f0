//! One frame in memory: room for its head, content and tag, filled by a reader, worked on in place, handed on as it stands.
//!
//! The room is wiped when it is dropped, since it held plaintext. It is made of 16-byte words, because wiping goes word by word, and byte by byte
//! it would take longer than the encryption.

use zerocopy::IntoBytes as _;
use zeroize::Zeroize as _;

use crate::aead::TAG_BYTES;
use crate::frame::{FINAL_HEAD_BYTES, FrameBytes, Place};
use crate::merkle::Hash;

const WORD_BYTES: usize = size_of::<u128>();

/// A frame and its room.
pub(crate) struct FrameBuffer {
    words: Box<[u128]>,
    /// The frame's number, from one.
    pub(crate) sequence: u32,
    /// Whether it is the final frame.
    pub(crate) is_final: bool,
    /// Bytes of its content.
    pub(crate) content_bytes: usize,
    /// Its leaf hash in the frames' tree, once worked on.
    pub(crate) leaf: Hash,
}

impl FrameBuffer {
    /// Room for any frame of this length, and one byte more.
    pub(crate) fn new(frame_bytes: FrameBytes) -> Self {
        let room = FINAL_HEAD_BYTES + frame_bytes.len() + TAG_BYTES;
        let words = vec![0; room.div_ceil(WORD_BYTES)].into_boxed_slice();
        Self { words, sequence: 0, is_final: false, content_bytes: 0, leaf: [0; 32] }
    }

    fn room(&mut self) -> &mut [u8] {
        self.words.as_mut_bytes()
    }

    /// The room from where content begins, whatever the frame's kind; heads stand before it.
    pub(crate) fn content_room(&mut self) -> &mut [u8] {
        &mut self.room()[FINAL_HEAD_BYTES..]
    }

    /// The room for a final frame's head; a regular one takes the end of it.
    pub(crate) fn head_room(&mut self) -> &mut [u8; FINAL_HEAD_BYTES] {
        // Unwrap safety: the room is longer than a head.
        self.room().first_chunk_mut().expect("room for a head")
    }

    /// Which frame it is.
    pub(crate) fn place(&self) -> Place {
        Place { sequence: self.sequence, is_final: self.is_final, content_bytes: self.content_bytes }
    }

    fn head_bytes(&self) -> usize {
        self.place().head_bytes()
    }

    /// Writes the head of the frame that the buffer holds.
    pub(crate) fn put_head(&mut self) {
        let (place, start) = (self.place(), FINAL_HEAD_BYTES - self.head_bytes());
        place.put_head(&mut self.head_room()[start..]);
    }

    /// The head as it stands in the body.
    pub(crate) fn head(&self) -> &[u8] {
        &self.words.as_bytes()[FINAL_HEAD_BYTES - self.head_bytes()..FINAL_HEAD_BYTES]
    }

    /// The content alone.
    pub(crate) fn content(&self) -> &[u8] {
        &self.words.as_bytes()[FINAL_HEAD_BYTES..FINAL_HEAD_BYTES + self.content_bytes]
    }

    /// Content and tag.
    pub(crate) fn content_and_tag(&mut self) -> &mut [u8] {
        let end = self.content_bytes + TAG_BYTES;
        &mut self.content_room()[..end]
    }

    /// The whole frame as it stands in the body.
    pub(crate) fn frame(&self) -> &[u8] {
        let start = FINAL_HEAD_BYTES - self.head_bytes();
        &self.words.as_bytes()[start..FINAL_HEAD_BYTES + self.content_bytes + TAG_BYTES]
    }
}

impl Drop for FrameBuffer {
    fn drop(&mut self) {
        self.words.zeroize();
    }
}
