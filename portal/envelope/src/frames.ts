// Frames: a body taken apart, one frame at a time, out of chunks of any size.
//
// Source: docs/ENVELOPE.md, "The body" and step 6 of "Reading, in order".

import { type Bytes, concat, equal, u32, utf8 } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";

/** A body as it arrives: what fetch gives, what a file gives, or chunks at hand. */
export type Body = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** One frame whose place and length are right. Its content is not decrypted. */
export interface Frame {
  readonly sequence: number;
  readonly isFinal: boolean;
  /** All its bytes, as they stand in the body. */
  readonly bytes: Bytes;
  readonly contentAndTag: Bytes;
}

const TAG_BYTES = 16;
const IV_BYTES = 12;
const REGULAR_HEAD_BYTES = 4 + IV_BYTES;
const FINAL_HEAD_BYTES = 4 + REGULAR_HEAD_BYTES + 4;
const END_MARK = 0xffff_ffff;
const REGULAR_KIND = utf8("AWSKMSEncryptionClient Frame");
const FINAL_KIND = utf8("AWSKMSEncryptionClient Final Frame");

/** Eight zeros, then the sequence number. */
export function frameIv(sequence: number): Bytes {
  return concat(new Uint8Array(8), u32(sequence));
}

/** What a frame's tag covers beside its content. */
export function frameAad(messageId: Bytes, isFinal: boolean, sequence: number, contentBytes: number): Bytes {
  const kind = isFinal ? FINAL_KIND : REGULAR_KIND;
  // The length has eight bytes, but a frame's is far below 2^32.
  return concat(messageId, kind, u32(sequence), u32(0), u32(contentBytes));
}

/** Which frames are wanted of a body. */
export interface Wanted {
  /** The first one's sequence number. */
  readonly first: number;
  readonly count: number;
  /** The sequence number of the frame that the announced body ends with, and the content bytes that it must have. */
  readonly final: { readonly sequence: number; readonly contentBytes: number };
}

/**
 * The frames of a body, in order; the final one ends them. `body` begins with the first frame wanted and ends with the last: fewer bytes and bytes
 * after it are failures.
 */
export async function* framesOf(body: Body, frameBytes: number, wanted?: Wanted): AsyncGenerator<Frame, void> {
  const source = new Source(body);
  try {
    const first = wanted?.first ?? 1;
    for (let missing = wanted?.count ?? Infinity, sequence = first; missing > 0; sequence++, missing--) {
      const frame = await readFrame(source, frameBytes, sequence);
      if (wanted !== undefined) checkKind(frame, wanted);
      yield frame;
      if (frame.isFinal) break;
    }
    if ((await source.fill(new Uint8Array(1), 0, 1)) !== 0) {
      throw new EnvelopeError("trailing-bytes", "bytes follow the last frame");
    }
  } finally {
    await source.close();
  }
}

/** Of a range only the frame itself shows whether it is final where the announced body ends, and only there, and ends it exactly. */
function checkKind({ sequence, isFinal, contentAndTag }: Frame, { final }: Wanted): void {
  if (isFinal !== (sequence === final.sequence)) {
    throw new EnvelopeError("truncated", `the announced body does not end as frame ${sequence} says`);
  }
  if (isFinal && contentAndTag.length - TAG_BYTES !== final.contentBytes) {
    throw new EnvelopeError("body-length-mismatch", `frame ${sequence} does not end the body where it was announced to`);
  }
}

async function readFrame(source: Source, frameBytes: number, sequence: number): Promise<Frame> {
  const buffer = new Uint8Array(FINAL_HEAD_BYTES + frameBytes + TAG_BYTES);
  const view = new DataView(buffer.buffer);
  const read = async (from: number, to: number) => {
    if ((await source.fill(buffer, from, to)) < to - from) {
      throw new EnvelopeError("truncated", `the body ends inside frame ${sequence}`);
    }
  };
  await read(0, 4);
  const isFinal = view.getUint32(0) === END_MARK;
  const headBytes = isFinal ? FINAL_HEAD_BYTES : REGULAR_HEAD_BYTES;
  await read(4, headBytes);
  const start = isFinal ? 4 : 0;
  if (view.getUint32(start) !== sequence) {
    throw new EnvelopeError("frame-out-of-order", `another frame stands where frame ${sequence} should`);
  }
  if (!equal(buffer.subarray(start + 4, start + REGULAR_HEAD_BYTES), frameIv(sequence))) {
    throw new EnvelopeError("frame-wrong-iv", `frame ${sequence} has an IV that is not its number`);
  }
  const contentBytes = isFinal ? view.getUint32(FINAL_HEAD_BYTES - 4) : frameBytes;
  if (contentBytes > frameBytes) {
    throw new EnvelopeError("final-frame-too-long", `final frame ${sequence} says it holds more than a frame can`);
  }
  const end = headBytes + contentBytes + TAG_BYTES;
  await read(headBytes, end);
  return { sequence, isFinal, bytes: buffer.subarray(0, end), contentAndTag: buffer.subarray(headBytes, end) };
}

/** Chunks of any size, read as if they were one. */
class Source {
  readonly #next: () => Promise<Uint8Array | undefined>;
  readonly #close: () => Promise<unknown>;
  #chunk: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(body: Body) {
    if ("getReader" in body) {
      // Not every browser can iterate over a stream.
      const reader = body.getReader();
      this.#next = async () => (await reader.read()).value;
      this.#close = () => reader.cancel();
    } else {
      const chunks = Symbol.asyncIterator in body ? body[Symbol.asyncIterator]() : body[Symbol.iterator]();
      this.#next = async () => {
        const next = await chunks.next();
        return next.done === true ? undefined : next.value;
      };
      this.#close = async () => chunks.return?.();
    }
  }

  /** Fills `room` from one index to another and returns how many bytes there were. Fewer than asked for: the source has ended. */
  async fill(room: Uint8Array, from: number, to: number): Promise<number> {
    let at = from;
    while (at < to) {
      if (this.#at === this.#chunk.length) {
        const chunk = await this.#next();
        if (chunk === undefined) break;
        this.#chunk = chunk;
        this.#at = 0;
        continue;
      }
      const piece = this.#chunk.subarray(this.#at, this.#at + to - at);
      room.set(piece, at);
      at += piece.length;
      this.#at += piece.length;
    }
    return at - from;
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#close();
  }
}
