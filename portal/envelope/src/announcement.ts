// The announcement: what an uploader signs of a message before uploading it, and what a reader holds the message to.
//
// Source: docs/ENVELOPE.md, "The announcement" and "Limits". Whether the announcement itself was signed is for the evidence to say, not for this.

import { type Bytes, fromBase64url, fromHex } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";

/** The one algorithm suite: AES-256-GCM, HKDF-SHA512, key commitment, no signature. */
export const SUITE = 0x0478;
/** Bytes of one part of an upload; every part but the last has exactly this size. */
export const PART_BYTES = 64 * 1024 * 1024;
/** Most bytes of a body: 10,000 parts. */
export const MAX_BODY_BYTES = PART_BYTES * 10_000;
/** Fewest plaintext bytes of a frame in the vault. */
export const MIN_FRAME_BYTES = 64 * 1024;
/** Most plaintext bytes of a frame, in the vault and for any reader. */
export const MAX_FRAME_BYTES = 1024 * 1024;
/** What a frame costs beside its plaintext: sequence number, IV, tag. */
export const FRAME_OVERHEAD_BYTES = 32;
/** What the final frame costs beside its plaintext: the end mark and a length more. */
export const FINAL_OVERHEAD_BYTES = 40;

/** The values of a message that its uploader signed. */
export interface Announcement {
  readonly suite: number;
  readonly messageId: Bytes;
  readonly commitment: Bytes;
  readonly frameBytes: number;
  readonly bodyBytes: number;
  readonly framesRoot: Bytes;
  readonly partsRoot: Bytes;
}

const FIELDS = ["suite", "message_id", "commitment", "frame_bytes", "body_bytes", "frames_root", "parts_root"];

/** Reads an announcement from its JSON form; throws a TypeError for another form, or a frame length that the vault does not allow. */
export function parseAnnouncement(json: unknown): Announcement {
  const announcement = parseAnnouncementOfAnyFrame(json);
  const { frameBytes } = announcement;
  const isPowerOfTwo = (frameBytes & (frameBytes - 1)) === 0;
  if (!isPowerOfTwo || frameBytes < MIN_FRAME_BYTES || frameBytes > MAX_FRAME_BYTES) {
    throw new TypeError("frame_bytes must be a power of two from 64 KiB to 1 MiB");
  }
  return announcement;
}

/** The same with any frame length that a header may have: for the frozen vectors, whose frames are small. */
export function parseAnnouncementOfAnyFrame(json: unknown): Announcement {
  if (typeof json !== "object" || json === null) throw new TypeError("an announcement is an object");
  const fields = new Map<string, unknown>(Object.entries(json));
  const unknown = [...fields.keys()].find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) throw new TypeError(`an announcement has no field ${unknown}`);
  const suite = text(fields, "suite");
  if (!/^[0-9a-f]{4}$/.test(suite)) throw new TypeError("suite must be four lower-case hexadecimal digits");
  const frameBytes = count(fields, "frame_bytes");
  if (frameBytes < 1 || frameBytes > MAX_FRAME_BYTES) throw new TypeError("frame_bytes must be 1 byte to 1 MiB");
  return {
    suite: Number.parseInt(suite, 16),
    messageId: exactly32(fromBase64url(text(fields, "message_id"))),
    commitment: exactly32(fromBase64url(text(fields, "commitment"))),
    frameBytes,
    bodyBytes: count(fields, "body_bytes"),
    framesRoot: exactly32(fromHex(text(fields, "frames_root"))),
    partsRoot: exactly32(fromHex(text(fields, "parts_root"))),
  };
}

function text(fields: ReadonlyMap<string, unknown>, name: string): string {
  const value = fields.get(name);
  if (typeof value !== "string") throw new TypeError(`${name} must be a text`);
  return value;
}

function count(fields: ReadonlyMap<string, unknown>, name: string): number {
  const value = fields.get(name);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw new TypeError(`${name} must be a whole number`);
  }
  return value;
}

function exactly32(bytes: Bytes): Bytes {
  if (bytes.length !== 32) throw new TypeError("expected 32 bytes");
  return bytes;
}

/** Plaintext bytes of the announced body, or undefined if no body of such frames has the announced length. */
export function plaintextBytes(announcement: Announcement): number | undefined {
  const { bodyBytes, frameBytes } = announcement;
  const beyondSmallest = bodyBytes - FINAL_OVERHEAD_BYTES;
  if (beyondSmallest < 0) return undefined;
  const regular = Math.floor(beyondSmallest / (frameBytes + FRAME_OVERHEAD_BYTES));
  const last = beyondSmallest % (frameBytes + FRAME_OVERHEAD_BYTES);
  return last <= frameBytes ? regular * frameBytes + last : undefined;
}

/** Step 1: whether a message can fulfil the announcement at all. */
export function checkAnnouncement(announcement: Announcement): void {
  if (announcement.suite !== SUITE) {
    throw new EnvelopeError("announced-suite", "the announcement names an algorithm suite that is not supported");
  }
  if (announcement.bodyBytes > MAX_BODY_BYTES) {
    throw new EnvelopeError("announced-body-too-large", "the announced body is larger than any upload");
  }
  if (plaintextBytes(announcement) === undefined) {
    throw new EnvelopeError("announced-impossible-length", "no body of such frames has the announced length");
  }
}
