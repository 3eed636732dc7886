import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { missingPostgres15, stagePostgres15 } from "../../stage/peers/postgres-15.ts";
import { connectToPostgres, type Differences, overSsh } from "./postgres-reading.ts";

const password = "can:ary\\pw-7c1e'\"$(id)";
/** As it stands in a password file. */
const escaped = "can\\:ary\\\\pw-7c1e";

/** Looks at every process of the machine every few milliseconds, until it is stopped. */
function watchProcesses(lookFor: readonly string[]) {
  const seen = new Map<string, number>(lookFor.map((text) => [text, 0]));
  const look = () => {
    for (const pid of readdirSync("/proc"))
      if (/^\d+$/.test(pid) && pid !== `${process.pid}`)
        for (const file of ["cmdline", "environ"]) {
          const text = contentOf(`/proc/${pid}/${file}`);
          for (const wanted of lookFor) if (text.includes(wanted)) seen.set(wanted, (seen.get(wanted) ?? 0) + 1);
        }
  };
  const looking = setInterval(look, 10);
  return () => {
    clearInterval(looking);
    return seen;
  };
}

/** Nothing of a process that has ended in the meantime. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
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
      const stop = watchProcesses([password, escaped, "pw-7c1e", "PGDATABASE=watched", sshd.password]);
      const shared = await readdir("/dev/shm");
      await using source = await connectToPostgres(peer, { ...way, tempBase });
      await source.identify();
      for await (const { path, content } of source.entries(() => undefined)) {
        const length = await lengthOf(content);
        if (path === "postgres/watched.dump") assert.ok(length > 5_000_000);
      }
      const seen = stop();
      assert.ok((seen.get("PGDATABASE=watched") ?? 0) > 10, "the programs were not seen");
      for (const secret of [password, escaped, "pw-7c1e", sshd.password]) assert.equal(seen.get(secret), 0, secret);
      assert.deepEqual(await readdir("/dev/shm"), shared);
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
