// One restore for each point at which its service is killed, and what is promised of it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import { stageRestore } from "../../stage/data-plane.ts";
import { jobEnd } from "../../stage/tenant.ts";
import { seededBytes, tree } from "../../stage/tree.ts";
import { described, filesBelow, type KeptSite, stageKeptSite } from "./kept-site.ts";

/** To be called inside a `describe`: its own site, and a test for each point. */
export function describeKilledRestores(points: readonly FaultPoint[]): void {
  const stack = new AsyncDisposableStack();
  let site: KeptSite;
  let snapshotId: string;
  before(async () => {
    const content = tree({ "index.html": "hello", "big.bin": seededBytes(300_000, "restoring") });
    site = stack.use(await stageKeptSite(content));
    snapshotId = await site.backUp();
  });
  after(() => stack.disposeAsync());

  for (const at of points)
    it(`at ${at} goes on when it is back, and leaves nothing opened behind`, async () => {
      const { hub, worker, acme } = site;
      const identity = await hub.enrol("RESTORE");
      const { storageBase } = worker;
      await using killed = await stageRestore(hub, { storageBase, identity, fault: { at, action: "kill" } });
      const { url, jobId } = await site.restore(snapshotId, "TAR");
      const deadline = performance.now() + 30_000;
      while (killed.child.signalCode === null && performance.now() < deadline) await pause(20);
      assert.equal(killed.child.signalCode, "SIGKILL", killed.lines.slice(-3).join("\n"));
      // The end of its lease, which nobody waits for in a test.
      const lost = { leaseExpiresAt: new Date(0) };
      await hub.db.job.updateMany({ where: { id: jobId, status: { in: ["RUNNING", "FINALIZING"] } }, data: lost });

      const env = { WORKER_TEMP_BASE: killed.tempBase };
      await using again = await stageRestore(hub, { storageBase, identity, env });
      const job = await jobEnd(acme.ask, jobId);
      assert.equal(job.status, "COMPLETED", job.errorMessage);
      assert.ok(job.attempt <= 2);
      let response = await fetch(url);
      // The hub says that it is ready a moment before the service that is back has heard so.
      for (; response.status === 503 && performance.now() < deadline; response = await fetch(url)) await pause(200);
      assert.equal(response.status, 200, again.lines.slice(-3).join("\n"));
      const body = Buffer.from(await response.arrayBuffer());
      assert.equal(body.length, Number(job.restore.sizeBytes));
      assert.ok(body.includes(seededBytes(300_000, "restoring")));

      const fetched = async () => (await hub.db.restore.findUniqueOrThrow({ where: { jobId } })).timesFetched;
      while ((await fetched()) === 0 && performance.now() < deadline) await pause(50);
      assert.equal(await fetched(), 1);
      assert.equal((await fetch(url)).status, 410);
      // Its end is durable before its file is wiped.
      const opened = () => filesBelow(join(killed.tempBase, "restores"), described);
      while ((await opened()).length > 0 && performance.now() < deadline) await pause(50);
      assert.deepEqual(await opened(), []);
    });
}
