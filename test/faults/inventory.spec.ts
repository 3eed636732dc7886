// F2 and F42: what lies in a store and what the database says of it come together again, whoever died and whatever was set back.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { newId } from "../../domain/ids.ts";
import { type StagedSite, stageSite } from "../stage/backed-up-site.ts";
import { type StagedProcess, type StagedProcessOptions, stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, startJob } from "../stage/tenant.ts";
import { tree } from "../stage/tree.ts";

/** Lists the committed snapshots in a store, by their directories. */
async function stored(storageBase: string): Promise<string[]> {
  const paths = await readdir(storageBase, { recursive: true });
  return paths.filter((path) => /snapshots\/snp_[0-9a-f]{32}$/.test(path)).sort();
}

describe("a worker and its store", { skip: missingOpenSsh ?? false }, () => {
  let site: StagedSite;
  let worker: StagedProcess;
  const stack = new AsyncDisposableStack();

  before(async () => {
    site = stack.use(
      await stageSite(tree({ "index.html": "hello" }), { hubTerms: { leaseSeconds: 6, heartbeatSeconds: 1 } }),
    );
    worker = site.worker;
    await deleteAtOnce(site.hub);
  });
  after(async () => {
    await worker?.end("SIGTERM");
    await stack.disposeAsync();
  });

  const backUp = async () => {
    const job = await jobEnd(site.acme.ask, await startJob(site.acme.ask, "startBackup", site.sourceId));
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    return job.snapshot as { id: string; localPath: string };
  };
  const rowOf = (id: string) => site.hub.db.snapshot.findUnique({ where: { id } });
  const path = (directory: string) => join(site.worker.storageBase, directory);

  /** The same worker as another process. */
  async function restart(options: StagedProcessOptions = {}): Promise<void> {
    const { storageBase, identity } = site.worker;
    await worker.end("SIGKILL");
    worker = stack.use(await stageWorker(site.hub, { storageBase, identity, ...options }));
  }

  /** Asks for an inventory, as an operator does, and waits for what it comes to. */
  async function takeInventory(): Promise<Record<string, unknown>> {
    const { data } = await site.acme.ask(
      `mutation ($id: ID!) { startInventory(input: { workerId: $id }) { ... on StartInventoryPayload { worker { id } } } }`,
      { id: worker.workerId },
    );
    assert.equal(data.startInventory.worker.id, worker.workerId);
    const asked = await site.hub.db.worker.findUniqueOrThrow({ where: { id: worker.workerId } });
    return inventorySince(asked.inventoryRequestedAt ?? new Date());
  }

  async function inventorySince(since: Date): Promise<Record<string, unknown>> {
    for (const deadline = performance.now() + 30_000; ; ) {
      const { data } = await site.acme.ask(
        `query ($id: ID!) { worker(id: $id) { inventoriedAt inventory {
          present adopted removed missing returned left { snapshotId reason }
        } } }`,
        { id: worker.workerId },
      );
      const { inventoriedAt, inventory } = data.worker;
      if (inventoriedAt && new Date(inventoriedAt) > since) return inventory;
      assert.ok(performance.now() < deadline, `no inventory was taken:\n${worker.lines.slice(-10).join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Whoever looks: every row that can be restored has its files, and all that is there has a row. */
  async function assertInStep(): Promise<void> {
    const rows = await site.hub.db.snapshot.findMany({ where: { status: "COMPLETED" }, select: { localPath: true } });
    assert.deepEqual(await stored(site.worker.storageBase), rows.map(({ localPath }) => localPath).sort());
  }

  it("takes a snapshot up whose worker was killed between its rename and its report, instead of making it again", async () => {
    const onceFile = join(site.worker.tempBase, "../renamed.once");
    await restart({ fault: { at: "backup.renamed", action: "kill", onceFile } });
    const jobId = await startJob(site.acme.ask, "startBackup", site.sourceId);
    const killed = worker;
    await new Promise((resolve) => killed.child.once("exit", resolve));
    const before = await stored(site.worker.storageBase);
    await restart();
    const job = await jobEnd(site.acme.ask, jobId, 30_000);
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    assert.equal(job.attempt, 1, "it was made once");
    assert.ok(before.includes(job.snapshot.localPath));
    await assertInStep();
    const audited = await site.hub.db.auditEvent.findMany({ where: { objectId: job.snapshot.id } });
    assert.deepEqual(
      audited.map(({ verb }) => verb),
      ["adoptSnapshot"],
    );
    const row = await rowOf(job.snapshot.id);
    const manifest = await readFile(path(`${job.snapshot.localPath}/manifest.json`));
    assert.equal(row?.manifestSha256, createHash("sha256").update(manifest).digest("hex"));
  });

  it("takes a snapshot up after its job was given back to the queue", async () => {
    const onceFile = join(site.worker.tempBase, "../requeued.once");
    await restart({ fault: { at: "backup.committed", action: "kill", onceFile } });
    const jobId = await startJob(site.acme.ask, "startBackup", site.sourceId);
    const killed = worker;
    await new Promise((resolve) => killed.child.once("exit", resolve));
    for (let status = "RUNNING"; status !== "QUEUED"; ) {
      ({ status } = await site.hub.db.job.findUniqueOrThrow({ where: { id: jobId } }));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await restart();
    assert.equal((await jobEnd(site.acme.ask, jobId, 30_000)).attempt, 1);
    await assertInStep();
  });

  it("removes what is left of a job that did not succeed, and of a snapshot that was deleted", async () => {
    const kept = await backUp();
    const gone = await backUp();
    await rename(path(gone.localPath), `${path(gone.localPath)}-away`);
    await jobEnd(site.acme.ask, await startJob(site.acme.ask, "deleteSnapshot", gone.id));
    await rename(`${path(gone.localPath)}-away`, path(gone.localPath));
    const nobodys = join(kept.localPath, "..", newId("snapshot", new Date()));
    await mkdir(path(nobodys));
    await writeFile(path(join(nobodys, "meta.json")), "{}");
    const inventory = await takeInventory();
    assert.deepEqual([inventory.removed, inventory.left], [2, []]);
    await assertInStep();
  });

  it("keeps everything where so much would be removed that the database must be an old one", async () => {
    const { localPath } = await backUp();
    const many = Array.from({ length: 17 }, () => join(localPath, "..", newId("snapshot", new Date())));
    for (const directory of many) {
      await mkdir(path(directory));
      await writeFile(path(join(directory, "meta.json")), "{}");
    }
    const { removed, left } = await takeInventory();
    assert.equal(removed, 0);
    assert.equal((left as unknown[]).length, 17);
    for (const directory of many) await rm(path(directory), { recursive: true });
  });

  it("marks as missing what is gone, offers it for no restore, and makes it good again when it is back and whole", async () => {
    const { id, localPath } = await backUp();
    await rename(path(localPath), `${path(localPath)}.away`);
    assert.equal((await takeInventory()).missing, 1);
    assert.equal((await rowOf(id))?.status, "MISSING");
    const { data } = await site.acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) { __typename } }`,
      { id },
    );
    assert.equal(data.startRestore.__typename, "SnapshotNotRestorableError");
    assert.equal((await takeInventory()).missing, 0, "told once");
    await rename(`${path(localPath)}.away`, path(localPath));
    const artifact = path(`${localPath}/backup.tar.zst.enc`);
    const whole = await readFile(artifact);
    await writeFile(artifact, Buffer.concat([whole.subarray(0, -1), Buffer.of((whole.at(-1) ?? 0) ^ 1)]));
    const damaged = await takeInventory();
    assert.equal(damaged.returned, 0);
    assert.match(JSON.stringify(damaged.left), /cannot be verified \(ARTIFACT_CORRUPT\)/);
    assert.equal((await rowOf(id))?.status, "MISSING");
    await writeFile(artifact, whole);
    assert.equal((await takeInventory()).returned, 1);
    assert.equal((await rowOf(id))?.status, "COMPLETED");
    const verbs = await site.hub.db.auditEvent.findMany({ where: { objectId: id }, orderBy: { id: "asc" } });
    assert.deepEqual(
      verbs.map(({ verb }) => verb),
      ["reportMissing", "reportReturned"],
    );
  });

  it("leaves alone, and tells of, what belongs to a source that nobody knows", async () => {
    const { localPath } = await backUp();
    const strangers = localPath.replace(/src_[0-9a-f]{32}/, newId("source", new Date()));
    await mkdir(join(path(strangers), ".."), { recursive: true });
    await mkdir(path(strangers));
    await writeFile(path(join(strangers, "meta.json")), "{}");
    // The same id twice would be one: this one is new.
    const renamed = strangers.replace(/snp_[0-9a-f]{32}/, newId("snapshot", new Date()));
    await rename(path(strangers), path(renamed));
    const { left } = await takeInventory();
    assert.deepEqual(
      (left as { reason: string }[]).map(({ reason }) => reason),
      ["its source is not known"],
    );
    await rm(path(renamed), { recursive: true });
  });

  it("concludes nothing from a directory whose disk is not mounted, and begins no backup there", async () => {
    const { id } = await backUp();
    const { storageBase } = site.worker;
    const before = await site.hub.db.worker.findUniqueOrThrow({ where: { id: worker.workerId } });
    await rename(storageBase, `${storageBase}.disk`);
    await mkdir(storageBase);
    try {
      await site.acme.ask(`mutation ($id: ID!) { startInventory(input: { workerId: $id }) { __typename } }`, {
        id: worker.workerId,
      });
      const refusal = /is not the store of this worker at the moment: is its disk mounted/;
      for (const deadline = performance.now() + 20_000; !worker.lines.some((line) => refusal.test(line)); ) {
        assert.ok(performance.now() < deadline, "it did not say so");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.equal((await rowOf(id))?.status, "COMPLETED");
      assert.equal(await site.hub.db.snapshot.count({ where: { status: "MISSING" } }), 0);
      const after = await site.hub.db.worker.findUniqueOrThrow({ where: { id: worker.workerId } });
      assert.deepEqual(after.inventoriedAt, before.inventoriedAt);
      await restart();
      const refused = worker;
      if (refused.child.exitCode === null) await new Promise((resolve) => refused.child.once("exit", resolve));
      assert.equal(refused.child.exitCode, 1);
      assert.match(
        refused.lines.join("\n"),
        /is empty, and \d+ snapshots of this worker ought to be in it: mount its disk/,
      );
    } finally {
      await rm(storageBase, { recursive: true });
      await rename(`${storageBase}.disk`, storageBase);
    }
    await restart();
    await assertInStep();
  });

  it("marks everything as missing where the operator says that the disk is lost, and nothing is offered any more", async () => {
    const { id } = await backUp();
    const since = new Date();
    const empty = await mkdtemp("/var/tmp/xvault-empty-store-");
    try {
      await restart({ storageBase: empty, env: { WORKER_ACCEPT_EMPTY_STORE: "true" } });
      const { missing, present } = await inventorySince(since);
      assert.equal(present, 0);
      assert.equal(missing, (await stored(site.worker.storageBase)).length);
      assert.equal((await rowOf(id))?.status, "MISSING");
      const { data } = await site.acme.ask(`query ($id: ID!) { source(id: $id) { lastSnapshot { id } } }`, {
        id: site.sourceId,
      });
      assert.equal(data.source.lastSnapshot, null);
      const again = new Date();
      await restart();
      const back = await inventorySince(again);
      assert.equal(back.returned, missing, "the disk was found after all");
      await assertInStep();
    } finally {
      await rm(empty, { recursive: true, force: true });
    }
  });
});
