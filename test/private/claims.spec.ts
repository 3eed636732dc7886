// Which job a worker gets: the most urgent one that is due, that it can serve, and that nobody else has.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { transact } from "../../domain/hub.ts";
import { newId } from "../../domain/ids.ts";
import { createJob, type NewJob } from "../../domain/queue.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { backUp, hostKey, leaseOf, type PlayedWorker, playWorker, testedSource } from "./played-worker.ts";
import { emptyQueue } from "./state.ts";

describe("a claim", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let other: StagedTenant;
  let worker: PlayedWorker;
  let source: { acme: string; other: string };

  before(async () => {
    // Nothing sweeps here but the tests themselves.
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    worker = await playWorker(hub);
    acme = await stageTenant(hub, "Acme");
    other = await stageTenant(hub, "Other");
    source = { acme: await testedSource(acme, worker), other: await testedSource(other, worker) };
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  async function queue(job: Partial<NewJob> = {}): Promise<string> {
    const made = { tenantId: acme.tenantId, type: "TEST_SOURCE" as const, sourceId: source.acme, ...job };
    return (await transact(hub.running.hub, (tx, announce) => createJob(tx, announce, made))).id;
  }
  const claimed = async (by: PlayedWorker = worker) => (await by.claim("TEST_SOURCE"))?.jobId;

  it("is one of eight for each of 200 jobs and every lease of them", async () => {
    const { db } = hub.running.hub;
    const jobs = Array.from({ length: 200 }, (_, n) => ({
      id: newId("job", new Date()),
      type: "TEST_SOURCE" as const,
      ...(n % 2
        ? { tenantId: acme.tenantId, sourceId: source.acme }
        : { tenantId: other.tenantId, sourceId: source.other }),
    }));
    await db.job.createMany({ data: jobs });
    const released = new Set(jobs.filter((_, n) => n % 10 === 0).map(({ id }) => id));
    const claimers = await Promise.all(Array.from({ length: 8 }, () => playWorker(hub)));
    const claims: string[] = [];
    await Promise.all(
      claimers.map(async (claimer) => {
        for (let job = await claimer.claim("TEST_SOURCE"); job; job = await claimer.claim("TEST_SOURCE")) {
          claims.push(`${job.jobId}:${job.leaseEpoch}`);
          // Every tenth goes back once, and has to be claimed under a lease of its own.
          if (released.has(job.jobId) && job.leaseEpoch === 1) await claimer.api.releaseJob(leaseOf(job));
        }
      }),
    );
    const expected = jobs.flatMap(({ id }) => (released.has(id) ? [`${id}:1`, `${id}:2`] : [`${id}:1`])).sort();
    assert.deepEqual(claims.sort(), expected);
    const audited = await db.auditEvent.findMany({
      where: { verb: "claimJob", objectId: { in: jobs.map(({ id }) => id) } },
    });
    assert.deepEqual(
      audited.map(({ objectId, after }) => `${objectId}:${(after as { leaseEpoch: number }).leaseEpoch}`).sort(),
      expected,
    );
  });

  it("answers null where nothing is due", async () => {
    assert.equal(await worker.claim("BACKUP", "TEST_SOURCE", "DELETE_SNAPSHOT"), null);
  });

  it("gives the more urgent job first, and of equals the older one", async () => {
    const older = await queue();
    const newer = await queue();
    const urgent = await queue({ priority: 1 });
    assert.deepEqual([await claimed(), await claimed(), await claimed()], [urgent, older, newer]);
  });

  it("goes round the tenants: whoever has least under way comes first", async () => {
    const ours = [await queue(), await queue(), await queue()];
    const theirs = await queue({ tenantId: other.tenantId, sourceId: source.other });
    assert.deepEqual(
      [await claimed(), await claimed(), await claimed(), await claimed()],
      [ours[0], theirs, ours[1], ours[2]],
    );
  });

  it("leaves a job alone until its time has come", async () => {
    const id = await queue();
    const { db } = hub.running.hub;
    await db.$executeRaw`UPDATE jobs SET not_before = now() + interval '1 minute' WHERE id = ${id}`;
    assert.equal(await claimed(), undefined);
    await db.$executeRaw`UPDATE jobs SET not_before = now() WHERE id = ${id}`;
    assert.equal(await claimed(), id);
  });

  it("gives nothing to a worker that is draining, until it says that it is not", async () => {
    const id = await queue();
    await worker.api.heartbeat({ draining: true });
    assert.equal(await claimed(), undefined);
    await worker.api.heartbeat({ draining: false });
    assert.equal(await claimed(), id);
  });

  it("gives only jobs of the types that are asked for and that the worker registered with", async () => {
    await queue();
    const deleter = await playWorker(hub, { jobTypes: ["DELETE_SNAPSHOT"] });
    assert.equal(await claimed(deleter), undefined);
    assert.equal(await worker.claim("VERIFY", "DELETE_SNAPSHOT"), null);
    assert.equal(await worker.claim(), null);
    assert.ok(await claimed());
  });

  it("gives only jobs of the sources that the worker can read", async () => {
    await queue();
    const elsewhere = await playWorker(hub, { sourceTypes: ["FTP", "MYSQL"] });
    assert.equal(await claimed(elsewhere), undefined);
    assert.ok(await claimed());
  });

  it("gives out no more of a tenant at once than its plan allows, however many ask, and goes on to the others", async () => {
    const { db } = hub.running.hub;
    const mine = Array.from({ length: 20 }, () => ({
      ...{ id: newId("job", new Date()), type: "TEST_SOURCE" as const },
      ...{ tenantId: acme.tenantId, sourceId: source.acme, priority: 9 },
    }));
    await db.job.createMany({ data: mine });
    const theirs = await queue({ tenantId: other.tenantId, sourceId: source.other });
    await db.tenant.update({ where: { id: acme.tenantId }, data: { maxRunningJobs: 3 } });
    const running = () =>
      db.job.count({ where: { tenantId: acme.tenantId, status: { in: ["RUNNING", "FINALIZING"] } } });
    const claims = await Promise.all(Array.from({ length: 12 }, () => worker.claim("TEST_SOURCE")));
    const given = claims.filter((job) => job !== null);
    assert.equal(await running(), 3);
    assert.equal(given.length, 4);
    assert.ok(
      given.some(({ jobId }) => jobId === theirs),
      "the neighbour's job does not wait behind them",
    );
    assert.equal(await claimed(), undefined);
    const held = given.find(({ jobId }) => jobId !== theirs);
    if (held) await worker.api.completeJob({ ...leaseOf(held), findings: {} });
    assert.ok(await claimed());
    assert.equal(await claimed(), undefined);
    await db.tenant.update({ where: { id: acme.tenantId }, data: { maxRunningJobs: null } });
    assert.ok(await claimed());
  });

  it("gives one tenant's job its turn among a thousand of another's", async () => {
    await hub.running.hub.db.job.createMany({
      data: Array.from({ length: 1_000 }, () => ({
        ...{ id: newId("job", new Date()), type: "TEST_SOURCE" as const },
        // Older than the neighbour's, and than what counts as source tests of this minute.
        ...{ tenantId: acme.tenantId, sourceId: source.acme, createdAt: new Date(Date.now() - 120_000) },
      })),
    });
    const theirs = await queue({ tenantId: other.tenantId, sourceId: source.other });
    assert.ok([await claimed(), await claimed()].includes(theirs));
  });

  it("gives of a tenant that is on its way out what is restored, and what removes its snapshots once its end is due", async () => {
    const { db } = hub.running.hub;
    await deleteAtOnce(hub);
    const snapshotId = await backUp(acme, worker, source.acme);
    await startJob(acme.ask, "deleteSnapshot", snapshotId);
    const id = await queue();
    const leave = (deletionDueAt: Date) =>
      db.tenant.update({ where: { id: acme.tenantId }, data: { status: "DELETING", deletionDueAt } });
    await leave(new Date(Date.now() + 3_600_000));
    assert.equal(await worker.claim("TEST_SOURCE", "DELETE_SNAPSHOT"), null);
    await leave(new Date(Date.now() - 1_000));
    assert.equal((await worker.take("TEST_SOURCE", "DELETE_SNAPSHOT")).type, "DELETE_SNAPSHOT");
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "ACTIVE", deletionDueAt: null } });
    assert.equal(await claimed(), id);
  });

  it("gives nothing of a tenant that is suspended", async () => {
    const id = await queue();
    const { db } = hub.running.hub;
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "SUSPENDED" } });
    assert.equal(await claimed(), undefined);
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "ACTIVE" } });
    assert.equal(await claimed(), id);
  });

  it("gives restores to restore services and all else to workers, whatever they say of themselves", async () => {
    const snapshotId = await backUp(acme, worker, source.acme);
    await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) { ... on Failure { message } } }`,
      { id: snapshotId },
    );
    await queue();
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    const all = ["BACKUP", "RESTORE", "DELETE_SNAPSHOT", "VERIFY", "TEST_SOURCE"] as const;
    assert.equal((await service.claim(...all))?.type, "RESTORE");
    assert.equal(await service.claim(...all), null);
    assert.equal((await worker.claim(...all))?.type, "TEST_SOURCE");
    assert.equal(await worker.claim(...all), null);
  });

  it("gives what lies in a store to those who read that store", async () => {
    const snapshotId = await backUp(acme, worker, source.acme);
    await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) { ... on Failure { message } } }`,
      { id: snapshotId },
    );
    const another = await playWorker(hub);
    const blind = await playWorker(hub, { role: "RESTORE", readsStoresOf: [another.id] });
    assert.equal(await blind.claim("RESTORE"), null);
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [another.id, worker.id] });
    const job = await service.take("RESTORE");
    assert.equal(job.snapshot?.storageWorkerId, worker.id);
    await service.api.completeRestore({ ...leaseOf(job), sizeBytes: 1 });
    await deleteAtOnce(hub);
    await startJob(acme.ask, "deleteSnapshot", snapshotId);
    assert.equal(await another.claim("DELETE_SNAPSHOT"), null);
    assert.equal((await worker.take("DELETE_SNAPSHOT")).snapshot?.snapshotId, snapshotId);
  });

  it("leaves a backup waiting while the host key of its source is not pinned", async () => {
    const jobId = await startJob(acme.ask, "startBackup", source.acme);
    await acme.ask(`mutation ($id: ID!) { acceptHostKey(input: { sourceId: $id }) { ... on Failure { message } } }`, {
      id: source.acme,
    });
    assert.equal(await worker.claim("BACKUP"), null);
    await startJob(acme.ask, "testSource", source.acme);
    await worker.api.completeJob({ ...leaseOf(await worker.take("TEST_SOURCE")), hostKey });
    assert.equal((await worker.take("BACKUP")).jobId, jobId);
  });

  it("tells a worker what to do, with a snapshot id that belongs to this attempt alone", async () => {
    await hub.running.hub.db.tenant.update({ where: { id: acme.tenantId }, data: { maxBytes: 5_000_000_000n } });
    const jobId = await startJob(acme.ask, "startBackup", source.acme);
    const first = await worker.take("BACKUP");
    assert.deepEqual(
      { ...first, backup: null },
      {
        jobId,
        tenantId: acme.tenantId,
        type: "BACKUP",
        leaseEpoch: 1,
        leaseSeconds: 60,
        timeLimitSeconds: 86_400,
        attempt: 1,
        source: {
          sourceId: source.acme,
          type: "SFTP",
          config: { host: "files.example.com", port: 22, username: "backup", path: "/srv" },
          hostKey,
          jumpHostKey: null,
          hasCredential: true,
        },
        backup: null,
        snapshot: null,
        restore: null,
        check: null,
      },
    );
    const { snapshots } = await totals(hub, acme.tenantId);
    assert.equal(first.backup?.maxBytes, String(5_000_000_000n - snapshots));
    assert.match(first.backup?.recipients.join() ?? "", /^age1[0-9a-z]{58}$/);
    await worker.api.releaseJob(leaseOf(first));
    const second = await worker.take("BACKUP");
    assert.equal(second.leaseEpoch, 2);
    assert.notEqual(second.backup?.snapshotId, first.backup?.snapshotId);
    await worker.api.failJob({ ...leaseOf(second), code: "PATH_NOT_FOUND", message: "There is no /srv." });
    assert.equal((await jobEnd(acme.ask, jobId)).errorCode, "PATH_NOT_FOUND");
  });
});

async function totals(hub: StagedHub, tenantId: string): Promise<{ snapshots: bigint }> {
  const { _sum } = await hub.running.hub.db.snapshot.aggregate({
    where: { tenantId, status: { in: ["COMPLETED", "DELETING"] } },
    _sum: { storedBytes: true },
  });
  return { snapshots: _sum.storedBytes ?? 0n };
}
