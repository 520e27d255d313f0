// Sigstore's verifier for JavaScript reads our checkpoint and verifies our inclusion proofs.
//
//     npm ci --prefix ledger/interop/javascript && node ledger/interop/javascript/sigstore.mjs

import { createHash, createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const inside = join(dirname(require.resolve("@sigstore/verify")), "tlog");
const { verifyCheckpoint } = require(join(inside, "checkpoint.js"));
const { verifyMerkleInclusion } = require(join(inside, "merkle.js"));

const read = (file) => JSON.parse(readFileSync(new URL(`../../vectors/${file}`, import.meta.url), "utf8"));
const golden = read("golden.json");
const hostile = read("must-fail.json");

const log = golden.keys[0];
const raw = Buffer.from(log.vkey.split("+").slice(2).join("+"), "base64").subarray(1);
const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
const tlogs = [{
  logID: Buffer.from(log.id, "hex"),
  baseURL: "https://vault.example",
  publicKey: createPublicKey({ key: spki, format: "der", type: "spki" }),
}];

const judge = (due, work) => {
  try {
    work();
    return due;
  } catch (error) {
    if (error.name !== "VerificationError") throw error;
    return !due;
  }
};

const checkpoint = (note) => verifyCheckpoint({ inclusionProof: { checkpoint: { envelope: note } } }, tlogs);
const judged = [judge(true, () => checkpoint(golden.note)), judge(false, () => checkpoint(golden.note.replace("297", "298")))];

// They hash leaves themselves, so what they prove here is the event of the golden proof file and its block's header.
const [head, note] = [golden.file.slice(0, golden.file.indexOf("\n\n")), golden.file.slice(golden.file.indexOf("\n\n") + 2)];
const lines = head.split("\n");
const extra = Buffer.from(lines[1].slice("extra ".length), "base64");
const seal = extra.subarray(19, 149);
const path = extra.subarray(150, 150 + 32 * extra[149]);
const body = extra.subarray(150 + 32 * extra[149]);
const hashes = lines.slice(3).map((line) => Buffer.from(line, "base64"));
const sealHashes = Array.from({ length: extra[149] }, (_, place) => path.subarray(32 * place, 32 * place + 32));
const sealIndex = seal.readBigUInt64BE(50) + BigInt(seal.readUInt32BE(58));
const index = BigInt(lines[2].slice("index ".length));
const included = (leaf, at, proof) =>
  verifyMerkleInclusion({ inclusionProof: { logIndex: String(at), hashes: proof }, canonicalizedBody: leaf }, checkpoint(note));
const event = Buffer.concat([Buffer.from([1]), body]);
judged.push(judge(true, () => included(event, index, hashes)));
judged.push(judge(true, () => included(seal, sealIndex, sealHashes)));
judged.push(judge(false, () => included(event, index + 1n, hashes)));
judged.push(judge(false, () => included(body, index, hashes)));
judged.push(judge(false, () => included(event, index, hashes.slice(1))));
judged.push(judge(false, () => included(seal, index, sealHashes)));
const spoilt = Buffer.from(createHash("sha256").update("other").digest());
judged.push(judge(false, () => included(event, index, [spoilt, ...hashes.slice(1)])));

// Hostile files that only another leaf or place makes so.
for (const vector of hostile.filter(({ name }) => ["event-proof-other-body", "event-proof-other-index"].includes(name))) {
  const theirs = vector.input.file.split("\n\n")[0].split("\n");
  const altered = Buffer.from(theirs[1].slice("extra ".length), "base64");
  const leaf = Buffer.concat([Buffer.from([1]), altered.subarray(150 + 32 * altered[149])]);
  const proof = theirs.slice(3).map((line) => Buffer.from(line, "base64"));
  judged.push(judge(false, () => included(leaf, theirs[2].slice("index ".length), proof)));
}
const wrong = judged.filter((as) => !as).length;
console.log(`${judged.length} checks, ${wrong} judged otherwise`);
process.exit(wrong ? 1 : 0);
