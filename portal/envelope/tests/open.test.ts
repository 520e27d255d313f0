// How a reader behaves while it reads: what it hands on and when, how much it holds, what it does with its source.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Parts, FrameTree, leafHash } from "../src/digests.ts";
import type { Bytes } from "../src/encoding.ts";
import { type Body, type Opening, EnvelopeError, open } from "../src/index.ts";
import { announcementOf, contextOf, countingBytes, vectorsOf } from "./shape.ts";
import { bodyOf } from "./writer.ts";

/** The frozen message of five frames of 64 bytes, opened again and again. */
async function manyFrames(): Promise<{ opening: Opening; frames: Bytes[] }> {
  const vector = vectorsOf("golden.json").find((each) => each.text("name") === "many-frames");
  assert.ok(vector);
  const opening: Opening = {
    dataKey: vector.bytes("data_key"),
    context: contextOf(vector),
    announcement: announcementOf(vector),
    header: vector.bytes("header"),
  };
  const { messageId } = opening.announcement;
  return { opening, frames: await Array.fromAsync(bodyOf(opening.dataKey, messageId, 64, countingBytes(300))) };
}

/** Opens, and tells what was handed on and how it ended. */
async function outcome(opening: Opening, body: Body): Promise<{ code: string; plaintext: number }> {
  let plaintext = 0;
  try {
    await open(opening, body, (piece) => void (plaintext += piece.length));
    return { code: "ok", plaintext };
  } catch (error) {
    assert.ok(error instanceof EnvelopeError, String(error));
    return { code: error.code, plaintext };
  }
}

async function* iterated(chunks: readonly Bytes[]): AsyncGenerator<Bytes> {
  yield* chunks;
}

test("chunks of any size, streams and iterables are one body", async () => {
  const { opening, frames } = await manyFrames();
  const whole = Uint8Array.from(Buffer.concat(frames));
  for (const size of [1, 2, 7, 63, 64, 96, 97, 1000]) {
    const chunks = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => whole.slice(i * size, (i + 1) * size));
    const withEmpty = chunks.flatMap((chunk) => [new Uint8Array(), chunk]);
    const bodies: Body[] = [chunks, withEmpty, new Blob(chunks).stream(), iterated(chunks)];
    for (const body of bodies) assert.deepEqual(await outcome(opening, body), { code: "ok", plaintext: 300 });
  }
});

test("nothing is handed on of a changed frame, nor of any frame after it", async () => {
  const { opening, frames } = await manyFrames();
  for (const [changed, frame] of frames.entries()) {
    const copy = frames.with(changed, frame.map((byte, at) => (at === frame.length - 1 ? byte ^ 1 : byte)));
    assert.deepEqual(await outcome(opening, copy), { code: "frame-tampered", plaintext: 64 * changed });
  }
});

test("the first failure counts, although frames are read ahead", async () => {
  const { opening, frames } = await manyFrames();
  const [first, second, ...others] = frames;
  assert.ok(first !== undefined && second !== undefined);
  const tampered = first.map((byte, at) => (at === 30 ? byte ^ 1 : byte));
  // The second frame is missing, the body is cut, something follows: all of it is seen before the first frame's tag is.
  for (const rest of [others, [second.slice(0, 20)], [second, ...others, Uint8Array.of(0)]]) {
    assert.deepEqual(await outcome(opening, [tampered, ...rest]), { code: "frame-tampered", plaintext: 0 });
  }
  assert.deepEqual(await outcome(opening, [first, ...others]), { code: "frame-out-of-order", plaintext: 64 });
});

test("a body that is longer than announced is not handed on beyond", async () => {
  const { opening, frames } = await manyFrames();
  const announcement = { ...opening.announcement, bodyBytes: 2 * 96 + 40 };
  const found = await outcome({ ...opening, announcement }, frames);
  assert.deepEqual(found, { code: "body-length-mismatch", plaintext: 128 });
});

test("a source is told when no more is wanted, and a sink's failure ends everything", async () => {
  const { opening, frames } = await manyFrames();
  let cancelled = 0;
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(frames[0] ?? new Uint8Array()),
      cancel: () => void (cancelled += 1),
    });
  assert.deepEqual(await outcome(opening, stream()), { code: "frame-out-of-order", plaintext: 64 });
  assert.equal(cancelled, 1);
  const full = new Error("the disk is full");
  await assert.rejects(
    open(opening, frames, () => {
      throw full;
    }),
    full,
  );
});

test("a failing source is reported as itself", async () => {
  const { opening, frames } = await manyFrames();
  const broken = new Error("the line is broken");
  const body = async function* () {
    yield* frames.slice(0, 2);
    throw broken;
  };
  await assert.rejects(open(opening, body(), () => undefined), broken);
});

test("a long body is read with a few frames in memory", async () => {
  const { opening } = await manyFrames();
  const { dataKey, announcement } = opening;
  const plaintext = countingBytes(200_000);
  const [tree, parts] = [new FrameTree(), new Parts()];
  let [bodyBytes, given, taken, ahead] = [0, 0, 0, 0];
  for await (const frame of bodyOf(dataKey, announcement.messageId, 64, plaintext)) {
    await tree.push(await leafHash(frame));
    parts.update(frame);
    bodyBytes += frame.length;
  }
  const announced = { ...announcement, bodyBytes, framesRoot: await tree.root(), partsRoot: await parts.root() };
  const counted = async function* () {
    for await (const frame of bodyOf(dataKey, announcement.messageId, 64, plaintext)) {
      given += 1;
      ahead = Math.max(ahead, given - taken);
      yield frame;
    }
  };
  await open({ ...opening, announcement: announced }, counted(), () => void (taken += 1));
  assert.equal(taken, 3125);
  assert.ok(ahead <= 4, `${ahead} frames were held`);
});
