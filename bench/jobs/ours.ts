// This hub's queue through its domain alone, without GraphQL and doorbell: with the log, the bell and the audit of every job.
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { WorkerActor } from "../../domain/actor.ts";
import { claimJobs } from "../../domain/claims.ts";
import { completeJobs } from "../../domain/completions.ts";
import { enrol, enrolWorker } from "../../domain/enrolments.ts";
import type { Hub } from "../../domain/hub.ts";
import { registerWorker } from "../../domain/workers.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { makeTenants, queueNullJobs } from "../../test/faults/kit/null-jobs.ts";
import { atOnce, concurrency, inBatches, type QueueSide } from "./queue-side.ts";

/** Most that one call takes. */
const claimedAtOnce = 100;

export async function startOurs(databaseUrl: string): Promise<QueueSide> {
  const db = connectDatabase(databaseUrl);
  const hub = bareHub(db);
  const tenants = await makeTenants(db, 50);
  const workers: WorkerActor[] = [];
  while (workers.length < concurrency) workers.push(await makeWorker(hub));
  return {
    enqueue: (count) => inBatches(count, (size) => queueNullJobs(db, tenants, size)),
    async drain(count) {
      let done = 0;
      await atOnce(async (nth) => {
        const worker = workers[nth] ?? failed();
        while (done < count) {
          const jobs = await claimJobs(hub, worker, { types: ["TEST_SOURCE"], count: claimedAtOnce });
          if (jobs.length === 0) continue;
          const ends = await completeJobs(
            hub,
            worker,
            jobs.map(({ jobId, leaseEpoch }) => ({ jobId, leaseEpoch, findings: {} })),
          );
          if (ends.some(({ lost }) => lost)) failed();
          done += ends.length;
        }
      });
    },
    left: () => db.job.count({ where: { status: { in: ["QUEUED", "RUNNING", "FINALIZING"] } } }),
    [Symbol.asyncDispose]: () => db.$disconnect(),
  };
}

/** A hub that nobody listens to. */
export function bareHub(db: Database): Hub {
  const announce = { jobChanged() {}, snapshotsChanged() {}, workersChanged() {}, jobDue() {} };
  const terms = { leaseSeconds: 60, heartbeatSeconds: 10 };
  return { db, platform: db, announce, terms } as unknown as Hub;
}

/** One that tests sources over SFTP, as many as there are. */
export async function makeWorker(hub: Hub): Promise<WorkerActor> {
  const { token } = await enrolWorker(hub, { kind: "system" }, { name: "bench", role: "BACKUP" });
  const { workerId } = await enrol(hub, token);
  const worker: WorkerActor = { kind: "worker", workerId };
  await registerWorker(hub, worker, {
    protocol: 2,
    role: "BACKUP",
    publicKey: await identityToRecipient(await generateX25519Identity()),
    capabilities: {
      ...{ version: "0", jobTypes: ["TEST_SOURCE"], sourceTypes: ["SFTP"], tools: {}, readsStoresOf: [] },
      concurrency: 1000,
    },
  });
  return worker;
}

function failed(): never {
  throw new Error("a job was lost on the way");
}
