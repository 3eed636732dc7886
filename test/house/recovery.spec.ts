// What is promised when processes die and Redis forgets: every job ends, once, and nothing half-made stays.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { stageSite } from "../stage/backed-up-site.ts";
import { stageRestore, stageWorker } from "../stage/data-plane.ts";
import type { StagedHub } from "../stage/hub.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { seededBytes, smallFiles, type Tree, tree } from "../stage/tree.ts";

const site: Tree = new Map([...smallFiles(300), ...tree({ "big.bin": seededBytes(96 * 1024 * 1024, "big") })]);

/** What lies in a store: committed snapshots, and what an attempt left behind. */
async function inspectStore(storageBase: string) {
  const paths = await readdir(storageBase, { recursive: true });
  return {
    snapshots: paths.filter((path) => /snapshots\/snp_[0-9a-f]{32}$/.test(path)),
    leftovers: paths.filter((path) => path.includes(".staging")),
  };
}

describe("a worker killed in the middle of a backup", { skip: missingOpenSsh ?? false }, () => {
  it("leaves one completed snapshot, made by the worker that took over, and no staging", async () => {
    await using stage = await stageSite(site, { hubTerms: { leaseSeconds: 12 } });
    const { hub, worker, acme, sourceId } = stage;
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    await pulling(stage, jobId);
    await worker.end("SIGKILL");
    assert.equal(
      (await inspectStore(worker.storageBase)).leftovers.length > 0,
      true,
      "it was killed too late to prove anything",
    );

    const { identity } = worker;
    await using again = await stageWorker(hub, { storageBase: worker.storageBase, identity });
    const job = await jobEnd(acme.ask, jobId, 120_000);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    assert.ok(job.attempt > 1);
    assert.equal(await hub.running.hub.db.snapshot.count({ where: { jobId } }), 1);
    const store = await inspectStore(again.storageBase);
    assert.deepEqual(store.leftovers, []);
    assert.deepEqual(store.snapshots, [job.snapshot.localPath]);
  });
});

describe("a Redis that is emptied", { skip: missingOpenSsh ?? false }, () => {
  it("loses no queued job", async () => {
    await using stage = await stageSite(tree({ "index.html": "hello" }));
    const { hub, worker, acme, sourceId } = stage;
    await worker.end("SIGTERM");
    const backup = await startJob(acme.ask, "startBackup", sourceId);
    const tests = await Promise.all(Array.from({ length: 10 }, () => startJob(acme.ask, "testSource", sourceId)));
    await hub.redis.flushAll();

    const { identity } = worker;
    await using again = await stageWorker(hub, { storageBase: worker.storageBase, identity });
    await hub.redis.flushAll();
    for (const jobId of [backup, ...tests]) {
      const job = await jobEnd(acme.ask, jobId);
      assert.equal(job.status, "COMPLETED", `${again.workerId}: ${job.errorMessage}`);
    }
  });

  it("may be stopped in the middle of a backup and come back later", async () => {
    await using stage = await stageSite(site);
    const { hub, acme, sourceId, worker } = stage;
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    await pulling(stage, jobId);
    await hub.redis.stop();
    assert.equal((await jobEnd(acme.ask, jobId)).status, "COMPLETED");
    const ready = await fetch(hub.graphqlUrl.replace("graphql", "ready"));
    assert.deepEqual([ready.status, (await ready.json()).status], [200, "degraded"]);
    await hub.redis.start();
    assert.equal((await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId))).status, "COMPLETED");
    assert.equal(worker.child.exitCode, null);
  });
});

describe("a worker told to stop", { skip: missingOpenSsh ?? false }, () => {
  it("finishes or gives back what it has, and ends by itself", async () => {
    await using stage = await stageSite(site);
    const { worker, acme, sourceId, hub } = stage;
    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    await pulling(stage, jobId);
    await worker.end("SIGTERM");
    assert.equal(worker.child.exitCode, 0);
    assert.deepEqual((await inspectStore(worker.storageBase)).leftovers, []);
    const { identity } = worker;
    await using again = await stageWorker(hub, { storageBase: worker.storageBase, identity });
    assert.equal((await jobEnd(acme.ask, jobId)).status, "COMPLETED", again.workerId);
  });
});

describe("a restore service killed after it prepared a download", { skip: missingOpenSsh ?? false }, () => {
  it("serves the same link when it is back", async () => {
    await using stage = await stageSite(tree({ "index.html": "hello" }));
    const { hub, worker, acme, sourceId } = stage;
    const backup = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId));
    const identity = await hub.enrol("RESTORE");
    await using first = await stageRestore(hub, { storageBase: worker.storageBase, identity });
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) {
        ... on StartRestorePayload { downloadUrl restore { job { id } } }
      } }`,
      { id: backup.snapshot.id },
    );
    assert.equal((await jobEnd(acme.ask, data.startRestore.restore.job.id)).status, "COMPLETED");
    await first.end("SIGKILL");
    const env = { WORKER_TEMP_BASE: first.tempBase };
    await using again = await stageRestore(hub, { storageBase: worker.storageBase, identity, env });
    const response = await fetch(data.startRestore.downloadUrl);
    assert.equal(response.status, 200, again.lines.join("\n"));
    assert.equal(
      Buffer.from(await response.arrayBuffer())
        .subarray(0, 2)
        .toString(),
      "PK",
    );
  });
});

/** Resolves once bytes are being pulled. */
async function pulling({ hub }: { hub: StagedHub }, jobId: string): Promise<void> {
  for (;;) {
    const events = await hub.running.hub.db.jobEvent.findMany({ where: { jobId, kind: "phase" } });
    if (events.some(({ facts }) => (facts as { phase?: string }).phase === "PULLING")) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise((resolve) => setTimeout(resolve, 150));
}
