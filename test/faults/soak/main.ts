// `npm run soak -- --minutes N --seed S`: all of xVault under load, while somebody kills its processes; then fsck. Ends with 1 where
// something does not hold.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Snapshot } from "../../../prisma/client/client.ts";
import type { DescribedTree } from "../../../server/operator/checks/check.ts";
import { fsck } from "../../../server/operator/fsck.ts";
import { identitiesOf } from "../../../server/operator/fsck-command.ts";
import { randomOf } from "../../edge/fuzz/random.ts";
import { available } from "../../stage/available.ts";
import { deleteAtOnce } from "../../stage/tenant.ts";
import { type ChangingContent, changeContent } from "./content.ts";
import { fetchDownloads } from "./downloads.ts";
import { applyLoad, stageCustomers } from "./load.ts";
import { wreakHavoc } from "./mayhem.ts";
import { leaseSeconds, stageSoak } from "./stack.ts";
import { callWitnesses } from "./witnesses.ts";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    sources: { type: "string", default: "3" },
    verbose: { type: "boolean", default: false },
  },
});
const seed = Number(values.seed);
const startedAt = performance.now();
const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(0);
const say = (text: string) => process.stdout.write(`${text}\n`);
say(`soak of ${values.minutes} minutes, seed ${seed}`);

await using stack = await stageSoak();
const { earth, sshd } = stack;
const { db } = earth;
await deleteAtOnce({ db });
const directories = Array.from({ length: Number(values.sources) }, (_, n) => join(sshd.data, `site-${n + 1}`));
const contents = new Map<string, ChangingContent>();
await using writers = new AsyncDisposableStack();
for (const [n, base] of directories.entries()) {
  await mkdir(base, { recursive: true });
  contents.set(
    base,
    writers.use(await changeContent(base, { owner: sshd.owner, random: randomOf(seed + n + 10), seed })),
  );
}
const { tenant, sourceIds } = await stageCustomers(stack, directories);
const contentOf = new Map(sourceIds.map((id, n) => [id, contents.get(directories[n] ?? "")]));

const witnesses = callWitnesses(stack.graphqlUrl, tenant.token);
const downloads = fetchDownloads(db);
const tellNow = (line: string) => values.verbose && say(`${seconds()} s: ${line}`);
const customers = { sourceIds, witnesses, downloads, say: tellNow };
const load = await applyLoad(stack, { ...customers, random: randomOf(seed + 1) });
const more = await applyLoad(stack, { ...customers, random: randomOf(seed + 2) });
const mayhem = wreakHavoc(stack, randomOf(seed), tellNow);
await pause(Number(values.minutes) * 60_000);
await mayhem.stop();
await Promise.all([load.stop(), more.stop()]);
await writers.disposeAsync();

// What is under way ends by itself now; schedules would never let it.
const restMs = performance.now();
await patiently(() => db.schedule.updateMany({ data: { status: "DISABLED" } }));
const isUnderWay = { status: { in: ["QUEUED", "RUNNING", "FINALIZING"] as ("QUEUED" | "RUNNING" | "FINALIZING")[] } };
const restDeadline = performance.now() + 180_000;
while ((await patiently(() => db.job.count({ where: isUnderWay }))) > 0 && performance.now() < restDeadline)
  await pause(250);
const left = await db.job.findMany({ where: isUnderWay });
const settledMs = performance.now() - restMs;
const heard = await witnesses.heard(30_000);
const fetched = await downloads.fetched(60_000);

// A start is what clears away the rest of attempts that lost their lease.
for (const process of [...stack.workers, stack.restore]) {
  const { starts } = process;
  process.send("SIGTERM");
  while (process.starts === starts) await pause(100);
}
await db.worker.updateMany({ data: { status: "OFFLINE" } });
while ((await db.worker.count({ where: { status: "ONLINE" } })) < stack.workers.length + 1) await pause(200);
await pause(3_000);

const startOf = new Map(
  (await db.job.findMany({ where: { type: "BACKUP" } })).map(({ id, startedAt }) => [id, startedAt]),
);
const judge = (snapshot: Snapshot, tree: DescribedTree) =>
  contentOf
    .get(snapshot.sourceId)
    ?.judge(tree, startOf.get(snapshot.jobId)?.getTime() ?? 0, snapshot.createdAt.getTime()) ?? null;
const findings = await fsck({
  ...{ db, stores: stack.stores, temps: stack.temps, leaseSeconds, graceSeconds: 0 },
  withStockTools: available("age") === null && available("zstd") === null,
  identityOf: identitiesOf(db, { ...earth.secretFiles }),
  oracle: judge,
  witnesses: heard,
  canaries: [...(await stack.secrets()), tenant.token],
  canaryPlaces: [stack.logs],
});

const snapshots = new Map((await db.snapshot.findMany()).map((snapshot) => [snapshot.id, snapshot]));
const complaints = [...witnesses.complaints];
for (const { snapshotId, tree } of fetched) {
  const snapshot = snapshots.get(snapshotId);
  const wrong = snapshot ? judge(snapshot, tree) : "It was of no snapshot.";
  if (wrong !== null) complaints.push(`a download of ${snapshotId}: ${wrong}`);
}

say(`\nblows: ${tell(mayhem.blows)}`);
const restarts = [...stack.hubs, ...stack.workers, stack.restore].map(
  ({ name, starts }) => [name, starts - 1] as const,
);
say(`started again: ${tell(new Map(restarts))}`);
say(`asked: ${tell(load.outcomes)}`);
say(`and: ${tell(more.outcomes)}`);
const jobs = await db.$queryRaw<{ what: string; count: number }[]>`
  SELECT concat_ws(' ', lower(type::text), lower(status::text), error_code) AS what, count(*)::int AS count
  FROM jobs GROUP BY 1 ORDER BY 1`;
say(`jobs: ${tell(new Map(jobs.map(({ what, count }) => [what, count])))}`);
const [attempts] = await db.$queryRaw<{ again: number; most: number; gap: number }[]>`
  SELECT count(*) FILTER (WHERE attempt > 1)::int AS again, max(attempt)::int AS most,
    (SELECT COALESCE(max(extract(epoch FROM gap)), 0)::float FROM (
      SELECT ended_at - lag(ended_at) OVER (ORDER BY ended_at) AS gap FROM jobs WHERE status = 'COMPLETED') gaps) AS gap
  FROM jobs`;
say(`jobs tried again: ${attempts?.again}, ${attempts?.most} attempts at most`);
const silenceMs = Math.max(load.longestSilenceMs(), more.longestSilenceMs());
say(
  `longest recovery: ${(silenceMs / 1000).toFixed(1)} s until the API answered again, ${attempts?.gap.toFixed(1)} s until a job was completed again`,
);
say(
  `settled after ${(settledMs / 1000).toFixed(1)} s; changes of files: ${[...contents.values()].map(({ changes }) => changes)}`,
);
say(`jobs watched to their end: ${heard.length}; downloads: ${tell(downloads.outcomes)}`);
for (const complaint of complaints) say(`complaint: ${complaint}`);
for (const job of left) say(`left: ${job.id} ${job.type} ${job.status} attempt ${job.attempt}`);
for (const { invariant, about, sentence } of findings) say(`${invariant}  ${about}: ${sentence}`);
say(
  findings.length + left.length + complaints.length === 0
    ? "fsck: all of it holds"
    : `fsck: ${findings.length} findings, ${left.length} jobs left, ${complaints.length} complaints of customers`,
);
process.exitCode = findings.length + left.length + complaints.length === 0 ? 0 : 1;

/** A database that has just been started again may part with its first callers. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === 20) throw error;
      await pause(500);
    }
  }
}

function tell(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `${what} ${count}`)
    .join(", ");
}
