// F33, retention beside everything else that happens: it never takes the last good snapshot, waits for whoever reads, and deletes once.
// Ten thousand random histories, damaged snapshots among them, against a naive oracle are in test/rules/retention.spec.ts.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { newId } from "../../domain/ids.ts";
import { runDueRetention } from "../../domain/retention.ts";
import type { SnapshotStatus } from "../../prisma/client/client.ts";
import {
  backUp,
  leaseOf,
  madeSnapshot,
  type PlayedWorker,
  playWorker,
  testedSource,
} from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const dayMs = 86_400_000;

describe("the retention of a source", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let worker: PlayedWorker;
  let acme: StagedTenant;
  let sourceId: string;
  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    worker = await playWorker(hub);
    await deleteAtOnce(hub);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.db);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });

  const retain = () => runDueRetention(hub.running.hub);
  const policy = (retention: object) =>
    hub.db.schedule.create({
      data: {
        ...{ id: newId("schedule", new Date()), tenantId: acme.tenantId, sourceId, intervalMinutes: 1440, retention },
      },
    });
  const statusOf = async (id: string) => (await hub.db.snapshot.findUniqueOrThrow({ where: { id } })).status;
  const deletions = () => hub.db.job.findMany({ where: { type: "DELETE_SNAPSHOT", tenantId: acme.tenantId } });
  const remove = async () => {
    const job = await worker.take("DELETE_SNAPSHOT");
    await worker.api.completeJob(leaseOf(job));
    return job;
  };

  /** A snapshot as of so many days ago: its time of birth is never changed, so it is born again. */
  async function aged(days: number, status: SnapshotStatus = "COMPLETED"): Promise<string> {
    const id = await backUp(acme, worker, sourceId);
    const { changedIn: _, ...row } = await hub.db.snapshot.findUniqueOrThrow({ where: { id } });
    await hub.db.snapshot.delete({ where: { id } });
    const createdAt = new Date(Date.now() - days * dayMs);
    const damagedAt = status === "COMPLETED" ? null : createdAt;
    await hub.db.snapshot.create({ data: { ...row, status, damagedAt, manifest: {}, warnings: [], createdAt } });
    return id;
  }

  it("keeps the last good snapshot through thirty days of failed backups with max_age_days = 7, whatever is damaged after it", async () => {
    const older = await aged(45);
    const lastGood = await aged(31);
    const [corrupt, missing] = [await aged(30.5, "CORRUPT"), await aged(30.2, "MISSING")];
    await policy({ maxAgeDays: 7 });
    for (let day = 30; day > 0; day--) {
      await startJob(acme.ask, "startBackup", sourceId);
      const job = await worker.take("BACKUP");
      await worker.api.failJob({ ...leaseOf(job), code: "SOURCE_AUTH_FAILED", message: "The password is wrong." });
      await retain();
    }
    assert.deepEqual(
      (await deletions()).map(({ targetSnapshotId }) => targetSnapshotId),
      [older],
    );
    await remove();
    assert.equal(await retain(), 0);
    assert.deepEqual(
      [await statusOf(lastGood), await statusOf(corrupt), await statusOf(missing)],
      ["COMPLETED", "CORRUPT", "MISSING"],
    );
    // A good one at last: now the old ones may go, the damaged one too, whose month is over.
    await backUp(acme, worker, sourceId);
    assert.equal(await retain(), 2);
    assert.deepEqual(
      (await deletions()).map(({ targetSnapshotId }) => targetSnapshotId).sort(),
      [older, lastGood, corrupt].sort(),
    );
  });

  it("during a backup takes nothing that it would need if that failed", async () => {
    const [old, newest] = [await aged(20), await aged(10)];
    await policy({ keepLast: 1, maxAgeDays: 7 });
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    assert.equal(await retain(), 1);
    await remove();
    assert.deepEqual([await statusOf(old), await statusOf(newest)], ["DELETED", "COMPLETED"]);
    const [completed] = await Promise.all([
      worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) }),
      retain(),
      retain(),
    ]);
    assert.equal(completed.jobId, job.jobId);
    await retain();
    assert.equal(await hub.db.snapshot.count({ where: { sourceId, status: "COMPLETED", deletionDueAt: null } }), 1);
  });

  it("leaves what is being restored alone, and a deletion that was asked for before waits for the restore", async () => {
    const [old, newest] = [await aged(20), await aged(10)];
    await policy({ keepLast: 1 });
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    const restore = async (id: string) => {
      await acme.ask(
        `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) { ... on Failure { code } } }`,
        { id },
      );
      return service.take("RESTORE");
    };
    const first = await restore(old);
    assert.equal(await retain(), 0);
    await service.api.completeRestore({ ...leaseOf(first), sizeBytes: 1 });
    assert.equal(await retain(), 1);
    const second = await restore(old);
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null);
    assert.equal(await statusOf(old), "COMPLETED");
    await service.api.failJob({ ...leaseOf(second), code: "DISK_FULL", message: "There is no room." });
    assert.equal((await remove()).snapshot?.snapshotId, old);
    assert.deepEqual([await statusOf(old), await statusOf(newest)], ["DELETED", "COMPLETED"]);
  });

  it("deletes once, however many ask, and however often the worker reports it", async () => {
    const [old] = [await aged(20), await aged(10)];
    await policy({ keepLast: 1 });
    await Promise.all([
      ...[retain(), retain(), retain()],
      ...[startJob(acme.ask, "deleteSnapshot", old), startJob(acme.ask, "deleteSnapshot", old)],
    ]);
    assert.equal((await deletions()).length, 1);
    const job = await remove();
    for (let n = 0; n < 3; n++) await worker.api.completeJob(leaseOf(job));
    assert.deepEqual(
      [await statusOf(old), (await deletions()).map(({ status }) => status)],
      ["DELETED", ["COMPLETED"]],
    );
    assert.equal(await hub.db.auditEvent.count({ where: { verb: "completeJob", objectId: job.jobId } }), 1);
    assert.equal(await retain(), 0);
  });

  it("waits with a deletion for the worker that keeps the bytes, and nobody else gets it", async () => {
    const [old] = [await aged(20), await aged(10)];
    await policy({ keepLast: 1 });
    await retain();
    await hub.db.worker.update({ where: { id: worker.id }, data: { status: "OFFLINE" } });
    const another = await playWorker(hub);
    assert.equal(await another.claim("DELETE_SNAPSHOT"), null);
    assert.equal(await retain(), 0);
    assert.deepEqual([await statusOf(old), (await deletions()).map(({ status }) => status)], ["COMPLETED", ["QUEUED"]]);
    await worker.api.heartbeat({ draining: false });
    await remove();
    assert.equal(await statusOf(old), "DELETED");
  });
});
