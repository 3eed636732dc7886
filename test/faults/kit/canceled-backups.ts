// One backup that is canceled while its worker stands at a point, and what has to be true of it afterwards.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import { tempLeft } from "../../stage/temp-left.ts";
import { jobEnd, startJob } from "../../stage/tenant.ts";
import type { ObedientProcess } from "./orders.ts";
import { cancelJob, lookInto, processesOf, type SshSite, until } from "./ssh-site.ts";

/** What a cancellation may take, to the last process on the server. */
export const promisedMs = 10_000;

export interface CanceledBackup {
  readonly status: string;
  /** From the request, or from when the worker could hear of it, to when nothing was left. */
  readonly tookMs: number;
}

/** `aheadMs`: how much earlier the request is made than the worker goes on; less than 0 for later. */
export async function cancelAt(
  site: SshSite,
  {
    worker,
    sourceId,
    point,
    aheadMs = 50,
  }: { worker: ObedientProcess; sourceId: string; point: FaultPoint; aheadMs?: number },
): Promise<CanceledBackup> {
  const { sshd, hub, acme } = site;
  await worker.stopAt(point);
  const jobId = await startJob(acme.ask, "startBackup", sourceId);
  await worker.stopped();
  const goOn = async () => {
    await pause(Math.max(0, aheadMs));
    worker.goOn();
  };
  const cancel = async () => {
    await pause(Math.max(0, -aheadMs));
    return cancelJob(site, jobId);
  };
  const [answer] = await Promise.all([cancel(), goOn()]);
  const since = performance.now();
  const job = await jobEnd(acme.ask, jobId, promisedMs);
  await until("the server has nothing left to do", () => processesOf(sshd).length === 0, promisedMs);
  const rows = await hub.db.snapshot.findMany({ where: { status: "COMPLETED" }, select: { jobId: true } });
  const { storageBase, tempBase } = worker.process;
  await until("nothing is left of the attempt", async () => {
    const { snapshots, leftovers } = await lookInto(storageBase);
    return leftovers.length === 0 && snapshots.length === rows.length && (await tempLeft(tempBase)).length === 0;
  });
  const tookMs = performance.now() - since;
  assert.ok(["RUNNING", "FINALIZING", "JOB_ENDED"].includes(answer), answer);
  assert.ok(["CANCELED", "COMPLETED"].includes(job.status), `${job.status}: ${job.errorMessage}`);
  if (answer === "JOB_ENDED") assert.equal(job.status, "COMPLETED");
  assert.equal(rows.filter((row) => row.jobId === jobId).length, job.status === "COMPLETED" ? 1 : 0);
  const ends = (await hub.db.jobEvent.findMany({ where: { jobId, kind: "state" } })).filter(({ facts }) =>
    ["COMPLETED", "CANCELED", "FAILED"].includes((facts as { status: string }).status),
  );
  assert.equal(ends.length, 1, "it ended more than once");
  assert.ok(tookMs <= promisedMs, `${point}: it took ${tookMs} ms`);
  return { status: job.status, tookMs };
}
