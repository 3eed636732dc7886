// A worker that speaks the real private GraphQL API, listens to the real doorbell, and does nothing else: what it claims it completes.
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import pino from "pino";
import { takeClaims } from "../../../clients/hub/claims.ts";
import { listenForDoorbell } from "../../../clients/hub/doorbell.ts";
import { type ClaimedJob, connectHub, type HubClient, protocolVersion } from "../../../clients/hub/hub-client.ts";
import type { StagedEarth } from "./hub-process.ts";

export interface NullWorkerOptions {
  readonly earth: Pick<StagedEarth, "enrol" | "redis">;
  /** Of the private surface of a hub. */
  readonly privateUrl: string;
  /** Jobs at once, all asked for in one call. */
  readonly atOnce: number;
  /** In place of nothing. */
  readonly perform?: (job: ClaimedJob) => Promise<void>;
}

/** Disposing lets what is under way end. */
export interface NullWorker extends AsyncDisposable {
  readonly id: string;
  readonly api: HubClient;
  /** `<job>:<epoch>` of everything that it completed. */
  readonly completed: readonly string[];
}

/** Looks by itself every five seconds, as a real worker does; all else is the doorbell's. */
export async function startNullWorker({ earth, privateUrl, atOnce, perform }: NullWorkerOptions): Promise<NullWorker> {
  await using starting = new AsyncDisposableStack();
  const log = pino({ level: "silent" });
  const { id, token } = await earth.enrol("BACKUP");
  const api = connectHub({ baseUrl: privateUrl, token });
  await api.registerWorker({
    protocol: protocolVersion,
    role: "BACKUP",
    publicKey: await identityToRecipient(await generateX25519Identity()),
    storageBase: "/null",
    capabilities: {
      ...{ version: "0", jobTypes: ["TEST_SOURCE"], sourceTypes: ["SFTP"], tools: {}, readsStoresOf: [] },
      concurrency: atOnce,
    },
  });
  const completed: string[] = [];
  const complete = inBatches(api);
  const claims = starting.use(
    takeClaims<ClaimedJob>({
      ...{ atOnce, pollMs: 5_000, drainMs: 5_000, log },
      claim: (most) => api.claimJobs({ types: ["TEST_SOURCE"], count: most }),
      async perform(job) {
        await perform?.(job);
        const { jobId, leaseEpoch } = job;
        if (await complete({ jobId, leaseEpoch })) completed.push(`${jobId}:${leaseEpoch}`);
      },
    }),
  );
  starting.use(
    await listenForDoorbell({
      redisUrl: earth.redis.url,
      workerId: id,
      hearsShared: true,
      onRing: () => claims.ring(),
      log,
    }),
  );
  const running = starting.move();
  return { id, api, completed, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

interface Lease {
  readonly jobId: string;
  readonly leaseEpoch: number;
}

/** Ends one after the other alone, and together whatever is done while the hub still answers. False: its lease was lost, or the hub is away. */
function inBatches(api: HubClient): (lease: Lease) => Promise<boolean> {
  const waiting: (Lease & { resolve: (done: boolean) => void })[] = [];
  let busy = false;
  async function send(): Promise<void> {
    busy = true;
    // Those of one claim come in one turn.
    await Promise.resolve();
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 100);
      const jobs = batch.map(({ jobId, leaseEpoch }) => ({ jobId, leaseEpoch, findings: {} }));
      const answers = await api.completeJobs({ jobs }, { retryForMs: 30_000 }).catch(() => null);
      for (const [nth, { resolve }] of batch.entries()) resolve(answers?.[nth]?.lost === false);
    }
    busy = false;
  }
  return (lease) =>
    new Promise((resolve) => {
      waiting.push({ ...lease, resolve });
      if (!busy) void send();
    });
}
