// Claim: a thousand watch a hub, half of them over WebSocket and half over SSE, and hear of everything at most five times as late as
// from Redis itself; none misses how its job ended, and one who stops reading changes nothing for the others.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import pg from "pg";
import { formatJobMessage, jobChannel } from "../clients/hub/progress-channel.ts";
import { newId } from "../domain/ids.ts";
import { signIn } from "../test/stage/client.ts";
import { stageDatabase } from "../test/stage/postgres.ts";
import { stageRedis } from "../test/stage/redis.ts";
import { median } from "./figures.ts";
import type { HubOrder, HubReady } from "./live/hub-process.ts";
import type { SwarmMessage, SwarmOrder } from "./live/swarm.ts";
import type { BenchOptions } from "./main.ts";
import { judge } from "./turns.ts";

const goals = { ratio: 5, hubMB: 600, stalledRatio: 1.5 } as const;
/** Of ten events eight are progress, which passes through Redis alone, and two are lines of a job's log, which are read from Postgres. */
const storedOfTen = 2;

interface Measured {
  /** Milliseconds from the word on Redis to the watcher. */
  readonly progress: readonly number[];
  readonly stored: readonly number[];
  readonly final: readonly number[];
  readonly lost: number;
  readonly lostFinal: number;
}

interface Stage {
  readonly subscriptions: number;
  readonly rate: number;
  readonly seconds: number;
  readonly redisUrl: string;
  readonly redis: Redis;
  readonly db: pg.Pool;
  readonly hub: HubReady;
  readonly hubPid: number;
  readonly tokens: readonly string[];
}

export async function live({ subscriptions, rate, seconds = 20, turns }: BenchOptions): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await stageDatabase());
  const { url: redisUrl } = stack.use(await stageRedis());
  const redis = stack.adopt(new Redis(redisUrl), (client) => client.disconnect());
  const db = stack.adopt(new pg.Pool({ connectionString: database.url, max: 4 }), (pool) => pool.end());
  const child = stack.adopt(forked("live/hub-process.ts"), (open) => open.disconnect());
  const people = Math.ceil(subscriptions / 10);
  child.send({ databaseUrl: database.url, redisUrl, people } satisfies HubOrder);
  const [hub] = (await once(child, "message")) as [HubReady];
  const tokens: string[] = [];
  for (const account of hub.accounts) tokens.push(await signIn(hub.graphqlUrl, account));
  const stage: Stage = { subscriptions, rate, seconds, redisUrl, redis, db, hub, hubPid: child.pid ?? 0, tokens };

  const sides = { ours: [] as Measured[], stalled: [] as Measured[], bare: [] as number[][] };
  // The first turn warms up and does not count.
  for (let turn = 0; turn <= turns; turn++) {
    const ours = await watchHub(stage, { isOneStalled: false });
    const bare = await listenBare(stage);
    const stalled = await watchHub(stage, { isOneStalled: true });
    const line = [ours, stalled].map((each) => p95([...each.progress, ...each.stored]).toFixed(2));
    process.stdout.write(
      `turn ${turn}: p95 hub ${line[0]} ms, with one stalled ${line[1]} ms, redis ${p95(bare).toFixed(2)} ms\n`,
    );
    if (turn === 0 && turns > 0) continue;
    sides.ours.push(ours);
    sides.stalled.push(stalled);
    sides.bare.push(bare);
  }

  const row = (name: string, runs: readonly (readonly number[])[]) => {
    const figure = (of: number) => median(runs.map((times) => quantile(times, of))).toFixed(2);
    process.stdout.write(
      `${name.padEnd(38)} p50 ${figure(0.5)} ms   p95 ${figure(0.95)} ms   p99 ${figure(0.99)} ms   of ${runs[0]?.length ?? 0} a turn\n`,
    );
    return median(runs.map(p95));
  };
  const all = (runs: readonly Measured[]) => runs.map(({ progress, stored }) => [...progress, ...stored]);
  const ours = row(`hub, all at ${rate}/s`, all(sides.ours));
  const stalled = row("hub, all, with one who stalls", all(sides.stalled));
  row(
    "hub, progress",
    sides.ours.map(({ progress }) => progress),
  );
  row(
    "hub, lines of the log",
    sides.ours.map(({ stored }) => stored),
  );
  row(
    `hub, final states at ${rate}/s`,
    sides.ours.map(({ final }) => final),
  );
  const bare = row("bare redis", sides.bare);
  const runs = [...sides.ours, ...sides.stalled];
  const lost = runs.reduce((sum, each) => sum + each.lost, 0);
  const lostFinal = runs.reduce((sum, each) => sum + each.lostFinal, 0);
  const peakMB = Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
  const { rows } = await db.query<{ count: number }>(
    "SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'xvault'",
  );
  process.stdout.write(`the hub holds ${rows[0]?.count} connections to postgres; ${lost} events lost\n`);
  judge(`${lostFinal} final states lost of ${runs.length * subscriptions}`, lostFinal === 0, "none");
  judge(
    `p95 of the hub over p95 of redis ${(ours / bare).toFixed(2)}`,
    ours / bare <= goals.ratio,
    `at most ${goals.ratio}`,
  );
  judge(
    `p95 with one who stalls over p95 without ${(stalled / ours).toFixed(2)}`,
    stalled / ours <= goals.stalledRatio,
    `at most ${goals.stalledRatio}`,
  );
  judge(`peak memory of the hub ${peakMB.toFixed(0)} MB`, peakMB < goals.hubMB, `under ${goals.hubMB}`);
}

/** One subscription for each of as many jobs, events at the rate for the time, and then the end of each job. */
async function watchHub(stage: Stage, { isOneStalled }: { isOneStalled: boolean }): Promise<Measured> {
  const { subscriptions, rate, db, redis, hub, tokens } = stage;
  const jobIds = Array.from({ length: subscriptions + 1 }, (_, n) => newId("job", new Date(Date.now() + n)));
  await db.query(
    "INSERT INTO jobs (id, tenant_id, type, status, lease_epoch, attempt) SELECT id, $2, 'BACKUP', 'RUNNING', 1, 1 FROM unnest($1::text[]) id",
    [jobIds, hub.tenantId],
  );
  const stalledJobId = jobIds.pop() ?? "";
  const idleMB = await residentMB(stage.hubPid);
  const swarm = await startSwarm({
    kind: "hub",
    url: hub.graphqlUrl,
    tokens,
    jobIds,
    stalledJobId: isOneStalled ? stalledJobId : null,
  });
  const eachKB = (((await residentMB(stage.hubPid)) - idleMB) * 1024) / subscriptions;
  process.stdout.write(`  ${subscriptions} subscriptions, ${eachKB.toFixed(0)} kB of the hub's memory each\n`);

  const sent = new Map<string, number>();
  const store = async (place: number, status: string) => {
    const jobId = jobIds[place] ?? stalledJobId;
    const { rows } = await db.query<{ seq: number }>(
      `WITH job AS (UPDATE jobs SET event_seq = event_seq + 1, status = $2::job_status WHERE id = $1 RETURNING *)
       INSERT INTO job_events (job_id, seq, tenant_id, kind, facts)
       SELECT id, event_seq, tenant_id, 'log', jsonb_build_object('lines', $3::text) FROM job RETURNING seq`,
      [jobId, status, "l".repeat(place < subscriptions ? 100 : 8_000)],
    );
    const seq = rows[0]?.seq;
    sent.set(`${place} event ${seq}`, now());
    await redis.publish(jobChannel(jobId), formatJobMessage({ v: 1, kind: "changed" }));
  };
  const stop = new AbortController();
  // Ten events a second of eight kilobytes for one who reads none of them.
  const flood = isOneStalled ? atRate(10, stage.seconds, () => store(subscriptions, "RUNNING"), stop.signal) : null;
  await atRate(rate, stage.seconds, async (n) => {
    const place = (n * 7) % subscriptions;
    if (n % 10 < storedOfTen) return store(place, "RUNNING");
    sent.set(`${place} progress ${n}`, now());
    await redis.publish(jobChannel(jobIds[place] ?? ""), progressMessage(n));
  });
  stop.abort();
  await flood;
  const during = sent.size;
  await atRate(rate, subscriptions / rate, (place) => store(place, "COMPLETED"));
  await pause(1_500);
  const { arrivals, ended } = await report(swarm);
  swarm.disconnect();

  const times = new Map<string, number>();
  for (const [key, at] of arrivals) times.set(key, at - (sent.get(key) ?? Number.NaN));
  const keys = [...sent.keys()].filter((key) => !key.startsWith(`${subscriptions} `));
  const told = (wanted: (key: string, index: number) => boolean) =>
    keys.filter(wanted).flatMap((key) => times.get(key) ?? []);
  const finals = new Set([...sent.keys()].slice(during));
  return {
    progress: told((key) => key.includes("progress")),
    stored: told((key) => key.includes("event") && !finals.has(key)),
    final: told((key) => finals.has(key)),
    lost: keys.filter((key) => !times.has(key)).length,
    lostFinal: subscriptions - Math.min(told((key) => finals.has(key)).length, ended),
  };
}

/** As many connections to Redis, with the same messages at the same rate, from as many processes. */
async function listenBare({ subscriptions, rate, seconds, redisUrl, redis }: Stage): Promise<number[]> {
  const channels = Array.from({ length: subscriptions }, (_, n) => `bare:${n}`);
  const swarm = await startSwarm({ kind: "redis", redisUrl, channels });
  const sent = new Map<string, number>();
  await atRate(rate, seconds, async (n) => {
    const place = (n * 7) % subscriptions;
    sent.set(`${place} progress ${n}`, now());
    await redis.publish(channels[place] ?? "", progressMessage(n));
  });
  await pause(500);
  const { arrivals } = await report(swarm);
  swarm.disconnect();
  return arrivals.map(([key, at]) => at - (sent.get(key) ?? Number.NaN));
}

function progressMessage(n: number): string {
  const sizes = { filesTotal: null, bytesDone: n * 1_000_000, bytesTotal: null, storedBytes: n * 500_000 };
  const progress = { leaseEpoch: 1, phase: "PULLING", filesDone: n, ...sizes, currentPath: "srv/www/index.html" };
  return formatJobMessage({ v: 1, kind: "progress", progress });
}

/** Does it at a steady rate, none waiting for the one before. */
async function atRate(
  rate: number,
  seconds: number,
  act: (n: number) => Promise<unknown>,
  signal?: AbortSignal,
): Promise<void> {
  const began = now();
  const acts: Promise<unknown>[] = [];
  for (let n = 0; n < rate * seconds && !signal?.aborted; n++) {
    const restMs = began + (n * 1000) / rate - now();
    if (restMs > 0) await pause(restMs);
    acts.push(act(n));
  }
  await Promise.all(acts);
}

async function startSwarm(order: SwarmOrder) {
  const swarm = forked("live/swarm.ts");
  swarm.send(order);
  await once(swarm, "message", { signal: AbortSignal.timeout(120_000) });
  return swarm;
}

async function report(swarm: ReturnType<typeof forked>) {
  swarm.send("report");
  const [message] = (await once(swarm, "message")) as [Exclude<SwarmMessage, { ready: true }>];
  return message;
}

function forked(file: string) {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { execArgv: [] });
  child.once("exit", (code) => {
    if (code) throw new Error(`${file} ended with ${code}`);
  });
  return child;
}

async function residentMB(pid: number): Promise<number> {
  return Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

/** Milliseconds on the machine's own clock, which all of its processes share. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function p95(times: readonly number[]): number {
  return quantile(times, 0.95);
}

function quantile(times: readonly number[], of: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * of), sorted.length - 1)] ?? Number.NaN;
}
