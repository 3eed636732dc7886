// F42: the hub's database is set back to an earlier hour while the workers' disks are not.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { type StagedProcess, stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { tree, writeTree } from "../stage/tree.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";

describe("a hub whose database was set back", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let sshd: StagedOpenSsh;
  let earth: StagedEarth;
  let hub: HubProcess;
  let worker: StagedProcess;
  let acme: StagedTenant;
  let sourceId: string;

  before(async () => {
    sshd = stack.use(await stageOpenSsh());
    await writeTree(sshd.data, tree({ "index.html": "hello" }), { owner: sshd.owner });
    earth = stack.use(await stageEarth());
    hub = stack.use(await stageHubProcess(earth));
    worker = stack.use(await stageWorker(hub));
    acme = await stageTenant(hub);
    const credentialId = await acme.createCredential({ password: sshd.password });
    const { host, port, username, data: path } = sshd;
    sourceId = await acme.createSftpSource({ host, port, username, path }, credentialId);
    await jobEnd(acme.ask, await startJob(acme.ask, "testSource", sourceId));
  });
  after(() => stack.disposeAsync());

  const name = () => new URL(earth.databaseUrl).pathname.slice(1);

  /** Runs this between two lives of the hub, with nobody else on its database. */
  async function aside(work: (sql: (text: string) => Promise<unknown>) => Promise<void>): Promise<void> {
    await hub.end("SIGTERM");
    const client = new pg.Client({ connectionString: earth.databaseUrl.replace(/[^/]*$/, "postgres") });
    await client.connect();
    try {
      const alone = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name()}'`;
      await client.query(alone);
      await work((text) => client.query(text));
    } finally {
      await client.end();
    }
    await hub.start();
  }

  const backUp = async () => {
    const job = await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId));
    assert.equal(job.status, "COMPLETED", job.errorMessage);
    return { jobId: job.id as string, ...(job.snapshot as { id: string; localPath: string }) };
  };

  it("knows every artifact again that came after the dump, and marks as missing what was deleted since", async () => {
    const before = [await backUp(), await backUp()];
    const [kept, gone] = before;
    assert.ok(kept && gone);
    const dump = `${name()}_dump`;
    await aside(async (sql) => void (await sql(`CREATE DATABASE ${dump} TEMPLATE ${name()}`)));
    const later = [await backUp(), await backUp(), await backUp()];
    await rm(join(worker.storageBase, gone.localPath), { recursive: true });
    const facts = await earth.db.snapshot.findMany({ where: { id: { in: later.map(({ id }) => id) } } });
    await aside(async (sql) => {
      await sql(`DROP DATABASE ${name()} WITH (FORCE)`);
      await sql(`CREATE DATABASE ${name()} TEMPLATE ${dump}`);
      await sql(`DROP DATABASE ${dump}`);
    });
    assert.equal(await earth.db.snapshot.count(), 2, "it has forgotten");

    const { data } = await acme.ask(
      `mutation ($id: ID!) { startInventory(input: { workerId: $id }) { ... on StartInventoryPayload { worker { inventoriedAt } } } }`,
      { id: worker.workerId },
    );
    const { inventoriedAt } = data.startInventory.worker;
    const inventory = await inventoryAfter(inventoriedAt);
    assert.deepEqual(inventory, { present: 4, adopted: 3, removed: 0, missing: 1, returned: 0, left: [] });

    for (const was of facts) {
      const is = await earth.db.snapshot.findUniqueOrThrow({ where: { id: was.id } });
      const { createdAt, changedIn: _, ...same } = is;
      const { createdAt: wasCreatedAt, changedIn: __, ...expected } = was;
      assert.deepEqual(same, expected);
      // By the id that the hub gave out, for the moment of its end is forgotten.
      assert.ok(createdAt <= wasCreatedAt && wasCreatedAt.getTime() - createdAt.getTime() < 60_000);
      const job = await earth.db.job.findUniqueOrThrow({ where: { id: was.jobId } });
      assert.deepEqual([job.status, job.type, job.sourceId], ["COMPLETED", "BACKUP", sourceId]);
    }
    // Of a source that lost one, a new one is made before anybody asks.
    const newer = { type: "BACKUP" as const, id: { gt: later.at(-1)?.jobId ?? "" } };
    const urgent = await jobEnd(acme.ask, (await earth.db.job.findFirstOrThrow({ where: newer })).id);
    assert.equal(urgent.status, "COMPLETED", urgent.errorMessage);
    const statuses = await earth.db.snapshot.findMany({ select: { id: true, status: true }, orderBy: { id: "asc" } });
    assert.deepEqual(
      statuses.map(({ id, status }) => [id, status]),
      [[kept.id, "COMPLETED"], [gone.id, "MISSING"], ...[...later, urgent.snapshot].map(({ id }) => [id, "COMPLETED"])],
    );
    assert.equal((await backUp()).id > urgent.snapshot.id, true, "and goes on");
  });

  async function inventoryAfter(last: string | null) {
    for (const deadline = performance.now() + 60_000; ; ) {
      const { data } = await acme.ask(
        `query ($id: ID!) { worker(id: $id) { inventoriedAt inventory {
          present adopted removed missing returned left { snapshotId reason }
        } } }`,
        { id: worker.workerId },
      );
      const { inventoriedAt, inventory } = data.worker;
      if (inventoriedAt !== null && inventoriedAt !== last) return inventory;
      assert.ok(performance.now() < deadline, `no inventory was taken:\n${worker.lines.slice(-10).join("\n")}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
});
