// Ranges over HTTP: a server is believed only where its answer is exactly what was asked for.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { type HttpReaderOptions, httpReader, looseArtifact, type RangeReader, StorageError, verify } from "#artifact";
import { fileNames } from "#artifact/node";
import { storedBytes } from "./forging.ts";
import { file, identity, noise, sealTree } from "./sealing.ts";

const bytes = noise(100_000);
const etag = '"one"';

type Answer = (range: { from: number; to: number }, request: IncomingMessage, response: ServerResponse) => void;

/** As a server should. */
const well: Answer = ({ from, to }, _, response) => sendPart(response, from, to);

function sendPart(response: ServerResponse, from: number, to: number, headers: Record<string, string> = {}): void {
  const told = { "Content-Range": `bytes ${from}-${to}/${bytes.length}`, ETag: etag, ...headers };
  response.writeHead(206, told).end(bytes.subarray(from, to + 1));
}

interface Served extends AsyncDisposable {
  readonly url: string;
  readonly requests: IncomingMessage["headers"][];
  answer: Answer;
}

async function serve(answer: Answer = well): Promise<Served> {
  const requests: IncomingMessage["headers"][] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers);
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    served.answer({ from: Number(from), to: Number(to) }, request, response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const served: Served = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`,
    requests,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return served;
}

function isStorageError(code: StorageError["code"]): (error: unknown) => boolean {
  return (error) => error instanceof StorageError && error.code === code;
}

describe("a reader of ranges over HTTP", () => {
  it("knows the length, and reads exactly what it is asked for", async () => {
    await using server = await serve();
    const file = await httpReader(server.url, { headers: { Authorization: "Bearer x" } });
    assert.equal(file.size, bytes.length);
    for (const [position, length] of [
      [0, 1],
      [7, 50_000],
      [99_999, 1],
      [0, 100_000],
    ] as const)
      assert.ok(bytes.subarray(position, position + length).equals(await file.read(position, length)));
    assert.equal((await file.read(5, 0)).length, 0);
    await file.close();
    assert.ok(server.requests.every(({ authorization }) => authorization === "Bearer x"));
    assert.deepEqual(
      server.requests.map((headers) => headers["if-range"]),
      [undefined, etag, etag, etag, etag],
    );
  });

  it("never asks for what lies behind the end", async () => {
    await using server = await serve();
    const file = await httpReader(server.url);
    await assert.rejects(file.read(99_999, 2), isStorageError("NOT_STORED"));
    assert.equal(server.requests.length, 1);
  });

  it("reads a file of no bytes", async () => {
    await using server = await serve((_, __, response) => {
      response.writeHead(416, { "Content-Range": "bytes */0" }).end();
    });
    const file = await httpReader(server.url);
    assert.equal(file.size, 0);
    assert.equal((await file.read(0, 0)).length, 0);
  });

  it("tells a file that is not there from a server that fails", async () => {
    for (const [status, code] of [
      [404, "NOT_STORED"],
      [410, "NOT_STORED"],
      [403, "STORAGE_UNAVAILABLE"],
      [500, "STORAGE_UNAVAILABLE"],
    ] as const) {
      await using server = await serve((_, __, response) => response.writeHead(status).end("no"));
      await assert.rejects(httpReader(server.url), isStorageError(code), String(status));
    }
    await using gone = await serve();
    const { url } = gone;
    await gone[Symbol.asyncDispose]();
    await assert.rejects(httpReader(url), isStorageError("STORAGE_UNAVAILABLE"));
  });

  const answers: readonly [told: string, answer: Answer][] = [
    ["the whole file", (_, __, response) => response.writeHead(200, { ETag: etag }).end(bytes)],
    ["another part", ({ from, to }, _, response) => sendPart(response, from + 1, to + 1)],
    ["a longer part", ({ from, to }, _, response) => sendPart(response, from, to + 1)],
    ["no word of which part", (_, __, response) => response.writeHead(206, { ETag: etag }).end("x")],
    [
      "more bytes than it tells",
      ({ from, to }, _, response) => {
        response.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${bytes.length}`, ETag: etag });
        response.end(bytes.subarray(from, to + 2));
      },
    ],
    [
      "fewer bytes than it tells",
      ({ from, to }, _, response) => {
        response.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${bytes.length}`, ETag: etag });
        response.end(bytes.subarray(from, to));
      },
    ],
    [
      "a file of unknown length",
      ({ from, to }, _, response) => sendPart(response, from, to, { "Content-Range": `bytes ${from}-${to}/*` }),
    ],
    [
      "bytes in another coding",
      ({ from, to }, _, response) => sendPart(response, from, to, { "Content-Encoding": "x-other" }),
    ],
  ];
  for (const [told, answer] of answers)
    it(`refuses a server that answers with ${told}, at first and later`, async () => {
      await using server = await serve(answer);
      await assert.rejects(httpReader(server.url), isStorageError("STORAGE_UNAVAILABLE"));
      server.answer = well;
      const file = await httpReader(server.url);
      server.answer = answer;
      await assert.rejects(file.read(10, 10), isStorageError("STORAGE_UNAVAILABLE"));
      server.answer = well;
      assert.ok(bytes.subarray(10, 20).equals(await file.read(10, 10)));
    });

  it("refuses a file that was replaced meanwhile", async () => {
    await using server = await serve();
    const file = await httpReader(server.url);
    server.answer = ({ from, to }, _, response) => sendPart(response, from, to, { ETag: '"two"' });
    await assert.rejects(file.read(0, 10), isStorageError("STORAGE_UNAVAILABLE"));
    server.answer = ({ from, to }, _, response) =>
      sendPart(response, from, to, { "Content-Range": `bytes ${from}-${to}/100001` });
    await assert.rejects(file.read(0, 10), isStorageError("STORAGE_UNAVAILABLE"));
  });

  it("makes no condition of a weak tag, and compares it all the same", async () => {
    await using server = await serve(({ from, to }, _, response) => sendPart(response, from, to, { ETag: 'W/"1"' }));
    const file = await httpReader(server.url);
    await file.read(0, 10);
    assert.equal(server.requests[1]?.["if-range"], undefined);
    server.answer = ({ from, to }, _, response) => sendPart(response, from, to, { ETag: 'W/"2"' });
    await assert.rejects(file.read(0, 10), isStorageError("STORAGE_UNAVAILABLE"));
  });

  const slow: Answer = ({ from, to }, _, response) => {
    response.writeHead(206, { "Content-Range": `bytes ${from}-${to}/${bytes.length}`, ETag: etag });
    response.write(bytes.subarray(from, to));
  };
  const silent: Answer = () => {};

  it("waits no longer than its deadline, for an answer or for the end of one", async () => {
    for (const answer of [slow, silent]) {
      await using server = await serve();
      const options: HttpReaderOptions = { deadlineMs: 200 };
      const file: RangeReader = await httpReader(server.url, options);
      server.answer = answer;
      await assert.rejects(file.read(0, 10), isStorageError("STORAGE_UNAVAILABLE"));
    }
  });

  it("ends at an abort, with the signal's own reason", async () => {
    for (const answer of [slow, silent]) {
      await using server = await serve();
      const file = await httpReader(server.url);
      server.answer = answer;
      const reason = new Error("enough");
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 50);
      await assert.rejects(file.read(0, 10, controller.signal), reason);
      await assert.rejects(file.read(0, 10, controller.signal), reason);
    }
  });

  it("is enough to verify an artifact", async () => {
    const { storage } = await sealTree([file("a", noise(300_000))]);
    await using server = await serve((range, request, response) => {
      const stored = storedBytes(storage, (request.url ?? "").slice(1));
      response.writeHead(206, { "Content-Range": `bytes ${range.from}-${range.to}/${stored.length}` });
      response.end(stored.subarray(range.from, range.to + 1));
    });
    const place = await looseArtifact((name) => httpReader(new URL(`/${name}`, server.url)));
    assert.equal((await verify({ ...place, identities: [identity] })).depth, "CONTENTS");
    assert.ok(server.requests.length > Object.keys(fileNames).length);
  });
});
