// F37 and F39: what is promised to those who watch: they may come at any moment, go without a word, and come back all at once.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { until } from "../live/watched.ts";
import { leaseOf, playWorker, testedSource } from "../private/played-worker.ts";
import { stageHub } from "../stage/hub.ts";
import { stageTenant, startJob } from "../stage/tenant.ts";
import { type Step, watchOverSse, watchOverWebSocket } from "../stage/watch.ts";
import { stageEarth } from "./kit/hub-process.ts";
import { raceSubscribers } from "./kit/race-subscribers.ts";
import { stageTwoHubs } from "./kit/two-hubs.ts";
import { assertWholeSteps } from "./kit/whole.ts";

const clientsAtOnce = 100;

describe("subscribers", () => {
  it("who come before a job begins, while it runs, or after its end, see where it stands and then all that follows", async (t) => {
    await using hub = await stageHub();
    const seed = Math.floor(Math.random() * 2 ** 32);
    t.diagnostic(`seed ${seed}`);
    await raceSubscribers(hub, { races: 50, atOnce: 5, seed });
  });

  it("who all come back at once, after all of them were cut off, leave nothing behind", async () => {
    await using hub = await stageHub();
    const acme = await stageTenant(hub);
    await using stack = new AsyncDisposableStack();
    const redis = stack.adopt(new Redis(hub.redis.url), (client) => client.disconnect());
    const channels = async () => ((await redis.pubsub("CHANNELS", "xvault:*")) as string[]).length;
    const url = hub.graphqlUrl.replace(/^http/, "ws");
    const query = `subscription ($id: ID!) { jobsChanged(tenantId: $id) { cursor } }`;

    async function come(): Promise<WebSocket> {
      const socket = new WebSocket(url, "graphql-transport-ws");
      const told = new Promise<void>((resolve, reject) => {
        socket.on("error", reject);
        socket.on("close", (code) => reject(new Error(`closed with ${code}`)));
        socket.on("message", (data) => {
          const { type } = JSON.parse(String(data));
          if (type === "connection_ack")
            socket.send(
              JSON.stringify({ id: "1", type: "subscribe", payload: { query, variables: { id: acme.tenantId } } }),
            );
          if (type === "next") resolve();
        });
      });
      told.catch(() => undefined);
      socket.on("open", () =>
        socket.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${acme.token}` } })),
      );
      await told;
      return socket;
    }

    for (let round = 0; round < 3; round++) {
      const sockets = await Promise.all(Array.from({ length: clientsAtOnce }, come));
      await until(async () => (await channels()) === 1);
      for (const socket of sockets) socket.terminate();
    }
    await until(async () => (await channels()) === 0);
    assert.doesNotMatch(hub.lines.join("\n"), /MaxListenersExceeded|unexpected error/);
  });

  it("whose hub is killed go on at another one, from where they were", async (t) => {
    await using earth = await stageEarth();
    await using pair = await stageTwoHubs(earth);
    const acme = await stageTenant(pair);
    const worker = await playWorker(pair);
    const sourceId = await testedSource(acme, worker);
    const jobId = await startJob(acme.ask, "testSource", sourceId);
    const watching = [
      watchThrough((after) => watchOver(pair.graphqlUrl, acme.token, jobId, after)),
      watchThrough((after) => watchOver(pair.graphqlUrl, acme.token, jobId, after)),
    ];
    const job = await worker.take("TEST_SOURCE");
    const report = { retryForMs: 20_000 };
    await worker.api.enterPhase({ ...leaseOf(job), phase: "CONNECTING" }, report);
    const began = performance.now();
    const note = (what: string) => t.diagnostic(`${what} ${Math.round(performance.now() - began)}`);
    const [first, second] = pair.hubs;
    await first.end("SIGKILL");
    await worker.api.enterPhase({ ...leaseOf(job), phase: "PULLING" }, report);
    note("pulling");
    await first.start();
    note("started");
    await second.end("SIGKILL");
    await worker.api.completeJob({ ...leaseOf(job), findings: {} }, report);
    note("completed");
    for (const steps of await Promise.all(watching)) assertWholeSteps(steps);
  });

  it("who come after the end are told of it at once, and let go", async () => {
    await using hub = await stageHub();
    const acme = await stageTenant(hub);
    const worker = await playWorker(hub);
    const sourceId = await testedSource(acme, worker);
    const jobId = await startJob(acme.ask, "testSource", sourceId);
    await worker.api.completeJob({ ...leaseOf(await worker.take("TEST_SOURCE")), findings: {} });
    for (const watch of [watchOverWebSocket, watchOverSse]) {
      const steps = await watch(hub.graphqlUrl, acme.token, jobId);
      assertWholeSteps(steps);
      assert.equal(steps[0]?.event?.seq, 1);
    }
  });
});

/** Watches again from the last cursor, as clients do, until the job has ended. */
async function watchThrough(watch: (after: string) => AsyncIterable<Step>): Promise<Step[]> {
  const steps: Step[] = [];
  const ends = ["COMPLETED", "FAILED", "CANCELED"];
  const deadline = performance.now() + 60_000;
  while (!ends.includes(String(steps.at(-1)?.event?.facts.status)) && performance.now() < deadline) {
    try {
      for await (const step of watch(steps.at(-1)?.cursor ?? "0")) steps.push(step);
    } catch {
      await pause(100);
    }
  }
  return steps;
}

async function* watchOver(url: string, token: string, jobId: string, after: string): AsyncGenerator<Step> {
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const query = `subscription ($jobId: ID!, $after: String) {
    jobProgressed(jobId: $jobId, after: $after) { cursor job { status } event { seq kind facts } }
  }`;
  try {
    for await (const { data, errors } of client.iterate<{ jobProgressed: Step }>({
      query,
      variables: { jobId, after },
    })) {
      if (errors) throw new Error(errors[0]?.message);
      // An update without an event says where the job stands, which was told before.
      if (data?.jobProgressed.event) yield data.jobProgressed;
    }
  } finally {
    await client.dispose();
  }
}
