//! Reading a range: some frames of a body, proven to be the announced ones, without the rest.
//!
//! Every frame's tag says that the holder of the data key made it for this message and this place. That it is also the frame that the uploader
//! announced follows from `frames_root`: a proof gives the hashes of the subtrees (RFC 6962 section 2.1) that the range does not touch, from left to
//! right, and with the range's own leaf hashes they must come to the announced root. Proofs are made from the index of all leaf hashes, 32 bytes a
//! frame, which whoever has the body can make and which needs no protection: a wrong one makes a wrong root.
//!
//! Out of scope: fetching ranges, keeping indexes.

use std::io::{Read, Write};
use std::ops::Range;

use subtle::ConstantTimeEq;

use crate::announcement::Announcement;
use crate::buffer::FrameBuffer;
use crate::frame::{FRAME_OVERHEAD_BYTES, FrameBytes, FrameError, FrameReader};
use crate::merkle::{self, Hash, Tree};
use crate::open::{OpenError, Opening, decrypt, open_header};
use crate::pipeline::{self, Goes, Jobs, Threads};

/// Most frames of one range: their leaf hashes are held until the proof is checked, 2 MiB of them.
const MAX_RANGE_FRAMES: u64 = 65_536;
/// Most hashes of a proof: two for each level of the largest tree.
const MAX_PROOF_HASHES: usize = 64;

/// A range that a message does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameRangeError {
    /// No message can fulfil the announcement.
    #[error("the announcement is not possible")]
    Announcement,
    /// The range is empty or ends after the record does.
    #[error("the range is empty or ends after the record does, which has {plaintext_bytes} bytes")]
    OutOfRecord {
        /// Bytes of the record.
        plaintext_bytes: u64,
    },
    /// More frames than are read at once.
    #[error("the range spans {frames} frames, and at most {MAX_RANGE_FRAMES} are read at once")]
    TooLong {
        /// Frames that it spans.
        frames: u64,
    },
}

/// Frames that follow one another in one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRange {
    /// The frames, counted from zero.
    frames: Range<u64>,
    /// How many the body has.
    of: u64,
    /// Where they stand in the body.
    body: Range<u64>,
    /// What they hold of the plaintext.
    plaintext: Range<u64>,
}

impl FrameRange {
    /// The frames that hold these bytes of the plaintext.
    pub fn of_plaintext(announced: &Announcement, plaintext: Range<u64>) -> Result<Self, FrameRangeError> {
        announced.check().map_err(|_| FrameRangeError::Announcement)?;
        let plaintext_bytes = announced.plaintext_bytes().ok_or(FrameRangeError::Announcement)?;
        let of = announced.frames().ok_or(FrameRangeError::Announcement)?;
        if plaintext.is_empty() || plaintext.end > plaintext_bytes {
            return Err(FrameRangeError::OutOfRecord { plaintext_bytes });
        }
        let frame_bytes = u64::from(announced.frame_bytes.get());
        let frames = plaintext.start / frame_bytes..plaintext.end.div_ceil(frame_bytes);
        let count = frames.end - frames.start;
        if count > MAX_RANGE_FRAMES {
            return Err(FrameRangeError::TooLong { frames: count });
        }
        let stride = frame_bytes + FRAME_OVERHEAD_BYTES;
        let body = frames.start * stride..if frames.end == of { announced.body_bytes } else { frames.end * stride };
        let plaintext = frames.start * frame_bytes..plaintext_bytes.min(frames.end * frame_bytes);
        Ok(Self { frames, of, body, plaintext })
    }

    /// The frames, counted from zero.
    pub fn frames(&self) -> Range<u64> {
        self.frames.clone()
    }

    /// The bytes of the body to fetch: whole frames.
    pub fn body_bytes(&self) -> Range<u64> {
        self.body.clone()
    }

    /// The bytes of the plaintext that these frames hold; at least those that were asked for.
    pub fn plaintext_bytes(&self) -> Range<u64> {
        self.plaintext.clone()
    }
}

impl FrameRange {
    /// Whether frame `index` is final where the announced body ends, and only there, and ends it exactly. A whole body shows that by its length; of a
    /// range only the frame itself does, and an uploader who announces something else must not get it past a reader of ranges.
    fn check_kind(&self, announced: &Announcement, index: u64, frame: &FrameBuffer) -> Result<(), OpenError> {
        let is_last = index + 1 == self.of;
        if frame.is_final != is_last {
            return Err(FrameError::Truncated { frame: frame.sequence }.into());
        }
        let end = index * u64::from(announced.frame_bytes.get()) + frame.content_bytes as u64;
        if is_last && end != self.plaintext.end {
            let found = self.body.end - self.plaintext.end + end;
            return Err(OpenError::BodyLengthMismatch { announced: announced.body_bytes, found });
        }
        Ok(())
    }
}

/// The leaf hashes of all frames of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameIndex(Vec<Hash>);

impl FrameIndex {
    /// The index of a body. No key is needed.
    pub fn measure(frame_bytes: FrameBytes, body: impl Read + Send) -> Result<Self, FrameError> {
        let mut frames = FrameReader::new(body, frame_bytes);
        let mut leaves = Vec::new();
        let jobs = Jobs {
            read: |buffer: &mut FrameBuffer| frames.read_frame(buffer),
            work: |buffer: &mut FrameBuffer| {
                buffer.leaf = merkle::leaf(buffer.frame());
                Ok(())
            },
            emit: |buffer: &mut FrameBuffer| {
                leaves.push(buffer.leaf);
                Ok(())
            },
        };
        pipeline::run(Threads::available(), || FrameBuffer::new(frame_bytes), jobs)?;
        frames.nothing_follows()?;
        Ok(Self(leaves))
    }

    /// The index in these bytes, 32 a frame; none where it is not one of this body.
    pub fn from_bytes(announced: &Announcement, bytes: &[u8]) -> Option<Self> {
        let (leaves, []) = bytes.as_chunks() else { return None };
        let index = Self(leaves.to_vec());
        let fits = announced.frames() == Some(leaves.len() as u64) && index.root() == announced.frames_root;
        fits.then_some(index)
    }

    /// 32 bytes for each frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// The root of the frames' tree.
    pub fn root(&self) -> [u8; 32] {
        root_of(&self.0)
    }

    /// The proof that goes with these frames; none where the index is of another body.
    pub fn prove(&self, range: &FrameRange) -> Option<RangeProof> {
        let mut hashes = Vec::new();
        (range.of == self.0.len() as u64).then(|| beside(&self.0, 0, &range.frames, &mut hashes))?;
        Some(RangeProof(hashes))
    }
}

fn root_of(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    for leaf in leaves {
        tree.push(*leaf);
    }
    tree.root()
}

/// Collects, from left to right, the roots of the subtrees that the range does not touch. `leaves` begin at leaf `start`.
fn beside(leaves: &[Hash], start: u64, range: &Range<u64>, hashes: &mut Vec<Hash>) {
    let end = start + leaves.len() as u64;
    if end <= range.start || range.end <= start {
        hashes.push(root_of(leaves));
    } else if leaves.len() > 1 && !(range.start <= start && end <= range.end) {
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        beside(left, start, range, hashes);
        beside(right, start + left.len() as u64, range, hashes);
    }
}

/// What proves, with the frames themselves, that they are the announced ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeProof(Vec<Hash>);

impl RangeProof {
    /// The proof in these bytes: 32 for each subtree beside the range, from left to right.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.as_chunks() {
            (hashes, []) if hashes.len() <= MAX_PROOF_HASHES => Some(Self(hashes.to_vec())),
            _ => None,
        }
    }

    /// 32 bytes for each subtree beside the range.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// The root that the range's leaves and this proof come to; none where the proof has too many or too few hashes.
    fn root(&self, range: &FrameRange, leaves: &[Hash]) -> Option<Hash> {
        let mut beside = self.0.iter();
        let root = subtree(0..range.of, &range.frames, leaves, &mut beside)?;
        beside.next().is_none().then_some(root)
    }
}

/// The root of the subtree over `nodes`, from the range's leaves and the proof's hashes.
fn subtree<'a>(
    nodes: Range<u64>,
    range: &Range<u64>,
    leaves: &[Hash],
    beside: &mut impl Iterator<Item = &'a Hash>,
) -> Option<Hash> {
    if nodes.end <= range.start || range.end <= nodes.start {
        return beside.next().copied();
    }
    let count = nodes.end - nodes.start;
    if count == 1 {
        return leaves.get(usize::try_from(nodes.start - range.start).ok()?).copied();
    }
    let middle = nodes.start + count.next_power_of_two() / 2;
    let left = subtree(nodes.start..middle, range, leaves, beside)?;
    let right = subtree(middle..nodes.end, range, leaves, beside)?;
    Some(merkle::node(&left, &right))
}

/// Opens some frames of a message. `body` is exactly [`FrameRange::body_bytes`] of it; what is written is [`FrameRange::plaintext_bytes`], and good only if
/// this returns `Ok`, when the proof has been checked too.
pub fn open_range(
    opening: &Opening<'_>,
    range: &FrameRange,
    proof: &RangeProof,
    body: impl Read + Send,
    mut plaintext: impl Write + Send,
) -> Result<(), OpenError> {
    let (_, keys) = open_header(opening)?;
    let announced = opening.announcement;
    if FrameRange::of_plaintext(announced, range.plaintext.clone()).as_ref() != Ok(range) {
        return Err(OpenError::RangeOfAnother);
    }
    let too_many = |_| OpenError::Frames(FrameError::TooManyFrames);
    let first = u32::try_from(range.frames.start + 1).map_err(too_many)?;
    let mut frames = FrameReader::from_frame(body, announced.frame_bytes, first);
    let mut next = range.frames.start;
    let mut leaves = Vec::new();
    let jobs = Jobs {
        read: |buffer: &mut FrameBuffer| {
            frames.read_frame(buffer)?;
            range.check_kind(announced, next, buffer)?;
            next += 1;
            Ok(if next == range.frames.end { Goes::Ends } else { Goes::On })
        },
        work: |buffer: &mut FrameBuffer| {
            buffer.leaf = merkle::leaf(buffer.frame());
            decrypt(&keys, &announced.message_id, buffer)
        },
        emit: |buffer: &mut FrameBuffer| {
            leaves.push(buffer.leaf);
            plaintext.write_all(buffer.content()).map_err(OpenError::Write)
        },
    };
    pipeline::run(Threads::available(), || FrameBuffer::new(announced.frame_bytes), jobs)?;
    frames.nothing_follows()?;
    plaintext.flush().map_err(OpenError::Write)?;
    let root = proof.root(range, &leaves).ok_or(OpenError::FramesRootMismatch)?;
    if bool::from(root.ct_eq(&announced.frames_root)) { Ok(()) } else { Err(OpenError::FramesRootMismatch) }
}
