// What one message derives from its data key: a cipher of its own, and the commitment that pins it to that key.
//
// Source: docs/ENVELOPE.md, "Keys"; RFC 5869.

import { type Bytes, concat, equal, u16, utf8 } from "./encoding.ts";
import { SUITE } from "./announcement.ts";

/** Bytes of a data key. */
export const DATA_KEY_BYTES = 32;

/** Keys of one message. */
export interface MessageKeys {
  readonly cipher: CryptoKey;
  readonly commitment: Bytes;
}

/** HKDF-SHA512 with the message id as salt. */
export async function deriveKeys(dataKey: Uint8Array, messageId: Bytes): Promise<MessageKeys> {
  if (dataKey.length !== DATA_KEY_BYTES) throw new TypeError(`a data key has ${DATA_KEY_BYTES} bytes`);
  const input = await crypto.subtle.importKey("raw", concat(dataKey), "HKDF", false, ["deriveBits"]);
  const derive = async (info: Bytes) =>
    new Uint8Array(await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-512", salt: messageId, info }, input, 256));
  const cipherKey = await derive(concat(u16(SUITE), utf8("DERIVEKEY")));
  const cipher = await crypto.subtle.importKey("raw", cipherKey, "AES-GCM", false, ["decrypt"]);
  cipherKey.fill(0);
  return { cipher, commitment: await derive(utf8("COMMITKEY")) };
}

/** Whether the key is the one committed to. */
export function commitsTo(keys: MessageKeys, commitment: Uint8Array): boolean {
  return equal(keys.commitment, commitment);
}

/** Decrypts and verifies; undefined if the tag does not fit. */
export async function decrypt(
  keys: MessageKeys,
  iv: Bytes,
  additionalData: Bytes,
  contentAndTag: Bytes,
): Promise<Bytes | undefined> {
  try {
    return new Uint8Array(
      await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData, tagLength: 128 }, keys.cipher, contentAndTag),
    );
  } catch (error) {
    // WebCrypto tells a wrong tag by this name alone; anything else is not the message's fault.
    if (error instanceof DOMException && error.name === "OperationError") return undefined;
    throw error;
  }
}
