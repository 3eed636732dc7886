// Who may watch all jobs, snapshots or workers: over SSE and WebSocket, with stock clients, for as long as they may and no longer.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { type Ids, stageEverything, unknown } from "./everything-of.ts";
import { type Person, stagePerson } from "./people.ts";

interface Watching {
  /** Data and errors as they came, the close code of the socket last. */
  readonly seen: string[];
  /** Of the stream: the hub's doing, not ours. */
  readonly ended: Promise<void>;
  stop(): void;
}

const jobs = `subscription ($tenantId: ID, $sourceId: ID, $after: String) {
  jobsChanged(tenantId: $tenantId, sourceId: $sourceId, after: $after) { cursor job { id status source { id } } }
}`;
const snapshots = `subscription ($tenantId: ID, $sourceId: ID, $after: String) {
  snapshotsChanged(tenantId: $tenantId, sourceId: $sourceId, after: $after) { cursor snapshot { id status job { id } } }
}`;
const workers = `subscription ($after: String) { workersChanged(after: $after) { cursor worker { id status } } }`;

describe("watching what changes", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let owner: Person;
  let neighbour: Person;
  let ids: Ids;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, heartbeatSeconds: 600 }));
    acme = await stageTenant(hub, "Acme");
    const next = await stageTenant(hub, "Next door");
    owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "VIEWER" });
    neighbour = await stagePerson(hub, { tenantId: next.tenantId, role: "OWNER" });
    worker = await playWorker(hub);
    ids = await stageEverything(hub, { tenant: acme, owner, worker });
  });
  after(() => stack.disposeAsync());

  const ways = { SSE: overSse, WebSocket: overSocket } as const;

  function overSse(token: string | undefined, query: string, variables: Record<string, unknown>): Watching {
    const seen: string[] = [];
    const stop = new AbortController();
    const ended = (async () => {
      const response = await fetch(hub.graphqlUrl, {
        method: "POST",
        headers: {
          accept: "text/event-stream",
          "content-type": "application/json",
          ...(token && { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query, variables }),
        signal: stop.signal,
      });
      let text = "";
      for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const lines = text.split("\n");
        text = lines.pop() ?? "";
        seen.push(...lines.filter((line) => line.startsWith("data: {")).map((line) => line.slice(6)));
      }
    })().catch(() => undefined);
    return { seen, ended, stop: () => stop.abort() };
  }

  function overSocket(token: string | undefined, query: string, variables: Record<string, unknown>): Watching {
    const seen: string[] = [];
    const client = createClient({
      url: hub.graphqlUrl.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      connectionParams: token ? { authorization: `Bearer ${token}` } : {},
      retryAttempts: 0,
    });
    const ended = new Promise<void>((resolve) => {
      client.subscribe(
        { query, variables },
        {
          next: (value) => seen.push(JSON.stringify(value)),
          error: (error) => {
            seen.push(
              JSON.stringify(Array.isArray(error) ? { errors: error } : { closed: (error as CloseEvent).code }),
            );
            resolve();
          },
          complete: resolve,
        },
      );
    });
    return { seen, ended, stop: () => void client.dispose() };
  }

  async function until(isSo: () => boolean, withinMs = 10_000): Promise<void> {
    const deadline = performance.now() + withinMs;
    while (!isSo()) {
      assert.ok(performance.now() < deadline, `not so within ${withinMs} ms: ${isSo}`);
      await pause(10);
    }
  }

  const cancel = (id: string) =>
    acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on Failure { code } } }`, { id });
  const isOpen = ({ seen }: Watching) => seen.some((each) => /"(job|snapshot|worker)":null/.test(each));

  for (const [way, watch] of Object.entries(ways)) {
    it(`tells jobs and snapshots to those with a part in the tenant, and workers to operators, over ${way}`, async () => {
      const all = [
        watch(owner.token, jobs, { tenantId: acme.tenantId }),
        watch(owner.token, jobs, { sourceId: ids.source }),
        watch(owner.token, snapshots, { tenantId: acme.tenantId }),
        watch(owner.token, snapshots, { sourceId: ids.source }),
        watch(acme.token, workers, {}),
      ];
      await until(() => all.every(isOpen));
      const job = await startJob(acme.ask, "startBackup", ids.source);
      await until(() => all.slice(0, 2).every(({ seen }) => seen.some((each) => each.includes(job))));
      await cancel(job);
      await until(() =>
        all.slice(0, 2).every(({ seen }) => JSON.parse(seen.at(-1) ?? "").data.jobsChanged.job?.status === "CANCELED"),
      );
      for (const { seen } of all.slice(2, 4)) assert.ok(seen[0]?.includes(ids.snapshot), seen[0]);
      const joined = await playWorker(hub);
      await until(() => all[4]?.seen.some((each) => each.includes(joined.id) && each.includes("ONLINE")) ?? false);
      for (const each of all) each.stop();
    });

    it(`cannot tell a neighbour's tenant or source from one that does not exist, over ${way}`, async () => {
      const answers = new Set<string>();
      const channels = new Redis(hub.redis.url);
      for (const query of [jobs, snapshots]) {
        for (const argument of ["tenantId", "sourceId"]) {
          for (const id of [acme.tenantId, ids.source, unknown(acme.tenantId), ids.job, "", "\0", "x".repeat(9_000)]) {
            const watching = watch(neighbour.token, query, { [argument]: id });
            await watching.ended;
            answers.add(watching.seen.join().replace(/(jobs|snapshots)Changed|,?"locations":\[[^\]]*\]/g, ""));
          }
        }
      }
      assert.equal(answers.size, 1, [...answers].join("\n"));
      assert.match([...answers].join(), /There is nothing of yours with this id\..*NOT_FOUND/);
      assert.deepEqual(await channels.pubsub("CHANNELS", `xvault:tenant:*`), []);
      channels.disconnect();
    });

    it(`is refused to nobody in particular, and workers to everybody but operators, over ${way}`, async () => {
      const refused = way === "SSE" ? /"code":"UNAUTHENTICATED"/ : /"closed":4403/;
      for (const token of [undefined, `${owner.token}x`]) {
        const watching = watch(token, jobs, { tenantId: acme.tenantId });
        await watching.ended;
        assert.match(watching.seen.join(), refused);
      }
      const watching = watch(owner.token, workers, {});
      await watching.ended;
      assert.match(watching.seen.join(), /"code":"FORBIDDEN"/);
    });

    it(`refuses what names no tenant and no source, or both, and a cursor that is none, over ${way}`, async () => {
      for (const variables of [
        {},
        { tenantId: acme.tenantId, sourceId: ids.source },
        { tenantId: acme.tenantId, after: "1; DROP TABLE jobs" },
      ]) {
        const watching = watch(owner.token, jobs, variables);
        await watching.ended;
        assert.match(watching.seen.join(), /"code":"BAD_INPUT"/);
      }
    });
  }

  it("tells a key for some sources of these alone, and ends once it is revoked", async () => {
    const other = await testedSource(acme, worker);
    const { data } = await acme.ask(
      `mutation ($tenantId: ID!, $sourceIds: [ID!]) {
        createApiKey(input: { tenantId: $tenantId, name: "Watches", role: VIEWER, sourceIds: $sourceIds }) {
          ... on CreateApiKeyPayload { token apiKey { id } } ... on Failure { message }
        }
      }`,
      { tenantId: acme.tenantId, sourceIds: [ids.source] },
    );
    const { token, apiKey } = data.createApiKey;
    const all = [
      overSocket(token, jobs, { tenantId: acme.tenantId }),
      overSse(token, snapshots, { tenantId: acme.tenantId }),
    ];
    const foreign = overSse(token, jobs, { sourceId: other });
    await foreign.ended;
    assert.match(foreign.seen.join(), /NOT_FOUND/);
    await until(() => all.every(isOpen));
    const [hidden, told] = [
      await startJob(acme.ask, "startBackup", other),
      await startJob(acme.ask, "startBackup", ids.source),
    ];
    await until(() => all[0]?.seen.some((each) => each.includes(told)) ?? false);
    for (const { seen } of all) assert.ok(!seen.join().includes(hidden) && !seen.join().includes(other));
    for (const id of [hidden, told]) await cancel(id);
    await acme.ask(`mutation ($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { ... on Failure { code } } }`, {
      id: apiKey.id,
    });
    const began = performance.now();
    await Promise.all(all.map(({ ended }) => ended));
    assert.ok(performance.now() - began < 5_000);
    assert.equal(all[0]?.seen.at(-1), '{"closed":4403}');
  });

  // Over both at once: each of them takes its time.
  const overBoth = (run: (watch: typeof overSse, way: string) => Promise<void>) => async () => {
    await Promise.all(Object.entries(ways).map(([way, watch]) => run(watch, way)));
  };

  it(
    "ends within five seconds after a part was lost, with nothing happening meanwhile",
    overBoth(async (watch) => {
      const leaving = await stagePerson(hub, { tenantId: acme.tenantId, role: "VIEWER" });
      const all = [
        watch(leaving.token, jobs, { tenantId: acme.tenantId }),
        watch(leaving.token, snapshots, { tenantId: acme.tenantId }),
      ];
      const staying = watch(owner.token, jobs, { tenantId: acme.tenantId });
      await until(() => [...all, staying].every(isOpen));
      await hub.running.hub.db.membership.deleteMany({ where: { userId: leaving.userId } });
      const began = performance.now();
      await Promise.all(all.map(({ ended }) => ended));
      assert.ok(performance.now() - began < 5_000, `${performance.now() - began} ms`);
      const job = await startJob(acme.ask, "testSource", ids.source);
      await until(() => staying.seen.some((each) => each.includes(job)));
      for (const { seen } of all) assert.ok(!seen.join().includes(job));
      await cancel(job);
      staying.stop();
    }),
  );

  it(
    "ends within five seconds after somebody was signed out everywhere, the socket too",
    overBoth(async (watch, way) => {
      const leaving = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
      const watching = watch(leaving.token, jobs, { tenantId: acme.tenantId });
      await until(() => isOpen(watching));
      await hub.running.hub.db.user.update({
        where: { id: leaving.userId },
        data: { tokenGeneration: { increment: 1 } },
      });
      const began = performance.now();
      await watching.ended;
      assert.ok(performance.now() - began < 5_000);
      if (way === "WebSocket") assert.equal(watching.seen.at(-1), '{"closed":4403}');
    }),
  );

  it("ends once the token has expired", async () => {
    await using brief = await stageHub({ accessTokenMinutes: 5 / 60 });
    const tenant = await stageTenant(brief, "Brief");
    const lasting = hub;
    hub = brief;
    const began = performance.now();
    const [sse, socket] = [overSse, overSocket].map((watch) =>
      watch(tenant.token, jobs, { tenantId: tenant.tenantId }),
    );
    hub = lasting;
    assert.ok(sse && socket);
    await until(() => isOpen(sse) && isOpen(socket));
    await Promise.all([sse.ended, socket.ended]);
    const took = performance.now() - began;
    assert.ok(took > 1_000 && took < 10_000, `${took} ms`);
    assert.equal(socket.seen.at(-1), '{"closed":4403}');
  });

  it("lets go of everything when clients leave, 200 of them at once", async () => {
    const channels = new Redis(hub.redis.url);
    const all = Array.from({ length: 200 }, (_, n) =>
      (n % 2 ? overSse : overSocket)(owner.token, jobs, { tenantId: acme.tenantId }),
    );
    await until(() => all.every(isOpen));
    assert.deepEqual(await channels.pubsub("CHANNELS", "xvault:tenant:*"), [`xvault:tenant:${acme.tenantId}`]);
    for (const each of all) each.stop();
    const deadline = performance.now() + 10_000;
    while (((await channels.pubsub("CHANNELS", "xvault:*")) as string[]).length > 0) {
      assert.ok(performance.now() < deadline);
      await pause(20);
    }
    channels.disconnect();
  });
});
