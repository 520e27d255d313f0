// How bytes stand in JSON (docs/ENVELOPE.md): base64url without padding (RFC 4648 section 5) and lower-case hexadecimal. Each value has one spelling;
// another is refused.

/** Bytes that WebCrypto takes: never of shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SEXTETS = new Map([...ALPHABET].map((letter, value) => [letter, value]));

/** Reads base64url without padding; throws a TypeError for anything else. */
export function fromBase64url(text: string): Bytes {
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let [at, bits, held] = [0, 0, 0];
  for (const letter of text) {
    const sextet = SEXTETS.get(letter);
    if (sextet === undefined) throw new TypeError("expected base64url without padding");
    held = (held << 6) | sextet;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  // A lone last letter, or bits that belong to no byte, would give a value a second spelling.
  if (text.length % 4 === 1 || held !== 0) throw new TypeError("expected base64url without padding");
  return bytes;
}

/** Reads lower-case hexadecimal; throws a TypeError for anything else. */
export function fromHex(text: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new TypeError("expected lower-case hexadecimal digits");
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** The bytes of all pieces, one after the other. */
export function concat(...pieces: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Bytes {
  return concat(new TextEncoder().encode(text));
}

/** A number below 2^16 in two bytes, big-endian. */
export function u16(value: number): Bytes {
  return Uint8Array.of(value >> 8, value);
}

/** A number below 2^32 in four bytes, big-endian. */
export function u32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** Whether two values are equal, in time that does not depend on where they differ. */
export function equal(one: Uint8Array, two: Uint8Array): boolean {
  if (one.length !== two.length) return false;
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= (one[i] ?? 0) ^ (two[i] ?? 0);
  return difference === 0;
}
