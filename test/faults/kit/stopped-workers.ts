// A worker that stands still until its lease is lost while another one does its job, and what it may still do once it goes on: nothing.
import assert from "node:assert/strict";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import { stageWorker } from "../../stage/data-plane.ts";
import { jobEnd, startJob } from "../../stage/tenant.ts";
import { obedient } from "./orders.ts";
import { lookInto, processesOf, stageSshSite, until } from "./ssh-site.ts";

/** The lease of these tests, in seconds. */
const leaseSeconds = 4;

export async function loseLeaseAt(point: FaultPoint): Promise<void> {
  await using site = await stageSshSite({ leaseSeconds });
  const { hub, acme, sshd } = site;
  const sourceId = await site.addSource();
  await using slow = await obedient((options) => stageWorker(hub, options));
  await slow.stopAt(point);
  const jobId = await startJob(acme.ask, "startBackup", sourceId);
  await slow.stopped();
  await using other = await stageWorker(hub);
  const job = await jobEnd(acme.ask, jobId);
  assert.deepEqual([job.status, job.attempt], ["COMPLETED", 2], job.errorMessage);
  slow.goOn();
  const said = (text: string) => slow.process.lines.some((line) => line.includes(text));
  await until("it gave the job up", () => said("job given up") || said("LEASE_LOST"));
  await until("the server has nothing left to do", () => processesOf(sshd).length === 0);
  await until("nothing of its attempt is left", async () => {
    const { snapshots, leftovers } = await lookInto(slow.process.storageBase);
    return snapshots.length + leftovers.length === 0;
  });
  assert.deepEqual((await lookInto(other.storageBase)).snapshots, [job.snapshot.id]);
  assert.equal(await hub.db.snapshot.count({ where: { jobId } }), 1);
  const { status, workerId, workersLost } = await hub.db.job.findUniqueOrThrow({ where: { id: jobId } });
  assert.deepEqual([status, workerId, workersLost], ["COMPLETED", other.workerId, 1]);
  const ends = await hub.db.jobEvent.count({ where: { jobId, facts: { path: ["status"], equals: "COMPLETED" } } });
  assert.equal(ends, 1);
}
