// One backup that is canceled while its worker stands at a point, and what has to be true of it afterwards.
import assert from "node:assert/strict";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import { tempLeft } from "../../stage/temp-left.ts";
import { startJob } from "../../stage/tenant.ts";
import { meet, promisedMs } from "./canceled-jobs.ts";
import type { ObedientProcess } from "./orders.ts";
import { lookInto, processesOf, type SshSite, until } from "./ssh-site.ts";

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
    aheadMs,
  }: { worker: ObedientProcess; sourceId: string; point: FaultPoint; aheadMs?: number },
): Promise<CanceledBackup> {
  const { sshd, hub, acme } = site;
  const meeting = { process: worker, point, ...(aheadMs !== undefined && { aheadMs }) };
  const { jobId, job, since } = await meet(site, meeting, () => startJob(acme.ask, "startBackup", sourceId));
  await until("the server has nothing left to do", () => processesOf(sshd).length === 0, promisedMs);
  const rows = await hub.db.snapshot.findMany({ where: { status: "COMPLETED" }, select: { jobId: true } });
  const { storageBase, tempBase } = worker.process;
  await until("nothing is left of the attempt", async () => {
    const { snapshots, leftovers } = await lookInto(storageBase);
    return leftovers.length === 0 && snapshots.length === rows.length && (await tempLeft(tempBase)).length === 0;
  });
  const tookMs = performance.now() - since;
  assert.equal(rows.filter((row) => row.jobId === jobId).length, job.status === "COMPLETED" ? 1 : 0);
  assert.ok(tookMs <= promisedMs, `${point}: it took ${tookMs} ms`);
  return { status: job.status, tookMs };
}
