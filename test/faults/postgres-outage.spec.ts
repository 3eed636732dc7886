// F11: what is promised when Postgres is away, full or silent under load: clear answers, nothing half-written, and recovery by itself.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { findHalfWritten } from "./kit/half-written.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";
import { keepBusy, type Load, untilBusyAgain } from "./kit/load.ts";
import { type StagedPostgres, stagePostgresServer } from "./kit/postgres-server.ts";

/** All that anybody may be told while the database is away. */
const clear =
  /^(customer|worker) SERVICE_UNAVAILABLE (The service is not available at this moment: try again shortly\.|Others changed the same thing at the same moment: try again\.)$/;

/** Takes every connection that the server has to give, also those that the hub had. Disposing lets go of all, and may happen twice. */
async function crowdOut(connectionString: string): Promise<{ readonly size: number } & AsyncDisposable> {
  const crowd: pg.Client[] = [];
  const joined = async () => {
    const client = new pg.Client({ connectionString, application_name: "crowd" });
    client.on("error", () => undefined);
    try {
      await client.connect();
    } catch (error) {
      // 53300: too many connections
      if ((error as { code?: string }).code === "53300") return false;
      throw error;
    }
    crowd.push(client);
    return true;
  };
  while (await joined());
  for (let rounds = 0; rounds < 20; rounds++) {
    await crowd[0]?.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'xvault%'",
    );
    while (await joined());
  }
  return {
    size: crowd.length,
    [Symbol.asyncDispose]: async () => void (await Promise.all(crowd.splice(0).map((client) => client.end()))),
  };
}

describe("a hub under load and its Postgres", () => {
  const stack = new AsyncDisposableStack();
  let postgres: StagedPostgres;
  let earth: StagedEarth;
  let hub: HubProcess;
  let load: Load;

  before(async () => {
    postgres = stack.use(await stagePostgresServer());
    earth = stack.use(await stageEarth({ databaseUrl: postgres.url }));
    hub = stack.use(await stageHubProcess(earth));
    load = stack.use(await keepBusy(hub));
  });
  after(() => stack.disposeAsync());

  it("goes on by itself after a crash of it, twice", async (t) => {
    const { pid } = hub.child;
    for (let crash = 1; crash <= 2; crash++) {
      await untilBusyAgain(load);
      await postgres.crash();
      await pause(300);
      await postgres.start();
      const backMs = await untilBusyAgain(load);
      t.diagnostic(`work goes on ${Math.round(backMs)} ms after Postgres answers again`);
    }
    assert.deepEqual([hub.child.pid, hub.child.exitCode], [pid, null]);
  });

  it("answers clearly when all its connections are taken, and goes on when they are free", async () => {
    const holder = new pg.Client({ connectionString: postgres.url });
    await holder.connect();
    await holder.query("BEGIN");
    await holder.query("LOCK TABLE tenants IN ACCESS EXCLUSIVE MODE");
    const { ask, tenantId } = load.tenant;
    const asking = Array.from({ length: 60 }, () =>
      ask("query ($id: ID!) { tenant(id: $id) { name } }", { id: tenantId }),
    );
    // Some wait for the lock and are served in the end; the others wait for a connection, which they do for five seconds.
    const first = await Promise.race(asking);
    assert.equal(first.errors?.[0]?.extensions?.code, "SERVICE_UNAVAILABLE");
    await holder.query("COMMIT");
    await holder.end();
    const answers = await Promise.all(asking);
    for (const { data, errors } of answers)
      assert.ok(data?.tenant?.name === "Busy" || errors?.[0]?.extensions?.code === "SERVICE_UNAVAILABLE");
    await untilBusyAgain(load);
  });

  it("answers clearly when the server takes no more connections, and goes on when it does", async () => {
    const { ask, tenantId } = load.tenant;
    await using crowd = await crowdOut(postgres.url);
    assert.ok(crowd.size > 50, `${crowd.size} connections`);
    const { errors } = await ask("query ($id: ID!) { tenant(id: $id) { name } }", { id: tenantId });
    assert.equal(errors?.[0]?.extensions?.code, "SERVICE_UNAVAILABLE");
    await crowd[Symbol.asyncDispose]();
    await untilBusyAgain(load);
  });

  it("waits for one that holds still, and goes on", async () => {
    await postgres.pause();
    await pause(3_000);
    await postgres.resume();
    await untilBusyAgain(load);
  });

  it("told nobody more than that, and left nothing half-written", async () => {
    await load.stop();
    for (const refusal of load.refusals) assert.match(refusal, clear);
    assert.ok(load.refusals.size > 0, "nobody noticed anything");
    assert.deepEqual(await findHalfWritten(earth.db), []);
    const jobs = await earth.db.job.findMany({ where: { id: { in: [...load.started, ...load.ended] } } });
    const statuses = new Map(jobs.map(({ id, status }) => [id, status]));
    for (const id of load.started) assert.ok(statuses.has(id), "a job that was acknowledged is not there");
    for (const id of load.ended) assert.equal(statuses.get(id), "COMPLETED");
  });
});
