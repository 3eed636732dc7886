// What is to become of an artifact that has no row: taken up only where nobody else could be meant, and never twice.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { newId } from "../../domain/ids.ts";
import { sweepLeases } from "../../domain/leases.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import {
  backUp,
  forgotten,
  leaseOf,
  madeSnapshot,
  type PlayedWorker,
  playWorker,
  testedSource,
} from "./played-worker.ts";
import { emptyQueue, everything, expireLease } from "./state.ts";

describe("an artifact without a row", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.db));

  /** An attempt of this worker's, and what it says it made. */
  async function attempt(by: PlayedWorker = worker) {
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await by.take("BACKUP");
    const made = madeSnapshot(job);
    const manifest = { ...made.manifest, ids: { ...made.manifest.ids, sourceId, workerId: by.id } };
    return { job, snapshot: { ...made, manifest } };
  }
  type Made = Awaited<ReturnType<typeof attempt>>["snapshot"];
  const adopt = (snapshot: Made, atStart = false, by = worker) => by.api.adoptSnapshot({ atStart, snapshot });
  const weigh = (snapshot: Made, atStart = false, by = worker) =>
    by.api.weighArtifact({ ...snapshot.manifest.ids, atStart });
  const rows = (snapshotId: string) => hub.db.snapshot.count({ where: { id: snapshotId } });

  it("whose attempt is under way is left to it, unless its process has only just started", async () => {
    const { job, snapshot } = await attempt();
    const { snapshotId } = snapshot;
    const compare = (atStart: boolean) => worker.api.compareStore({ snapshotIds: [snapshotId], atStart });
    assert.deepEqual((await compare(false)).unknown, []);
    assert.equal((await adopt(snapshot)).verdict, "LEAVE");
    assert.equal(await rows(snapshotId), 0);
    assert.deepEqual((await compare(true)).unknown, [snapshotId]);
    assert.deepEqual(await weigh(snapshot, true), { verdict: "ADOPT", urgent: true, reason: null });
    assert.equal((await adopt(snapshot, true)).verdict, "ADOPT");
    assert.equal((await adopt(snapshot, true)).reason, "it is known");
    assert.equal(await rows(snapshotId), 1);
    // The report of the attempt itself, should it come after all, finds its job done.
    await worker.api.completeJob({ ...leaseOf(job), snapshot });
    assert.equal(await rows(snapshotId), 1);
  });

  it("whose job went back to the queue does that job, once, and takes it from nobody who has it", async () => {
    const { job, snapshot } = await attempt();
    await expireLease(hub.db, job.jobId);
    await sweepLeases(hub.running.hub);
    const other = await playWorker(hub);
    const again = await other.take("BACKUP");
    assert.deepEqual(await weigh(snapshot), { verdict: "LEAVE", urgent: false, reason: "its job is under way" });
    await other.api.releaseJob(leaseOf(again));
    assert.equal((await weigh(snapshot)).reason, "another worker is to do its job");
    await hub.db.job.update({ where: { id: job.jobId }, data: { workerId: worker.id } });
    await adopt(snapshot);
    const done = await hub.db.job.findUniqueOrThrow({ where: { id: job.jobId } });
    assert.equal(done.status, "COMPLETED");
    assert.ok(done.leaseEpoch > again.leaseEpoch);
    assert.equal(await worker.claim("BACKUP"), null);
    await assert.rejects(other.api.completeJob({ ...leaseOf(again), snapshot }), { code: "LEASE_LOST" });
  });

  it("is removed where its job failed, was canceled or was done by another attempt, or where it was deleted", async () => {
    const { job, snapshot } = await attempt();
    await worker.api.failJob({ ...leaseOf(job), code: "DUMP_FAILED", message: "It failed." });
    assert.deepEqual(await weigh(snapshot, true), {
      verdict: "REMOVE",
      urgent: false,
      reason: "its job did not succeed",
    });
    const done = await attempt();
    await worker.api.completeJob({ ...leaseOf(done.job), snapshot: done.snapshot });
    const stray = { ...forgotten(done.snapshot, worker.id) };
    stray.manifest.ids.jobId = done.job.jobId;
    assert.equal((await weigh(stray)).reason, "another attempt did its job");
    await hub.db.$executeRaw`UPDATE snapshots SET status = 'DELETING' WHERE id = ${done.snapshot.snapshotId}`;
    await hub.db.$executeRaw`UPDATE snapshots SET status = 'DELETED' WHERE id = ${done.snapshot.snapshotId}`;
    const compared = await worker.api.compareStore({ snapshotIds: [done.snapshot.snapshotId], atStart: false });
    assert.deepEqual([compared.remove, compared.unknown], [[done.snapshot.snapshotId], []]);
  });

  it("is left alone where it is another worker's, of an unknown place, of a later time or sealed to unknown keys", async () => {
    const { snapshot: known } = await attempt();
    const stray = () => forgotten(known, worker.id);
    const changed = (ids: object) => {
      const made = stray();
      return { ...made, manifest: { ...made.manifest, ids: { ...made.manifest.ids, ...ids } } };
    };
    const later = newId("snapshot", new Date(Date.now() + 86_400_000));
    const cases: [reason: string, made: Made][] = [
      ["another worker made it", changed({ workerId: newId("worker", new Date()) })],
      ["its tenant is not known", changed({ tenantId: newId("tenant", new Date()) })],
      ["its source is not known", changed({ sourceId: newId("source", new Date()) })],
      ["its id is none that was given out here", changed({ snapshotId: later })],
      ["its id is none that was given out here", changed({ snapshotId: "../etc" })],
      ["its job is none", changed({ jobId: "job_1" })],
    ];
    const before = await everything(hub.db);
    for (const [reason, made] of cases) {
      assert.deepEqual(await weigh(made), { verdict: "LEAVE", urgent: false, reason });
      await adopt(made).catch((error) => assert.equal(error.code, "BAD_INPUT"));
    }
    const sealedToNobody = stray();
    const recipients = [{ algorithm: "X25519", fingerprint: `sha256:${"0".repeat(64)}` }];
    const { reason } = await adopt({ ...sealedToNobody, manifest: { ...sealedToNobody.manifest, recipients } });
    assert.equal(reason, "none of its keys is a key of its tenant");
    assert.deepEqual(await everything(hub.db), before);
  });

  it("of a tenant that was purged is removed", async () => {
    const { snapshot } = await attempt();
    const tenantId = newId("tenant", new Date());
    const made = forgotten(snapshot, worker.id);
    made.manifest.ids.tenantId = tenantId;
    await hub.db.auditEvent.create({
      data: {
        ...{ id: newId("auditEvent", new Date()), tenantId, actorKind: "system", verb: "purgeTenant" },
        objectId: tenantId,
      },
    });
    assert.equal((await weigh(made)).reason, "its tenant is gone");
  });

  it("is compared stretch by stretch, and nothing is missing of what lies in another one or with another worker", async () => {
    const ids = [];
    for (let n = 0; n < 4; n++) ids.push(await backUp(acme, worker, sourceId));
    const other = await playWorker(hub);
    await backUp(acme, other, sourceId);
    const missing = async (input: { after?: string; upTo?: string; snapshotIds: string[] }) =>
      (await worker.api.compareStore({ ...input, atStart: false })).missing.map(({ snapshotId }) => snapshotId);
    const [first = "", second = "", third = "", fourth = ""] = ids;
    assert.deepEqual(await missing({ after: first, upTo: third, snapshotIds: [third] }), [second]);
    assert.deepEqual(await missing({ after: third, snapshotIds: [] }), [fourth]);
    assert.deepEqual((await worker.api.reportMissing({ snapshotIds: [second] })).snapshotIds, [second]);
    assert.deepEqual((await other.api.reportMissing({ snapshotIds: [third] })).snapshotIds, [], "not its own");
    assert.deepEqual(await missing({ after: first, upTo: third, snapshotIds: [third] }), []);
    await assert.rejects(worker.api.compareStore({ snapshotIds: Array(1001).fill(first), atStart: false }), {
      code: "BAD_INPUT",
    });
  });
});
