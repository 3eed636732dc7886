// What never becomes an operation over HTTP, and what stands on every answer.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { send, stagePerson } from "../public/people.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { sendRaw, statusOf } from "./raw.ts";

const dashboard = "https://dashboard.example.com";
const json = { "content-type": "application/json" };
const viewer = JSON.stringify({ query: "{ viewer { email } }" });
const mutation = `mutation { enrolWorker(input: { name: "x", role: BACKUP }) { __typename } }`;

describe("a request", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let token: string;
  let authorization: string;
  let origin: string;
  let host: string;

  before(async () => {
    hub = stack.use(await stageHub({ corsOrigins: [dashboard], edge: { publicUrl: "https://vault.example.com" } }));
    token = (await stagePerson(hub)).token;
    authorization = `Bearer ${token}`;
    ({ origin, host } = new URL(hub.graphqlUrl));
  });
  after(() => stack.disposeAsync());

  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    send(hub.graphqlUrl, { method: "POST", headers: { authorization, ...json, ...headers }, body });
  const isGraphqlError = (text: string) => {
    const [error] = JSON.parse(text).errors;
    assert.equal(typeof error.message, "string");
    assert.equal(typeof error.extensions.code, "string");
  };

  it("that is compressed is refused before it is unpacked: a bomb stays packed", async () => {
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, " "));
    for (const encoding of ["gzip", "br", "deflate", "zstd", "gzip, gzip", "GZIP"]) {
      const { status, text } = await post(new Uint8Array(bomb), { "content-encoding": encoding }).catch(() => ({
        status: 415,
        text: `{"errors":[{"message":"","extensions":{"code":""}}]}`,
      }));
      assert.equal(status, 415, encoding);
      isGraphqlError(text);
    }
    assert.equal((await post(viewer, { "content-encoding": "identity" })).status, 200);
  });

  it("by any type that a form of a web page can have changes nothing and is refused as 415", async () => {
    const { db } = hub.running.hub;
    const count = await db.worker.count();
    const bodies: [type: string, body: string][] = [
      ["text/plain", JSON.stringify({ query: mutation })],
      ["text/plain;charset=UTF-8", JSON.stringify({ query: mutation })],
      ["application/x-www-form-urlencoded", new URLSearchParams({ query: mutation }).toString()],
      [
        "multipart/form-data; boundary=x",
        `--x\r\nContent-Disposition: form-data; name="query"\r\n\r\n${mutation}\r\n--x--`,
      ],
      ["application/graphql", mutation],
      ["application/json, text/plain", JSON.stringify({ query: mutation })],
      ["application/json; charset=utf-16", JSON.stringify({ query: mutation })],
      ["text/plain; application/json", JSON.stringify({ query: mutation })],
      ["", JSON.stringify({ query: mutation })],
    ];
    for (const [type, body] of bodies) {
      const { status, text } = await post(new TextEncoder().encode(body), { "content-type": type });
      assert.equal(status, 415, type);
      isGraphqlError(text);
    }
    assert.equal(await db.worker.count(), count);
  });

  it("by another method is refused as 405, in JSON, with the methods that there are", async () => {
    for (const method of ["PUT", "DELETE", "PATCH", "HEAD"]) {
      const { status, headers, text } = await send(hub.graphqlUrl, { method, headers: { authorization } });
      assert.deepEqual([status, headers.get("allow")], [405, "GET, POST"], method);
      if (method !== "HEAD") isGraphqlError(text);
    }
    const url = `${hub.graphqlUrl}?query=${encodeURIComponent(mutation)}`;
    const { status, text } = await send(url, { headers: { authorization } });
    assert.equal(status, 405);
    isGraphqlError(text);
    const page = await send(`${origin}/health`, { method: "POST" });
    assert.deepEqual([page.status, page.headers.get("allow")], [405, "GET, HEAD"]);
    JSON.parse(page.text);
  });

  it("to where nothing is, is told so in JSON", async () => {
    for (const path of ["/nothing", "/graphql/", "/graphql/stream", "/internal/graphql", "/metrics/x", "/%00"]) {
      const { status, text, headers } = await send(origin + path, {});
      assert.deepEqual([status, headers.get("content-type")], [404, "application/json; charset=utf-8"], path);
      JSON.parse(text);
    }
  });

  it("with several operations in one is refused as 400", async () => {
    const { status, text } = await post(`[${viewer},${viewer}]`);
    assert.equal(status, 400);
    isGraphqlError(text);
  });

  it("with a token in its address is refused, on every path, and the token is never logged", async () => {
    const query = encodeURIComponent("{ viewer { email } }");
    const addresses = [
      `/graphql?query=${query}&access_token=${token}`,
      `/graphql?query=${query}&token=${token}`,
      `/graphql?query=${query}&Authorization=Bearer%20${token}`,
      `/graphql?query=${query}&x=${token}`,
      `/graphql?query=${query}&variables=${encodeURIComponent(JSON.stringify({ a: token }))}`,
      `/graphql?query=${query}&key=xvk_${"a".repeat(43)}`,
      `/graphiql?token=${token}`,
      `/health?api_key=${token}`,
    ];
    for (const address of addresses) {
      const { status, text } = await send(origin + address, {});
      assert.equal(status, 400, address);
      isGraphqlError(text);
      assert.ok(!text.includes(token));
    }
    const posted = await send(`${hub.graphqlUrl}?access_token=${token}`, {
      method: "POST",
      headers: json,
      body: viewer,
    });
    assert.equal(posted.status, 400);
    assert.ok(!hub.lines.join("").includes(token));
  });

  it("from a page of somebody else is refused as 403 and gets no leave to be read; ours and the listed are answered", async () => {
    const from = (origin: string) => post(viewer, { origin });
    for (const foreign of [
      "https://evil.example",
      "null",
      `${dashboard}.evil.example`,
      "http://dashboard.example.com",
      "x",
    ]) {
      const { status, headers } = await from(foreign);
      assert.equal(status, 403, foreign);
      assert.equal(headers.get("access-control-allow-origin"), null);
    }
    for (const own of [dashboard, origin, "https://vault.example.com"])
      assert.equal((await from(own)).status, 200, own);
    const listed = await from(dashboard);
    assert.equal(listed.headers.get("access-control-allow-origin"), dashboard);
    assert.match(listed.headers.get("vary") ?? "", /\borigin\b/i);
  });

  it("is answered with the headers that browsers keep to, whatever becomes of it", async () => {
    const answers = [
      await post(viewer),
      await post("{"),
      await post(viewer, { "content-type": "text/plain" }),
      await send(`${origin}/nothing`, {}),
      await send(`${origin}/graphiql`, {}),
      await send(`${origin}/ready`, {}),
      await send(`${origin}/health?token=x`, {}),
      await send(hub.graphqlUrl, {
        method: "POST",
        headers: { ...json, accept: "text/event-stream", authorization },
        body: viewer,
      }),
    ];
    for (const { headers, status } of answers) {
      assert.equal(headers.get("x-content-type-options"), "nosniff", String(status));
      assert.equal(headers.get("x-frame-options"), "DENY");
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.match(headers.get("content-security-policy") ?? "", /frame-ancestors 'none'/);
      assert.match(headers.get("strict-transport-security") ?? "", /max-age=31536000/);
      assert.equal(headers.get("x-powered-by"), null);
      assert.equal(headers.get("server"), null);
      const isPage = headers.get("content-type")?.startsWith("text/html");
      assert.equal(headers.get("cache-control"), isPage ? "no-cache" : "no-store");
    }
  });

  const head = (...lines: string[]) => `POST /graphql HTTP/1.1\r\nHost: ${host}\r\n${lines.join("\r\n")}\r\n\r\n`;
  const smuggled = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
  const muddled: [what: string, bytes: string][] = [
    [
      "length and chunks",
      `${head("Content-Type: application/json", "Content-Length: 6", "Transfer-Encoding: chunked")}0\r\n\r\n${smuggled}`,
    ],
    [
      "two lengths",
      `${head("Content-Type: application/json", "Content-Length: 5", "Content-Length: 50")}{}   ${smuggled}`,
    ],
    [
      "two codings",
      `${head("Content-Type: application/json", "Transfer-Encoding: chunked, identity")}0\r\n\r\n${smuggled}`,
    ],
    [
      "a coding in disguise",
      `${head("Content-Type: application/json", "Transfer-Encoding : chunked", "Content-Length: 5")}0\r\n\r\n${smuggled}`,
    ],
    ["a length that is none", `${head("Content-Type: application/json", "Content-Length: +5")}{}   ${smuggled}`],
    ["a line that is none", `POST /graphql HTTP/1.1\r\nHost: ${"x"}\r\nX\0Y: 1\r\n\r\n`],
    ["10,000 headers", head(...Array.from({ length: 10_000 }, (_, n) => `X-${n}: 1`))],
    ["no host", "GET /health HTTP/1.1\r\n\r\n"],
    ["what is no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"],
  ];
  for (const [what, bytes] of muddled)
    it(`with ${what} is refused, and nothing behind it is answered`, async () => {
      const answer = await sendRaw(hub.graphqlUrl, [bytes]);
      assert.ok([400, 431].includes(statusOf(answer)), answer.text.slice(0, 200));
      assert.ok(answer.ended);
      assert.doesNotMatch(answer.text, /alive/);
      assert.equal(answer.text.match(/HTTP\/1\.1/g)?.length, 1);
    });

  it("whose headers or body come a byte at a time is given up on", async () => {
    const slowly = (chunks: Iterable<string>) => sendRaw(hub.graphqlUrl, chunks, { pauseMs: 200, withinMs: 30_000 });
    const [headers, body] = await Promise.all([
      slowly(head(...Array.from({ length: 50 }, (_, n) => `X-${n}: 1`))),
      slowly([head("Content-Type: application/json", "Content-Length: 300"), ..." ".repeat(300)]),
    ]);
    assert.deepEqual([statusOf(headers), statusOf(body)], [408, 408]);
    assert.ok(headers.tookMs < 8_000, `${headers.tookMs} ms`);
    assert.ok(body.tookMs < 14_000, `${body.tookMs} ms`);
    assert.equal((await post(viewer)).status, 200);
  });
});

describe("an error that nobody expected, where the process is told that this is development", () => {
  it("says nothing but a reference, which the log has too", async () => {
    const script = fileURLToPath(import.meta.resolve("./unexpected-error.ts"));
    const { stdout } = await promisify(execFile)("env", ["NODE_ENV=development", process.execPath, script]);
    const { error, lines } = JSON.parse(stdout);
    assert.equal(error.message, "Something went wrong on our side.");
    assert.deepEqual(Object.keys(error).sort(), ["extensions", "locations", "message", "path"]);
    assert.deepEqual(error.extensions, { code: "INTERNAL", reference: error.extensions.reference });
    assert.ok(lines.some((line: string) => line.includes(error.extensions.reference) && line.includes("restores")));
  });
});
