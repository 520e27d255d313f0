// Opening: header, body, announcement and data key in, plaintext out, a few frames in memory.
//
// Source: docs/ENVELOPE.md, "Reading, in order"; the steps below are numbered as there. Plaintext is handed on frame by frame, each after its tag was
// verified, but the record is good only when `open` resolves: until then keep it apart, and throw it away if `open` rejects.

import { type Announcement, checkAnnouncement } from "./announcement.ts";
import { FrameTree, Parts } from "./digests.ts";
import { type Bytes, equal } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";
import { type Body, framesOf } from "./frames.ts";
import { type Context, type Header, parseHeader } from "./header.ts";
import { type MessageKeys, commitsTo, decrypt, deriveKeys } from "./keys.ts";
import { type OpenedFrame, openFrames } from "./pipeline.ts";

/** What to open with, and what to hold the message to. */
export interface Opening {
  /** The data key of this version of the record, 32 bytes. */
  readonly dataKey: Uint8Array;
  /** The detached header. */
  readonly header: Uint8Array;
  /** The record and version asked for. */
  readonly context: Context;
  /** What the uploader signed. */
  readonly announcement: Announcement;
}

/** What was opened. */
export interface Opened {
  /** The header, now known to be genuine. */
  readonly header: Header;
  /** Bytes of the plaintext. */
  readonly plaintextBytes: number;
}

/** Takes plaintext, in order. It is not yet known to be all of the record, or the record announced. */
export type Sink = (plaintext: Bytes) => void | Promise<void>;

/** Opens a message. Rejects with an EnvelopeError if it is not good. */
export async function open(opening: Opening, body: Body, sink: Sink): Promise<Opened> {
  const { header, keys } = await openHeader(opening);
  const plaintextBytes = await openBody(keys, opening.announcement, body, sink);
  return { header, plaintextBytes };
}

/** Steps 1 to 5. */
export async function openHeader(opening: Opening): Promise<{ header: Header; keys: MessageKeys }> {
  const { announcement, context } = opening;
  checkAnnouncement(announcement); // 1
  const header = parseHeader(opening.header); // 2
  if (!equal(header.messageId, announcement.messageId)) {
    throw new EnvelopeError("wrong-message", "the header is of another message than the one announced"); // 3
  }
  if (!equal(header.commitment, announcement.commitment)) {
    throw new EnvelopeError("commitment-mismatch", "the header commits to another key than the announcement");
  }
  if (header.frameBytes !== announcement.frameBytes) {
    throw new EnvelopeError("wrong-frame-bytes", "the header has another frame length than the announcement");
  }
  const { tenant, record, version } = header.context;
  if (tenant !== context.tenant || record !== context.record || version !== context.version) {
    throw new EnvelopeError("wrong-context", "the header is of another record or version");
  }
  const keys = await deriveKeys(opening.dataKey, header.messageId);
  if (!commitsTo(keys, header.commitment)) {
    throw new EnvelopeError("wrong-key", "the message was sealed under another key"); // 4
  }
  if ((await decrypt(keys, new Uint8Array(12), header.authenticated, header.tag)) === undefined) {
    throw new EnvelopeError("header-tampered", "the header was changed after it was sealed"); // 5
  }
  return { header, keys };
}

async function openBody(keys: MessageKeys, announced: Announcement, body: Body, sink: Sink): Promise<number> {
  const progress = new Progress(announced, sink);
  const frames = framesOf(body, announced.frameBytes);
  await openFrames(keys, announced.messageId, frames, (frame) => progress.take(frame));
  await progress.checkAll();
  return progress.plaintextBytes;
}

/** What is known of a body so far. */
class Progress {
  readonly #announced: Announcement;
  readonly #sink: Sink;
  readonly #tree = new FrameTree();
  readonly #parts = new Parts();
  #bodyBytes = 0;
  plaintextBytes = 0;

  constructor(announced: Announcement, sink: Sink) {
    this.#announced = announced;
    this.#sink = sink;
  }

  /** The end of step 6: the tag was verified, and only then there is plaintext. */
  async take({ frame, leaf, plaintext }: OpenedFrame): Promise<void> {
    this.#parts.update(frame.bytes);
    await this.#tree.push(leaf);
    this.#bodyBytes += frame.bytes.length;
    if (this.#bodyBytes > this.#announced.bodyBytes) this.#wrongLength();
    await this.#sink(plaintext);
    this.plaintextBytes += plaintext.length;
  }

  /** Step 8; step 7 is the end of the frames. */
  async checkAll(): Promise<void> {
    if (this.#bodyBytes !== this.#announced.bodyBytes) this.#wrongLength();
    if (!equal(await this.#tree.root(), this.#announced.framesRoot)) {
      throw new EnvelopeError("frames-root-mismatch", "the frames are not the ones announced");
    }
    if (!equal(await this.#parts.root(), this.#announced.partsRoot)) {
      throw new EnvelopeError("parts-root-mismatch", "the body's checksum is not the one announced");
    }
  }

  #wrongLength(): never {
    throw new EnvelopeError("body-length-mismatch", `the body does not have the ${this.#announced.bodyBytes} bytes announced`);
  }
}
