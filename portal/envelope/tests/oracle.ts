// The reader as a program, for chartseal-interop: one JSON request a line on standard input, one JSON answer a line on standard output.
//
// {"do": "open", "data_key": hex, "header": hex, "announcement", "context", "body": path, "plaintext": path}
//   -> {"context": {...}, "suite", "frame_bytes", "milliseconds"}, or {"error": the failure's code}

import { createReadStream } from "node:fs";
import { open as openFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { SUITE, parseAnnouncementOfAnyFrame } from "../src/announcement.ts";
import { fromHex } from "../src/encoding.ts";
import { open } from "../src/index.ts";
import { Fields, contextOf } from "./shape.ts";

async function answer(request: Fields): Promise<object> {
  if (request.text("do") !== "open") throw new TypeError("no such command");
  const opening = {
    dataKey: fromHex(request.text("data_key")),
    header: fromHex(request.text("header")),
    announcement: parseAnnouncementOfAnyFrame(request.take("announcement")),
    context: contextOf(request),
  };
  const body = createReadStream(request.text("body"), { highWaterMark: 1 << 20 });
  const plaintext = await openFile(request.text("plaintext"), "w");
  request.end();
  try {
    const start = performance.now();
    const { header } = await open(opening, body, async (piece) => void (await plaintext.write(piece)));
    const milliseconds = performance.now() - start;
    const { record, tenant, version } = header.context;
    const context = { record, tenant, version: String(version) };
    return { context, suite: SUITE, frame_bytes: header.frameBytes, milliseconds };
  } finally {
    await plaintext.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = await answer(new Fields(JSON.parse(line))).catch((error: unknown) => ({ error: String(error) }));
  process.stdout.write(`${JSON.stringify(said)}\n`);
}
