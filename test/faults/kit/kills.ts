// The ways of a job through the fault points, and what has to hold when a process dies, stops or breaks at one of them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import type { StagedProcess } from "../../stage/data-plane.ts";
import type { Fault } from "./fault.ts";
import { type FaultGround, over } from "./ground.ts";

export type Errand = "backup" | "restore" | "deletion";

/** In the order in which they are passed. */
export const pointsOf = {
  backup: [
    "job.claimed",
    "backup.secrets-opened",
    "backup.connected",
    "backup.draft-begun",
    "backup.first-entry",
    "backup.artifact-stored",
    "backup.pulled",
    "backup.catalogue-stored",
    "backup.read-back",
    "backup.documents-stored",
    "backup.staging-synced",
    "backup.renamed",
    "backup.committed",
    "backup.completed",
    "job.performed",
  ],
  deletion: [
    "job.claimed",
    "deletion.begun",
    "deletion.out-of-sight",
    "deletion.removed",
    "deletion.completed",
    "job.performed",
  ],
  restore: [
    "job.claimed",
    "restore.draft-begun",
    "restore.keys-opened",
    "restore.written",
    "restore.renamed",
    "restore.published",
    "restore.completed",
    "restore.confirmed",
    "job.performed",
  ],
} as const satisfies Record<Errand, readonly FaultPoint[]>;

export const startPoints = ["store.swept", "store.reconciled"] as const satisfies readonly FaultPoint[];
export const hubPoints = [
  "hub.before-commit",
  "hub.committed",
  "relay.bells-locked",
  "relay.bells-rung",
] as const satisfies readonly FaultPoint[];

export interface Strike {
  readonly errand: Errand;
  readonly at: FaultPoint;
  readonly action: "kill" | "stop" | "abort";
  readonly form?: "ZIP" | "TAR" | "SEALED";
}

/**
 * One job, struck once, and carried to its end by the process that comes after it. Fails unless it ends well, was done once, and left
 * nothing behind.
 */
export async function strike(ground: FaultGround, { errand, at, action, form }: Strike): Promise<void> {
  const kind = errand === "restore" ? "restore" : "worker";
  const before = await ground.goodSnapshots();
  const fault: Fault = { at, action, onceFile: `${ground.directory}/once-${performance.now()}` };
  const struck = await ground.start(kind, { fault });
  let next: StagedProcess = struck;
  try {
    const jobId = await begin(ground, errand, before, form);
    if (action === "stop") {
      await stopped(struck);
      if (await isUnderWay(ground, jobId)) await ground.loseLease(jobId);
      struck.child.kill("SIGCONT");
    } else {
      await over(struck);
      assert.ok(struck.child.signalCode, "it was to die, not to end");
      if (await isUnderWay(ground, jobId)) await ground.loseLease(jobId);
      next = await ground.start(kind);
    }
    await ground.completed(jobId);
    await idle(ground);
    const grown = (await ground.goodSnapshots()).length - before.length;
    assert.equal(grown, { backup: 1, restore: 0, deletion: -1 }[errand], `${grown} snapshots more`);
  } finally {
    // What it has begun is finished, or given back: nothing is under way any more.
    await next[Symbol.asyncDispose]();
    await struck[Symbol.asyncDispose]();
  }
  // An attempt that lost its lease leaves its artifact to the next start.
  if (kind === "worker" && action === "stop") await (await ground.start("worker"))[Symbol.asyncDispose]();
  await ground.clean(`after ${action} at ${at} of a ${errand}`);
}

async function begin(
  ground: FaultGround,
  errand: Errand,
  good: readonly string[],
  form: Strike["form"],
): Promise<string> {
  const [oldest] = good;
  if (errand === "backup") return ground.backUp();
  assert.ok(oldest, "there is a snapshot");
  return errand === "restore" ? ground.restore(oldest, form) : ground.remove(oldest);
}

export async function isUnderWay(ground: FaultGround, jobId: string): Promise<boolean> {
  return ["RUNNING", "FINALIZING"].includes((await ground.job(jobId)).status);
}

/** Waits until nothing is claimed or to be claimed. */
export async function idle({ hub }: FaultGround): Promise<void> {
  const where = { status: { in: ["QUEUED", "RUNNING", "FINALIZING"] as ("QUEUED" | "RUNNING" | "FINALIZING")[] } };
  for (const deadline = performance.now() + 60_000; (await hub.db.job.count({ where })) > 0; await pause(50))
    if (performance.now() > deadline) throw new Error("jobs are still under way");
}

/** Until the system says that the process is stopped. */
async function stopped({ child }: StagedProcess): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await pause(20)) {
    const stat = await readFile(`/proc/${child.pid}/stat`, "utf8");
    if (stat.slice(stat.lastIndexOf(")") + 2).startsWith("T")) return;
  }
  throw new Error("it did not stop");
}
