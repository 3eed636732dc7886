// What is promised of a job that every worker dies of (F13): it fails after three attempts, and takes nothing else with it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sweepLeases } from "../../domain/leases.ts";
import { leaseOf, madeSnapshot, playWorker, testedSource } from "../private/played-worker.ts";
import { expireLease } from "../private/state.ts";
import { type StagedProcess, stageWorker } from "../stage/data-plane.ts";
import { stageHub } from "../stage/hub.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, stageTenant, startJob } from "../stage/tenant.ts";
import { stageSshSite, until } from "./kit/ssh-site.ts";

describe("a job that its workers die of", { skip: missingOpenSsh ?? false }, () => {
  it("fails as WORKER_LOST after three attempts, and every other job is done meanwhile", async () => {
    await using site = await stageSshSite({ leaseSeconds: 3 });
    const { hub, acme } = site;
    const poisoned = await site.addSource({ before: { command: "sleep 60" } });
    const sources = await Promise.all(Array.from({ length: 5 }, () => site.addSource()));
    const poison = await startJob(acme.ask, "startBackup", poisoned);
    const others = await Promise.all(sources.map((id) => startJob(acme.ask, "startBackup", id)));
    const identity = await hub.enrol("BACKUP");
    const starts: StagedProcess[] = [];
    const pullsPoison = async () =>
      (await hub.db.job.count({ where: { id: poison, status: "RUNNING", progress: { not: {} } } })) > 0;
    const isOver = async () => (await hub.db.job.findUniqueOrThrow({ where: { id: poison } })).endedAt !== null;
    try {
      while (!(await isOver())) {
        const options = starts[0] ? { identity, storageBase: starts[0].storageBase } : { identity };
        const worker = await stageWorker(hub, options);
        starts.push(worker);
        await until("the poison was taken, or is over", async () => (await pullsPoison()) || isOver(), 60_000);
        // As a library would that meets what it cannot bear: the process is gone, with all that it was doing.
        if (!(await isOver())) await worker.end("SIGABRT");
      }
      // The last one may have been ended so late that it was all over by then.
      const left = starts.at(-1);
      if (left && left.child.signalCode !== null)
        starts.push(await stageWorker(hub, { identity, storageBase: left.storageBase }));
      const { status, errorCode, errorMessage, attempt } = await jobEnd(acme.ask, poison);
      assert.deepEqual([status, errorCode, attempt], ["FAILED", "WORKER_LOST", 3]);
      assert.match(errorMessage, /^[A-Z][^\n]+: ask the operator [^\n]+\.$/);
      for (const jobId of others) assert.equal((await jobEnd(acme.ask, jobId)).status, "COMPLETED");
      assert.equal(await hub.db.snapshot.count(), others.length);
    } finally {
      for (const worker of starts.reverse()) await worker[Symbol.asyncDispose]();
    }
  });
});

describe("the last attempt at a job that has lost its workers", () => {
  it("is made alone, and takes no job with it that was only beside", async () => {
    await using hub = await stageHub({ sweepSeconds: 3600, lostDelaysSeconds: [0] });
    const worker = await playWorker(hub);
    const acme = await stageTenant(hub);
    const [first, second, third] = [
      await testedSource(acme, worker),
      await testedSource(acme, worker),
      await testedSource(acme, worker),
    ];
    const poison = await startJob(acme.ask, "startBackup", first);
    const beside = await startJob(acme.ask, "startBackup", second);
    for (const attempt of [1, 2]) {
      for (const jobId of [poison, beside]) {
        const job = await worker.take("BACKUP");
        assert.deepEqual([job.jobId, job.attempt], [jobId, attempt]);
      }
      for (const jobId of [poison, beside]) await expireLease(hub.db, jobId);
      assert.equal(await sweepLeases(hub.running.hub), 2);
    }
    const last = await worker.take("BACKUP");
    assert.deepEqual([last.jobId, last.attempt], [poison, 3]);
    const fresh = await startJob(acme.ask, "startBackup", third);
    assert.equal(await worker.claim("BACKUP"), null, "something was given to it beside a suspect");
    await expireLease(hub.db, poison);
    assert.equal(await sweepLeases(hub.running.hub), 1);
    assert.equal((await jobEnd(acme.ask, poison)).errorCode, "WORKER_LOST");
    const another = await playWorker(hub);
    const held = await another.take("BACKUP");
    assert.equal(held.jobId, beside);
    assert.equal(await another.claim("BACKUP"), null);
    await another.api.completeJob({ ...leaseOf(held), snapshot: madeSnapshot(held) });
    assert.equal((await worker.take("BACKUP")).jobId, fresh);
  });

  it("is made beside others where no worker is ever without them", async () => {
    await using hub = await stageHub({ sweepSeconds: 3600, lostDelaysSeconds: [0] });
    const worker = await playWorker(hub);
    const acme = await stageTenant(hub);
    const [first, second] = [await testedSource(acme, worker), await testedSource(acme, worker)];
    const suspect = await startJob(acme.ask, "startBackup", first);
    await hub.db.job.update({
      where: { id: suspect },
      data: { attempt: 2, workersLost: 1, leaseEpoch: 2, priority: 0 },
    });
    const held = await startJob(acme.ask, "startBackup", second);
    assert.equal((await worker.take("BACKUP")).jobId, held);
    assert.equal(await worker.claim("BACKUP"), null);
    await hub.db.$executeRaw`UPDATE jobs SET not_before = now() - interval '11 minutes' WHERE id = ${suspect}`;
    assert.equal((await worker.take("BACKUP")).jobId, suspect);
  });
});
