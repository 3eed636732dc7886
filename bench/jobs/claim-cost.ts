// What a claim of ten costs while ever more jobs wait, nine in ten of them one tenant's.
import pg from "pg";
import { claimJobs } from "../../domain/claims.ts";
import { connectDatabase } from "../../prisma/connect.ts";
import { makeTenants } from "../../test/faults/kit/null-jobs.ts";
import { stageDatabase } from "../../test/stage/postgres.ts";
import { median } from "../figures.ts";
import { judge } from "../turns.ts";
import { bareHub, makeWorker } from "./ours.ts";
import { payload } from "./queue-side.ts";

const sizes = [1_000, 10_000, 100_000, 1_000_000];
const samples = 41;
const warmUps = 9;
const goal = 2;

export async function claimCost({ most }: { most: number }): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const { url } = stack.use(await stageDatabase());
  const db = stack.adopt(connectDatabase(url), (open) => open.$disconnect());
  const client = new pg.Client({ connectionString: url });
  stack.defer(() => client.end());
  await client.connect();
  // Every reference is right by construction, so nobody looks each of them up, and states go back.
  await client.query("SET session_replication_role = replica");
  const hub = bareHub(db);
  const worker = await makeWorker(hub);
  const tenants = await makeTenants(db, 20);
  const medians: number[] = [];
  for (const size of sizes.filter((each) => each <= most)) {
    await fill(client, tenants, size);
    const times: number[] = [];
    for (let n = 0; n < warmUps + samples; n++) {
      const start = performance.now();
      const jobs = await claimJobs(hub, worker, { types: ["TEST_SOURCE"], count: 10 });
      if (n >= warmUps) times.push(performance.now() - start);
      if (jobs.length !== 10) throw new Error(`${jobs.length} jobs of 10`);
      // As they were: every claim finds the same queue.
      await client.query(
        "UPDATE jobs SET status = 'QUEUED', worker_id = NULL, lease_expires_at = NULL, attempt = 0 WHERE status = 'RUNNING'",
      );
    }
    medians.push(median(times));
    process.stdout.write(
      `${String(size).padStart(9)} queued: a claim of 10 takes ${median(times).toFixed(2)} ms (${Math.min(...times).toFixed(2)} to ${Math.max(...times).toFixed(2)})\n`,
    );
  }
  const ratio = (medians.at(-1) ?? Number.NaN) / (medians[0] ?? Number.NaN);
  judge(`the largest queue over the smallest ${ratio.toFixed(2)}`, ratio <= goal, `at most ${goal}`);
}

/** Until so many are queued: of every ten nine are the first tenant's, and one is of another. */
async function fill(client: pg.Client, tenants: readonly string[], size: number): Promise<void> {
  await client.query(
    `INSERT INTO jobs (id, tenant_id, type, lane, source_draft, event_seq, not_before, created_at)
     SELECT 'job_' || lpad(to_hex(1760000000000 + $1::bigint * 1000 + n), 12, '0') || '7' || substr(md5($1::text || '.' || n), 1, 19),
       ($2::text[])[CASE WHEN n % 10 > 0 THEN 1 ELSE 2 + (n / 10) % (cardinality($2::text[]) - 1) END],
       'TEST_SOURCE', lane_of('TEST_SOURCE', NULL, $3::jsonb, NULL), $3::jsonb, 1, now() - make_interval(secs => n / 1000.0), now()
     FROM generate_series(1, $1::int - (SELECT count(*)::int FROM jobs WHERE status = 'QUEUED')) n`,
    [size, tenants, JSON.stringify(payload)],
  );
  await client.query("VACUUM (ANALYZE)");
  await client.query("CHECKPOINT");
}
