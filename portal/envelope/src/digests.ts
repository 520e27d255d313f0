// The digests that an announcement has of a body, computed as its frames arrive.
//
// Source: docs/ENVELOPE.md, "The announcement"; RFC 6962 section 2.1. One hash for each level of the tree is kept, and 32 bytes for each part.

import { PART_BYTES } from "./announcement.ts";
import { type Bytes, concat } from "./encoding.ts";
import { Sha256 } from "./sha256.ts";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

async function sha256(...pieces: readonly Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...pieces)));
}

/** The leaf hash of a frame as it stands in the body. */
export function leafHash(frame: Uint8Array): Promise<Bytes> {
  return sha256(LEAF, frame);
}

/** The hash of a node of the tree. */
export function nodeHash(left: Bytes, right: Bytes): Promise<Bytes> {
  return sha256(NODE, left, right);
}

/** The tree over the frames. */
export class FrameTree {
  /** Roots of the complete subtrees, largest first. */
  readonly #subtrees: Bytes[] = [];
  #leaves = 0;

  /** Appends a leaf. */
  async push(leaf: Bytes): Promise<void> {
    let hash = leaf;
    // Each set bit of the number of leaves stands for one complete subtree. There are fewer than 2^32 frames.
    for (let complete = this.#leaves; complete % 2 === 1; complete = Math.floor(complete / 2)) {
      const left = this.#subtrees.pop();
      if (left !== undefined) hash = await nodeHash(left, hash);
    }
    this.#subtrees.push(hash);
    this.#leaves += 1;
  }

  /** The tree's root; of no leaves, SHA-256 of nothing. */
  async root(): Promise<Bytes> {
    let root: Bytes | undefined;
    for (const subtree of this.#subtrees.toReversed()) {
      root = root === undefined ? subtree : await nodeHash(subtree, root);
    }
    return root ?? sha256();
  }
}

/** The SHA-256 checksum that S3 states of the stored body. */
export class Parts {
  readonly #partBytes: number;
  readonly #done: Bytes[] = [];
  #part = new Sha256();
  #filled = 0;

  /** Parts of another size than the vault's are for tests. */
  constructor(partBytes = PART_BYTES) {
    this.#partBytes = partBytes;
  }

  /** Takes in the next bytes of the body. */
  update(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#filled === this.#partBytes) {
        this.#done.push(this.#part.finish());
        this.#part = new Sha256();
        this.#filled = 0;
      }
      const end = Math.min(bytes.length, at + this.#partBytes - this.#filled);
      this.#part.update(bytes.subarray(at, end));
      this.#filled += end - at;
      at = end;
    }
  }

  /** Of one part its own digest; of several, the digest of all their digests. */
  async root(): Promise<Bytes> {
    const last = this.#part.finish();
    return this.#done.length === 0 ? last : sha256(...this.#done, last);
  }
}
