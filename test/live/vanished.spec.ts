// Clients that stop reading, or are gone without a word, over real sockets: they cost little, and nobody else notices.
import assert from "node:assert/strict";
import { type ClientRequest, request } from "node:http";
import type { Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { stageBlackhole } from "../faults/kit/blackhole.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { until } from "./watched.ts";

const MiB = 1 << 20;
const query = `subscription ($tenantId: ID!) {
  jobsChanged(tenantId: $tenantId) { cursor job { id status errorMessage } }
}`;

/** A client over a bare socket, which can stop reading as a suspended laptop does. */
interface Client {
  /** Jobs that it has seen end. */
  readonly ended: Set<string>;
  readonly isOpen: () => boolean;
  socket(): Socket;
  close(): void;
}

describe("a hub with clients that do not read", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let tenant: StagedTenant;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    tenant = await stageTenant(hub);
  });
  after(() => stack.disposeAsync());

  function heedful(): { ended: Set<string>; isOpen: () => boolean; read: (text: string) => void } {
    const ended = new Set<string>();
    let open = false;
    return {
      ended,
      isOpen: () => open,
      read(text) {
        open ||= text.includes('"job":null');
        for (const [, id = ""] of text.matchAll(/"id":"(job_\w+)","status":"COMPLETED"/g)) ended.add(id);
      },
    };
  }

  function overSocket(port = hub.running.publicPort): Client {
    const { ended, isOpen, read } = heedful();
    const ws = new WebSocket(`ws://127.0.0.1:${port}/graphql`, "graphql-transport-ws");
    const say = (message: object) => ws.send(JSON.stringify(message));
    ws.on("error", () => undefined);
    ws.on("open", () => say({ type: "connection_init", payload: { authorization: `Bearer ${tenant.token}` } }));
    ws.on("message", (data) => {
      const text = String(data);
      if (text.includes("connection_ack"))
        say({ id: "1", type: "subscribe", payload: { query, variables: { tenantId: tenant.tenantId } } });
      else read(text);
    });
    return {
      ended,
      isOpen,
      socket: () => (ws as unknown as { _socket: Socket })._socket,
      close: () => ws.terminate(),
    };
  }

  function overSse(localAddress?: string): Client {
    const { ended, isOpen, read } = heedful();
    const asked: ClientRequest = request(
      hub.graphqlUrl,
      {
        method: "POST",
        agent: false,
        ...(localAddress !== undefined && { localAddress }),
        headers: {
          authorization: `Bearer ${tenant.token}`,
          accept: "text/event-stream",
          "content-type": "application/json",
        },
      },
      (response) => {
        response.on("error", () => undefined);
        let rest = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          const lines = (rest + chunk).split("\n");
          rest = lines.pop() ?? "";
          for (const line of lines) read(line);
        });
      },
    );
    asked.on("error", () => undefined);
    asked.end(JSON.stringify({ query, variables: { tenantId: tenant.tenantId } }));
    return {
      ended,
      isOpen,
      socket: () => asked.socket as Socket,
      close: () => asked.destroy(),
    };
  }

  const jobs = 1_000;
  const batches = 10;
  const idOf = (round: number, n: number) => `job_${`${round}${String(n).padStart(6, "0")}`.padStart(32, "0")}`;

  /** Twenty changes of each job, the last of which ends it; answers how long each batch took to reach the quick one, in milliseconds. */
  async function changeAll(round: number, quick: Client): Promise<number[]> {
    const { db, announce } = hub.running.hub;
    // Long enough that no buffer on the way takes it all.
    await db.$executeRaw`INSERT INTO jobs (id, tenant_id, type, error_message)
      SELECT 'job_' || lpad(${String(round)} || lpad(n::text, 6, '0'), 32, '0'), ${tenant.tenantId}, 'BACKUP', repeat('x', 10000)
        FROM generate_series(1, ${jobs}::int) n`;
    const times: number[] = [];
    for (let batch = 0; batch < batches; batch++) {
      const [before, last] = [idOf(round, (batch * jobs) / batches), idOf(round, ((batch + 1) * jobs) / batches)];
      const began = performance.now();
      for (let change = 1; change <= 20; change++) {
        await db.$executeRaw`UPDATE jobs SET event_seq = event_seq + 1, status =
          (CASE ${change}::int WHEN 1 THEN 'RUNNING' WHEN 20 THEN 'COMPLETED' ELSE status::text END)::job_status
          WHERE tenant_id = ${tenant.tenantId} AND id > ${before} AND id <= ${last}`;
        if (change % 10 === 0) announce.jobChanged("job_", tenant.tenantId);
      }
      await until(() => quick.ended.has(last));
      times.push(performance.now() - began);
    }
    return times;
  }

  it("bears 10 of them through 20,000 changes, tells all others as before, and them how it ended once they read on", async () => {
    const quick = overSocket();
    await until(quick.isOpen);
    const alone = await changeAll(1, quick);

    const stalled = [...Array.from({ length: 5 }, () => overSocket()), ...Array.from({ length: 5 }, () => overSse())];
    await until(() => stalled.every(({ isOpen }) => isOpen()));
    for (const client of stalled) client.socket().pause();
    const before = memoryUsed();
    const among = await changeAll(2, quick);
    const growth = memoryUsed() - before;
    assert.ok(growth < 50 * MiB, `${Math.round(growth / MiB)} MiB more for ${stalled.length} of them`);
    const median = (times: number[]) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;
    assert.ok(median(among) < 3 * median(alone), `${median(among)} ms instead of ${median(alone)} ms`);
    for (const { ended } of stalled) assert.ok(ended.size < jobs, "it was not stalled");
    assert.ok(!hub.lines.some((line) => line.includes("gone without a word")), "who does not read is not gone");

    for (const client of [stalled[0], stalled[9]]) {
      client?.socket().resume();
      await until(() => client?.ended.size === jobs, 20_000);
    }
    for (const client of [quick, ...stalled]) client.close();
  });

  it("lets go of a socket, and of a stream, that is gone without a word within 24 s", async (t) => {
    const redis = stack.adopt(new Redis(hub.redis.url), (client) => client.disconnect());
    const channels = async () => ((await redis.pubsub("CHANNELS", "xvault:*")) as string[]).length;
    await until(async () => (await channels()) === 0);
    const sockets = Array.from({ length: 100 }, () => overSocket());
    // A stream is never asked for an answer: it has to be out of reach altogether.
    const blackhole = await stageBlackhole();
    if (blackhole) stack.use(blackhole);
    else t.diagnostic("without streams: packets cannot be made to vanish here");
    const streams = blackhole ? Array.from({ length: 20 }, () => overSse(blackhole.address)) : [];
    const all = [...sockets, ...streams];
    await until(() => all.every(({ isOpen }) => isOpen()));
    await until(async () => (await channels()) === 1);
    // Neither a FIN nor an answer to a ping comes from now on.
    for (const client of sockets) client.socket().pause();
    await blackhole?.open();
    const began = performance.now();
    await until(async () => (await channels()) === 0, 26_000);
    assert.ok(performance.now() - began > 5_000, "that was no ping");
    for (const client of all) client.close();
  });
});

/** Memory in use once the garbage is gone. */
function memoryUsed(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
