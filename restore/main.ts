// Composes the restore service: takes restore jobs from the hub, prepares downloads, and serves them through expiring links.
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { withAccount } from "../clients/hub/account.ts";
import { carryJob } from "../clients/hub/carry-job.ts";
import { takeClaims } from "../clients/hub/claims.ts";
import { listenForDoorbell } from "../clients/hub/doorbell.ts";
import { defaultTempBase } from "../clients/hub/environment.ts";
import { connectHub } from "../clients/hub/hub-client.ts";
import { ProcessIdentity } from "../clients/hub/identity.ts";
import { KeepAlive } from "../clients/hub/keep-alive/keep-alive.ts";
import { createLog } from "../clients/hub/log.ts";
import { listenForScrapes } from "../clients/hub/metrics-listener.ts";
import { connectProgress } from "../clients/hub/progress-channel.ts";
import { stopSignal } from "../clients/hub/stop-signal.ts";
import packageJson from "../package.json" with { type: "json" };
import { Admission } from "./admission.ts";
import { type RestoreConfig, readRestoreConfig } from "./config.ts";
import { DownloadLinks } from "./download.ts";
import { failureOf } from "./failure.ts";
import { listen } from "./http.ts";
import { HubClock } from "./hub-clock.ts";
import { createRestoreMetrics } from "./metrics.ts";
import { prepareDownload, type RestoreJob } from "./prepare.ts";
import { PreparedDownloads } from "./prepared.ts";
import { readinessOf } from "./readiness.ts";
import { Stores } from "./stores.ts";
import { Arrivals } from "./transfer.ts";
import { Upkeep } from "./upkeep.ts";
import { type CheckJob, verifySnapshot } from "./verify-snapshot.ts";

export interface RestoreService extends AsyncDisposable {
  /** Where downloads are served. */
  readonly port: number;
}

const attendMs = 2_000;
/** Somebody waits for the download, also while the doorbell is silent. */
const pollMs = 2_000;
const drainMs = 10_000;

/**
 * Resolves when links are served, which needs no hub; jobs are taken from the moment the hub admits the service. Disposal takes half a
 * minute at most: work and transfers under way may end for a while, then jobs are given back and transfers cut.
 */
export async function startRestore(config: RestoreConfig, log: Logger): Promise<RestoreService> {
  await using starting = new AsyncDisposableStack();
  const { hubBaseUrl, token, redisUrl, workerId } = config;
  const hub = connectHub({ baseUrl: hubBaseUrl, token });
  const clock = new HubClock();
  const downloads = await PreparedDownloads.open(config.tempBase);
  const identity = await ProcessIdentity.generate();
  const stores = new Stores(config.storeBases);
  const admission = new Admission({ hub, identity, stores, clock, workerId, version: packageJson.version, log });
  const metrics = createRestoreMetrics(downloads);
  const upkeep = starting.use(new Upkeep({ hub, downloads, clock, log, onEnded: metrics.linkEnded }));

  const arrivals = new Arrivals();
  const onFetched = (restoreId: string) => upkeep.fetched(restoreId);
  const links = new DownloadLinks({ downloads, arrivals, clock, log, onFetched, observe: metrics });
  const http = starting.use(
    await listen({
      host: config.host,
      port: config.port,
      log,
      readiness: () => readinessOf({ admission, stores }),
      onConnection: (socket) => arrivals.watch(socket),
      onDownload: (request, response, linkToken) => links.answer(request, response, linkToken),
    }),
  );
  starting.defer(() => arrivals.close());

  const keepAlive = starting.use(new KeepAlive({ baseUrl: hubBaseUrl, token }, log));
  const progress = starting.use(connectProgress({ redisUrl, log }));
  const workshop = { hub, identity, stores, downloads, progress };
  const claims = starting.use(
    takeClaims<RestoreJob>({
      atOnce: 2,
      pollMs,
      drainMs,
      log,
      async claim() {
        if (admission.heartbeatSeconds === null) return [];
        const job = await hub.claimJob({ types: ["RESTORE"] });
        return job?.snapshot && job.restore ? [{ ...job, snapshot: job.snapshot, restore: job.restore }] : [];
      },
      perform: (job, stopping) =>
        carryJob(job, (claimed, ending) => prepareDownload(workshop, claimed, ending), {
          ...{ hub, keepAlive, stopping, log, failureOf, observe: metrics },
          heartbeatSeconds: admission.heartbeatSeconds ?? job.leaseSeconds / 4,
        }),
    }),
  );
  // Checks take a place of their own, so that nobody waits for them, and give it up at once.
  const checks = starting.use(
    takeClaims<CheckJob>({
      ...{ atOnce: 1, pollMs, drainMs: 0, log },
      async claim() {
        if (admission.heartbeatSeconds === null) return [];
        const job = await hub.claimJob({ types: ["VERIFY"] });
        return job?.snapshot && job.check ? [{ ...job, snapshot: job.snapshot, check: job.check }] : [];
      },
      perform: (job, stopping) =>
        carryJob(job, (claimed, ending) => verifySnapshot(workshop, claimed, ending), {
          ...{ hub, keepAlive, stopping, log, failureOf, observe: metrics },
          heartbeatSeconds: admission.heartbeatSeconds ?? job.leaseSeconds / 4,
        }),
    }),
  );
  const look = () => {
    claims.ring();
    checks.ring();
  };
  const onRing = (jobId: string) => {
    look();
    keepAlive.attend(jobId);
  };
  starting.use(await listenForDoorbell({ redisUrl, workerId, hearsShared: false, onRing, log }));
  if (config.metrics) starting.use(await listenForScrapes({ ...config.metrics, registry: metrics.registry, log }));
  starting.use(attend({ admission, upkeep, log, onAdmitted: look }));
  starting.defer(() => admission.drain().catch((error) => log.warn({ err: error }, "could not say goodbye")));

  starting.defer(() => http.drain());
  const running = starting.move();
  log.info({ port: http.port, publicUrl: config.publicUrl }, "restore service started");
  return { port: http.port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

interface AttendTerms {
  readonly admission: Admission;
  readonly upkeep: Upkeep;
  readonly log: Logger;
  readonly onAdmitted: () => void;
}

/** Does what is to be done every few seconds, whether the hub can be reached or not. */
function attend({ admission, upkeep, log, onAdmitted }: AttendTerms): AsyncDisposable {
  const ending = new AbortController();
  const { signal } = ending;
  let isReconciled = false;
  let isAway = false;

  async function attendHub(): Promise<void> {
    await admission.refresh(signal);
    await upkeep.tellHub(signal);
    // Every time: links are revoked.
    await upkeep.reconcile(signal);
    if (isReconciled) return;
    isReconciled = true;
    onAdmitted();
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await upkeep.expire().catch((error) => log.error({ err: error }, "expired downloads could not be wiped"));
      try {
        await attendHub();
        if (isAway) log.info("the hub is back");
        isAway = false;
      } catch (error) {
        if (!isAway && !signal.aborted) log.warn({ err: error }, "the hub is away");
        isAway = true;
      }
      await pause(attendMs, undefined, { signal }).catch(() => undefined);
    }
  }

  const running = run();
  return {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await running;
    },
  };
}

if (import.meta.main) {
  try {
    const waiting = new AbortController();
    const stopped = stopSignal((name) => waiting.abort(new Error(`stopped by ${name}`)));
    // Stores are read here, never written to.
    const file = join(process.env.WORKER_TEMP_BASE || defaultTempBase, ".xvault-account.json");
    const config = readRestoreConfig(await withAccount(process.env, { file, signal: waiting.signal }));
    const log = createLog("restore", config.logLevel);
    const service = await startRestore(config, log);
    log.info({ signal: await stopped }, "restore service is going down");
    await service[Symbol.asyncDispose]();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The restore service cannot start.\n${reason}\n`);
    process.exitCode = 1;
  }
}
