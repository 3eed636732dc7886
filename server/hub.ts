// Puts a hub together: database, vault, live feed, doorbell, upkeep, and the two surfaces. The one place where all of it meets.
import type { Logger } from "pino";
import type { Hub } from "../domain/hub.ts";
import { registerKek } from "../domain/keks.ts";
import { openVault } from "../domain/vault.ts";
import { connectDatabase } from "../prisma/connect.ts";
import { migrate } from "../prisma/migrate.ts";
import { connectWalledDatabase } from "../prisma/wall.ts";
import { createAuthentication } from "./authenticate.ts";
import type { HubConfig } from "./config.ts";
import { startRelay } from "./doorbell/relay.ts";
import { createFirstOwner, type FirstOwner } from "./first-owner.ts";
import { close, listen } from "./http/listen.ts";
import { createPrivateSurface } from "./http/private-surface.ts";
import { createPublicSurface } from "./http/public-surface.ts";
import { countTogether } from "./limits/shared-rates.ts";
import { startLiveFeeds } from "./live/live-feeds.ts";
import { createHubMetrics } from "./metrics/hub-metrics.ts";
import { showMetrics, tellFact, watchRounds } from "./metrics/show.ts";
import { createReadiness } from "./readiness.ts";
import { startUpkeep } from "./upkeep.ts";

export interface RunningHub extends AsyncDisposable {
  readonly hub: Hub;
  readonly publicPort: number;
  readonly privatePort: number;
  /** Null where no metrics are served. */
  readonly metricsPort: number | null;
  /** The account made at the very first start; null at every later one. */
  readonly firstOwner: FirstOwner | null;
}

/** For requests under way when the hub goes down, and as long as streams of events then last. */
const partingMs = 3_000;

/** Resolves once both surfaces answer; throws, with nothing left running, where they cannot. */
export async function startHub(config: HubConfig, log: Logger): Promise<RunningHub> {
  await using started = new AsyncDisposableStack();
  if (config.autoMigrate) await migrate(config.databaseUrl);
  const onConnectionLost = (error: Error) => log.warn({ err: error }, "lost a connection to postgres");
  const db = connectDatabase(config.databaseUrl, { onConnectionLost });
  started.defer(() => db.$disconnect());
  const wall = connectWalledDatabase(config.databaseUrl, { onConnectionLost });
  started.defer(() => wall.$disconnect());
  const { redisUrl } = config;
  const metrics = createHubMetrics();
  const live = started.use(startLiveFeeds({ db, redisUrl, log }));
  const relay = started.use(startRelay({ db, redisUrl, log, onRung: metrics.rang }));
  const rates = started.use(countTogether({ redisUrl, log }));
  const hub: Hub = {
    db,
    platform: db,
    wall,
    rates,
    vault: openVault(config.kek, config.previousKeks),
    announce: {
      jobChanged: (jobId, tenantId) => live.jobChanged(jobId, tenantId),
      snapshotsChanged: (tenantId) => live.snapshotsChanged(tenantId),
      workersChanged: () => live.workersChanged(),
      jobDue: () => relay.nudge(),
      happened(fact) {
        metrics.happened(fact);
        tellFact(log, fact);
      },
    },
    terms: {
      leaseSeconds: config.leaseSeconds,
      heartbeatSeconds: config.heartbeatSeconds,
      inventorySeconds: config.inventorySeconds,
      retryDelaysSeconds: config.retryDelaysSeconds,
      lostDelaysSeconds: config.lostDelaysSeconds,
      allowedNetworks: config.allowedNetworks,
      sourceTestsPerMinute: config.sourceTestsPerMinute,
      restorePublicUrl: config.restorePublicUrl,
      sessionSeconds: config.sessionHours * 3600,
      passwordTries: config.passwordTries,
    },
  };
  await registerKek(hub);
  const firstOwner = await createFirstOwner(hub, config.ownerEmail);
  const retentionEverySeconds = config.retentionIntervalHours * 3600;
  const rounds = watchRounds(metrics);
  started.use(
    startUpkeep(hub, { log, everySeconds: config.sweepSeconds, retentionEverySeconds, onRound: rounds.onRound }),
  );
  const authentication = createAuthentication(hub, config);
  const redisAwaySince = () => live.redisAwaySince;
  const readiness = createReadiness({ db, vault: hub.vault, redisAwaySince, failingDuties: () => rounds.failing });
  const { corsOrigins, edge } = config;
  const surfaces = {
    public: createPublicSurface({ hub, authentication, live, readiness, corsOrigins, edge, log, metrics }),
    private: createPrivateSurface({ hub, log, metrics }),
  };
  started.defer(async () => {
    const { public: outer, private: inner } = surfaces;
    await Promise.all([
      Promise.all([close(outer.server, partingMs), outer.dispose()]),
      // A worker whose claim goes unanswered would not know that it holds a job.
      close(inner.server, partingMs).then(() => inner.dispose()),
    ]);
  });
  const publicPort = await listen(surfaces.public.server, config.publicPort, config.host);
  const privatePort = await listen(surfaces.private.server, config.privatePort, config.host);
  const listener = started.use(await showMetrics({ hub, live, metrics, config, log }));
  log.info({ publicPort, privatePort }, "hub is up");
  const running = started.move();
  return {
    hub,
    publicPort,
    privatePort,
    metricsPort: listener.port,
    firstOwner,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
