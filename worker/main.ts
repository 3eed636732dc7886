// Composes the worker: takes jobs from the hub, pulls sources, keeps what it sealed. Listens to nobody, unless its figures are wanted.
import { join } from "node:path";
import type { Logger } from "pino";
import { retrying } from "#artifact/node";
import { withAccount } from "../clients/hub/account.ts";
import { carryJob } from "../clients/hub/carry-job.ts";
import { takeClaims } from "../clients/hub/claims.ts";
import { listenForDoorbell } from "../clients/hub/doorbell.ts";
import { type ClaimedJob, connectHub } from "../clients/hub/hub-client.ts";
import { ProcessIdentity } from "../clients/hub/identity.ts";
import { KeepAlive } from "../clients/hub/keep-alive/keep-alive.ts";
import { createLog } from "../clients/hub/log.ts";
import { listenForScrapes } from "../clients/hub/metrics-listener.ts";
import { connectProgress } from "../clients/hub/progress-channel.ts";
import { stopSignal } from "../clients/hub/stop-signal.ts";
import { admit } from "./admission.ts";
import { defaultStorageBase, readWorkerConfig, type WorkerConfig } from "./config.ts";
import { failureOf } from "./failure.ts";
import { startInventoryRounds } from "./inventory-rounds.ts";
import { createWorkerMetrics } from "./metrics.ts";
import { performJob } from "./perform.ts";
import type { Room } from "./room.ts";
import { isStoreHere, markStore, openStore, sweepStore } from "./store.ts";
import { watchStore } from "./store-watch.ts";
import { openTempPlace } from "./temp-place.ts";
import type { Workshop } from "./workshop.ts";

const pollMs = 5_000;
const drainMs = 12_000;

/**
 * Resolves once jobs are taken. `signal` gives up waiting for the hub. Disposal takes half a minute at most: jobs under way may end for
 * a while, then they are given back.
 */
export async function startWorker(config: WorkerConfig, log: Logger, signal: AbortSignal): Promise<AsyncDisposable> {
  await using starting = new AsyncDisposableStack();
  const { hubBaseUrl, token, redisUrl, workerId, storageBase, tempBase, allowedNetworks } = config;
  const { concurrency, reserveBytes, acceptEmptyStore } = config;
  const hub = connectHub({ baseUrl: hubBaseUrl, token });
  const metrics = createWorkerMetrics();
  const storage = retrying(await openStore(storageBase, workerId), {
    onRetry: ({ operation, tries, error }) => {
      metrics.storageTriedAgain(operation);
      log.warn({ operation, tries, err: error }, "the storage is tried again");
    },
  });
  const { directory: tempDirectory } = starting.use(await openTempPlace({ base: tempBase, workerId, log }));
  const identity = await ProcessIdentity.generate();
  const keepAlive = starting.use(new KeepAlive({ baseUrl: hubBaseUrl, token }, log));
  const admission = await admit({
    ...{ hub, keepAlive, identity, workerId, storageBase, tempBase: tempDirectory, concurrency, log, signal },
  });
  const expected = admission.storedSnapshots;
  await markStore({ base: storageBase, workerId, expected, acceptEmpty: acceptEmptyStore });
  await sweepStore(storage, log);
  const inventory = starting.use(await startInventoryRounds({ storage, base: storageBase, workerId, hub, log }));
  keepAlive.onInventoryDue = () => inventory.ask();
  const progress = starting.use(connectProgress({ redisUrl, log }));
  const workshop: Workshop = {
    ...{ hub: metrics.reporting(hub), identity, storage, progress: metrics.watching(progress) },
    ...{ workerId, tempBase: tempDirectory, allowedNetworks },
    ownsStore: () => isStoreHere(storageBase, workerId),
  };
  const { heartbeatSeconds } = admission;
  const perform = (job: ClaimedJob, stopping: AbortSignal) =>
    carryJob(job, (claimed, ending) => performJob(workshop, claimed, ending), {
      ...{ hub, keepAlive, heartbeatSeconds, stopping, log, failureOf, observe: metrics },
    });
  const tellRoom = (room: Room) => {
    admission.tellRoom(room);
    metrics.tellFreeBytes(room.freeBytes);
  };
  const doable = watchStore({ base: storageBase, workerId, reserveBytes, tellRoom, log });
  const claims = starting.use(
    takeClaims({
      atOnce: concurrency,
      pollMs,
      drainMs,
      log,
      claim: async (most) =>
        hub.claimJobs({ types: (await doable()).filter((type) => type !== "VERIFY"), count: most }),
      perform,
    }),
  );
  // Checks take a place of their own, so that nothing waits for them, and give it up at once.
  const checks = starting.use(
    takeClaims({
      ...{ atOnce: 1, pollMs: pollMs, drainMs: 0, log, perform },
      claim: async (most) =>
        (await doable()).includes("VERIFY") ? hub.claimJobs({ types: ["VERIFY"], count: most }) : [],
    }),
  );
  const ring = (jobId: string) => {
    claims.ring();
    checks.ring();
    keepAlive.attend(jobId);
  };
  starting.use(await listenForDoorbell({ redisUrl, workerId, hearsShared: true, onRing: ring, log }));
  if (config.metrics) {
    metrics.tellHeartbeat(() => keepAlive.unheardSeconds);
    starting.use(await listenForScrapes({ ...config.metrics, registry: metrics.registry, log }));
  }
  starting.defer(() => admission.drain());
  const running = starting.move();
  log.info({ storageBase, concurrency }, "worker started");
  return { [Symbol.asyncDispose]: () => running.disposeAsync() };
}

if (import.meta.main) {
  try {
    const stop = new AbortController();
    const stopped = stopSignal((name) => stop.abort(new Error(`stopped by ${name}`)));
    const file = join(process.env.WORKER_STORAGE_BASE || defaultStorageBase, ".xvault-account.json");
    const config = readWorkerConfig(await withAccount(process.env, { file, signal: stop.signal }));
    const log = createLog("worker", config.logLevel);
    const worker = await startWorker(config, log, stop.signal);
    log.info({ signal: await stopped }, "worker is going down");
    await worker[Symbol.asyncDispose]();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The worker cannot start.\n${reason}\n`);
    process.exitCode = 1;
  }
}
