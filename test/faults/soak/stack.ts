// All of xVault as processes that are started again when they die: Postgres, Redis, two hubs, three workers, a restore service, an sshd.
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { spawnDataPlane } from "../../stage/data-plane.ts";
import { type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { stageBalancer } from "../kit/balancer.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "../kit/hub-process.ts";
import { type StagedPostgres, stagePostgresServer } from "../kit/postgres-server.ts";
import { type Supervised, supervise } from "../kit/supervisor.ts";

export const leaseSeconds = 10;
const workerCount = 3;

/** Disposing ends all of it. */
export interface SoakStack extends AsyncDisposable {
  readonly postgres: StagedPostgres;
  readonly earth: StagedEarth;
  readonly sshd: StagedOpenSsh;
  /** Of the balancer in front of both hubs. */
  readonly graphqlUrl: string;
  readonly hubs: readonly Supervised[];
  readonly workers: readonly Supervised[];
  readonly restore: Supervised;
  readonly stores: readonly { workerId: string; base: string }[];
  readonly temps: readonly string[];
  /** The directory of what all of them wrote. */
  readonly logs: string;
  /** Whatever nobody may find anywhere. */
  secrets(): Promise<string[]>;
}

export async function stageSoak(): Promise<SoakStack> {
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp("/var/tmp/xvault-soak-");
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const logs = join(directory, "logs");
  await mkdir(logs);
  const log = (name: string) => ({ logFile: join(logs, name) });
  const postgres = started.use(await stagePostgresServer());
  const earth = started.use(await stageEarth({ databaseUrl: postgres.url }));
  const sshd = started.use(await stageOpenSsh());
  const env = {
    HUB_LEASE_SECONDS: `${leaseSeconds}`,
    HUB_HEARTBEAT_SECONDS: "2",
    HUB_ACCESS_TOKEN_MINUTES: "1440",
    RETENTION_EVALUATION_INTERVAL_HOURS: "0.02",
  };
  const processes: HubProcess[] = [];
  for (let n = 0; n < 2; n++) processes.push(await stageHubProcess(earth, { env }));
  const inFront = started.use(await stageBalancer(processes.map((hub) => hub.publicUrl)));
  const behind = started.use(await stageBalancer(processes.map((hub) => hub.privateUrl)));
  const hubs = processes.map((hub, n) => {
    let isFirst = true;
    return started.use(
      supervise(
        `hub ${n + 1}`,
        async () => {
          // Whether it becomes ready is not waited for: it may be killed before.
          if (!isFirst) hub.start().catch(() => undefined);
          isFirst = false;
          return hub.child;
        },
        log(`hub-${n + 1}`),
      ),
    );
  });

  const { redis, restorePort } = earth;
  const ground = { privateUrl: behind.url, redis, restorePort };
  const places = async (name: string) => {
    const own = join(directory, name);
    await mkdir(own, { recursive: true });
    return { directory: own, storageBase: join(own, "store"), tempBase: join(own, "temp") };
  };
  const temps: string[] = [];
  const tokens: string[] = [];
  const stores: { workerId: string; base: string }[] = [];
  const workers: Supervised[] = [];
  for (let n = 1; n <= workerCount; n++) {
    const { id, token } = await earth.enrol("BACKUP");
    const place = await places(`worker-${n}`);
    tokens.push(token);
    temps.push(place.tempBase);
    stores.push({ workerId: id, base: place.storageBase });
    workers.push(
      started.use(
        supervise(`worker ${n}`, () => spawnDataPlane(ground, "worker", { ...place, id, token }), log(`worker-${n}`)),
      ),
    );
  }
  const { id, token } = await earth.enrol("RESTORE");
  const place = { ...(await places("restore")), storageBase: stores.map(({ base }) => base).join(",") };
  temps.push(place.tempBase);
  const restore = started.use(
    supervise("restore", () => spawnDataPlane(ground, "restore", { ...place, id, token }), log("restore")),
  );
  const stack = started.move();
  const graphqlUrl = `${inFront.url}/graphql`;
  return {
    ...{ postgres, earth, sshd, graphqlUrl, hubs, workers, restore, stores, temps, logs },
    async secrets() {
      const { HUB_JWT_SECRET_FILE: jwtFile = "", HUB_ENCRYPTION_KEK_FILE: kekFile = "" } = earth.secretFiles;
      const ofHubs = [await readFile(jwtFile, "utf8"), await readFile(kekFile, "utf8")];
      return [sshd.password, earth.owner.password, token, ...tokens, ...ofHubs];
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
