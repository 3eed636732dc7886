// How a process stays known to the hub and keeps its leases: by the clock and by the hub's word, whatever else it is busy with.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { pino } from "pino";
import { KeepAlive } from "../../clients/hub/keep-alive/keep-alive.ts";
import { JobCanceledError, LeaseLostError } from "../../clients/hub/keep-alive/lease.ts";
import { Refusal, startStandInHub } from "../restore/stand-in-hub.ts";

const held = { jobId: "job_1", leaseEpoch: 3 };
const quick = { leaseSeconds: 6, heartbeatSeconds: 0.2 };

const keepAliveAt = (baseUrl: string) => new KeepAlive({ baseUrl, token: "t".repeat(43) }, pino({ level: "silent" }));

async function lost(signal: AbortSignal): Promise<number> {
  const since = performance.now();
  if (!signal.aborted) await once(signal, "abort");
  return performance.now() - since;
}

/** A hub with an event loop of its own that refuses a renewal which comes too late. */
async function startStrictHub(leaseMs: number): Promise<{ url: string } & AsyncDisposable> {
  const standIn = new URL("../restore/stand-in-hub.ts", import.meta.url).href;
  const thread = new Worker(
    `import("${standIn}").then(async ({ startStandInHub, Refusal }) => {
      let renewedAt = performance.now();
      const hub = await startStandInHub({ renewLease() {
        if (performance.now() - renewedAt > ${leaseMs}) throw new Refusal("LEASE_LOST");
        renewedAt = performance.now();
        return { leaseSeconds: ${leaseMs / 1000}, cancelRequested: false };
      } });
      require("node:worker_threads").parentPort.postMessage(hub.url);
    });`,
    { eval: true },
  );
  const [url] = await once(thread, "message");
  return { url, [Symbol.asyncDispose]: async () => void (await thread.terminate()) };
}

/** A hub in a process of its own, because the test's own event loop is to be blocked. Prints the input of every heartbeat. */
const hubScript = `
  const { createServer } = require("node:http");
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk)).on("end", () => {
      console.log(JSON.stringify(JSON.parse(body).variables.input));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: { heartbeat: { serverTime: new Date().toISOString() } } }));
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

async function stageBeatenHub() {
  const child = spawn(process.execPath, ["-e", hubScript], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [port] = (await once(lines, "line")) as [string];
  const beats: { draining: boolean; freeBytes: number | null }[] = [];
  lines.on("line", (line) => beats.push(JSON.parse(line)));
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    beats,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !condition(); await pause(20))
    assert.ok(performance.now() < deadline, "it never happened");
}

describe("the heartbeat", () => {
  it("goes on while the event loop is blocked", async () => {
    await using hub = await stageBeatenHub();
    await using keepAlive = keepAliveAt(hub.baseUrl);
    keepAlive.beat(0.1, { freeBytes: null });
    await until(() => hub.beats.length > 0);
    const before = hub.beats.length;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    // Written while nobody could read: one look at the pipe brings all of them.
    await pause(50);
    assert.ok(hub.beats.length - before >= 5, `${hub.beats.length - before} beats in 2 s`);
  });

  it("tells of a drain at once, and is not talked out of it", async () => {
    await using hub = await stageBeatenHub();
    await using keepAlive = keepAliveAt(hub.baseUrl);
    keepAlive.beat(3_600, { freeBytes: 5 });
    await until(() => hub.beats.length > 0);
    await keepAlive.drain(AbortSignal.timeout(10_000));
    await until(() => hub.beats.length > 1);
    assert.deepEqual(hub.beats[1], { draining: true, freeBytes: 5 });
    keepAlive.beat(0.1, { freeBytes: 4 });
    await keepAlive.drain(AbortSignal.timeout(10_000));
    assert.ok(hub.beats.slice(1).every(({ draining }) => draining));
  });

  it("says a drain after what it was saying, and gives up where nobody hears it", async () => {
    const heard: boolean[] = [];
    const first = Promise.withResolvers<void>();
    await using hub = await startStandInHub({
      async heartbeat({ draining }) {
        if (heard.length === 0) await first.promise;
        heard.push(draining === true);
        return { serverTime: new Date().toISOString() };
      },
    });
    await using keepAlive = keepAliveAt(hub.url);
    keepAlive.beat(3_600, { freeBytes: null });
    await assert.rejects(keepAlive.drain(AbortSignal.timeout(500)), { name: "TimeoutError" });
    first.resolve();
    await keepAlive.drain(AbortSignal.timeout(10_000));
    assert.deepEqual(heard, [false, true]);
  });
});

describe("a lease held by a busy process", () => {
  it("is renewed while the event loop is busy for longer than the lease", async () => {
    await using hub = await startStrictHub(4_500);
    await using keepAlive = keepAliveAt(hub.url);
    using lease = keepAlive.keepLease({ ...held, leaseSeconds: 4.5, heartbeatSeconds: 0.4 });
    await pause(1_500);
    const until = performance.now() + 5_000;
    while (performance.now() < until);
    await pause(400);
    assert.equal(lease.signal.aborted, false);
  });
});

describe("a lease", { concurrency: true }, () => {
  it("is renewed at least every five seconds, and at once where something may be new about its job", async () => {
    const renewedAt: number[] = [];
    let cancelRequested = false;
    await using hub = await startStandInHub({
      renewLease() {
        renewedAt.push(performance.now());
        return { leaseSeconds: 600, cancelRequested };
      },
    });
    await using keepAlive = keepAliveAt(hub.url);
    using lease = keepAlive.keepLease({ ...held, leaseSeconds: 600, heartbeatSeconds: 300 });
    const since = performance.now();
    while (renewedAt.length === 0) await pause(20);
    assert.ok((renewedAt[0] ?? 0) - since > 3_000, "it was not renewed for nothing");
    cancelRequested = true;
    keepAlive.attend("job_of_another");
    keepAlive.attend(held.jobId);
    assert.ok((await lost(lease.signal)) < 3_000);
    assert.ok(lease.signal.reason instanceof JobCanceledError);
  });

  it("is lost when the hub says so", async () => {
    await using hub = await startStandInHub({
      renewLease() {
        throw new Refusal("LEASE_LOST");
      },
    });
    await using keepAlive = keepAliveAt(hub.url);
    using lease = keepAlive.keepLease({ ...held, leaseSeconds: 60, heartbeatSeconds: 0.1 });
    assert.ok((await lost(lease.signal)) < 5_000);
    assert.ok(lease.signal.reason instanceof LeaseLostError);
    assert.deepEqual(hub.inputs("renewLease")[0], { jobId: "job_1", leaseEpoch: 3 });
  });

  it("is lost when two thirds of it passed without an acknowledged renewal", async () => {
    await using hub = await startStandInHub({ renewLease: () => new Promise(() => {}) });
    await using keepAlive = keepAliveAt(hub.url);
    using lease = keepAlive.keepLease({ ...held, ...quick });
    const afterMs = await lost(lease.signal);
    assert.ok(afterMs > 3_900 && afterMs < 6_000, `lost after ${afterMs} ms`);
    assert.ok(lease.signal.reason instanceof LeaseLostError);
  });

  it("outlives a hub that is away for less than that", async () => {
    let isAway = true;
    await using hub = await startStandInHub({
      renewLease() {
        if (isAway) throw new Error("away");
        return { leaseSeconds: 6, cancelRequested: false };
      },
    });
    await using keepAlive = keepAliveAt(hub.url);
    using lease = keepAlive.keepLease({ ...held, ...quick });
    await pause(2_500);
    isAway = false;
    await pause(2_500);
    assert.equal(lease.signal.aborted, false);
  });

  it("tells of a cancellation, and is still renewed after it", async () => {
    await using hub = await startStandInHub({ renewLease: () => ({ leaseSeconds: 6, cancelRequested: true }) });
    await using keepAlive = keepAliveAt(hub.url);
    using lease = keepAlive.keepLease({ ...held, ...quick });
    await lost(lease.signal);
    assert.ok(lease.signal.reason instanceof JobCanceledError);
    const before = hub.inputs("renewLease").length;
    await pause(1_500);
    assert.ok(hub.inputs("renewLease").length > before);
  });

  it("is not renewed once it was disposed of", async () => {
    await using hub = await startStandInHub();
    await using keepAlive = keepAliveAt(hub.url);
    const lease = keepAlive.keepLease({ ...held, ...quick });
    await pause(600);
    lease[Symbol.dispose]();
    const before = hub.inputs("renewLease").length;
    await pause(400);
    assert.equal(hub.inputs("renewLease").length, before);
    assert.equal(lease.signal.aborted, false);
  });
});
