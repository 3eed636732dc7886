// A real hub in this process: its own database, its own Redis, random ports, and terms short enough to test with.

import { createHash, randomBytes } from "node:crypto";
import { Writable } from "node:stream";
import { enrol, enrolWorker } from "../../domain/enrolments.ts";
import type { Database } from "../../prisma/connect.ts";
import type { EdgeConfig, HubConfig } from "../../server/config.ts";
import type { FirstOwner } from "../../server/first-owner.ts";
import { type RunningHub, startHub } from "../../server/hub.ts";
import { createLog } from "../../server/log.ts";
import { freePort } from "../../server/one-machine/port.ts";
import { stageDatabase } from "./postgres.ts";
import { type StagedRedis, stageRedis } from "./redis.ts";

/** Disposing ends the hub and everything it stands on. */
export interface StagedHub extends AsyncDisposable {
  readonly running: RunningHub;
  /** The whole database, as the platform sees it. */
  readonly db: Database;
  readonly databaseUrl: string;
  readonly redis: StagedRedis;
  readonly graphqlUrl: string;
  /** Base of the private surface, as `HUB_BASE_URL`. */
  readonly privateUrl: string;
  /** Where download links point. */
  readonly restorePort: number;
  readonly owner: FirstOwner;
  /** Every line that the hub logged. */
  readonly lines: readonly string[];
  /** Makes a worker and its token. */
  enrol(role: "BACKUP" | "RESTORE"): Promise<{ id: string; token: string }>;
}

/** Edges that no test meets by accident. */
const wideEdge: EdgeConfig = {
  publicUrl: null,
  proxies: 0,
  graphiql: true,
  operationsPerMinute: 1_000_000,
  anonymousOperationsPerMinute: 1_000_000,
  socketsPerUser: 1_000,
  streamsPerUser: 1_000,
  operationsPerSocket: 20,
  connections: 10_000,
};

export type StagedTerms = Partial<Omit<HubConfig, "edge"> & { edge: Partial<EdgeConfig> }>;

/** `terms` replace the staged ones; a `databaseUrl` of the caller's own is migrated and left alone afterwards. */
export async function stageHub(terms: StagedTerms = {}): Promise<StagedHub> {
  await using started = new AsyncDisposableStack();
  const redis = started.use(await stageRedis());
  const databaseUrl = terms.databaseUrl ?? started.use(await stageDatabase()).url;
  const restorePort = await freePort();
  const lines: string[] = [];
  const log = createLog(
    "info",
    new Writable({
      decodeStrings: false,
      write: (line: string, _encoding, done) => {
        lines.push(line);
        done();
      },
    }),
  );
  const running = started.use(
    await startHub(
      {
        redisUrl: redis.url,
        host: "127.0.0.1",
        publicPort: 0,
        privatePort: 0,
        metrics: null,
        jwtSecret: randomBytes(32).toString("base64url"),
        // The same for all hubs of a database, as it has to be.
        kek: createHash("sha256").update(databaseUrl).digest(),
        previousKeks: [],
        autoMigrate: terms.databaseUrl !== undefined,
        corsOrigins: [],
        ownerEmail: "owner@example.com",
        leaseSeconds: 30,
        heartbeatSeconds: 1,
        inventorySeconds: 3600,
        jwtPreviousSecrets: [],
        accessTokenMinutes: 60,
        sessionHours: 2,
        passwordTries: 1000,
        sweepSeconds: 0.5,
        retentionIntervalHours: 6,
        retryDelaysSeconds: [0.2],
        lostDelaysSeconds: [0.2],
        allowedNetworks: ["127.0.0.0/8"],
        sourceTestsPerMinute: 1000,
        restorePublicUrl: `http://127.0.0.1:${restorePort}`,
        logLevel: "info",
        ...terms,
        edge: { ...wideEdge, ...terms.edge },
        databaseUrl,
      },
      log,
    ),
  );
  if (!running.firstOwner) throw new Error("a fresh database has accounts already");
  const owner = running.firstOwner;
  const stack = started.move();
  return {
    running,
    db: running.hub.platform,
    databaseUrl,
    redis,
    graphqlUrl: `http://127.0.0.1:${running.publicPort}/graphql`,
    privateUrl: `http://127.0.0.1:${running.privatePort}`,
    restorePort,
    owner,
    lines,
    async enrol(role) {
      const made = await enrolWorker(running.hub, { kind: "system" }, { name: `staged ${role}`, role });
      const { workerId, token } = await enrol(running.hub, made.token);
      return { id: workerId, token };
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
