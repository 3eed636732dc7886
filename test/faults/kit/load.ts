// Customers who start jobs and workers who do them, one after another, through whatever happens to the hub: and what they were told.
import { setTimeout as pause } from "node:timers/promises";
import type { HubError } from "../../../clients/hub/hub-error.ts";
import { leaseOf, madeSnapshot, playWorker, testedSource } from "../../private/played-worker.ts";
import type { StagedHub } from "../../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../../stage/tenant.ts";

export type LoadedHub = Pick<StagedHub, "enrol" | "privateUrl" | "graphqlUrl" | "owner">;

export interface Load extends AsyncDisposable {
  /** Jobs that a customer was told of. */
  readonly started: ReadonlySet<string>;
  /** Jobs whose end a worker was told of. */
  readonly ended: ReadonlySet<string>;
  /** What was answered instead, each once: `<who> <code> <message>`. */
  readonly refusals: ReadonlySet<string>;
  readonly tenant: StagedTenant;
  /** Ends what is under way. May be called again, as disposing does. */
  stop(): Promise<void>;
}

/** How long a worker reports again. */
const retryForMs = 20_000;

/** `customers` start backups and tests of sources, each of their own, and `workers` do them without touching a source. */
export async function keepBusy(hub: LoadedHub, { customers = 3, workers = 2 } = {}): Promise<Load> {
  const [started, ended, refusals] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const stopping = new AbortController();
  const { signal } = stopping;
  const tenant = await stageTenant(hub, "Busy");
  const played = await Promise.all(Array.from({ length: workers }, () => playWorker(hub)));
  const sources: string[] = [];
  for (let n = 0; n < customers; n++) if (played[0]) sources.push(await testedSource(tenant, played[0]));

  async function goOn(step: () => Promise<unknown>): Promise<void> {
    while (!signal.aborted) {
      await step();
      await pause(40, undefined, { signal }).catch(() => undefined);
    }
  }

  async function start(sourceId: string, verb: "testSource" | "startBackup"): Promise<void> {
    const payload = verb === "testSource" ? "TestSourcePayload" : "StartBackupPayload";
    try {
      const { data, errors } = await tenant.ask(
        `mutation ($id: ID!) { ${verb}(input: { sourceId: $id }) { ... on ${payload} { job { id } } ... on Failure { code } } }`,
        { id: sourceId },
      );
      const answer = data?.[verb];
      if (answer?.job) started.add(answer.job.id);
      else if (answer?.code !== "BACKUP_ALREADY_RUNNING")
        refusals.add(`customer ${answer?.code ?? errors?.[0]?.extensions?.code} ${errors?.[0]?.message ?? ""}`);
    } catch {
      refusals.add("customer UNREACHABLE");
    }
  }

  async function work(worker: (typeof played)[number]): Promise<void> {
    try {
      const job = await worker.claim("BACKUP", "TEST_SOURCE");
      if (!job) return;
      const lease = leaseOf(job);
      await worker.api.enterPhase({ ...lease, phase: "PULLING" }, { retryForMs });
      const made = job.type === "BACKUP" ? { snapshot: madeSnapshot(job) } : { findings: { files: 1 } };
      await worker.api.completeJob({ ...lease, ...made }, { retryForMs });
      ended.add(job.jobId);
    } catch (error) {
      const { code, message } = error as HubError;
      refusals.add(code === "UNREACHABLE" ? "worker UNREACHABLE" : `worker ${code} ${message}`);
    }
  }

  const loops = [
    ...sources.flatMap((id) => [goOn(() => start(id, "testSource")), goOn(() => start(id, "startBackup"))]),
    ...played.map((worker) => goOn(() => work(worker))),
  ];
  const stop = async () => {
    stopping.abort();
    await Promise.all(loops);
  };
  return { started, ended, refusals, tenant, stop, [Symbol.asyncDispose]: stop };
}

/** Milliseconds until another job is begun and another one ended. Throws after `withinMs`. */
export async function untilBusyAgain({ started, ended }: Load, withinMs = 60_000): Promise<number> {
  const began = performance.now();
  const [startedBefore, endedBefore] = [started.size, ended.size];
  while (started.size === startedBefore || ended.size === endedBefore) {
    if (performance.now() - began > withinMs) throw new Error(`nothing went on within ${withinMs} ms`);
    await pause(10);
  }
  return performance.now() - began;
}
