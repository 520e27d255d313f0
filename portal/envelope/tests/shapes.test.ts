// JSON forms: each value has one spelling; and RFC 9180's own vector.

import assert from "node:assert/strict";
import { test } from "node:test";

import { fromBase64url, fromHex } from "../src/encoding.ts";
import { openBase, publicKey } from "../src/hpke.ts";
import { EnvelopeError, frameRange, openSealedKey, parseAnnouncement, parseRangeProof, parseSealedKey } from "../src/index.ts";
import { vectorsOf } from "./shape.ts";

function announcement(): Record<string, unknown> {
  const vector = vectorsOf("golden.json").find((each) => each.text("name") === "smallest-vault-frame");
  assert.ok(vector);
  return { ...(vector.take("announcement") as object) };
}

test("announcements have one JSON form", () => {
  assert.equal(parseAnnouncement(announcement()).frameBytes, 65_536);
  const changes: [string, unknown][] = [
    ["suite", 0x0478],
    ["suite", "0x478"],
    ["suite", "478"],
    ["suite", "047A"],
    ["frame_bytes", 64],
    ["frame_bytes", 100_000],
    ["frame_bytes", 2_097_152],
    ["frame_bytes", "65536"],
    ["body_bytes", 1.5],
    ["body_bytes", -1],
    ["body_bytes", 2 ** 53],
    ["frames_root", String(announcement()["frames_root"]).toUpperCase()],
    ["parts_root", "00"],
    ["message_id", "HR0d"],
    ["commitment", null],
    ["extra", 1],
  ];
  for (const [field, value] of changes) {
    assert.throws(() => parseAnnouncement({ ...announcement(), [field]: value }), TypeError, `${field}: ${String(value)}`);
  }
  for (const field of Object.keys(announcement())) {
    const without = Object.fromEntries(Object.entries(announcement()).filter(([name]) => name !== field));
    assert.throws(() => parseAnnouncement(without), TypeError, field);
  }
  for (const other of [null, [], "{}", 1]) assert.throws(() => parseAnnouncement(other), TypeError);
});

test("base64url has one spelling and no padding", () => {
  for (let length = 0; length < 20; length++) {
    const bytes = crypto.getRandomValues(new Uint8Array(length));
    assert.deepEqual(fromBase64url(Buffer.from(bytes).toString("base64url")), bytes);
  }
  for (const bad of ["A", "AA==", "AB", "AAB", "A+AA", "A/AA", "A AA", "AAAAA", "é"]) {
    assert.throws(() => fromBase64url(bad), TypeError, bad);
  }
});

test("hexadecimal is lower-case and even", () => {
  assert.deepEqual(fromHex("00ff"), Uint8Array.of(0, 255));
  for (const bad of ["0", "0F", "0g", " 00", "00\n"]) assert.throws(() => fromHex(bad), TypeError, bad);
});

test("sealed keys have one JSON form", () => {
  const good = { enc: "A".repeat(43), ciphertext: "A".repeat(64) };
  parseSealedKey(good);
  for (const bad of [{ ...good, more: 1 }, { enc: good.enc }, { ...good, enc: "AA" }, { ...good, ciphertext: "AA" }, null]) {
    assert.throws(() => parseSealedKey(bad), TypeError);
  }
});

test("ranges and proofs have limits", () => {
  const small = parseAnnouncement({ ...announcement(), body_bytes: 3 * 65_568 + 40 });
  assert.deepEqual(frameRange(small, { from: 65_535, to: 65_537 }).frames, { from: 0, to: 2 });
  const record = 3 * 65_536;
  for (const [from, to] of [[0, 0], [5, 5], [7, 5], [-1, 5], [0.5, 5], [0, record + 1], [record, record + 1], [0, NaN]] as const) {
    assert.throws(() => frameRange(small, { from, to }), RangeError, `${from} to ${to}`);
  }
  const large = parseAnnouncement({ ...announcement(), body_bytes: 100_000 * 65_568 + 40 });
  assert.throws(() => frameRange(large, { from: 0, to: 70_000 * 65_536 }), RangeError);
  assert.throws(() => frameRange({ ...small, bodyBytes: 39 }, { from: 0, to: 1 }), EnvelopeError);
  assert.equal(parseRangeProof(new Uint8Array(64 * 32)).length, 64);
  for (const bad of [31, 33, 65 * 32]) assert.throws(() => parseRangeProof(new Uint8Array(bad)), TypeError);
});

test("a binding's texts have a limit", async () => {
  const sealed = { enc: new Uint8Array(32), ciphertext: new Uint8Array(48) };
  const binding = { tenant: "t", record: "r", version: 1, request: undefined, requester: "x".repeat(513) };
  const opening = openSealedKey(sealed, new Uint8Array(32).fill(1), binding);
  await assert.rejects(opening, (error) => error instanceof EnvelopeError && error.code === "binding-too-long");
});

test("HPKE agrees with the vectors of RFC 9180", async () => {
  // Appendix A.1 has other suites; this is mode 0, KEM 0x0020, KDF 0x0001, AEAD 0x0002, sequence number 0, of the vectors published with it.
  const secret = fromHex("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d");
  const recipient = fromHex("430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c");
  const enc = fromHex("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256");
  const info = fromHex("4f6465206f6e2061204772656369616e2055726e");
  const ciphertext = fromHex(
    "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a",
  );
  assert.deepEqual(await publicKey(secret), recipient);
  const opened = await openBase(enc, secret, info, fromHex("436f756e742d30"), ciphertext);
  assert.equal(new TextDecoder().decode(opened), "Beauty is truth, truth beauty");
});
