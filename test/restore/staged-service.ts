// A whole restore service on directories of its own, and the stand-in of a hub that hands it jobs.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { type RestoreService, startRestore } from "../../restore/main.ts";
import { restoreJob, type Snapshot, sealedFor, type Wish } from "./sealed-store.ts";
import { type StandInHub, startStandInHub } from "./stand-in-hub.ts";

export interface StagedService {
  readonly hub: StandInHub;
  /** Where snapshots are sealed. */
  readonly store: string;
  /** Where downloads are prepared. */
  readonly restores: string;
  readonly logged: readonly string[];
  /** Queues a job; answers the path of its link. */
  start(snapshot: Snapshot, wish?: Wish): { restoreId: string; jobId: string; path: string };
  /** Of the service that runs now. */
  url(path: string): string;
  end(): Promise<void>;
  launch(): Promise<void>;
}

/** Ended with the test. Without a Redis, jobs are found by looking. */
export async function stageService(
  t: TestContext,
  { redisUrl = "redis://127.0.0.1:1" }: { redisUrl?: string } = {},
): Promise<StagedService> {
  const scratch = await mkdtemp(join(tmpdir(), "xvault-restore-"));
  const store = join(scratch, "store");
  const jobs: unknown[] = [];
  const keys = new Map<unknown, string>();
  let publicKey = "";
  const hub = await startStandInHub({
    registerWorker(input) {
      publicKey = String(input.publicKey);
      return { workerId: "wrk_restore", leaseSeconds: 60, heartbeatSeconds: 15 };
    },
    // Checks are asked for by themselves.
    claimJob: ({ types }) => (String(types) === "RESTORE" ? (jobs.shift() ?? null) : null),
    claimSecrets: ({ jobId }) => sealedFor(publicKey, keys.get(jobId) ?? ""),
  });
  const logged: string[] = [];
  const log = pino({ level: "debug" }, { write: (line) => void logged.push(line) });
  const config = {
    host: "127.0.0.1",
    port: 0,
    publicUrl: "http://127.0.0.1",
    hubBaseUrl: hub.url,
    redisUrl,
    workerId: "wrk_restore",
    token: "t".repeat(43),
    storeBases: [store],
    tempBase: join(scratch, "temp"),
    logLevel: "debug",
    metrics: null,
  };
  let service: RestoreService | null = null;
  const end = async () => {
    await service?.[Symbol.asyncDispose]();
    service = null;
  };
  const launch = async () => {
    service = await startRestore(config, log);
  };
  await launch();
  t.after(async () => {
    await end();
    await hub[Symbol.asyncDispose]();
    await rm(scratch, { recursive: true, force: true });
  });
  return {
    hub,
    store,
    restores: join(scratch, "temp", "restores"),
    logged,
    start(snapshot, wish) {
      const { job, token } = restoreJob(snapshot, wish);
      keys.set(job.jobId, snapshot.identity);
      jobs.push(job);
      return { restoreId: job.restore.restoreId, jobId: job.jobId, path: `/download/${token}` };
    },
    url: (path) => `http://127.0.0.1:${service?.port}${path}`,
    end,
    launch,
  };
}
