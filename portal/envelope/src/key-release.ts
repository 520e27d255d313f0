// Key release: a data key that the vault sealed to one wallet, opened by its owner.
//
// Source: docs/ENVELOPE.md, "Key release". A sealed key opens only for exactly what it was made for; that it is the right key is for the message's
// commitment to say (open.ts), and that the vault released it for the evidence.

import { type Bytes, concat, fromBase64url, u16, utf8 } from "./encoding.ts";
import { EnvelopeError } from "./failure.ts";
import { openBase } from "./hpke.ts";
import { DATA_KEY_BYTES } from "./keys.ts";

/** Most bytes of each text of a binding. */
export const MAX_BINDING_FIELD_BYTES = 512;

const LABEL = "chartseal/key-release/v1";
const TAG_BYTES = 16;

/** What a release is for. Both sides build it from what they know; it is never sent. */
export interface Binding {
  readonly tenant: string;
  readonly record: string;
  readonly version: number;
  /** None when an owner fetches its own record's key. */
  readonly request: string | undefined;
  /** The person's kid. */
  readonly requester: string;
}

/** A data key sealed to one wallet. */
export interface SealedKey {
  readonly enc: Bytes;
  readonly ciphertext: Bytes;
}

/** Reads a sealed key from its JSON form; throws a TypeError for another form. */
export function parseSealedKey(json: unknown): SealedKey {
  if (typeof json !== "object" || json === null) throw new TypeError("a sealed key is an object");
  const { enc, ciphertext, ...others } = json as Readonly<Record<string, unknown>>;
  if (typeof enc !== "string" || typeof ciphertext !== "string" || Object.keys(others).length > 0) {
    throw new TypeError("a sealed key has the texts enc and ciphertext, and nothing else");
  }
  const sealed = { enc: fromBase64url(enc), ciphertext: fromBase64url(ciphertext) };
  if (sealed.enc.length !== 32 || sealed.ciphertext.length !== DATA_KEY_BYTES + TAG_BYTES) {
    throw new TypeError("a sealed key has 32 and 48 bytes");
  }
  return sealed;
}

/** Opens a sealed key with a wallet's X25519 secret key. Rejects with an EnvelopeError if it was made for something or somebody else. */
export async function openSealedKey(sealed: SealedKey, secret: Uint8Array, binding: Binding): Promise<Bytes> {
  const info = bindingInfo(binding);
  try {
    return await openBase(sealed.enc, secret, info, new Uint8Array(), sealed.ciphertext);
  } catch (error) {
    // WebCrypto refuses points of low order and wrong tags alike, by exceptions of its own.
    if (!(error instanceof DOMException)) throw error;
    throw new EnvelopeError("sealed-key-not-opened", "the key was sealed for another wallet or another release");
  }
}

function bindingInfo({ tenant, record, version, request, requester }: Binding): Bytes {
  const released = request === undefined ? [Uint8Array.of(0)] : [Uint8Array.of(1), field(request)];
  return concat(field(LABEL), field(tenant), field(record), field(String(version)), ...released, field(requester));
}

function field(text: string): Bytes {
  const bytes = utf8(text);
  if (bytes.length > MAX_BINDING_FIELD_BYTES) {
    throw new EnvelopeError("binding-too-long", `a name in the key's binding is longer than ${MAX_BINDING_FIELD_BYTES} bytes`);
  }
  return concat(u16(bytes.length), bytes);
}
