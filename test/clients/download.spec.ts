import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { readDownload } from "../../clients/api/download.ts";
import { serveFile } from "./file-host.ts";

const content = randomBytes(3_000_000);
const signal = AbortSignal.timeout(60_000);

async function fetchAll(link: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readDownload(link, { signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a download", () => {
  it("brings the file in one request where nothing breaks", async () => {
    await using host = await serveFile(content);
    assert.ok((await fetchAll(host.link)).equals(content));
    assert.deepEqual(host.asked, [{ range: undefined, ifRange: undefined }]);
  });

  it("goes on where the connection broke, and only in the same file", async () => {
    await using host = await serveFile(content, [{ cutAfter: 1_000_000 }, { cutAfter: 0 }, { cutAfter: 500_000 }]);
    assert.ok((await fetchAll(host.link)).equals(content));
    assert.deepEqual(host.asked, [
      { range: undefined, ifRange: undefined },
      { range: "bytes=1000000-", ifRange: '"v1"' },
      { range: "bytes=1000000-", ifRange: '"v1"' },
      { range: "bytes=1500000-", ifRange: '"v1"' },
    ]);
  });

  it("is refused where the file has become another one meanwhile", async () => {
    await using host = await serveFile(content, [{ cutAfter: 1_000_000 }, { etag: '"v2"' }]);
    await assert.rejects(fetchAll(host.link), { name: "DownloadError", message: /changed while it was fetched/ });
  });

  it("waits for a server that is busy", async () => {
    const refusal = { status: 503, sentence: "This download is about to be ready.", headers: { "retry-after": "1" } };
    await using host = await serveFile(content, [{ refusal }]);
    const begun = performance.now();
    assert.ok((await fetchAll(host.link)).equals(content));
    assert.ok(performance.now() - begun >= 950);
  });

  it("ends with the server's sentence where the link has ended", async () => {
    const refusal = { status: 410, sentence: "This link has been used: it works for one download." };
    await using host = await serveFile(content, [{ refusal }]);
    await assert.rejects(fetchAll(host.link), { name: "DownloadError", message: refusal.sentence });
    assert.equal(host.asked.length, 1);
  });

  it("ends with the reason of its signal", async () => {
    await using host = await serveFile(content, [{ cutAfter: 0 }]);
    const stop = new AbortController();
    const reading = readDownload(host.link, { signal: stop.signal }).next();
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await assert.rejects(reading, /enough/);
  });

  it("brings an empty file", async () => {
    await using host = await serveFile(Buffer.alloc(0));
    assert.equal((await fetchAll(host.link)).length, 0);
  });
});
