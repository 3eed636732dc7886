// F9: what /ready says while Redis is away, and otherwise; every reason is a sentence for whoever runs the hub.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { registerKek } from "../../domain/keks.ts";
import { openVault } from "../../domain/vault.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";

describe("/ready", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    hub = stack.use(await stageHub());
  });
  after(() => stack.disposeAsync());

  const ask = async () => {
    const response = await fetch(hub.graphqlUrl.replace("/graphql", "/ready"));
    return { code: response.status, ...((await response.json()) as { status: string; reasons: string[] }) };
  };
  const until = async (says: (answer: Awaited<ReturnType<typeof ask>>) => boolean) => {
    for (const deadline = performance.now() + 30_000; ; await pause(50)) {
      const answer = await ask();
      if (says(answer)) return answer;
      assert.ok(performance.now() < deadline, JSON.stringify(answer));
    }
  };

  it("says that nobody is there to do the work, until somebody is", async () => {
    const { code, status, reasons } = await until(({ reasons }) => reasons.length === 2);
    assert.deepEqual([code, status], [200, "degraded"]);
    assert.deepEqual(reasons, ["no worker is online", "no restore service is online"]);
    for (const role of ["BACKUP", "RESTORE"] as const)
      await hub.db.worker.update({
        where: { id: (await hub.enrol(role)).id },
        data: { status: "ONLINE", lastSeenAt: new Date(Date.now() + 3_600_000) },
      });
    const answer = await ask();
    assert.deepEqual(answer, { code: 200, status: "ready", postgres: true, redis: true, reasons: [] });
  });

  it("says since when Redis is away, and is ready again when Redis is back; the hub answers all the while", async () => {
    const stoppedAt = Date.now();
    await hub.redis.stop();
    const { code, status, reasons } = await until((answer) => answer.status !== "ready");
    assert.deepEqual([code, status, reasons.length], [200, "degraded", 1]);
    const since = /^redis is away since (\S+)$/.exec(reasons[0] ?? "")?.[1] ?? "";
    assert.ok(Math.abs(Date.parse(since) - stoppedAt) < 10_000, since);
    const alive = await fetch(hub.graphqlUrl.replace("/graphql", "/health"));
    assert.deepEqual(await alive.json(), { status: "alive" });
    await hub.redis.start();
    assert.deepEqual((await until((answer) => answer.status === "ready")).reasons, []);
  });

  it("says that secrets may be sealed with a KEK that the hub was not given", async () => {
    const { hub: inner } = hub.running;
    const given = Buffer.alloc(32, 9);
    // Another hub, of which this one was not told.
    const { db, announce } = inner;
    const own = await inner.db.kek.findFirstOrThrow();
    await inner.db.kek.delete({ where: { id: own.id } });
    await registerKek({ db, announce, vault: openVault(given) });
    const { status, reasons } = await ask();
    assert.equal(status, "degraded");
    const { kekId } = openVault(given);
    assert.deepEqual(reasons, [`secrets may be sealed with the KEK ${kekId}, which this hub was not given`]);
    await inner.db.kek.deleteMany();
  });

  it("says that migrations are pending, and how many", async () => {
    const [name] = await hub.db.$queryRaw<{ name: string }[]>`
      SELECT migration_name AS name FROM _prisma_migrations ORDER BY 1 DESC LIMIT 1`;
    await hub.db.$executeRaw`UPDATE _prisma_migrations SET migration_name = 'x' WHERE migration_name = ${name?.name}`;
    assert.deepEqual((await ask()).reasons, ["1 migration is pending"]);
    await hub.db.$executeRaw`UPDATE _prisma_migrations SET migration_name = ${name?.name} WHERE migration_name = 'x'`;
    assert.equal((await ask()).status, "ready");
  });

  it("says which duty of the upkeep fails", async () => {
    await hub.db.$executeRaw`ALTER TABLE schedules RENAME TO schedules_away`;
    const { status, reasons } = await until((answer) => answer.status !== "ready");
    assert.equal(status, "degraded");
    assert.match(reasons[0] ?? "", /^upkeep runDueSchedules fails since \S+$/);
    await hub.db.$executeRaw`ALTER TABLE schedules_away RENAME TO schedules`;
    await until((answer) => answer.status === "ready");
  });

  it("gives every answer an id, which the lines of its request have too", async () => {
    const response = await fetch(hub.graphqlUrl, { method: "POST", body: "{}" });
    const other = await fetch(hub.graphqlUrl, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "chosen-by-a-stranger" },
      body: JSON.stringify({ query: "{ __typename }" }),
    });
    assert.match(other.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(response.status, 415);
  });
});
