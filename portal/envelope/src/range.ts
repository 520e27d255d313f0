// Reading a range: some frames of a body, proven to be the announced ones, without the rest.
//
// Source: docs/ENVELOPE.md, "Reading a range"; RFC 6962 section 2.1. A frame's tag says that the holder of the data key made it for this place; that it
// is the frame announced follows from the hashes of the subtrees beside the range, which with its own leaves must come to `frames_root`.

import { type Announcement, FRAME_OVERHEAD_BYTES, checkAnnouncement, plaintextBytes } from "./announcement.ts";
import { nodeHash } from "./digests.ts";
import { type Bytes, equal } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";
import { type Body, framesOf } from "./frames.ts";
import { type Opening, type Sink, openHeader } from "./open.ts";
import { openFrames } from "./pipeline.ts";

/** Most frames of one range: their leaf hashes are held until the proof is checked. */
export const MAX_RANGE_FRAMES = 65_536;
/** Most hashes of a proof: two for each level of the largest tree. */
export const MAX_PROOF_HASHES = 64;

/** Places that follow one another; the end is not included. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Frames that follow one another in one body. */
export interface FrameRange {
  /** The frames, counted from zero. */
  readonly frames: Span;
  /** How many the body has. */
  readonly of: number;
  /** The bytes of the body to fetch: whole frames. */
  readonly body: Span;
  /** The bytes of the plaintext that these frames hold; at least those that were asked for. */
  readonly plaintext: Span;
}

/** The frames that hold these bytes of the plaintext; throws a RangeError if the record does not have them. */
export function frameRange(announcement: Announcement, asked: Span): FrameRange {
  checkAnnouncement(announcement);
  const { frameBytes, bodyBytes } = announcement;
  const plaintext = recordBytes(announcement);
  const isRange = Number.isSafeInteger(asked.from) && Number.isSafeInteger(asked.to) && asked.from >= 0;
  if (!isRange || asked.from >= asked.to || asked.to > plaintext) {
    throw new RangeError(`the range is empty or ends after the record does, which has ${plaintext} bytes`);
  }
  const stride = frameBytes + FRAME_OVERHEAD_BYTES;
  // Of the final frame's own 40 bytes, its stride has 32.
  const of = Math.floor((bodyBytes - 40) / stride) + 1;
  const frames = { from: Math.floor(asked.from / frameBytes), to: Math.ceil(asked.to / frameBytes) };
  if (frames.to - frames.from > MAX_RANGE_FRAMES) {
    throw new RangeError(`at most ${MAX_RANGE_FRAMES} frames are read at once`);
  }
  return {
    frames,
    of,
    body: { from: frames.from * stride, to: frames.to === of ? bodyBytes : frames.to * stride },
    plaintext: { from: frames.from * frameBytes, to: Math.min(plaintext, frames.to * frameBytes) },
  };
}

/** Plaintext bytes of the announced record. */
function recordBytes(announcement: Announcement): number {
  return plaintextBytes(announcement) ?? 0;
}

/** Takes a proof apart: 32 bytes for each subtree beside the range, from left to right. Throws a TypeError for other bytes. */
export function parseRangeProof(bytes: Uint8Array): Bytes[] {
  if (bytes.length % 32 !== 0 || bytes.length > 32 * MAX_PROOF_HASHES) {
    throw new TypeError(`a proof has at most ${MAX_PROOF_HASHES} hashes of 32 bytes`);
  }
  return Array.from({ length: bytes.length / 32 }, (_, i) => Uint8Array.from(bytes.subarray(32 * i, 32 * i + 32)));
}

/**
 * Opens some frames of a message. `body` is exactly the range's bytes of it. What the sink gets is the range's plaintext, and good only if this
 * resolves, when the proof has been checked too.
 */
export async function openRange(
  opening: Opening,
  range: FrameRange,
  proof: readonly Bytes[],
  body: Body,
  sink: Sink,
): Promise<void> {
  const { keys } = await openHeader(opening);
  const { announcement } = opening;
  const own = frameRange(announcement, range.plaintext);
  if (JSON.stringify(own) !== JSON.stringify(range)) {
    throw new EnvelopeError("range-of-another", "the range is of another announcement");
  }
  const wanted = {
    first: range.frames.from + 1,
    count: range.frames.to - range.frames.from,
    final: { sequence: range.of, contentBytes: recordBytes(announcement) - (range.of - 1) * announcement.frameBytes },
  };
  const leaves: Bytes[] = [];
  await openFrames(keys, announcement.messageId, framesOf(body, announcement.frameBytes, wanted), async (opened) => {
    leaves.push(opened.leaf);
    await sink(opened.plaintext);
  });
  const beside = [...proof];
  const root = await subtreeRoot({ from: 0, to: range.of }, range.frames, leaves, beside);
  if (root === undefined || beside.length > 0 || !equal(root, announcement.framesRoot)) {
    throw new EnvelopeError("frames-root-mismatch", "the frames are not the ones announced");
  }
}

/** The root of the subtree over `nodes`, from the range's leaves and the hashes beside it, which are used up; undefined if there are too few. */
async function subtreeRoot(
  nodes: Span,
  range: Span,
  leaves: readonly Bytes[],
  beside: Bytes[],
): Promise<Bytes | undefined> {
  if (nodes.to <= range.from || range.to <= nodes.from) return beside.shift();
  const count = nodes.to - nodes.from;
  if (count === 1) return leaves[nodes.from - range.from];
  let split = 1;
  while (split * 2 < count) split *= 2;
  const middle = nodes.from + split;
  const left = await subtreeRoot({ from: nodes.from, to: middle }, range, leaves, beside);
  const right = await subtreeRoot({ from: middle, to: nodes.to }, range, leaves, beside);
  return left !== undefined && right !== undefined ? nodeHash(left, right) : undefined;
}
