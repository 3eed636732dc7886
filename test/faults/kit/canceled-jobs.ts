// One job that is canceled while its process stands at a point: how the two meet, and what has to be true of a restore or a deletion afterwards.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import { jobEnd, startJob } from "../../stage/tenant.ts";
import { described, filesBelow } from "./kept-site.ts";
import type { ObedientProcess } from "./orders.ts";
import { cancelJob, lookInto, type SshSite, until } from "./ssh-site.ts";

/** What a cancellation may take, to the last process on the server, in milliseconds. */
export const promisedMs = 10_000;

export interface Meeting {
  readonly process: ObedientProcess;
  readonly point: FaultPoint;
  /** How much earlier the request is made than the process goes on; less than 0 for later. */
  readonly aheadMs?: number;
}

export interface Met {
  readonly jobId: string;
  /** Of the hub: the state that the job was in, or the code of its refusal. */
  readonly answer: string;
  readonly job: Awaited<ReturnType<typeof jobEnd>>;
  /** From the request, or from when the process could hear of it, by `performance.now()`. */
  readonly since: number;
}

/** Begins a job, has its process stand still at the point, cancels it about when the process goes on, and waits for its one end. */
export async function meet(
  site: SshSite,
  { process, point, aheadMs = 50 }: Meeting,
  begin: () => Promise<string>,
): Promise<Met> {
  await process.stopAt(point);
  const jobId = await begin();
  await process.stopped();
  const goOn = async () => {
    await pause(Math.max(0, aheadMs));
    process.goOn();
  };
  const cancel = async () => {
    await pause(Math.max(0, -aheadMs));
    return cancelJob(site, jobId);
  };
  const [answer] = await Promise.all([cancel(), goOn()]);
  const since = performance.now();
  const job = await jobEnd(site.acme.ask, jobId, promisedMs);
  assert.ok(["CANCELED", "COMPLETED"].includes(job.status), `${job.status}: ${job.errorMessage}`);
  if (["JOB_ENDED", "SNAPSHOT_DELETED"].includes(answer)) assert.equal(job.status, "COMPLETED", answer);
  // The process may have stood at this point of the job before it: this one was still queued.
  else if (answer === "CANCELED") assert.equal(job.status, "CANCELED", answer);
  else assert.ok(["RUNNING", "FINALIZING"].includes(answer), answer);
  const ends = (await site.hub.db.jobEvent.findMany({ where: { jobId, kind: "state" } })).filter(({ facts }) =>
    ["COMPLETED", "CANCELED", "FAILED"].includes((facts as { status: string }).status),
  );
  assert.equal(ends.length, 1, "it ended more than once");
  return { jobId, answer, job, since };
}

/** A download is there whole and once, or its link leads nowhere; either way nothing opened is left in the end. Answers the job's end. */
export async function cancelRestoreAt(site: SshSite, meeting: Meeting, snapshotId: string): Promise<string> {
  let url = "";
  const { job, since } = await meet(site, meeting, async () => {
    const { data } = await site.acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: TAR }) {
        ... on StartRestorePayload { downloadUrl restore { job { id } } } ... on Failure { message }
      } }`,
      { id: snapshotId },
    );
    assert.ok(data.startRestore.restore, data.startRestore.message);
    url = data.startRestore.downloadUrl;
    return data.startRestore.restore.job.id;
  });
  const isDone = job.status === "COMPLETED";
  await until(
    "the link leads where it should",
    async () => {
      const response = await fetch(url);
      const { length } = new Uint8Array(await response.arrayBuffer());
      return response.status === (isDone ? 200 : 404) && (!isDone || length === Number(job.restore.sizeBytes));
    },
    promisedMs,
  );
  const { tempBase } = meeting.process.process;
  const opened = () => filesBelow(join(tempBase, "restores"), described);
  await until("nothing opened is left", async () => (await opened()).length === 0, promisedMs);
  assert.ok(performance.now() - since <= promisedMs, `${meeting.point}: it took longer than was promised`);
  return job.status;
}

/** The snapshot is gone with its files, or as good as it was. Answers the job's end. */
export async function cancelDeletionAt(site: SshSite, meeting: Meeting, snapshotId: string): Promise<string> {
  const { job } = await meet(site, meeting, () => startJob(site.acme.ask, "deleteSnapshot", snapshotId));
  const { status, deletionDueAt } = await site.hub.db.snapshot.findUniqueOrThrow({ where: { id: snapshotId } });
  const { snapshots } = await lookInto(meeting.process.process.storageBase);
  assert.equal(snapshots.includes(snapshotId), job.status === "CANCELED");
  if (job.status === "CANCELED") assert.deepEqual([status, deletionDueAt], ["COMPLETED", null]);
  else assert.equal(status, "DELETED");
  return job.status;
}
