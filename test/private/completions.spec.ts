// How a job ends well: once, however often it is reported, and with nothing of it that a worker could have made up.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { fingerprint } from "../../domain/keys.ts";
import { reconcileStore } from "../../domain/snapshots.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import {
  backUp,
  hostKey,
  leaseOf,
  madeSnapshot,
  type PlayedWorker,
  playWorker,
  testedSource,
} from "./played-worker.ts";
import { emptyQueue, everything } from "./state.ts";

const fifty = Array.from({ length: 50 });

describe("a completed job", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    // Nothing sweeps here but the tests themselves.
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    worker = await playWorker(hub);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  async function startRestore(snapshotId: string): Promise<string> {
    const { data } = await acme.ask(
      `mutation ($id: ID!) {
        startRestore(input: { snapshotId: $id, form: ZIP }) { ... on StartRestorePayload { restore { job { id } } } }
      }`,
      { id: snapshotId },
    );
    return data.startRestore.restore.job.id;
  }

  it("answers the same to each of fifty reports at once, and made one snapshot and one final event", async () => {
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const report = { ...leaseOf(job), snapshot: madeSnapshot(job) };
    const answers = await Promise.all(fifty.map(() => worker.api.completeJob(report)));
    for (const answer of answers) assert.deepEqual(answer, leaseOf(job));
    const { db } = hub.running.hub;
    assert.equal(await db.snapshot.count({ where: { jobId } }), 1);
    const events = await db.jobEvent.findMany({ where: { jobId }, orderBy: { seq: "asc" } });
    assert.deepEqual(
      events.map(({ facts }) => facts),
      ["QUEUED", "RUNNING", "COMPLETED"].map((status, n) => (n === 1 ? { status, attempt: 1 } : { status })),
    );
    assert.deepEqual(await worker.api.completeJob(report), leaseOf(job));
  });

  it("of a restore answers the same to each of fifty reports at once, with one expiry", async () => {
    const jobId = await startRestore(await backUp(acme, worker, sourceId));
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    const report = { ...leaseOf(await service.take("RESTORE")), sizeBytes: "5000000000" };
    const answers = await Promise.all(fifty.map(() => service.api.completeRestore(report)));
    assert.equal(new Set(answers.map(({ expiresAt }) => expiresAt)).size, 1);
    const { restore } = await jobEnd(acme.ask, jobId);
    assert.deepEqual(restore, { id: restore.id, status: "READY", sizeBytes: "5000000000" });
  });

  it("leaves a snapshot of which the hub knows by itself whose it is and where it lies", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const snapshot = madeSnapshot(job);
    await worker.api.completeJob({ ...leaseOf(job), snapshot });
    const { db } = hub.running.hub;
    const {
      createdAt: _,
      changedIn: __,
      manifest,
      ...row
    } = await db.snapshot.findUniqueOrThrow({ where: { jobId: job.jobId } });
    assert.deepEqual(manifest, snapshot.manifest);
    assert.deepEqual(row, {
      id: job.backup?.snapshotId,
      tenantId: acme.tenantId,
      sourceId,
      jobId: job.jobId,
      status: "COMPLETED",
      plainBytes: 5_000_000_000n,
      storedBytes: 1_000_000_000n,
      fileCount: 3,
      durationMs: 1_200,
      manifestSha256: snapshot.manifestSha256,
      artifactSha256: snapshot.artifactSha256,
      keyFingerprint: fingerprint(job.backup?.recipients[0] ?? ""),
      storage: "LOCAL_FS",
      workerId: worker.id,
      localPath: `tenants/${acme.tenantId}/sources/${sourceId}/snapshots/${snapshot.snapshotId}`,
      bucket: null,
      objectKey: null,
      etag: null,
      pinned: false,
      pinReason: null,
      ...{ verifiedAt: null, verifyDepth: null, openedAt: null, damagedAt: null, damage: null, damageDepth: null },
      partial: true,
      warnings: snapshot.warnings,
      deletedAt: null,
      deletionDueAt: null,
    });
    assert.equal((await jobEnd(acme.ask, job.jobId)).warningCount, 1);
  });

  it("is refused with anything that a worker made up", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const good = madeSnapshot(job);
    const stranger = fingerprint(await identityToRecipient(await generateX25519Identity()));
    const ids = (changes: object) => ({
      ...good,
      manifest: { ...good.manifest, ids: { ...good.manifest.ids, ...changes } },
    });
    const nothing = "snp_00000000000000000000000000000000";
    const forgeries: [snapshot: unknown, code: string][] = [
      [{ ...good, snapshotId: nothing }, "LEASE_LOST"],
      [{ ...ids({ snapshotId: nothing }), snapshotId: nothing }, "LEASE_LOST"],
      [{ ...good, snapshotId: "../../../etc" }, "LEASE_LOST"],
      [ids({ snapshotId: nothing }), "LEASE_LOST"],
      [ids({ tenantId: "ten_00000000000000000000000000000000" }), "LEASE_LOST"],
      [ids({ sourceId: "../.." }), "LEASE_LOST"],
      [ids({ jobId: "job_00000000000000000000000000000000" }), "LEASE_LOST"],
      [{ ...good, manifest: { ...good.manifest, recipients: [{ fingerprint: stranger }] } }, "BAD_INPUT"],
      [{ ...good, manifest: { ...good.manifest, recipients: [] } }, "BAD_INPUT"],
      [{ ...good, manifest: {} }, "BAD_INPUT"],
      [{ ...good, artifactSha256: "../etc" }, "BAD_INPUT"],
      [{ ...good, storedBytes: "-1" }, "BAD_USER_INPUT"],
      [{ ...good, fileCount: -1 }, "BAD_INPUT"],
      [{ ...good, localPath: "/etc" }, "BAD_USER_INPUT"],
      [{ ...good, workerId: "wrk_00000000000000000000000000000000" }, "BAD_USER_INPUT"],
      [undefined, "BAD_INPUT"],
    ];
    const before = await everything(hub.running.hub.db);
    for (const [snapshot, code] of forgeries)
      await assert.rejects(
        worker.api.completeJob({ ...leaseOf(job), snapshot: snapshot as typeof good }),
        { code },
        JSON.stringify(snapshot),
      );
    assert.deepEqual(await everything(hub.running.hub.db), before);
    await worker.api.completeJob({ ...leaseOf(job), snapshot: good });
  });

  it("keeps the beginning of warnings that are too long, and a thousand of them", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const warning = { code: "UNREADABLE", path: "p".repeat(20_000), message: "m".repeat(2_000) };
    const short = { ...warning, path: "p", message: "m" };
    const snapshot = { ...madeSnapshot(job), warnings: [warning, ...Array.from({ length: 1_000 }, () => short)] };
    await worker.api.completeJob({ ...leaseOf(job), snapshot });
    const { warnings } = await hub.running.hub.db.snapshot.findUniqueOrThrow({ where: { jobId: job.jobId } });
    const kept = warnings as { path: string; message: string }[];
    assert.deepEqual([kept.length, kept[0]?.path.length, kept[0]?.message.length], [1_000, 8_192, 1_000]);
    assert.equal((await jobEnd(acme.ask, job.jobId)).warningCount, 1_001);
  });

  it("is of the type that its report is for", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    const backup = await worker.take("BACKUP");
    await assert.rejects(worker.api.completeRestore({ ...leaseOf(backup), sizeBytes: 1 }), { code: "BAD_INPUT" });
    await worker.api.completeJob({ ...leaseOf(backup), snapshot: madeSnapshot(backup) });
    await startRestore(backup.backup?.snapshotId ?? "");
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    await assert.rejects(service.api.completeJob(leaseOf(await service.take("RESTORE"))), { code: "BAD_INPUT" });
  });

  it("of a deletion leaves a tombstone", async () => {
    const snapshotId = await backUp(acme, worker, sourceId);
    await deleteAtOnce(hub);
    await startJob(acme.ask, "deleteSnapshot", snapshotId);
    const job = await worker.take("DELETE_SNAPSHOT");
    const { db } = hub.running.hub;
    assert.equal((await db.snapshot.findUniqueOrThrow({ where: { id: snapshotId } })).status, "DELETING");
    assert.deepEqual(await worker.api.reconcileStore({ snapshotIds: [snapshotId] }), { remove: [] });
    await worker.api.completeJob(leaseOf(job));
    const { status, deletedAt } = await db.snapshot.findUniqueOrThrow({ where: { id: snapshotId } });
    assert.equal(status, "DELETED");
    assert.ok(deletedAt);
    assert.deepEqual(await worker.api.reconcileStore({ snapshotIds: [snapshotId] }), { remove: [snapshotId] });
  });

  it("of a source test pins the host key that it saw, unless one is pinned or the source was changed meanwhile", async () => {
    const { db } = hub.running.hub;
    const pinned = async () => (await db.source.findUniqueOrThrow({ where: { id: sourceId } })).hostKey;
    const accept = `mutation ($id: ID!) { acceptHostKey(input: { sourceId: $id }) { ... on Failure { code } } }`;
    const test = async (seen: string, meanwhile = async () => {}) => {
      await startJob(acme.ask, "testSource", sourceId);
      const job = await worker.take("TEST_SOURCE");
      await meanwhile();
      await worker.api.completeJob({ ...leaseOf(job), hostKey: seen, findings: { files: 3 } });
    };
    await test(`SHA256:${"x".repeat(43)}`);
    assert.equal(await pinned(), hostKey);
    await test(hostKey, async () => void (await acme.ask(accept, { id: sourceId })));
    assert.equal(await pinned(), null);
    await assert.rejects(test("hunter2"), { code: "BAD_INPUT" });
    await emptyQueue(db);
    await test(hostKey);
    assert.equal(await pinned(), hostKey);
  });
});

describe("a worker's store", () => {
  it("keeps what is under way and what is wanted, and loses what belongs to nobody", async () => {
    await using hub = await stageHub({ sweepSeconds: 3600 });
    const worker = await playWorker(hub);
    const acme = await stageTenant(hub);
    const sourceId = await testedSource(acme, worker);
    const kept = await backUp(acme, worker, sourceId);
    await startJob(acme.ask, "startBackup", sourceId);
    const job = await worker.take("BACKUP");
    const attempt = job.backup?.snapshotId ?? "";
    const nobodys = "snp_00000000000000000000000000000000";
    const snapshotIds = [kept, attempt, nobodys, "../etc"];
    // Two workers may share a store: what one of them made belongs to somebody all the same.
    for (const each of [worker, await playWorker(hub)])
      assert.deepEqual(await each.api.reconcileStore({ snapshotIds }), { remove: [nobodys, "../etc"] });
    await worker.api.releaseJob(leaseOf(job));
    assert.deepEqual(await worker.api.reconcileStore({ snapshotIds: [attempt] }), { remove: [attempt] });
  });

  it("keeps a snapshot that is committed in the very moment of asking", async () => {
    await using hub = await stageHub({ sweepSeconds: 3600 });
    const worker = await playWorker(hub);
    const acme = await stageTenant(hub);
    const sourceId = await testedSource(acme, worker);
    for (let round = 0; round < 10; round++) {
      await startJob(acme.ask, "startBackup", sourceId);
      const job = await worker.take("BACKUP");
      const snapshotIds = [job.backup?.snapshotId ?? ""];
      const done = worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) }).then(() => true);
      for (let over: boolean | null = null; !over; over = await Promise.race([done, null]))
        assert.deepEqual((await reconcileStore(hub.running.hub, { snapshotIds })).remove, []);
    }
  });
});
