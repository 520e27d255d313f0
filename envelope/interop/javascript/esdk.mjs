// The official AWS Encryption SDK for JavaScript at the other end: seals and opens messages for chartseal-interop.
//
// Called with the folder whose node_modules has the SDK. The requests and answers are those of ../python/esdk.py.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const BENCH_RUNS = 3;

const { AlgorithmSuiteIdentifier, CommitmentPolicy, RawAesKeyringNode, RawAesWrappingSuiteIdentifier, buildClient } =
  createRequire(`${process.argv[2]}/package.json`)("@aws-crypto/client-node");
const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);

function keyring(wrappingKey, namespace, name) {
  return new RawAesKeyringNode({
    keyNamespace: namespace,
    keyName: name,
    // The SDK wants memory of its own: it isolates the key's buffer.
    unencryptedMasterKey: Uint8Array.from(wrappingKey),
    wrappingSuite: RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
}

const named = (request) => keyring(Buffer.from(request.wrapping_key, "hex"), request.namespace, request.name);

async function sealed(ring, plaintext, context, frameLength) {
  const suiteId = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;
  const { result } = await encrypt(ring, plaintext, { encryptionContext: context, frameLength, suiteId });
  return result;
}

async function openMessage(request) {
  const { plaintext, messageHeader } = await decrypt(named(request), readFileSync(request.message));
  writeFileSync(request.plaintext, plaintext);
  return {
    context: { ...messageHeader.encryptionContext },
    suite: messageHeader.suiteId,
    frame_bytes: messageHeader.frameLength,
  };
}

async function sealMessage(request) {
  const plaintext = readFileSync(request.plaintext);
  writeFileSync(request.message, await sealed(named(request), plaintext, request.context, request.frame_bytes));
  return {};
}

async function bench(request) {
  const plaintext = randomBytes(request.bytes);
  const ring = keyring(randomBytes(32), "bench", "bench");
  const context = { record: "01JDB3YQ7X0000000000000000", tenant: "vault.example", version: "1" };
  let [sealMs, openMs] = [Infinity, Infinity];
  for (let run = 0; run < BENCH_RUNS; run++) {
    const start = performance.now();
    const message = await sealed(ring, plaintext, context, request.frame_bytes);
    const between = performance.now();
    const opened = await decrypt(ring, message);
    openMs = Math.min(openMs, performance.now() - between);
    sealMs = Math.min(sealMs, between - start);
    if (!opened.plaintext.equals(plaintext)) throw new Error("another plaintext came back");
  }
  const megabytes = plaintext.length / 1e6;
  return { seal_mb_s: (megabytes / sealMs) * 1000, open_mb_s: (megabytes / openMs) * 1000 };
}

const commands = { open: openMessage, seal: sealMessage, bench };
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  // Whatever the SDK throws is its answer.
  const answer = await commands[request.do](request).catch((error) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
