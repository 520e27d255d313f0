// The frozen vectors that every implementation shares: envelope/vectors.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { plaintextBytes } from "../src/announcement.ts";
import type { Bytes } from "../src/encoding.ts";
import { publicKey } from "../src/hpke.ts";
import { type Opening, EnvelopeError, frameRange, open, openRange, openSealedKey } from "../src/index.ts";
import { parseHeader, parseRangeProof, parseSealedKey } from "../src/index.ts";
import { type Fields, announcementOf, contextOf, countingBytes, vectorFiles, vectorsOf, wrappedKeyOf } from "./shape.ts";
import { bodyOf } from "./writer.ts";

const RUNNERS = new Map<string, (vector: Fields) => Promise<void>>([
  ["golden.json", golden],
  ["must-fail.json", mustFail],
  ["key-release.json", keyRelease],
  ["ranges.json", range],
]);

for (const file of vectorFiles()) {
  const run = RUNNERS.get(file);
  if (run === undefined) {
    test(`${file} is read`, () => assert.fail(`no test reads envelope/vectors/${file}`));
    continue;
  }
  for (const vector of vectorsOf(file)) {
    test(`${file}: ${vector.text("name")} (${vector.text("meaning")})`, () => run(vector));
  }
}

/** The code of the failure; undefined if there was none. */
async function failureOf(opening: Promise<unknown>): Promise<string | undefined> {
  try {
    await opening;
    return undefined;
  } catch (error) {
    if (error instanceof EnvelopeError) return error.code;
    throw error;
  }
}

async function golden(vector: Fields): Promise<void> {
  const ours = vector.flag("ours");
  const opening = { dataKey: vector.bytes("data_key"), ...headed(vector) };
  const wrappedKey = wrappedKeyOf(vector);
  const plaintext = countingBytes(vector.number("plaintext_bytes"));
  const frozen = vector.optionalBytes("body");
  const bodySha256 = vector.text("body_sha256");
  vector.end();
  const { announcement } = opening;
  const body: Bytes[] = frozen === undefined ? [] : [frozen];
  if (ours) {
    const written = await Array.fromAsync(
      bodyOf(opening.dataKey, announcement.messageId, announcement.frameBytes, plaintext),
    );
    if (frozen !== undefined) assert.deepEqual(Buffer.concat(written), Buffer.from(frozen));
    body.splice(0, body.length, ...written);
  }
  const hash = createHash("sha256");
  for (const chunk of body) hash.update(chunk);
  assert.equal(hash.digest("hex"), bodySha256);
  assert.equal(plaintextBytes(announcement), plaintext.length);

  let at = 0;
  const opened = await open(opening, body, (piece) => {
    assert.ok(Buffer.from(plaintext.buffer, at, piece.length).equals(piece), `another plaintext after ${at} bytes`);
    at += piece.length;
  });
  assert.equal(at, plaintext.length);
  assert.equal(opened.plaintextBytes, plaintext.length);
  assert.deepEqual(opened.header.wrappedKey, wrappedKey);
  assert.deepEqual(opened.header, parseHeader(opening.header));
}

/** What golden and hostile messages have in common. */
function headed(vector: Fields): Omit<Opening, "dataKey"> {
  return { context: contextOf(vector), announcement: announcementOf(vector), header: vector.bytes("header") };
}

async function mustFail(vector: Fields): Promise<void> {
  const failure = vector.text("failure");
  const opening = { dataKey: vector.bytes("data_key"), ...headed(vector) };
  const body = vector.bytes("body");
  vector.end();
  const inBytes = Array.from(body, (byte) => Uint8Array.of(byte));
  assert.equal(await failureOf(open(opening, [body], () => undefined)), failure);
  assert.equal(await failureOf(open(opening, inBytes, () => undefined)), failure);
}

async function range(vector: Fields): Promise<void> {
  const failure = vector.optionalText("failure");
  const message = vector.text("message");
  const golden = vectorsOf("golden.json").find((each) => each.text("name") === message);
  assert.ok(golden, `no golden message ${message}`);
  const truth = headed(golden);
  const announcement = vector.has("announcement") ? announcementOf(vector) : truth.announcement;
  const opening = { dataKey: golden.bytes("data_key"), ...truth, announcement };
  const span = (name: string) => ({ from: vector.number(`${name}_from`), to: vector.number(`${name}_to`) });
  const found = frameRange(opening.announcement, span("plaintext"));
  assert.deepEqual(found.frames, span("frames"));
  assert.deepEqual(found.body, span("body"));
  const [body, proof] = [vector.bytes("body"), parseRangeProof(vector.bytes("proof"))];
  vector.end();
  const pieces: Bytes[] = [];
  const opened = openRange(opening, found, proof, [body], (piece) => void pieces.push(piece));
  assert.equal(await failureOf(opened), failure);
  if (failure !== undefined) return;
  const expected = countingBytes(golden.number("plaintext_bytes")).slice(found.plaintext.from, found.plaintext.to);
  assert.deepEqual(Buffer.concat(pieces), Buffer.from(expected));
}

async function keyRelease(vector: Fields): Promise<void> {
  const failure = vector.optionalText("failure");
  const secret = vector.bytes("recipient_secret");
  assert.deepEqual(await publicKey(secret), vector.bytes("recipient_public"));
  const fields = vector.object("binding");
  const request = fields.take("request");
  assert.ok(request === null || typeof request === "string");
  const binding = {
    tenant: fields.text("tenant"),
    record: fields.text("record"),
    version: fields.number("version"),
    request: request ?? undefined,
    requester: fields.text("requester"),
  };
  fields.end();
  const dataKey = vector.bytes("data_key");
  const sealed = parseSealedKey(vector.take("sealed"));
  // What the sender drew at random; a reader has no use for it.
  vector.optionalBytes("ephemeral_seed");
  vector.end();
  if (failure === undefined) {
    assert.deepEqual(await openSealedKey(sealed, secret, binding), dataKey);
  } else {
    assert.equal(await failureOf(openSealedKey(sealed, secret, binding)), failure);
  }
}
