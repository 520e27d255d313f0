// Digests against WebCrypto's own and against their definitions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameTree, Parts, leafHash } from "../src/digests.ts";
import { type Bytes, concat, fromHex } from "../src/encoding.ts";
import { Sha256 } from "../src/sha256.ts";
import { countingBytes } from "./shape.ts";

async function digest(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

test("SHA-256 agrees with FIPS 180-4's own example", () => {
  const expected = fromHex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assert.deepEqual(new Sha256().update(new TextEncoder().encode("abc")).finish(), expected);
});

test("SHA-256 agrees with WebCrypto at every length around a block's borders", async () => {
  for (let length = 0; length <= 260; length++) {
    const bytes = countingBytes(length);
    assert.deepEqual(new Sha256().update(bytes).finish(), await digest(bytes), `${length} bytes`);
  }
});

test("SHA-256 agrees with WebCrypto on random bytes in random pieces", async () => {
  for (let run = 0; run < 50; run++) {
    const bytes = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * 60_000)));
    const hash = new Sha256();
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + Math.floor(Math.random() * 200);
      hash.update(bytes.subarray(at, end));
      at = end;
    }
    assert.deepEqual(hash.finish(), await digest(bytes));
  }
});

/** The definition of RFC 6962 section 2.1. */
async function definition(leaves: readonly Bytes[]): Promise<Bytes> {
  const [first, second] = leaves;
  if (first === undefined) return digest(new Uint8Array());
  if (second === undefined) return digest(concat(Uint8Array.of(0), first));
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  const [left, right] = [await definition(leaves.slice(0, k)), await definition(leaves.slice(k))];
  return digest(concat(Uint8Array.of(1), left, right));
}

test("the tree over frames is RFC 6962's at every size", async () => {
  const [tree, leaves]: [FrameTree, Bytes[]] = [new FrameTree(), []];
  for (let size = 0; size < 70; size++) {
    assert.deepEqual(await tree.root(), await definition(leaves), `${size} leaves`);
    const leaf = new Uint8Array(size % 5).fill(size);
    await tree.push(await leafHash(leaf));
    leaves.push(leaf);
  }
});

test("one part is its own digest, several make a composite, and parts end exactly at the limit", async () => {
  for (const length of [0, 1, 9, 10, 11, 20, 21, 35]) {
    const bytes = countingBytes(length);
    const digests: Bytes[] = [];
    for (let at = 0; at === 0 || at < length; at += 10) digests.push(await digest(bytes.slice(at, at + 10)));
    const [first] = digests;
    const expected = digests.length === 1 ? first : await digest(concat(...digests));
    for (const step of [1, 3, 10, 35]) {
      const parts = new Parts(10);
      for (let at = 0; at < length; at += step) parts.update(bytes.subarray(at, at + step));
      assert.deepEqual(await parts.root(), expected, `${length} bytes by ${step}`);
    }
  }
});
