// How a lease is kept: by the clock and by the hub's word, whatever else the process is busy with.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { JobCanceledError, keepLease, LeaseLostError } from "../../clients/hub/lease.ts";
import { Refusal, startStandInHub } from "./stand-in-hub.ts";

const held = { token: "t".repeat(43), jobId: "job_1", leaseEpoch: 3 };
const quick = { leaseSeconds: 6, heartbeatSeconds: 0.2 };

async function lost(signal: AbortSignal): Promise<number> {
  const since = performance.now();
  if (!signal.aborted) await once(signal, "abort");
  return performance.now() - since;
}

/** A hub with an event loop of its own that refuses a renewal which comes too late. */
async function startStrictHub(leaseMs: number): Promise<{ url: string } & AsyncDisposable> {
  const standIn = new URL("./stand-in-hub.ts", import.meta.url).href;
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

describe("a lease held by a busy process", () => {
  it("is renewed while the event loop is busy for longer than the lease", async () => {
    await using hub = await startStrictHub(4_500);
    await using lease = keepLease({ ...held, leaseSeconds: 4.5, heartbeatSeconds: 0.4, baseUrl: hub.url });
    await pause(1_500);
    const until = performance.now() + 5_000;
    while (performance.now() < until);
    await pause(400);
    assert.equal(lease.signal.aborted, false);
  });
});

describe("a lease", { concurrency: true }, () => {
  it("is lost when the hub says so", async () => {
    await using hub = await startStandInHub({
      renewLease() {
        throw new Refusal("LEASE_LOST");
      },
    });
    await using lease = keepLease({ ...held, leaseSeconds: 60, heartbeatSeconds: 0.1, baseUrl: hub.url });
    assert.ok((await lost(lease.signal)) < 5_000);
    assert.ok(lease.signal.reason instanceof LeaseLostError);
    assert.deepEqual(hub.inputs("renewLease")[0], { jobId: "job_1", leaseEpoch: 3 });
  });

  it("is lost when two thirds of it passed without an acknowledged renewal", async () => {
    await using hub = await startStandInHub({ renewLease: () => new Promise(() => {}) });
    await using lease = keepLease({ ...held, ...quick, baseUrl: hub.url });
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
    await using lease = keepLease({ ...held, ...quick, baseUrl: hub.url });
    await pause(2_500);
    isAway = false;
    await pause(2_500);
    assert.equal(lease.signal.aborted, false);
  });

  it("tells of a cancellation, and is still renewed after it", async () => {
    await using hub = await startStandInHub({ renewLease: () => ({ leaseSeconds: 6, cancelRequested: true }) });
    await using lease = keepLease({ ...held, ...quick, baseUrl: hub.url });
    await lost(lease.signal);
    assert.ok(lease.signal.reason instanceof JobCanceledError);
    const before = hub.inputs("renewLease").length;
    await pause(1_500);
    assert.ok(hub.inputs("renewLease").length > before);
  });

  it("is not renewed once it was disposed of", async () => {
    await using hub = await startStandInHub();
    const lease = keepLease({ ...held, ...quick, baseUrl: hub.url });
    await pause(600);
    await lease[Symbol.asyncDispose]();
    const before = hub.inputs("renewLease").length;
    await pause(400);
    assert.equal(hub.inputs("renewLease").length, before);
    assert.equal(lease.signal.aborted, false);
  });
});
