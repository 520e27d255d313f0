// The header: which record, which wrapped key, which frames. Reading is strict: a header has one spelling.
//
// Source: docs/ENVELOPE.md, "The header", its table and its limits. Checks follow the order of the fields; whether the header is genuine takes the data
// key (open.ts).

import { MAX_FRAME_BYTES, SUITE } from "./announcement.ts";
import type { Bytes } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";

/** Most bytes of a header. */
export const MAX_HEADER_BYTES = 4096;

const FORMAT_VERSION = 2;
const CONTENT_FRAMED = 2;
const TAG_BYTES = 16;
const MAX_TENANT_BYTES = 255;
const MAX_RECORD_BYTES = 64;
const MAX_PROVIDER_ID_BYTES = 64;
const MAX_PROVIDER_INFO_BYTES = 1024;
const MAX_WRAPPED_KEY_BYTES = 1024;
const MAX_VERSION = 0xffff_ffff;

/** Which version of which record, in which vault. */
export interface Context {
  readonly tenant: string;
  readonly record: string;
  readonly version: number;
}

/** The data key as its key provider wrapped it. */
export interface WrappedKey {
  readonly providerId: string;
  readonly providerInfo: Bytes;
  readonly ciphertext: Bytes;
}

/** A header that is well formed. */
export interface Header {
  readonly messageId: Bytes;
  readonly context: Context;
  readonly wrappedKey: WrappedKey;
  readonly frameBytes: number;
  readonly commitment: Bytes;
  /** All bytes before the tag, which the tag covers. */
  readonly authenticated: Bytes;
  readonly tag: Bytes;
}

/** Reads a header that is all of `bytes`. */
export function parseHeader(bytes: Uint8Array): Header {
  if (bytes.length > MAX_HEADER_BYTES) {
    throw new EnvelopeError("header-too-long", `the header is longer than ${MAX_HEADER_BYTES} bytes`);
  }
  const rest = new Cursor(bytes);
  if (rest.number(1) !== FORMAT_VERSION) {
    throw new EnvelopeError("header-format-version", "the message format version is not supported");
  }
  if (rest.number(2) !== SUITE) {
    throw new EnvelopeError("header-suite", "the header's algorithm suite is not supported");
  }
  const messageId = rest.take(32);
  const context = readContext(new Cursor(rest.counted()));
  const wrappedKey = readWrappedKey(rest);
  if (rest.number(1) !== CONTENT_FRAMED) {
    throw new EnvelopeError("header-content-type", "only framed content is supported");
  }
  const frameBytes = rest.number(4);
  if (frameBytes < 1 || frameBytes > MAX_FRAME_BYTES) {
    throw new EnvelopeError("header-frame-bytes", "the header's frame length is not supported");
  }
  const commitment = rest.take(32);
  const tag = rest.take(TAG_BYTES);
  if (rest.left !== 0) throw new EnvelopeError("header-trailing-bytes", "bytes follow the header");
  const authenticated = Uint8Array.from(bytes.subarray(0, bytes.length - TAG_BYTES));
  return { messageId, context, wrappedKey, frameBytes, commitment, authenticated, tag };
}

function readContext(rest: Cursor): Context {
  const pairs = () => new EnvelopeError("header-context-pairs", "the context is not exactly record, tenant, version");
  if (rest.left === 0 || rest.number(2) !== 3) throw pairs();
  const value = (name: string): string => {
    // A name that is not UTF-8 is another name.
    if (new TextDecoder("utf-8", { ignoreBOM: true }).decode(rest.counted()) !== name) throw pairs();
    return decoded(rest.counted());
  };
  const [record, tenant, version] = [value("record"), value("tenant"), value("version")];
  if (rest.left !== 0) throw pairs();
  const isVersion = /^(0|[1-9][0-9]{0,9})$/.test(version) && Number(version) <= MAX_VERSION;
  if (!isName(tenant, MAX_TENANT_BYTES) || !isName(record, MAX_RECORD_BYTES) || !isVersion) {
    throw new EnvelopeError("header-context-value", "a value of the context is not allowed");
  }
  return { tenant, record, version: Number(version) };
}

/** Printable ASCII without spaces. */
function isName(text: string, limit: number): boolean {
  return text.length <= limit && /^[!-~]+$/.test(text);
}

function readWrappedKey(rest: Cursor): WrappedKey {
  if (rest.number(2) !== 1) throw new EnvelopeError("header-key-count", "there is not exactly one encrypted data key");
  const [id, providerInfo, ciphertext] = [rest.counted(), rest.counted(), rest.counted()];
  const providerId = decoded(id);
  const within = (field: Uint8Array, limit: number) => field.length >= 1 && field.length <= limit;
  const allowed =
    within(id, MAX_PROVIDER_ID_BYTES) &&
    within(providerInfo, MAX_PROVIDER_INFO_BYTES) &&
    within(ciphertext, MAX_WRAPPED_KEY_BYTES);
  if (!allowed) throw new EnvelopeError("header-wrapped-key", "the encrypted data key is not allowed");
  return { providerId, providerInfo, ciphertext };
}

function decoded(bytes: Uint8Array): string {
  try {
    // Without ignoreBOM a leading byte order mark would vanish, and with it one spelling.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new EnvelopeError("header-not-text", "a name in the header is not UTF-8");
  }
}

/** What is left to read. */
class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Bytes {
    if (length > this.left) throw new EnvelopeError("header-truncated", "the header ends in the middle of a field");
    this.#at += length;
    return Uint8Array.from(this.#bytes.subarray(this.#at - length, this.#at));
  }

  /** A big-endian number of up to four bytes. */
  number(length: 1 | 2 | 4): number {
    return this.take(length).reduce((number, byte) => number * 256 + byte, 0);
  }

  /** A field behind its length in two bytes. */
  counted(): Bytes {
    return this.take(this.number(2));
  }
}
