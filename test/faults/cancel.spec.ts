// What is promised of a cancellation, wherever it meets a job (F40): one end, within ten seconds, with nothing left anywhere.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { FaultPoint } from "../../artifact/fault-point.ts";
import { sweepOverdue } from "../../domain/overdue.ts";
import { leaseOf, madeSnapshot, playWorker, testedSource } from "../private/played-worker.ts";
import { stageRestore, stageWorker } from "../stage/data-plane.ts";
import { stageHub } from "../stage/hub.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, stageTenant, startJob } from "../stage/tenant.ts";
import { cancelAt } from "./kit/canceled-backups.ts";
import { cancelRestoreAt, promisedMs } from "./kit/canceled-jobs.ts";
import { type ObedientProcess, obedient } from "./kit/orders.ts";
import { cancelJob, lookInto, processesOf, type SshSite, stageSshSite, until } from "./kit/ssh-site.ts";

describe("a job that is canceled", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let site: SshSite;
  let worker: ObedientProcess;
  let sourceId: string;

  before(async () => {
    // The terms that hubs have by default.
    site = stack.use(await stageSshSite({ leaseSeconds: 60, heartbeatSeconds: 15 }));
    worker = stack.use(await obedient((options) => stageWorker(site.hub, options)));
    sourceId = await site.addSource();
    await deleteAtOnce(site.hub);
  });
  after(() => stack.disposeAsync());

  /** Towards the end either may be quicker. */
  const points: [FaultPoint, ...ends: string[]][] = [
    ["job.claimed", "CANCELED"],
    ["backup.secrets-opened", "CANCELED"],
    ["backup.connected", "CANCELED"],
    ["backup.first-entry", "CANCELED"],
    ["backup.pulled", "CANCELED"],
    ["backup.read-back", "CANCELED", "COMPLETED"],
    ["backup.documents-stored", "CANCELED", "COMPLETED"],
    ["backup.renamed", "COMPLETED"],
  ];
  for (const [point, ...ends] of points)
    it(`ends ${ends.join(" or ").toLowerCase()} and leaves nothing behind at ${point}`, async () => {
      const { status } = await cancelAt(site, { worker, sourceId, point });
      assert.ok(ends.includes(status), status);
    });

  it("ends the command that was waited for on the server, though it says nothing", async () => {
    const waiting = await site.addSource({ before: { command: "sleep 7777" } });
    const jobId = await startJob(site.acme.ask, "startBackup", waiting);
    await until("the command runs", () => processesOf(site.sshd).some((line) => line === "sleep 7777"));
    await cancelJob(site, jobId);
    assert.equal((await jobEnd(site.acme.ask, jobId, promisedMs)).status, "CANCELED");
    await until("the command is gone", () => processesOf(site.sshd).length === 0, promisedMs);
  });

  it("ends a restore, whose link leads nowhere then, or comes too late for it", async () => {
    const backup = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", sourceId));
    const { storageBase } = worker.process;
    await using process = await obedient((options) => stageRestore(site.hub, { ...options, storageBase }));
    const ends: string[] = [];
    for (const point of ["restore.draft-begun", "restore.keys-opened", "restore.written"] as const)
      ends.push(await cancelRestoreAt(site, { process, point }, backup.snapshot.id));
    assert.ok(ends.includes("CANCELED"), ends.join());
  });

  it("goes on to its end where it is a deletion that its worker has begun with", async () => {
    const backup = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", sourceId));
    for (const point of ["deletion.begun", "deletion.out-of-sight"] as const) {
      const snapshotId = point === "deletion.begun" ? backup.snapshot.id : await anotherSnapshot();
      await worker.stopAt(point);
      const jobId = await startJob(site.acme.ask, "deleteSnapshot", snapshotId);
      await worker.stopped();
      assert.equal(await cancelJob(site, jobId), "SNAPSHOT_DELETED");
      worker.goOn();
      assert.equal((await jobEnd(site.acme.ask, jobId, promisedMs)).status, "COMPLETED");
      assert.equal((await lookInto(worker.process.storageBase)).snapshots.includes(snapshotId), false);
    }
  });

  const anotherSnapshot = async (): Promise<string> =>
    (await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", sourceId))).snapshot.id;

  it("is heard of in time where Redis is away", async () => {
    const waiting = await site.addSource({ before: { command: "sleep 7778" } });
    await site.hub.redis.stop();
    const jobId = await startJob(site.acme.ask, "startBackup", waiting);
    await until("the command runs", () => processesOf(site.sshd).some((line) => line === "sleep 7778"));
    await cancelJob(site, jobId);
    assert.equal((await jobEnd(site.acme.ask, jobId, promisedMs)).status, "CANCELED");
    await site.hub.redis.start();
  });
});

describe("a cancellation and the report that all is done", () => {
  it("have one outcome when they come at once", async () => {
    await using hub = await stageHub();
    const worker = await playWorker(hub);
    const acme = await stageTenant(hub);
    const sourceId = await testedSource(acme, worker);
    const outcomes: Record<string, number> = {};
    for (let race = 0; race < 30; race++) {
      const jobId = await startJob(acme.ask, "startBackup", sourceId);
      const job = await worker.take("BACKUP");
      const lease = leaseOf(job);
      const reports = [
        () => worker.api.completeJob({ ...lease, snapshot: madeSnapshot(job) }),
        () => worker.api.failJob({ ...lease, code: "CANCELED", message: "Stopped." }),
      ];
      if (race % 2 === 1) reports.reverse();
      // Two threads of a worker that do not agree are more than any worker does.
      const asked = cancelJob({ acme }, jobId);
      const accepted = (await Promise.allSettled(reports.map((report) => report()))).filter(
        ({ status }) => status === "fulfilled",
      );
      const answer = await asked;
      const { status } = await jobEnd(acme.ask, jobId);
      assert.equal(accepted.length, 1, `both reports were accepted: ${status}`);
      assert.equal(await hub.db.snapshot.count({ where: { jobId } }), status === "COMPLETED" ? 1 : 0);
      const key = `${status} (${answer})`;
      outcomes[key] = (outcomes[key] ?? 0) + 1;
    }
    assert.equal(
      Object.values(outcomes).reduce((sum, count) => sum + count),
      30,
      JSON.stringify(outcomes),
    );
  });
});

describe("an attempt that its worker does not end", () => {
  it("is taken away half a minute after its deadline or its cancellation, although the lease is renewed", async () => {
    await using hub = await stageHub({ sweepSeconds: 3600 });
    const worker = await playWorker(hub);
    const acme = await stageTenant(hub);
    const sourceId = await testedSource(acme, worker);
    const { db } = hub;
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const find = () => db.job.findUniqueOrThrow({ where: { id: jobId } });
    for (const attempt of [1, 2]) {
      const job = await worker.take("BACKUP");
      assert.equal(job.timeLimitSeconds, 86_400);
      assert.equal(job.attempt, attempt);
      await db.$executeRaw`UPDATE jobs SET deadline_at = now() - interval '25 seconds' WHERE id = ${jobId}`;
      assert.equal(await sweepOverdue(hub.running.hub), 0, "the worker has time to say so itself");
      await db.$executeRaw`UPDATE jobs SET deadline_at = now() - interval '31 seconds' WHERE id = ${jobId}`;
      const swept = await Promise.all(Array.from({ length: 4 }, () => sweepOverdue(hub.running.hub)));
      assert.deepEqual(swept.sort(), [0, 0, 0, 1], "several hubs swept the same attempt");
      assert.equal((await find()).status, "QUEUED");
      for (const late of [
        worker.api.renewLease(leaseOf(job)),
        worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) }),
      ])
        await assert.rejects(late, { code: "LEASE_LOST" });
      await db.$executeRaw`UPDATE jobs SET not_before = now() WHERE id = ${jobId}`;
    }
    const job = await worker.take("BACKUP");
    await cancelJob({ acme }, jobId);
    assert.equal(await sweepOverdue(hub.running.hub), 0);
    await db.$executeRaw`UPDATE jobs SET cancel_requested_at = now() - interval '31 seconds' WHERE id = ${jobId}`;
    assert.equal(await sweepOverdue(hub.running.hub), 1);
    assert.equal((await find()).status, "CANCELED");
    await assert.rejects(worker.api.renewLease(leaseOf(job)), { code: "LEASE_LOST" });
    const failed = await startJob(acme.ask, "startBackup", sourceId);
    await db.job.update({ where: { id: failed }, data: { maxAttempts: 1 } });
    await worker.take("BACKUP");
    await db.$executeRaw`UPDATE jobs SET deadline_at = now() - interval '31 seconds' WHERE id = ${failed}`;
    await sweepOverdue(hub.running.hub);
    const { status, errorCode } = await jobEnd(acme.ask, failed);
    assert.deepEqual([status, errorCode], ["FAILED", "TIMEOUT"]);
  });
});
