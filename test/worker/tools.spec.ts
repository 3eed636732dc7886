// What a worker says of the programs at hand.
import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { findTools } from "../../worker/tools.ts";

describe("the tools of a worker", () => {
  it("are those that answer, by their versions; what is not there or fails is null", async () => {
    const toolPath = await mkdtemp(join(tmpdir(), "xvault-tools-"));
    try {
      const program = async (name: string, script: string) => {
        await writeFile(join(toolPath, name), `#!/bin/sh\n${script}\n`);
        await chmod(join(toolPath, name), 0o755);
      };
      await program("pg_dump", "echo 'pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)'");
      await program("mariadb-dump", "echo 'mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)'");
      await program("mysql", "exit 1");
      const signal = AbortSignal.timeout(30_000);
      const tools = await findTools({ tempBase: toolPath, nativeCrypto: true, signal, toolPath });
      assert.deepEqual(tools, {
        node: process.version,
        zstd: process.versions.zstd,
        zstdLevel: 3,
        nativeCrypto: true,
        pg_dump: "15.20",
        psql: null,
        mysqldump: "mariadb-dump 11.4.2",
        mysql: null,
      });
    } finally {
      await rm(toolPath, { recursive: true, force: true });
    }
  });
});
