// A hub with a customer who has one of everything, and a neighbour; and what a run may not find there.
import { publicSchema } from "../../../schema/public/schema.ts";
import { playWorker } from "../../private/played-worker.ts";
import { inputs, stageEverything, unknown } from "../../public/everything-of.ts";
import { type Person, stagePerson } from "../../public/people.ts";
import { type StagedHub, stageHub } from "../../stage/hub.ts";
import { stageTenant } from "../../stage/tenant.ts";
import type { Ground } from "./documents.ts";

export interface FuzzedHub extends AsyncDisposable {
  readonly hub: StagedHub;
  readonly person: Person;
  readonly ground: Ground;
}

export interface Findings {
  /** What was sent that must not have been answered so, with the answer: the first of them. */
  readonly faults: string[];
  readonly sent: number;
  /** By HTTP status, or code of a closed socket. */
  readonly answers: Readonly<Record<string, number>>;
}

export async function stageFuzzedHub(): Promise<FuzzedHub> {
  await using stack = new AsyncDisposableStack();
  const hub = stack.use(await stageHub({ sweepSeconds: 3_600, passwordTries: 100_000 }));
  const tenant = await stageTenant(hub);
  const person = await stagePerson(hub, { tenantId: tenant.tenantId, role: "OWNER" });
  const worker = await playWorker(hub);
  const ours = await stageEverything(hub, { tenant, owner: person, worker });
  const neighbour = await stageTenant(hub, "Neighbour");
  const ids = [
    ...Object.values(ours),
    ...Object.values(ours).map(unknown),
    neighbour.tenantId,
    "",
    "x",
    "job_",
    `${ours.job}\n`,
  ];
  const owned = stack.move();
  return {
    hub,
    person,
    ground: { schema: publicSchema, ids, inputs: inputs(ours) },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What the hub logged as its own fault, with the references that callers were given. */
export function loggedFaults({ lines }: StagedHub): string[] {
  return lines.filter((line) => /"level":(50|60)/.test(line));
}

/** What a thousand documents or frames may leave behind, in bytes: of each kilobytes at most. */
export const mostKept = 20_000_000;

/**
 * Bytes that this process, the hub and its tormentor in one, still holds once the garbage is gone. Not what it has of the system: that
 * goes up and down by a hundred megabytes with the buffers that happen to be under way.
 */
export function keptBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Runs `work` for every number below `count`, so many at a time. */
export async function inParallel(count: number, width: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
