// HPKE (RFC 9180), one suite, base mode, one message, the recipient's side: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
//
// Written out on WebCrypto, so that no dependency is needed: section numbers of the RFC stand beside what they ask for.

import { type Bytes, concat, u16, utf8 } from "./encoding.ts";

const KEM_ID = 0x0020;
const KDF_ID = 0x0001;
const AEAD_ID = 0x0002;
const KEM_SUITE = concat(utf8("KEM"), u16(KEM_ID));
const HPKE_SUITE = concat(utf8("HPKE"), u16(KEM_ID), u16(KDF_ID), u16(AEAD_ID));
const VERSION_LABEL = utf8("HPKE-v1");
const BASE_MODE = Uint8Array.of(0);
const EMPTY = new Uint8Array();
const HASH_BYTES = 32;
/** RFC 8410: what stands before the 32 bytes of an X25519 private key in PKCS #8, the one raw form that WebCrypto imports. */
const PKCS8_X25519 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20);
/** RFC 7748 section 4.1: the base point, by which a private key becomes its public key. */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

/** The public key of an X25519 secret key. */
export async function publicKey(secret: Uint8Array): Promise<Bytes> {
  return diffieHellman(secret, BASE_POINT);
}

/** Opens what was sealed to the secret key's owner; throws if it was not, or not for this `info` and `aad` (section 6.1, OpenBase). */
export async function openBase(
  enc: Bytes,
  secret: Uint8Array,
  info: Bytes,
  aad: Bytes,
  ciphertext: Bytes,
): Promise<Bytes> {
  const shared = await decapsulate(enc, secret);
  const { key, nonce } = await keySchedule(shared, info);
  const cipher = await crypto.subtle.importKey("raw", key, "AES-GCM", false, ["decrypt"]);
  const parameters = { name: "AES-GCM", iv: nonce, additionalData: aad, tagLength: 128 };
  return new Uint8Array(await crypto.subtle.decrypt(parameters, cipher, ciphertext));
}

/** Section 4.1, Decap. */
async function decapsulate(enc: Bytes, secret: Uint8Array): Promise<Bytes> {
  const dh = await diffieHellman(secret, enc);
  const context = concat(enc, await publicKey(secret));
  const prk = await labeledExtract(KEM_SUITE, EMPTY, "eae_prk", dh);
  return labeledExpand(KEM_SUITE, prk, "shared_secret", context, HASH_BYTES);
}

/** Section 5.1, KeySchedule without a pre-shared key; the nonce is that of the first message (section 5.2). */
async function keySchedule(shared: Bytes, info: Bytes): Promise<{ key: Bytes; nonce: Bytes }> {
  const pskIdHash = await labeledExtract(HPKE_SUITE, EMPTY, "psk_id_hash", EMPTY);
  const infoHash = await labeledExtract(HPKE_SUITE, EMPTY, "info_hash", info);
  const context = concat(BASE_MODE, pskIdHash, infoHash);
  const secret = await labeledExtract(HPKE_SUITE, shared, "secret", EMPTY);
  return {
    key: await labeledExpand(HPKE_SUITE, secret, "key", context, 32),
    nonce: await labeledExpand(HPKE_SUITE, secret, "base_nonce", context, 12),
  };
}

/** X25519 (RFC 7748 section 5). An all-zero result, of a public key of low order, is refused (RFC 9180 section 7.1.4). */
async function diffieHellman(secret: Uint8Array, peer: Bytes): Promise<Bytes> {
  const privateKey = await crypto.subtle.importKey("pkcs8", concat(PKCS8_X25519, secret), "X25519", false, ["deriveBits"]);
  const peerKey = await crypto.subtle.importKey("raw", peer, "X25519", false, []);
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: peerKey }, privateKey, 256));
  if (shared.every((byte) => byte === 0)) throw new DOMException("a public key of low order", "OperationError");
  return shared;
}

/** Section 4, LabeledExtract: HKDF-Extract is HMAC with the salt as key (RFC 5869 section 2.2). */
function labeledExtract(suite: Bytes, salt: Bytes, label: string, input: Bytes): Promise<Bytes> {
  return hmac(salt, concat(VERSION_LABEL, suite, utf8(label), input));
}

/** Section 4, LabeledExpand, for at most one block of HKDF-Expand (RFC 5869 section 2.3), which is all that is needed. */
async function labeledExpand(suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Promise<Bytes> {
  if (length > HASH_BYTES) throw new RangeError("only one block is expanded here");
  const block = await hmac(prk, concat(u16(length), VERSION_LABEL, suite, utf8(label), info, Uint8Array.of(1)));
  return block.slice(0, length);
}

async function hmac(key: Bytes, message: Bytes): Promise<Bytes> {
  // HMAC pads a short key with zeros, so none at all is one of zeros; WebCrypto does not import an empty one.
  const bytes = key.length === 0 ? new Uint8Array(HASH_BYTES) : key;
  const imported = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, message));
}
