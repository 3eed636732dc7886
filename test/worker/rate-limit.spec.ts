// How fast a source is read, where its customer set a limit.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Entry } from "#artifact/node";
import { limited, RateLimit } from "../../worker/rate-limit.ts";
import { seededBytes } from "../stage/tree.ts";

const mebibyte = 1_048_576;
const content = seededBytes(2 * mebibyte, "two mebibytes");

async function* source(pieceBytes: number, atHand = false): AsyncGenerator<Entry> {
  async function* pieces() {
    for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
  }
  const file = { path: "a.bin", kind: "file", size: content.length, mode: 0o644, mtimeMs: 0 } as const;
  yield atHand ? { ...file, bytes: content } : { ...file, content: pieces() };
}

async function read(entries: AsyncIterable<Entry>) {
  const beganAt = performance.now();
  const read: Uint8Array[] = [];
  for await (const { bytes, content: pieces } of entries) {
    if (bytes) read.push(bytes);
    for await (const piece of pieces ?? []) read.push(Buffer.from(piece));
  }
  return { bytes: Buffer.concat(read), seconds: (performance.now() - beganAt) / 1000 };
}

describe("a source with a limit", { concurrency: true }, () => {
  for (const [what, pieceBytes, atHand] of [
    ["in small pieces", 8_192, false],
    ["in one piece", content.length, false],
    ["with its content at hand", content.length, true],
  ] as const)
    it(`of 1 MiB a second gives 2 MiB in 1.8 seconds at the least, ${what}, and all of it`, async () => {
      const limit = new RateLimit(mebibyte, AbortSignal.timeout(30_000));
      const { bytes, seconds } = await read(limited(source(pieceBytes, atHand), limit));
      assert.ok(seconds >= 1.8, `${seconds} s`);
      assert.ok(bytes.equals(content));
    });

  it("saves no more than a tenth of a second up while nobody reads", async () => {
    const limit = new RateLimit(mebibyte, AbortSignal.timeout(30_000));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const beganAt = performance.now();
    await limit.take(mebibyte);
    assert.ok(performance.now() - beganAt >= 850);
  });

  it("waits no longer than it is wanted", async () => {
    const stop = new AbortController();
    const limit = new RateLimit(1, stop.signal);
    const waiting = limit.take(3_600);
    stop.abort(new Error("canceled"));
    await assert.rejects(waiting, /canceled/);
  });
});
