// A lease is the only thing that lets a worker touch a job: without it, or after it, nothing changes.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { ClaimedJob } from "../../clients/hub/hub-client.ts";
import { sweepLeases } from "../../domain/leases.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { leaseOf, madeSnapshot, type PlayedWorker, playWorker, testedSource } from "./played-worker.ts";
import { emptyQueue, everything, expireLease } from "./state.ts";

describe("a lease", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let another: PlayedWorker;
  let sourceId: string;

  before(async () => {
    // Nothing sweeps here but the tests themselves.
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600, retryDelaysSeconds: [30, 300] }));
    worker = await playWorker(hub);
    another = await playWorker(hub);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  const find = (id: string) => hub.running.hub.db.job.findUniqueOrThrow({ where: { id } });

  async function held(): Promise<ClaimedJob> {
    await startJob(acme.ask, "startBackup", sourceId);
    return worker.take("BACKUP");
  }

  async function askToCancel(jobId: string): Promise<void> {
    const cancel = `mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on CancelJobPayload { job { status } } } }`;
    const { data } = await acme.ask(cancel, { id: jobId });
    assert.equal(data.cancelJob.job.status, "RUNNING");
  }

  /** Everything that a worker can ask for about a job. */
  const commands = {
    renewLease: (by: PlayedWorker, lease: Lease) => by.api.renewLease(lease),
    enterPhase: (by: PlayedWorker, lease: Lease) => by.api.enterPhase({ ...lease, phase: "FINALIZING" }),
    recordLog: (by: PlayedWorker, lease: Lease) =>
      by.api.recordLog({ ...lease, kind: "hook", step: "before", lines: ["one"] }),
    claimSecrets: (by: PlayedWorker, lease: Lease) => by.api.claimSecrets(lease),
    completeJob: (by: PlayedWorker, lease: Lease, job: ClaimedJob) =>
      by.api.completeJob({ ...lease, snapshot: madeSnapshot(job) }),
    completeRestore: (by: PlayedWorker, lease: Lease) => by.api.completeRestore({ ...lease, sizeBytes: 1 }),
    failJob: (by: PlayedWorker, lease: Lease) => by.api.failJob({ ...lease, code: "DISK_FULL", message: "Full." }),
    releaseJob: (by: PlayedWorker, lease: Lease) => by.api.releaseJob(lease),
  };
  type Lease = ReturnType<typeof leaseOf>;
  type Command = keyof typeof commands;
  /** Who asks, and under which epoch: the holder and the first, unless said otherwise. */
  type Asking = { by?: PlayedWorker; epoch?: number };

  /** How a lease can be over, or never have been the caller's; and which reports may be repeated, for they say the same. */
  const ends: [how: string, end: (job: ClaimedJob) => Promise<Asking>, repeats?: Command[]][] = [
    [
      "under an epoch that is over",
      async (job) => {
        await worker.api.releaseJob(leaseOf(job));
        assert.equal((await another.take("BACKUP")).leaseEpoch, 2);
        return {};
      },
    ],
    ["under an epoch that is yet to come", async () => ({ epoch: 2 })],
    ["by a worker that does not hold it", async () => ({ by: another })],
    [
      "after the job was canceled",
      async (job) => {
        await askToCancel(job.jobId);
        await worker.api.failJob({ ...leaseOf(job), code: "CANCELED", message: "Stopped." });
        assert.equal((await find(job.jobId)).status, "CANCELED");
        return {};
      },
      ["failJob", "releaseJob"],
    ],
    [
      "after the job has failed",
      async (job) => {
        await worker.api.failJob({ ...leaseOf(job), code: "DISK_FULL", message: "Full." });
        return {};
      },
      ["failJob"],
    ],
    [
      "after the job was completed",
      async (job) => {
        await worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) });
        return {};
      },
      ["completeJob"],
    ],
    [
      "after it has run out",
      async ({ jobId }) => {
        await expireLease(hub.running.hub.db, jobId);
        return {};
      },
    ],
    [
      "after it has run out and the job went back to the queue",
      async ({ jobId }) => {
        await expireLease(hub.running.hub.db, jobId);
        assert.equal(await sweepLeases(hub.running.hub), 1);
        return {};
      },
    ],
    [
      "after it has run out for the last time",
      async ({ jobId }) => {
        await hub.running.hub.db.job.update({ where: { id: jobId }, data: { maxAttempts: 1 } });
        await expireLease(hub.running.hub.db, jobId);
        assert.equal(await sweepLeases(hub.running.hub), 1);
        assert.equal((await find(jobId)).errorCode, "WORKER_LOST");
        return {};
      },
    ],
  ];
  for (const [how, end, repeats = []] of ends)
    it(`lets nobody do anything ${how}`, async () => {
      const job = await held();
      const { by = worker, epoch = 1 } = await end(job);
      const before = await everything(hub.running.hub.db);
      for (const [name, command] of Object.entries(commands)) {
        if (repeats.some((each) => each === name)) continue;
        await assert.rejects(command(by, { jobId: job.jobId, leaseEpoch: epoch }, job), { code: "LEASE_LOST" }, name);
      }
      assert.deepEqual(await everything(hub.running.hub.db), before);
    });

  it("lets nobody do anything to a job that does not exist", async () => {
    const job = await held();
    for (const [name, command] of Object.entries(commands)) {
      const lease = { jobId: "job_00000000000000000000000000000000", leaseEpoch: 1 };
      await assert.rejects(command(worker, lease, job), { code: "LEASE_LOST" }, name);
    }
  });

  it("is prolonged by every renewal, and tells of a cancellation", async () => {
    const job = await held();
    const { db } = hub.running.hub;
    await db.$executeRaw`UPDATE jobs SET lease_expires_at = now() + interval '1 second' WHERE id = ${job.jobId}`;
    assert.deepEqual(await worker.api.renewLease(leaseOf(job)), { leaseSeconds: 60, cancelRequested: false });
    const [lease] = await db.$queryRaw<{ seconds: number }[]>`
      SELECT extract(epoch FROM lease_expires_at - now())::float AS seconds FROM jobs WHERE id = ${job.jobId}`;
    assert.ok(lease && lease.seconds > 1 && lease.seconds <= 60);
    await askToCancel(job.jobId);
    assert.deepEqual(await worker.api.renewLease(leaseOf(job)), { leaseSeconds: 60, cancelRequested: true });
  });

  it("lets the work go forward only", async () => {
    const job = await held();
    await worker.api.enterPhase({ ...leaseOf(job), phase: "PULLING", progress: { filesDone: 3 } });
    assert.deepEqual((await find(job.jobId)).progress, { filesDone: 3, phase: "PULLING" });
    await worker.api.enterPhase({ ...leaseOf(job), phase: "FINALIZING" });
    await worker.api.enterPhase({ ...leaseOf(job), phase: "PULLING" });
    assert.equal((await find(job.jobId)).status, "FINALIZING");
  });

  it("given back leaves the job as if the attempt had not been", async () => {
    const job = await held();
    await worker.api.releaseJob(leaseOf(job));
    await worker.api.releaseJob(leaseOf(job));
    const { status, attempt, maxAttempts } = await find(job.jobId);
    assert.deepEqual([status, maxAttempts - attempt], ["QUEUED", 3]);
    assert.equal((await another.take("BACKUP")).jobId, job.jobId);
  });

  it("given back after a cancellation ends the job", async () => {
    const job = await held();
    await askToCancel(job.jobId);
    await worker.api.releaseJob(leaseOf(job));
    await worker.api.releaseJob(leaseOf(job));
    assert.equal((await find(job.jobId)).status, "CANCELED");
    assert.equal(await another.claim("BACKUP"), null);
  });
});
