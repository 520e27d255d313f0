// Frames decrypted and hashed a few at once, and handed on in order.
//
// WebCrypto works on other threads, so that one frame is read while others are decrypted. What is seen from outside is the order of the frames: what is
// wrong with an earlier frame is told before what is wrong with a later one, and nothing is handed on after a failure.

import { leafHash } from "./digests.ts";
import type { Bytes } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";
import { type Frame, frameAad, frameIv } from "./frames.ts";
import { type MessageKeys, decrypt } from "./keys.ts";

const FRAMES_AT_ONCE = 4;
const TAG_BYTES = 16;

/** A frame whose tag was verified. */
export interface OpenedFrame {
  readonly frame: Frame;
  readonly plaintext: Bytes;
  readonly leaf: Bytes;
}

interface Started {
  readonly frame: Frame;
  readonly content: Promise<Bytes | undefined>;
  readonly leaf: Promise<Bytes>;
}

/** Opens frames and gives each to `take`, in order. */
export async function openFrames(
  keys: MessageKeys,
  messageId: Bytes,
  frames: AsyncGenerator<Frame, void>,
  take: (opened: OpenedFrame) => Promise<void>,
): Promise<void> {
  const started: Started[] = [];
  const finishUntil = async (left: number) => {
    while (started.length > left) {
      const first = started.shift();
      if (first !== undefined) await take(await finished(first));
    }
  };
  try {
    for (;;) {
      const next = await frames.next().catch(async (error: unknown) => {
        await finishUntil(0);
        throw error;
      });
      if (next.done === true) break;
      started.push(start(keys, messageId, next.value));
      await finishUntil(FRAMES_AT_ONCE - 1);
    }
  } finally {
    await frames.return();
  }
  await finishUntil(0);
}

function start(keys: MessageKeys, messageId: Bytes, frame: Frame): Started {
  const { sequence, isFinal, contentAndTag } = frame;
  const aad = frameAad(messageId, isFinal, sequence, contentAndTag.length - TAG_BYTES);
  const content = decrypt(keys, frameIv(sequence), aad, contentAndTag);
  const leaf = leafHash(frame.bytes);
  // Their failures are seen where they are awaited, unless a frame before this one ends everything.
  content.catch(() => undefined);
  leaf.catch(() => undefined);
  return { frame, content, leaf };
}

async function finished({ frame, content, leaf }: Started): Promise<OpenedFrame> {
  const plaintext = await content;
  if (plaintext === undefined) {
    throw new EnvelopeError("frame-tampered", `frame ${frame.sequence} was changed, or is of another message`);
  }
  return { frame, plaintext, leaf: await leaf };
}
