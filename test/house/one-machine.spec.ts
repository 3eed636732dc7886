// The one-command mode's own Postgres and Redis: made once, kept through every kind of end, and never shared.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { type Ground, startGround } from "../../server/one-machine/ground.ts";
import { openHome } from "../../server/one-machine/home.ts";

const temporary = await mkdtemp(join(tmpdir(), "xvault-homes-"));
await chmod(temporary, 0o755);
after(() => rm(temporary, { recursive: true }));
const isRoot = process.getuid?.() === 0;
const newHome = (name: string) => join(temporary, name);

async function sql(ground: Pick<Ground, "databaseUrl">, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: ground.databaseUrl });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

async function redis<T>(ground: Pick<Ground, "redisUrl">, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(ground.redisUrl);
  client.on("error", () => {}); // the command that fails says it too
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** A stack in a process of its own, which can be killed. */
async function stackIn(directory: string): Promise<{ stack: ChildProcess; ground: Ground }> {
  const script = `
    import { openHome } from ${JSON.stringify(new URL("../../server/one-machine/home.ts", import.meta.url).href)};
    import { startGround } from ${JSON.stringify(new URL("../../server/one-machine/ground.ts", import.meta.url).href)};
    const home = await openHome(${JSON.stringify(directory)});
    console.log(JSON.stringify(await startGround(home)));
    setInterval(() => {}, 1000);`;
  const stack = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const died = once(stack, "exit").then(() => assert.fail("the stack did not come up"));
  const [line] = await Promise.race([once(createInterface(stack.stdout), "line"), died]);
  return { stack, ground: JSON.parse(line) };
}

describe("the ground", () => {
  // Of whichever test comes first; making a cluster is what takes time.
  const directory = newHome("stack");
  const leaveMark = async (ground: Ground, mark: number) => {
    await sql(ground, `DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT ${mark} AS mark`);
    await redis(ground, (client) => client.set("kept", mark));
  };
  const findMark = async (ground: Ground) => [
    await sql(ground, "SELECT mark FROM kept"),
    await redis(ground, (client) => client.get("kept")),
  ];

  it("keeps its data and its addresses when it is stopped and started", async () => {
    await using home = await openHome(directory);
    const urls: string[] = [];
    {
      await using ground = await startGround(home);
      urls.push(ground.databaseUrl, ground.redisUrl);
      await leaveMark(ground, 1);
    }
    await assert.rejects(sql({ databaseUrl: urls[0] ?? "" }, "SELECT 1"), /ECONNREFUSED/);
    await using ground = await startGround(home);
    assert.deepEqual([ground.databaseUrl, ground.redisUrl], urls);
    assert.deepEqual(await findMark(ground), [[{ mark: 1 }], "1"]);
  });

  it("is taken over with its data after kill -9", async () => {
    const { stack, ground: before } = await stackIn(directory);
    await leaveMark(before, 2);
    await assert.rejects(openHome(directory), /Another xVault is running/);
    stack.kill("SIGKILL");
    await once(stack, "exit");

    await using home = await openHome(directory);
    const lines: string[] = [];
    await using ground = await startGround(home, { onLine: (service, line) => lines.push(`${service}: ${line}`) });
    assert.ok(lines.includes("postgres: stopped the Postgres that an earlier start left running"));
    assert.ok(lines.includes("redis: stopped the Redis that an earlier start left running"));
    assert.deepEqual(await findMark(ground), [[{ mark: 2 }], "2"]);
  });

  it("comes back, at the same addresses and with its data, when its servers are killed", async () => {
    await using home = await openHome(directory);
    await using ground = await startGround(home);
    await leaveMark(ground, 3);
    for (const pidFile of ["postgres/data/postmaster.pid", "redis/data/redis.pid"])
      process.kill(Number.parseInt(await readFile(join(directory, pidFile), "utf8"), 10), "SIGKILL");
    const deadline = performance.now() + 60_000;
    let found: unknown;
    while (found === undefined && performance.now() < deadline) {
      await sleep(100);
      found = await findMark(ground).catch(() => undefined);
    }
    assert.deepEqual(found, [[{ mark: 3 }], "3"]);
  });

  it("moves to other ports where its own were taken meanwhile", async () => {
    await using home = await openHome(directory);
    const ports = async () => {
      await using ground = await startGround(home);
      return [ground.databaseUrl, ground.redisUrl].map((url) => Number(new URL(url).port));
    };
    const before = await ports();
    const squatters = before.map((port) => createServer().listen(port, "127.0.0.1"));
    await Promise.all(squatters.map((squatter) => once(squatter, "listening")));
    const moved = await ports();
    for (const squatter of squatters) squatter.close();
    assert.equal(new Set([...before, ...moved]).size, 4);
  });

  it("stands elsewhere where its home lies behind a closed door", {
    skip: !isRoot && "only root starts others",
  }, async () => {
    const closed = await mkdtemp(join(temporary, "closed-"));
    await using home = await openHome(join(closed, "home"));
    const elsewhere: string[] = [];
    {
      await using ground = await startGround(home);
      assert.equal((await sql(ground, "SELECT 1")).length, 1);
      for (const service of ["postgres", "redis"]) elsewhere.push(await realpath(join(home.directory, service)));
    }
    assert.ok(elsewhere.every((folder) => !folder.startsWith(closed)));
    assert.equal((await stat(closed)).mode & 0o777, 0o700);
    await Promise.all(elsewhere.map((folder) => rm(dirname(folder), { recursive: true })));
  });

  it("is what it is told to use, and nothing is started then", async () => {
    await using home = await openHome(newHome("external"));
    const urls = { databaseUrl: "postgresql://elsewhere/x", redisUrl: "redis://elsewhere" };
    await using ground = await startGround(home, urls);
    assert.deepEqual({ databaseUrl: ground.databaseUrl, redisUrl: ground.redisUrl }, urls);
    await assert.rejects(stat(join(home.directory, "postgres")), /ENOENT/);
  });

  it("shows its passwords to nobody on the machine, and lets nobody in without", async () => {
    await using home = await openHome(directory);
    await using ground = await startGround(home);
    const { stdout } = spawn("ps", ["axeww", "-o", "args"]);
    const processes = (await stdout.toArray()).join("");
    for (const url of [ground.databaseUrl, ground.redisUrl]) {
      const { password } = new URL(url);
      assert.ok(password.length >= 32);
      assert.ok(!processes.includes(password));
    }
    const wrong = (url: string) => url.replace(/:[^:@]+@/, ":wrong@");
    await assert.rejects(sql({ databaseUrl: wrong(ground.databaseUrl) }, "SELECT 1"), /password/);
    await assert.rejects(
      redis({ redisUrl: wrong(ground.redisUrl) }, (client) => client.ping()),
      /NOAUTH|WRONGPASS/,
    );
  });

  it("says what the server said when it does not come up, and leaves nothing running", async () => {
    await using home = await openHome(directory);
    await (await startGround(home))[Symbol.asyncDispose]();
    const settings = join(directory, "postgres/data/postgresql.conf");
    await writeFile(settings, "no_such_setting = on\n");
    await assert.rejects(startGround(home), /Postgres ended while it was starting.*no_such_setting/s);
    await writeFile(settings, "");
    const lines: string[] = [];
    await using ground = await startGround(home, { onLine: (_, line) => lines.push(line) });
    assert.equal((await sql(ground, "SELECT 1")).length, 1);
    assert.ok(!lines.some((line) => line.includes("earlier start")));
  });
});
