// The shape of the files in envelope/vectors. A field, a file or a value that is not known here fails the tests: nothing is passed over.

import { readFileSync, readdirSync } from "node:fs";

import { type Announcement, parseAnnouncementOfAnyFrame } from "../src/announcement.ts";
import { type Bytes, fromBase64url } from "../src/encoding.ts";
import type { Context, WrappedKey } from "../src/index.ts";

const FOLDER = new URL("../../../envelope/vectors/", import.meta.url);

/** The files that there are. */
export function vectorFiles(): string[] {
  return readdirSync(FOLDER).toSorted();
}

/** The vectors of a file; there is at least one. */
export function vectorsOf(file: string): Fields[] {
  const vectors: unknown = JSON.parse(readFileSync(new URL(file, FOLDER), "utf8"));
  if (!Array.isArray(vectors) || vectors.length === 0) throw new TypeError(`${file} is not a list of vectors`);
  return vectors.map((vector) => new Fields(vector));
}

/** Plaintext by description: byte i is i modulo 251. */
export function countingBytes(bytes: number): Bytes {
  const counted = new Uint8Array(bytes);
  for (let i = 0; i < Math.min(bytes, 251); i++) counted[i] = i;
  // What is there already is doubled, until it is enough: a whole number of periods each time.
  for (let filled = 251; filled < bytes; filled *= 2) counted.copyWithin(filled, 0, filled);
  return counted;
}

/** The fields of an object, each to be taken once, and none to be left. */
export class Fields {
  readonly #fields: Map<string, unknown>;

  constructor(json: unknown) {
    if (typeof json !== "object" || json === null || Array.isArray(json)) throw new TypeError("expected an object");
    this.#fields = new Map(Object.entries(json));
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  take(name: string): unknown {
    if (!this.#fields.has(name)) throw new TypeError(`${name} is missing`);
    const value = this.#fields.get(name);
    this.#fields.delete(name);
    return value;
  }

  text(name: string): string {
    const value = this.take(name);
    if (typeof value !== "string") throw new TypeError(`${name} is not a text`);
    return value;
  }

  number(name: string): number {
    const value = this.take(name);
    if (typeof value !== "number") throw new TypeError(`${name} is not a number`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.take(name);
    if (typeof value !== "boolean") throw new TypeError(`${name} is neither true nor false`);
    return value;
  }

  bytes(name: string): Bytes {
    return fromBase64url(this.text(name));
  }

  optionalText(name: string): string | undefined {
    return this.has(name) ? this.text(name) : undefined;
  }

  optionalBytes(name: string): Bytes | undefined {
    return this.has(name) ? this.bytes(name) : undefined;
  }

  object(name: string): Fields {
    return new Fields(this.take(name));
  }

  /** Throws if a field was not taken. */
  end(): void {
    if (this.#fields.size > 0) throw new TypeError(`unknown fields: ${[...this.#fields.keys()].join(", ")}`);
  }
}

/** The record and version of a vector. */
export function contextOf(vector: Fields): Context {
  const fields = vector.object("context");
  const context = { tenant: fields.text("tenant"), record: fields.text("record"), version: fields.number("version") };
  fields.end();
  return context;
}

/** The wrapped key of a vector. */
export function wrappedKeyOf(vector: Fields): WrappedKey {
  const fields = vector.object("wrapped_key");
  const providerId = fields.text("provider_id");
  const wrapped = { providerId, providerInfo: fields.bytes("provider_info"), ciphertext: fields.bytes("ciphertext") };
  fields.end();
  return wrapped;
}

/** The announcement of a vector, its frame length not held to the vault's limits. */
export function announcementOf(vector: Fields): Announcement {
  return parseAnnouncementOfAnyFrame(vector.take("announcement"));
}
