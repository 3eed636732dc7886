// What follows when an attempt ends badly: another one after a pause, or the end, told in words for a customer.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { sweepLeases } from "../../domain/leases.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { leaseOf, type PlayedWorker, playWorker, testedSource } from "./played-worker.ts";
import { emptyQueue, everything, expireLease } from "./state.ts";

describe("an attempt", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    // Nothing sweeps here but the tests themselves.
    hub = stack.use(await stageHub({ sweepSeconds: 3600, retryDelaysSeconds: [30, 300], lostDelaysSeconds: [2, 30] }));
    worker = await playWorker(hub);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  const find = (id: string) => hub.running.hub.db.job.findUniqueOrThrow({ where: { id } });
  const log = async (jobId: string) =>
    (await hub.running.hub.db.jobEvent.findMany({ where: { jobId }, orderBy: { seq: "asc" } })).map(
      ({ facts }) => facts,
    );

  /** Whole seconds until the job is due. */
  async function dueIn(jobId: string): Promise<number> {
    const [row] = await hub.running.hub.db.$queryRaw<{ seconds: number }[]>`
      SELECT ceil(extract(epoch FROM not_before - updated_at))::float AS seconds FROM jobs WHERE id = ${jobId}`;
    return row?.seconds ?? Number.NaN;
  }
  const becomeDue = (jobId: string) =>
    hub.running.hub.db.$executeRaw`UPDATE jobs SET not_before = now() WHERE id = ${jobId}`;

  it("may note what the customer's own commands said, within bounds", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const lease = leaseOf(await worker.take("BACKUP"));
    const lines = Array.from({ length: 300 }, (_, line) => `${line} ${"x".repeat(2000)}`);
    await worker.api.recordLog({ ...lease, kind: "hook", step: "before", lines });
    const told = (await log(jobId)).at(-1) as { kind: string; step: string; lines: string[] };
    assert.deepEqual([told.kind, told.step, told.lines.length], ["hook", "before", 200]);
    assert.ok(told.lines.every((line) => line.length <= 1000));
  });

  it("that failed for a passing reason is followed by the next after a pause, until there is none left", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const failure = { code: "SOURCE_DISCONNECTED", message: "The connection to files.example.com broke." };
    for (const [attempt, pause] of [
      [1, 30],
      [2, 300],
    ] as const) {
      const job = await worker.take("BACKUP");
      assert.equal(job.attempt, attempt);
      await worker.api.failJob({ ...leaseOf(job), ...failure });
      assert.equal((await find(jobId)).status, "QUEUED");
      assert.equal(await dueIn(jobId), pause);
      assert.equal(await worker.claim("BACKUP"), null);
      await becomeDue(jobId);
    }
    await worker.api.failJob({ ...leaseOf(await worker.take("BACKUP")), ...failure });
    const { status, attempt, errorCode, errorMessage, endedAt, leaseExpiresAt } = await find(jobId);
    assert.deepEqual([status, attempt, errorCode, errorMessage], ["FAILED", 3, failure.code, failure.message]);
    assert.ok(endedAt);
    assert.equal(leaseExpiresAt, null);
    assert.deepEqual((await log(jobId)).at(-1), { status: "FAILED", ...failure });
  });

  it("that failed for a lasting reason is the last one", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const failure = { ...leaseOf(job), code: "SOURCE_AUTH_FAILED", message: "Wrong password." };
    await Promise.all(Array.from({ length: 10 }, () => worker.api.failJob(failure)));
    const { status, attempt, errorCode } = await find(jobId);
    assert.deepEqual([status, attempt, errorCode], ["FAILED", 1, "SOURCE_AUTH_FAILED"]);
    assert.equal((await log(jobId)).filter((facts) => (facts as { status: string }).status === "FAILED").length, 1);
  });

  it("that failed without a name of the list is not taken", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const before = await everything(hub.running.hub.db);
    for (const code of ["ECONNRESET", "", "toString"])
      await assert.rejects(worker.api.failJob({ ...leaseOf(job), code, message: "Broken." }), { code: "BAD_INPUT" });
    assert.deepEqual(await everything(hub.running.hub.db), before);
  });

  it("whose worker fell silent is followed by the next after a pause, and after the last the job has failed", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    for (const attempt of [1, 2, 3]) {
      assert.equal((await worker.take("BACKUP")).attempt, attempt);
      assert.equal(await sweepLeases(hub.running.hub), 0);
      await expireLease(hub.running.hub.db, jobId);
      const swept = await Promise.all(Array.from({ length: 4 }, () => sweepLeases(hub.running.hub)));
      assert.equal(
        swept.reduce((sum, count) => sum + count),
        1,
        "several hubs swept the same lease",
      );
      assert.equal((await find(jobId)).status, attempt < 3 ? "QUEUED" : "FAILED");
      if (attempt < 3) assert.equal(await dueIn(jobId), attempt === 1 ? 2 : 30);
      await becomeDue(jobId);
    }
    const { errorCode, errorMessage, attempt } = await find(jobId);
    assert.deepEqual([errorCode, attempt], ["WORKER_LOST", 3]);
    assert.match(errorMessage ?? "", /^[A-Z][^\n]+\.$/);
    assert.deepEqual(
      (await log(jobId)).map((facts) => (facts as { status: string }).status),
      ["QUEUED", "RUNNING", "QUEUED", "RUNNING", "QUEUED", "RUNNING", "FAILED"],
    );
  });

  it("whose worker fell silent after a cancellation is the last one", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    await worker.take("BACKUP");
    await acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on Failure { code } } }`, {
      id: jobId,
    });
    await expireLease(hub.running.hub.db, jobId);
    assert.equal(await sweepLeases(hub.running.hub), 1);
    assert.equal((await find(jobId)).status, "CANCELED");
  });

  it("is announced by a doorbell of its own, never by one that was rung before", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    await worker.take("BACKUP");
    await expireLease(hub.running.hub.db, jobId);
    await sweepLeases(hub.running.hub);
    await becomeDue(jobId);
    await worker.api.releaseJob(leaseOf(await worker.take("BACKUP")));
    await worker.take("BACKUP");
    const bells = await hub.running.hub.db.outbox.findMany({ where: { jobId } });
    assert.equal(bells.length, 3);
    assert.equal(new Set(bells.map(({ leaseEpoch }) => leaseEpoch)).size, 3);
  });
});
