// The protocol of download links: what they answer to whom, and when they are used up.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "./link-client.ts";
import { stageLink } from "./staged-link.ts";

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !condition(); tries++) await pause(10);
  assert.ok(condition(), "did not come true within ten seconds");
}

describe("a download link", { concurrency: true }, () => {
  it("gives the file once, whole, and is gone afterwards", async (t) => {
    const { link, content, fetched, file } = await stageLink(t, { fileName: 'täst "1".zip' });
    const answer = await ask(link);
    assert.equal(answer.status, 200);
    assert.ok(answer.body.equals(content));
    const { date: _, connection: __, "keep-alive": ___, "x-request-id": id, ...headers } = answer.headers;
    assert.deepEqual(headers, {
      "accept-ranges": "bytes",
      "cache-control": "no-store",
      "content-disposition": `attachment; filename="t_st _1_.zip"; filename*=UTF-8''t%C3%A4st%20%221%22.zip`,
      "content-length": "300000",
      "content-security-policy": "default-src 'none'; sandbox",
      "content-type": "application/zip",
      etag: `"${createHash("sha256").update(content).digest("hex")}"`,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-robots-tag": "noindex",
    });
    assert.match(String(id), /^[0-9a-f-]{36}$/);
    await until(() => fetched.length === 1);
    assert.equal((await ask(link)).status, 410);
    assert.equal((await ask(link, { method: "HEAD" })).status, 410);
    assert.deepEqual(fetched, ["rst_1"]);
    await until(() => !existsSync(file));
  });

  it("is used up at once where the same client asks again on the same connection", async (t) => {
    const { link } = await stageLink(t);
    const { hostname, port, pathname } = new URL(link);
    const socket = connect(Number(port), hostname);
    const request = `GET ${pathname} HTTP/1.1\r\nHost: x\r\n`;
    socket.write(`${request}\r\n`);
    let seen = Buffer.alloc(0);
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      seen = Buffer.concat([seen, chunk]);
      if (seen.length === seen.indexOf("\r\n\r\n") + 4 + 300_000) break;
    }
    socket.write(`${request}Connection: close\r\n\r\n`);
    assert.equal((await text(socket)).slice(0, 13), "HTTP/1.1 410 ");
  });

  it("is not used up by HEAD", async (t) => {
    const { link, content, fetched } = await stageLink(t);
    for (let times = 0; times < 3; times++) {
      const answer = await ask(link, { method: "HEAD", headers: { range: "bytes=0-9" } });
      assert.deepEqual([answer.status, answer.headers["content-length"], answer.body.length], [200, "300000", 0]);
    }
    assert.deepEqual(fetched, []);
    assert.ok((await ask(link)).body.equals(content));
  });

  it("gives previews nothing", async (t) => {
    const { link, fetched } = await stageLink(t, { size: 100 });
    for (const headers of [
      { "user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)" },
      { "user-agent": "facebookexternalhit/1.1" },
      { "sec-purpose": "prefetch;prerender" },
    ])
      assert.equal((await ask(link, { headers })).status, 403);
    assert.deepEqual(fetched, []);
    assert.equal((await ask(link)).status, 200);
  });

  const ranges: [asked: string, status: number, range: string | undefined, start: number, end: number][] = [
    ["bytes=0-0", 206, "bytes 0-0/1000", 0, 1],
    ["bytes=10-19", 206, "bytes 10-19/1000", 10, 20],
    ["bytes=990-", 206, "bytes 990-999/1000", 990, 1000],
    ["bytes=990-5000", 206, "bytes 990-999/1000", 990, 1000],
    ["bytes=-7", 206, "bytes 993-999/1000", 993, 1000],
    ["bytes=-5000", 206, "bytes 0-999/1000", 0, 1000],
    ["bytes=5-4", 200, undefined, 0, 1000],
    ["bytes=0-1,5-6", 200, undefined, 0, 1000],
    ["bytes=a-b", 200, undefined, 0, 1000],
    ["lines=0-1", 200, undefined, 0, 1000],
  ];
  for (const [asked, status, range, start, end] of ranges)
    it(`answers the range ${asked} with ${status} ${range ?? "and all of it"}`, async (t) => {
      const { link, content } = await stageLink(t, { size: 1000 });
      const answer = await ask(link, { headers: { range: asked } });
      assert.deepEqual([answer.status, answer.headers["content-range"]], [status, range]);
      assert.ok(answer.body.equals(content.subarray(start, end)));
    });

  it("refuses a range that begins past the end", async (t) => {
    const { link } = await stageLink(t, { size: 1000 });
    for (const range of ["bytes=1000-", "bytes=2000-3000", "bytes=-0"]) {
      const answer = await ask(link, { headers: { range } });
      assert.deepEqual([answer.status, answer.headers["content-range"]], [416, "bytes */1000"]);
    }
  });

  it("gives a part only of the version that the client has", async (t) => {
    const { link } = await stageLink(t, { size: 1000 });
    const { etag = "" } = (await ask(link, { method: "HEAD" })).headers;
    const range = "bytes=500-";
    assert.equal((await ask(link, { headers: { range, "if-range": etag } })).status, 206);
    assert.equal((await ask(link, { headers: { range, "if-range": '"another"' } })).status, 200);
  });

  it("survives being cut at ten points, and ends with the last byte", async (t) => {
    const { link, content, fetched } = await stageLink(t, { size: 5_000_000 });
    const parts: Buffer[] = [];
    const etags = new Set<string | undefined>();
    for (let have = 0, times = 0; have < content.length; times++) {
      const rest = times < 10 ? { cutAfter: 100_000 + times * 50_001 } : {};
      const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
      const answer = await ask(link, { headers, ...rest });
      assert.equal(answer.status, have > 0 ? 206 : 200);
      etags.add(answer.headers.etag);
      parts.push(answer.body);
      have += answer.body.length;
    }
    assert.ok(Buffer.concat(parts).equals(content));
    assert.equal(etags.size, 1);
    await until(() => fetched.length === 1);
    assert.equal((await ask(link)).status, 410);
  });

  it("is not used up by a client that hung up, though every byte had left the service", async (t) => {
    const { link, content, fetched, logged } = await stageLink(t, { size: 250_000 });
    const { hostname, port, pathname } = new URL(link);
    for (const manner of ["", "Connection: close\r\n"]) {
      const socket = connect(Number(port), hostname);
      socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\n${manner}\r\n`);
      // What comes first is taken, the rest stays with the system.
      await once(socket, "readable");
      await pause(100);
      socket.destroy();
    }
    await until(() => logged.filter((line) => line.includes('"to":250000,"arrived":false')).length === 2);
    assert.deepEqual(fetched, []);
    assert.ok((await ask(link)).body.equals(content));
  });

  it("serves two clients at once, and both get everything", async (t) => {
    const { link, content } = await stageLink(t, { size: 20_000_000 });
    const [one, two] = await Promise.all([ask(link), ask(link)]);
    assert.ok(one.body.equals(content) && two.body.equals(content));
  });

  it("is used up by parts that together are everything", async (t) => {
    const { link, fetched } = await stageLink(t, { size: 1000 });
    for (const range of ["bytes=0-399", "bytes=700-999", "bytes=300-650"]) await ask(link, { headers: { range } });
    await pause(100);
    assert.deepEqual(fetched, []);
    await ask(link, { headers: { range: "bytes=651-699" } });
    await until(() => fetched.length === 1);
  });

  it("is unknown unless it is exactly a token that was given out", async (t) => {
    const { url, link } = await stageLink(t);
    const token = link.split("/").at(-1) ?? "";
    const other = randomBytes(32).toString("base64url");
    for (const path of [other, "", "short", `${token}=`, `${token}/`, `${token}%00`, `../${token}`, "a".repeat(500)])
      assert.equal((await ask(`${url}/download/${path}`)).status, 404, path);
  });

  it("refuses to be changed, and nothing else is there", async (t) => {
    const { url, link } = await stageLink(t);
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const answer = await ask(link, { method });
      assert.deepEqual([answer.status, answer.headers.allow], [405, "GET, HEAD"]);
    }
    for (const path of ["/", "/download", "/restores", "/health/x", "/metrics"])
      assert.equal((await ask(url + path)).status, 404, path);
    for (const path of ["/health", "/ready"]) assert.equal((await ask(url + path)).status, 200, path);
  });

  it("ends when the hub's clock says so, whatever the service's own clock says", async (t) => {
    const { link, clock } = await stageLink(t);
    clock.learn(new Date(Date.now() + 3_500_000).toISOString());
    assert.equal((await ask(link, { method: "HEAD" })).status, 200);
    clock.learn(new Date(Date.now() + 3_700_000).toISOString());
    const answer = await ask(link);
    assert.equal(answer.status, 410);
    assert.equal(answer.headers["cache-control"], "no-store");
    assert.equal(answer.headers["referrer-policy"], "no-referrer");
  });

  it("is logged by its last four characters only", async (t) => {
    const { link, logged } = await stageLink(t);
    const token = link.split("/").at(-1) ?? "";
    await ask(`${link}x`);
    await ask(link, { cutAfter: 1 });
    await ask(link);
    await until(() => logged.some((line) => line.includes(`tok_…${token.slice(-4)}`)));
    assert.equal(logged.join("").includes(token.slice(0, -4)), false);
  });
});

describe("the download server", { concurrency: true }, () => {
  it("hangs up on a client that does not finish its request", async (t) => {
    const { url } = await stageLink(t, { limits: { headersMs: 300 } });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.write("GET /health HTTP/1.1\r\nHost");
    assert.equal((await text(socket)).slice(0, 13), "HTTP/1.1 408 ");
  });

  it("hangs up on a client that stopped reading", async (t) => {
    const { link, logged } = await stageLink(t, { size: 30_000_000, limits: { idleMs: 300 } });
    const { hostname, port, pathname } = new URL(link);
    const socket = connect(Number(port), hostname);
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => logged.some((line) => line.includes('"arrived":false')));
  });

  it("lets a link have a bounded number of transfers at once", async (t) => {
    const { link } = await stageLink(t, { size: 30_000_000 });
    const { hostname, port, pathname } = new URL(link);
    for (let count = 0; count < 16; count++) {
      const socket = connect(Number(port), hostname);
      t.after(() => socket.destroy());
      socket.write(`GET ${pathname} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await once(socket, "readable");
    }
    assert.equal((await ask(link)).status, 429);
  });
});
