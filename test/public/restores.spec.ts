// Snapshots on their way back: a link that is shown once, and stands for nothing until it is ready.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { expireRestores } from "../../domain/restores.ts";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue, everything } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const start = `mutation ($input: StartRestoreInput!) {
  startRestore(input: $input) {
    ... on StartRestorePayload { downloadUrl restore { id status form selection expiresAt sizeBytes job { id type } snapshot { id } } }
    ... on Failure { code message }
  }
}`;

describe("a restore", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let service: PlayedWorker;
  let sourceId: string;
  let snapshotId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    sourceId = await testedSource(acme, worker);
    snapshotId = await backUp(acme, worker, sourceId);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  const startRestore = async (input: object = {}) =>
    (await acme.ask(start, { input: { snapshotId, form: "ZIP", ...input } })).data.startRestore;
  const look = async (id: string) =>
    (await acme.ask(`query ($id: ID!) { restore(id: $id) { status expiresAt sizeBytes timesFetched } }`, { id })).data
      .restore;
  const setting = (key: string, value: number) =>
    hub.running.hub.db.systemSetting.upsert({ where: { key }, create: { key, value }, update: { value } });

  it("is begun with a link that only its maker ever sees", async () => {
    const { downloadUrl, restore } = await startRestore({ selection: ["etc", "srv/www"] });
    const { id, job, ...shown } = restore;
    assert.deepEqual(shown, {
      status: "PREPARING",
      form: "ZIP",
      selection: ["etc", "srv/www"],
      expiresAt: null,
      sizeBytes: null,
      snapshot: { id: snapshotId },
    });
    const [, port, token = ""] = /^http:\/\/127\.0\.0\.1:(\d+)\/download\/([A-Za-z0-9_-]{43})$/.exec(downloadUrl) ?? [];
    assert.equal(Number(port), hub.restorePort);
    assert.ok(!JSON.stringify(await everything(hub.running.hub.db)).includes(token));
    assert.ok(!hub.lines.join().includes(token));
    const claimed = await service.take("RESTORE");
    assert.equal(claimed.jobId, job.id);
    assert.deepEqual(claimed.restore, {
      restoreId: id,
      form: "ZIP",
      selection: ["etc", "srv/www"],
      tokenHash: createHash("sha256").update(token).digest("hex"),
      maxDownloadBytes: null,
      fileName: `${snapshotId}.zip`,
    });
    assert.equal(claimed.snapshot?.snapshotId, snapshotId);
  });

  it("has a link of its own each time", async () => {
    const links = await Promise.all([startRestore(), startRestore()]);
    assert.notEqual(links[0].downloadUrl, links[1].downloadUrl);
  });

  it("is ready once its job is done, expires when the settings say, and is over then", async () => {
    await setting("download_expiration_hours", 3);
    await setting("max_download_size_mb", 5);
    const { id } = (await startRestore({ form: "TAR" })).restore;
    const job = await service.take("RESTORE");
    assert.equal(job.restore?.maxDownloadBytes, String(5 * 1_048_576));
    const { expiresAt } = await service.api.completeRestore({ ...leaseOf(job), sizeBytes: "9007199254740993" });
    assert.deepEqual(await look(id), { status: "READY", expiresAt, sizeBytes: "9007199254740993", timesFetched: 0 });
    assert.ok(Math.abs(Date.parse(expiresAt) - Date.now() - 3 * 3_600_000) < 60_000);
    assert.equal(await expireRestores(hub.running.hub), 0);
    await hub.running.hub.db.restore.update({ where: { id }, data: { expiresAt: new Date() } });
    assert.equal(await expireRestores(hub.running.hub), 1);
    assert.equal((await look(id)).status, "EXPIRED");
    assert.deepEqual(await service.api.reconcileRestores({ restoreIds: [id] }), { serve: [] });
  });

  it("has failed when its job has, or was canceled", async () => {
    const failed = (await startRestore()).restore;
    const job = await service.take("RESTORE");
    await service.api.failJob({ ...leaseOf(job), code: "ARTIFACT_CORRUPT", message: "The snapshot is damaged." });
    assert.equal((await look(failed.id)).status, "FAILED");
    const canceled = (await startRestore()).restore;
    await acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on Failure { code } } }`, {
      id: canceled.job.id,
    });
    assert.equal((await look(canceled.id)).status, "FAILED");
  });

  it("keeps its snapshot from being deleted while it is prepared", async () => {
    const { restore } = await startRestore();
    await assert.rejects(startJob(acme.ask, "deleteSnapshot", snapshotId), /being restored; it cannot be deleted now/);
    await acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on Failure { code } } }`, {
      id: restore.job.id,
    });
  });

  it("and a deletion of its snapshot never both begin", async () => {
    for (let round = 0; round < 5; round++) {
      const id = await backUp(acme, worker, sourceId);
      const [restore, deletion] = await Promise.all([
        startRestore({ snapshotId: id }),
        startJob(acme.ask, "deleteSnapshot", id).catch(() => null),
      ]);
      assert.equal([restore.restore, deletion].filter(Boolean).length, 1);
      if (deletion) assert.equal(restore.code, "SNAPSHOT_NOT_RESTORABLE");
    }
  });

  it("is refused in words of its own where it cannot be", async () => {
    const { db } = hub.running.hub;
    assert.equal((await startRestore({ snapshotId: "snp_00000000000000000000000000000000" })).code, "NOT_FOUND");
    for (const selection of [[""], ["a\0b"], ["p".repeat(4_097)], ["\ud83d"], Array.from({ length: 1_001 }, () => "a")])
      assert.equal((await startRestore({ selection })).code, "BAD_INPUT");
    const id = await backUp(acme, worker, sourceId);
    await db.snapshot.update({ where: { id }, data: { status: "MISSING" } });
    assert.deepEqual(await startRestore({ snapshotId: id }), {
      code: "SNAPSHOT_NOT_RESTORABLE",
      message: "This snapshot cannot be restored: it is missing.",
    });
    await db.snapshot.update({ where: { id }, data: { status: "COMPLETED" } });
    await db.tenantKey.updateMany({
      where: { tenantId: acme.tenantId },
      data: { custody: "CUSTOMER", sealedPrivateKey: null, kekId: null },
    });
    assert.equal((await startRestore({ snapshotId: id })).code, "CUSTOMER_KEY_REQUIRED");
  });
});
