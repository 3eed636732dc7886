// Claim: the public API answers at least as many requests a second as PostGraphile does on the same database, and the second
// wall costs at most a fifth of them.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { serverVariable, stageDatabase, startStagedServer } from "../test/stage/postgres.ts";
import { stageRedis } from "../test/stage/redis.ts";
import { type Answered, ask, load, type Question, quantile } from "./api/load.ts";
import { installPeer, peerToken, startPeer } from "./api/peer.ts";
import { type ApiSize, seed } from "./api/seed.ts";
import { type Member, type Served, served } from "./api/served.ts";
import { assertSameRows, type Shape, shapes } from "./api/shapes.ts";
import { median } from "./figures.ts";
import type { BenchOptions } from "./main.ts";
import { watchMemory } from "./resident-memory.ts";
import { judge } from "./turns.ts";

/** Of each side, the hub's pool as it is by default. */
const maxConnections = 10;
const concurrency = 16;

interface Side {
  readonly name: string;
  readonly server: Served;
  readonly speaks: "ours" | "theirs";
  /** By user. */
  readonly tokens: ReadonlyMap<string, string>;
}

/** Both sides answer the same questions of a member of each tenant, in turns of `seconds`. */
export async function api({ turns, only, tenants, sources, snapshots, seconds = 3 }: BenchOptions): Promise<void> {
  const peer = await installPeer();
  await using stack = new AsyncDisposableStack();
  const postgres = await startStagedServer();
  stack.defer(() => postgres.stop());
  process.env[serverVariable] = postgres.url;
  const { url } = stack.use(await stageDatabase());
  await fill(url, { tenants, sources, snapshots });
  const members = await findMembers(url);
  const { url: redisUrl } = stack.use(await stageRedis());
  const hub = async (name: string, wall: "on" | "off"): Promise<Side> => {
    const server = stack.use(await startHubProcess(url, redisUrl, wall));
    return {
      name,
      server,
      speaks: "ours",
      tokens: new Map(Object.entries(server.said.tokens as Record<string, string>)),
    };
  };
  const postgraphile = async (name: string, rowSecurity: boolean): Promise<Side> => {
    const server = stack.use(await startPeer({ server: peer, databaseUrl: url, maxConnections, rowSecurity }));
    const tokens = await Promise.all(members.map(async (member) => [member.userId, await peerToken(member)] as const));
    return { name, server, speaks: "theirs", tokens: new Map(tokens) };
  };
  const walled = await hub("xVault", "on");
  const unwalled = await hub("xVault without the second wall", "off");
  const alike = await postgraphile("PostGraphile behind row-level security", true);
  const bare = await postgraphile("PostGraphile without it", false);
  const sides = [walled, unwalled, alike, bare];
  for (const shape of shapes) await compareRows(shape, sides, members);
  const mixed = { name: "all of these in turn", shapes };
  const mixes = [...shapes.map((shape) => ({ name: shape.name, shapes: [shape] })), mixed];
  for (const mix of mixes.filter(({ name }) => only === undefined || name.includes(only))) {
    const questions = (side: Side) =>
      members.flatMap((member) => mix.shapes.map((shape) => questionOf(shape, side, member)));
    const measured = await measureInTurns(sides, questions, { turns, seconds });
    process.stdout.write(`\n${mix.name}, ${concurrency} at once\n`);
    for (const side of sides) process.stdout.write(rowOf(side, measured));
    const ratio = medianRatio(measured, walled, alike);
    process.stdout.write(`ratio to PostGraphile without it: ${medianRatio(measured, walled, bare).toFixed(2)}\n`);
    judge(`${ratio.toFixed(2)} times the requests of PostGraphile behind row-level security`, ratio >= 1, "at least 1");
    const cost = medianRatio(measured, unwalled, walled) - 1;
    judge(`the second wall costs ${(cost * 100).toFixed(0)} %`, cost <= 0.2, "at most 20 %");
  }
}

async function fill(url: string, size: ApiSize): Promise<void> {
  const start = performance.now();
  await seed(url, size);
  const { tenants, sources, snapshots } = size;
  process.stdout.write(
    `${tenants} tenants × ${sources} sources × ${snapshots} snapshots, seeded in ${((performance.now() - start) / 1000).toFixed(0)} s\n`,
  );
}

/** One of each tenant, with a snapshot from the middle of its history. */
async function findMembers(url: string): Promise<Member[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Member>(`
      SELECT m.user_id AS "userId", m.tenant_id AS "tenantId", s.id AS "snapshotId" FROM memberships m,
        LATERAL (SELECT id FROM snapshots WHERE tenant_id = m.tenant_id ORDER BY id
                 OFFSET (SELECT count(*) / 2 FROM snapshots WHERE tenant_id = m.tenant_id) LIMIT 1) s`);
    return rows;
  } finally {
    await client.end();
  }
}

function startHubProcess(databaseUrl: string, redisUrl: string, wall: "on" | "off"): Promise<Served> {
  return served(
    fork(fileURLToPath(new URL("api/hub-process.ts", import.meta.url)), {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { ...process.env, NODE_ENV: "production", DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, BENCH_WALL: wall },
    }),
  );
}

function questionOf(shape: Shape, { speaks, tokens }: Side, member: Member): Question {
  const body = JSON.stringify({ query: shape[speaks], variables: shape.variables(member) });
  return { token: tokens.get(member.userId) ?? "", body };
}

/** Every side answers the same, to the first member and to the last. */
async function compareRows(shape: Shape, sides: readonly Side[], members: readonly Member[]): Promise<void> {
  for (const member of [members[0], members.at(-1)]) {
    if (!member) throw new Error("there is nobody to ask");
    const answers = await Promise.all(sides.map((side) => ask(side.server.url, questionOf(shape, side, member))));
    const [first, ...others] = answers.map((answer) => JSON.parse(answer).data);
    for (const other of others) assertSameRows(first, other);
  }
}

interface Measured {
  readonly turns: Answered[];
  peakMB: number;
}

/** The first turn of each warms it up and does not count. */
async function measureInTurns(
  sides: readonly Side[],
  questions: (side: Side) => Question[],
  { turns, seconds }: { turns: number; seconds: number },
): Promise<Map<Side, Measured>> {
  const measured = new Map(sides.map((side): [Side, Measured] => [side, { turns: [], peakMB: 0 }]));
  for (let turn = 0; turn <= turns; turn++)
    for (const [side, { turns: counted }] of measured) {
      const memory = watchMemory(side.server.pid);
      const answered = await load({ url: side.server.url, questions: questions(side), concurrency, seconds });
      const entry = measured.get(side);
      if (entry) entry.peakMB = Math.max(entry.peakMB, memory.stop());
      if (turn > 0) counted.push(answered);
    }
  return measured;
}

function rowOf(side: Side, measured: ReadonlyMap<Side, Measured>): string {
  const { turns, peakMB } = measured.get(side) ?? { turns: [], peakMB: 0 };
  const perSecond = median(turns.map((turn) => turn.perSecond)).toFixed(0);
  const [p50, p95] = [0.5, 0.95].map((share) =>
    median(turns.map(({ latencies }) => quantile(latencies, share))).toFixed(1),
  );
  return `${side.name.padEnd(42)}${perSecond.padStart(6)} requests/s   p50 ${p50} ms   p95 ${p95} ms   peak ${peakMB.toFixed(0)} MB\n`;
}

/** Requests of one side over those of another, turn by turn, and of these the median. */
function medianRatio(measured: ReadonlyMap<Side, Measured>, one: Side, other: Side): number {
  const others = measured.get(other)?.turns ?? [];
  const ratios = (measured.get(one)?.turns ?? []).map(
    ({ perSecond }, turn) => perSecond / (others[turn]?.perSecond ?? Number.NaN),
  );
  return median(ratios);
}
