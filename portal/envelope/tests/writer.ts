// Bodies for tests, as docs/ENVELOPE.md describes them: the frozen vectors give large bodies by digest only, so a reader's tests must be able to write them.

import { type Bytes, concat, u16, u32, utf8 } from "../src/encoding.ts";
import { frameAad, frameIv } from "../src/frames.ts";

/** Writes the frames of a message, one at a time. A plaintext that ends on a frame's border ends in a full final frame. */
export async function* bodyOf(
  dataKey: Uint8Array,
  messageId: Bytes,
  frameBytes: number,
  plaintext: Uint8Array,
): AsyncGenerator<Bytes> {
  const cipher = await cipherOf(dataKey, messageId);
  const frames = Math.max(1, Math.ceil(plaintext.length / frameBytes));
  for (let sequence = 1; sequence <= frames; sequence++) {
    const content = concat(plaintext.subarray((sequence - 1) * frameBytes, sequence * frameBytes));
    const isFinal = sequence === frames;
    const additionalData = frameAad(messageId, isFinal, sequence, content.length);
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: frameIv(sequence), additionalData }, cipher, content);
    const head = concat(u32(sequence), frameIv(sequence));
    yield concat(isFinal ? concat(u32(0xffff_ffff), head, u32(content.length)) : head, new Uint8Array(sealed));
  }
}

async function cipherOf(dataKey: Uint8Array, messageId: Bytes): Promise<CryptoKey> {
  const input = await crypto.subtle.importKey("raw", concat(dataKey), "HKDF", false, ["deriveKey"]);
  const info = concat(u16(0x0478), utf8("DERIVEKEY"));
  const kdf = { name: "HKDF", hash: "SHA-512", salt: messageId, info };
  return crypto.subtle.deriveKey(kdf, input, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
}
