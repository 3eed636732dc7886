// The ways of a job through the fault points, and what has to hold when a process dies, stops or breaks at one of them.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import type { FaultPoint } from "../../../artifact/fault-point.ts";
import { type FaultGround, over } from "./ground.ts";
import { type ObedientProcess, obedient } from "./orders.ts";

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
/** Of a hub: every transaction passes the first two. */
export const hubPoints = [
  "hub.before-commit",
  "hub.committed",
  "relay.bells-locked",
  "relay.bells-rung",
] as const satisfies readonly FaultPoint[];
export type HubPoint = (typeof hubPoints)[number];

export interface Strike {
  readonly errand: Errand;
  readonly at: FaultPoint;
  readonly action: "kill" | "stop" | "abort";
  readonly form?: "ZIP" | "TAR" | "SEALED";
}

/**
 * Processes of one kind that come one after another: each is struck in the middle of one job, and what it leaves is done by itself
 * when it goes on, or by the one that comes after it. Disposing ends the last one.
 */
export class Succession implements AsyncDisposable {
  readonly #ground: FaultGround;
  readonly #kind: "worker" | "restore";
  #current: ObedientProcess | null = null;

  constructor(ground: FaultGround, kind: "worker" | "restore") {
    this.#ground = ground;
    this.#kind = kind;
  }

  /** One job, struck once. Fails unless it ends well, was done once, and left nothing behind. */
  async strike({ errand, at, action, form }: Strike): Promise<void> {
    const ground = this.#ground;
    const before = await ground.goodSnapshots();
    this.#current ??= await this.#start();
    const struck = this.#current;
    await struck.order(at, action);
    const jobId = await begin(ground, errand, before, form);
    if (action === "stop") {
      await struck.stopped();
      if (await isUnderWay(ground, jobId)) await ground.loseLease(jobId);
      struck.goOn();
    } else {
      await over(struck.process);
      assert.ok(struck.process.child.signalCode, "it was to die, not to end");
      if (await isUnderWay(ground, jobId)) await ground.loseLease(jobId);
      await this.#replace();
    }
    await ground.completed(jobId);
    await idle(ground);
    const grown = (await ground.goodSnapshots()).length - before.length;
    assert.equal(grown, { backup: 1, restore: 0, deletion: -1 }[errand], `${grown} snapshots more`);
    // An attempt that lost its lease leaves its artifact to the next start.
    if (action === "stop" && errand === "backup") await this.#replace();
    await ground.clean(`after ${action} at ${at} of a ${errand}`);
  }

  async #replace(): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
    this.#current = await this.#start();
  }

  #start(): Promise<ObedientProcess> {
    return obedient((options) => this.#ground.start(this.#kind, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.[Symbol.asyncDispose]();
  }
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
