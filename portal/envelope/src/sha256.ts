// SHA-256 (FIPS 180-4), taking in its message piece by piece.
//
// WebCrypto digests whole buffers only. A part of a body has up to 64 MiB, and to hold it in memory just to digest it would make the reader's memory sixty
// times that of a frame. So the parts are digested here; leaves of the frame tree, which are in memory anyway, by WebCrypto. Nothing here is
// secret: the input is ciphertext that anybody may see, so no care is taken of time.

import type { Bytes } from "./encoding.ts";

const BLOCK_BYTES = 64;

/** Fractional parts of cube roots of the first 64 primes. */
const ROUND_CONSTANTS = fractions(64, (prime) => prime ** (1 / 3), 3n);
/** Fractional parts of square roots of the first 8 primes. */
const START = fractions(8, (prime) => prime ** (1 / 2), 2n);

/** The first 32 bits of the fractional parts of roots, made exact where a double is not. */
function fractions(count: number, root: (prime: number) => number, power: bigint): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const shift = 32n * power;
  return Int32Array.from(primes, (prime) => {
    let scaled = BigInt(Math.floor(root(prime) * 2 ** 32));
    // The root is the largest number whose power does not exceed the prime.
    while (scaled ** power > BigInt(prime) << shift) scaled--;
    while ((scaled + 1n) ** power <= BigInt(prime) << shift) scaled++;
    return Number(BigInt.asIntN(32, scaled));
  });
}

/** A digest in the making. */
export class Sha256 {
  readonly #state = Int32Array.from(START);
  readonly #words = new Int32Array(64);
  readonly #block = new Uint8Array(BLOCK_BYTES);
  #filled = 0;
  #bytes = 0;

  /** Takes in the next bytes. */
  update(bytes: Uint8Array): this {
    this.#bytes += bytes.length;
    let at = 0;
    if (this.#filled > 0) {
      at = Math.min(BLOCK_BYTES - this.#filled, bytes.length);
      this.#block.set(bytes.subarray(0, at), this.#filled);
      this.#filled += at;
      if (this.#filled < BLOCK_BYTES) return this;
      this.#compress(this.#block, 0);
      this.#filled = 0;
    }
    for (; at + BLOCK_BYTES <= bytes.length; at += BLOCK_BYTES) this.#compress(bytes, at);
    this.#block.set(bytes.subarray(at));
    this.#filled = bytes.length - at;
    return this;
  }

  /** The digest of all bytes; nothing more can be taken in. */
  finish(): Bytes {
    const bits = BigInt(this.#bytes) * 8n;
    const zeros = (2 * BLOCK_BYTES - 9 - this.#filled) % BLOCK_BYTES;
    const padding = new Uint8Array(1 + zeros + 8);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(1 + zeros, bits);
    this.update(padding);
    const digest = new Uint8Array(32);
    const view = new DataView(digest.buffer);
    this.#state.forEach((word, i) => view.setInt32(4 * i, word));
    return digest;
  }

  /** Takes in one block. All indices are in range, which the type checker cannot see. */
  #compress(bytes: Uint8Array, from: number): void {
    const w = this.#words;
    for (let i = 0, at = from; i < 16; i++, at += 4) {
      w[i] = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15]!;
      const y = w[i - 2]!;
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
    }
    const state = this.#state;
    let a = state[0]!;
    let b = state[1]!;
    let c = state[2]!;
    let d = state[3]!;
    let e = state[4]!;
    let f = state[5]!;
    let g = state[6]!;
    let h = state[7]!;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const first = (h + s1 + (g ^ (e & (f ^ g))) + ROUND_CONSTANTS[i]! + w[i]!) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const second = (s0 + ((a & b) | (c & (a | b)))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    state[0] = state[0]! + a;
    state[1] = state[1]! + b;
    state[2] = state[2]! + c;
    state[3] = state[3]! + d;
    state[4] = state[4]! + e;
    state[5] = state[5]! + f;
    state[6] = state[6]! + g;
    state[7] = state[7]! + h;
  }
}
