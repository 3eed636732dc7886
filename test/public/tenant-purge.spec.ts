// A tenant whose deletion is due: its bytes go first, then its rows, and what was done stays written down.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { purgeTenants } from "../../domain/tenant-purge.ts";
import { leaseOf, type PlayedWorker, playWorker } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { type Ids, stageEverything } from "./everything-of.ts";
import { run, stageOperator } from "./operators.ts";
import { type Person, stagePerson } from "./people.ts";

describe("a tenant whose end is due", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let worker: PlayedWorker;
  let operator: Person;
  let acme: StagedTenant;
  let ids: Ids;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    operator = await stageOperator(hub);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    worker = await playWorker(hub);
    acme = await stageTenant(hub);
    const owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    ids = await stageEverything(hub, { tenant: acme, owner, worker });
  });

  const purge = () => purgeTenants(hub.running.hub);
  async function dueNow(): Promise<void> {
    await run(operator.ask, "deleteTenant", { tenantId: ids.tenant, confirmName: "Acme" });
    await hub.running.hub.db.$executeRaw`
      UPDATE tenants SET deletion_due_at = now() - interval '1 second' WHERE id = ${ids.tenant}`;
  }
  /** How many rows each table has of the tenant. */
  async function rowsLeft(): Promise<Record<string, number>> {
    const { db } = hub.running.hub;
    const tables = await db.$queryRaw<{ name: string }[]>`
      SELECT table_name AS name FROM information_schema.columns
      WHERE column_name = 'tenant_id' AND table_schema = current_schema() ORDER BY 1`;
    const counts: Record<string, number> = {};
    for (const { name } of tables) {
      const [row] = await db.$queryRawUnsafe<{ n: number }[]>(
        `SELECT count(*)::int AS n FROM ${name} WHERE tenant_id = $1`,
        ids.tenant,
      );
      if (row?.n) counts[name] = row.n;
    }
    return counts;
  }

  it("keeps everything until then", async () => {
    await run(operator.ask, "deleteTenant", { tenantId: ids.tenant, confirmName: "Acme" });
    const before = await rowsLeft();
    assert.equal(await purge(), 0);
    assert.deepEqual(await rowsLeft(), before);
  });

  it("goes byte by byte and then row by row, and leaves its audit and its neighbours", async () => {
    const next = await stageTenant(hub, "Next door");
    await startJob(acme.ask, "startBackup", ids.source);
    const running = await worker.take("BACKUP");
    await dueNow();
    assert.equal(await purge(), 0);
    assert.equal((await worker.api.renewLease(leaseOf(running))).cancelRequested, true);
    await worker.api.failJob({ ...leaseOf(running), code: "CANCELED", message: "" });
    assert.equal(await purge(), 0, "the bytes are there");
    const { db } = hub.running.hub;
    assert.equal((await db.restore.findUniqueOrThrow({ where: { id: ids.restore } })).status, "FAILED");
    const removal = await worker.take("DELETE_SNAPSHOT");
    assert.equal(removal.snapshot?.snapshotId, ids.snapshot);
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null, "one removal for each snapshot");
    assert.equal(await purge(), 0, "the removal is under way");
    await worker.api.completeJob(leaseOf(removal));
    const written = (await rowsLeft()).audit_events ?? 0;
    assert.equal(await purge(), 1);
    assert.deepEqual(await rowsLeft(), { audit_events: written + 1 });
    assert.equal(await db.tenant.findUnique({ where: { id: ids.tenant } }), null);
    assert.ok(await db.tenant.findUnique({ where: { id: next.tenantId } }));
    assert.ok(await db.user.findUnique({ where: { id: ids.user } }), "people stay: they may have a part elsewhere");
    assert.equal(await purge(), 0);
  });

  it("asks again for a removal that failed, after an hour and not before", async () => {
    await dueNow();
    await purge();
    const first = await worker.take("DELETE_SNAPSHOT");
    const { db } = hub.running.hub;
    await db.job.update({ where: { id: first.jobId }, data: { maxAttempts: 1 } });
    await worker.api.failJob({ ...leaseOf(first), code: "STORAGE_UNAVAILABLE", message: "The disk is gone." });
    await purge();
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null);
    await db.$executeRaw`UPDATE jobs SET ended_at = now() - interval '61 minutes' WHERE id = ${first.jobId}`;
    await purge();
    assert.notEqual((await worker.take("DELETE_SNAPSHOT")).jobId, first.jobId);
  });

  it("waits for no worker that is gone for good", async () => {
    await dueNow();
    await run(operator.ask, "retireWorker", { workerId: worker.id, force: true });
    let gone = 0;
    for (let round = 0; round < 3 && gone === 0; round++) gone = await purge();
    assert.equal(gone, 1);
  });

  it("goes once, however many hubs are at it", async () => {
    await dueNow();
    await purge();
    await worker.api.completeJob(leaseOf(await worker.take("DELETE_SNAPSHOT")));
    const purged = await Promise.all(Array.from({ length: 4 }, purge));
    assert.equal(
      purged.reduce((sum, count) => sum + count),
      1,
    );
    const { db } = hub.running.hub;
    assert.equal(await db.auditEvent.count({ where: { tenantId: ids.tenant, verb: "purgeTenant" } }), 1);
  });
});
