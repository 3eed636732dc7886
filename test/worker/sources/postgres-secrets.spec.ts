import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { missingPostgres15, stagePostgres15 } from "../../stage/peers/postgres-15.ts";
import { watchProcesses } from "../../stage/processes.ts";
import { connectToPostgres, type Differences, overSsh } from "./postgres-reading.ts";

const password = "can:ary\\pw-7c1e'\"$(id)";
/** As it stands in a password file. */
const escaped = "can\\:ary\\\\pw-7c1e";

/** The content of what lies in shared memory, but for PostgreSQL servers' own: other specs put things there as well. */
async function sharedMemory(): Promise<string> {
  const names = (await readdir("/dev/shm")).filter((name) => !name.startsWith("PostgreSQL."));
  return (await Promise.all(names.map((name) => readFile(join("/dev/shm", name), "latin1").catch(() => "")))).join(
    "\n",
  );
}

/** Slowly, so that there is something to see. */
async function lengthOf(content: AsyncIterable<Uint8Array> | undefined): Promise<number> {
  let length = 0;
  for await (const chunk of content ?? []) {
    length += chunk.length;
    await pause(2);
  }
  return length;
}

describe("the password of a PostgreSQL source", { skip: missingPostgres15 ?? missingOpenSsh ?? false }, () => {
  async function isNowhere(dump: "straight" | "near" | "far") {
    await using server = await stagePostgres15();
    await using sshd = await stageOpenSsh();
    const tempBase = await mkdtemp(join(tmpdir(), "xvault-secrets-"));
    try {
      await server.query("CREATE DATABASE watched");
      await server.query(
        "CREATE TABLE t AS SELECT repeat(md5(i::text), 10) FROM generate_series(1, 20000) i",
        "watched",
      );
      await server.query(`ALTER ROLE postgres PASSWORD '${password.replaceAll("'", "''")}'`);
      const peer = { ...server, password };
      const way: Differences = dump === "straight" ? {} : overSsh(sshd, peer, dump);
      const processes = await watchProcesses();
      await using source = await connectToPostgres(peer, { ...way, tempBase });
      await source.identify();
      for await (const { path, content } of source.entries(() => undefined)) {
        const length = await lengthOf(content);
        if (path === "postgres/watched.dump") assert.ok(length > 5_000_000);
      }
      const seen = await processes.stop();
      assert.ok(seen.includes("PGDATABASE=watched"), "the programs were not seen");
      const shared = await sharedMemory();
      for (const secret of [password, escaped, "pw-7c1e", sshd.password]) {
        assert.ok(!seen.includes(secret), secret);
        assert.ok(!shared.includes(secret), secret);
      }
      await source[Symbol.asyncDispose]();
      assert.deepEqual(await readdir(tempBase), []);
    } finally {
      await rm(tempBase, { recursive: true, force: true });
    }
  }

  it("is in no argument, environment or file while programs run here", () => isNowhere("straight"));
  it("is in none while they run here at the end of a tunnel", () => isNowhere("near"));
  it("is in none while they run on the SSH server", () => isNowhere("far"));
});
