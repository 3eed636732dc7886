import assert from "node:assert/strict";
import { chmod, chown, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import { nearPlace } from "../../../worker/sources/dump/near-place.ts";
import { openMysqlOverSsh } from "../../../worker/sources/mysql/over-ssh.ts";
import { type MysqlServer, openMysqlServer } from "../../../worker/sources/mysql/server.ts";
import { argumentsOf, parseVersion, requireFitting } from "../../../worker/sources/mysql/versions.ts";
import { connectSsh } from "../../../worker/sources/ssh/connection.ts";
import { missingMariadb, type StagedMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { fillShop } from "../../stage/peers/mariadb-shop.ts";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { connectDirectly, connectOverSsh, readDumps } from "./mysql-reading.ts";
import { loopback, readContent } from "./reading.ts";

const skip = missingMariadb ?? missingOpenSsh ?? false;
const mysql8 = {
  program: "mysqldump",
  version: "8.0.36",
  banner: "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)",
};
const mariadb = {
  program: "mariadb-dump",
  version: "10.11.6",
  banner: "mariadb-dump  Ver 10.19 Distrib 10.11.6-MariaDB",
};

describe("programs that dump MySQL", { skip }, () => {
  let server: StagedMariadb;
  before(async () => {
    server = await stageMariadb();
    await fillShop(server);
  });
  after(() => server[Symbol.asyncDispose]());

  interface Faked extends AsyncDisposable {
    readonly open: () => Promise<MysqlServer>;
  }

  /** Programs that are shell scripts; what is not named is the real one. */
  async function fake(
    scripts: Readonly<Record<string, string>>,
    real: readonly string[] = ["mariadb", "mariadb-dump"],
  ): Promise<Faked> {
    const folder = await mkdtemp(join(tmpdir(), "xvault-programs-"));
    for (const name of real) if (!(name in scripts)) await symlink(`/usr/bin/${name}`, join(folder, name));
    for (const [name, script] of Object.entries(scripts))
      await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const signal = new AbortController().signal;
    const isScripted = Object.keys(scripts).length > 0;
    const toolPath = isScripted ? `${folder}:/usr/bin:/bin` : folder;
    const place = nearPlace({ tempBase: tmpdir(), signal, toolPath });
    const { host, port, username, password } = server;
    return {
      open: () => openMysqlServer(place, { host, port, username, password, stallMs: 5000 }),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  }

  const version = '[ "$1" = --version ] && exec /usr/bin/mariadb-dump --version';
  const whole = "/usr/bin/mariadb-dump";

  async function dumpBy(script: string): Promise<{ content: Buffer; warnings: Warning[] }> {
    await using programs = await fake({ "mariadb-dump": `${version}\n${script}` });
    const warnings: Warning[] = [];
    const prepared = await (await programs.open()).prepareDump("shop", { warn: (warning) => warnings.push(warning) });
    return { content: await readContent(prepared?.entry ?? assert.fail()), warnings };
  }

  it("are not believed when they end well and their dump is cut, empty or goes on", async () => {
    for (const script of [
      `${whole} "$@" | head -c 100000`,
      `${whole} "$@" | head -n -1`,
      "exit 0",
      `${whole} "$@"; echo "DROP DATABASE"`,
    ])
      await assert.rejects(dumpBy(script), { code: "DUMP_TRUNCATED" }, script);
  });

  it("are believed when they fail or are killed, even after a whole dump", async () => {
    for (const script of [
      `${whole} "$@"; exit 1`,
      `${whole} "$@"; kill -KILL $$`,
      "echo 'Error: something new' >&2; exit 3",
    ])
      await assert.rejects(dumpBy(script), { code: "DUMP_FAILED" }, script);
  });

  it("may complain of what is no failure: the dump is taken, with a warning", async () => {
    const { content, warnings } = await dumpBy(
      `echo "mysqldump: [Warning] secret-looking words" >&2; exec ${whole} "$@"`,
    );
    assert.match(content.toString("latin1"), /\n-- Dump completed\s*$/);
    assert.deepEqual(
      warnings.map(({ code, path }) => `${code} ${path}`),
      ["TOOL_WARNING mysql/shop.sql"],
    );
    assert.doesNotMatch(warnings[0]?.message ?? "", /secret/);
  });

  it("give no dump whose head holds a command for whoever restores it", async () => {
    const evil = `${whole} "$@" | sed '5a\\\\\\\\! touch /canary'`;
    await assert.rejects(dumpBy(evil), { code: "DUMP_FAILED", message: /does not begin as one does/ });
    await assert.rejects(dumpBy("yes -- | head -c 10000000"), {
      code: "DUMP_FAILED",
      message: /does not begin as one does/,
    });
  });

  it("leave no sandbox line, which other clients take for a mistake", async () => {
    const { content } = await dumpBy(`exec ${whole} "$@"`);
    assert.match(content.toString("latin1", 0, 200), /^-- MariaDB dump/);
  });

  it("are called by the name under which they are there, and are missed where they are not", async () => {
    await using old = await fake({}, ["mysql", "mysqldump"]);
    assert.deepEqual(Object.keys((await old.open()).tools), ["mysql", "mysqldump"]);
    await using none = await fake({}, []);
    await assert.rejects(none.open(), { code: "DUMP_FAILED", message: /no mariadb-dump or mysqldump/ });
  });

  it("are refused where they are known not to fit the server", async () => {
    await using programs = await fake({
      mariadb: `[ "$1" = --version ] && exec /usr/bin/mariadb --version; echo 9.1.0`,
      "mariadb-dump": `echo "${mysql8.banner}"`,
    });
    await assert.rejects(programs.open(), {
      code: "DUMP_VERSION_MISMATCH",
      message: /8\.0\.36 is too old for this MySQL server of version 9\.1/,
    });
  });

  it("are told what their maker's versions need", () => {
    assert.deepEqual(argumentsOf(mariadb), []);
    assert.deepEqual(argumentsOf(mysql8), ["--set-gtid-purged=OFF", "--column-statistics=0"]);
    assert.deepEqual(argumentsOf({ ...mysql8, version: "5.7.44" }), ["--set-gtid-purged=OFF"]);
    const fits = (tool: typeof mariadb, text: string) => {
      try {
        requireFitting(tool, parseVersion(text));
        return true;
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, "DUMP_VERSION_MISMATCH");
        return false;
      }
    };
    assert.deepEqual(
      [
        fits(mariadb, "11.8.2-MariaDB-ubu2404"),
        fits(mariadb, "8.4.3"),
        fits(mysql8, "8.4.3"),
        fits(mysql8, "5.5.5-10.11.6-MariaDB"),
        fits(mysql8, "5.7.44-log"),
        fits({ ...mysql8, version: "5.7.44" }, "8.0.36"),
        fits({ ...mariadb, version: "10.1.48" }, "5.5.5-10.6.18-MariaDB"),
        fits({ ...mariadb, version: "10.1.48" }, "10.1.40-MariaDB"),
      ],
      [true, true, true, true, true, false, false, true],
    );
  });

  it("are those of this machine where the SSH server has none", async () => {
    await using sshd = await stageOpenSsh();
    const signal = new AbortController().signal;
    const target = { ...sshd, signIn: { password: sshd.password }, pinnedHostKey: sshd.hostKey };
    await using connection = await connectSsh({
      target,
      jump: null,
      allowedNetworks: loopback,
      signal,
      stallMs: 10_000,
    });
    const { host, port, username, password } = server;
    const bare = {
      ...connection,
      run: (line: string, options?: object) => connection.run(`PATH=/nonexistent; ${line}`, options),
    };
    const settings = { host, port, username, password, stallMs: 5000 };
    const options = { settings, dump: "far", tempBase: tmpdir(), signal } as const;
    await using fallenBack = await openMysqlOverSsh(bare, options);
    assert.equal(fallenBack.dump, "near");
    const prepared = await fallenBack.server.prepareDump("other", { warn: () => undefined });
    assert.match((await readContent(prepared?.entry ?? assert.fail())).toString(), /INSERT INTO `plain`/);
    await assert.rejects(openMysqlOverSsh(bare, { ...options, settings: { ...settings, socket: server.socket } }), {
      code: "DUMP_FAILED",
    });
    await using far = await openMysqlOverSsh(connection, {
      ...options,
      settings: { ...settings, host: "unused.invalid", socket: server.socket },
    });
    assert.equal(far.dump, "far");
  });

  it("sign in on the SSH server with its user's own ~/.my.cnf, where no password is given", async () => {
    await using sshd = await stageOpenSsh();
    const secrets = { ssh: { password: sshd.password } };
    await assert.rejects(connectOverSsh(sshd, server, "far", { secrets }), { code: "SOURCE_AUTH_FAILED" });
    const file = join(sshd.files, "home", ".my.cnf");
    await writeFile(
      file,
      `[client]\nuser=someone-else\nport=1\npassword="${server.password.replaceAll(/["\\]/g, "\\$&")}"\n`,
    );
    await chmod(file, 0o600);
    await chown(file, sshd.owner.uid, sshd.owner.gid);
    await using source = await connectOverSsh(sshd, server, "far", { secrets });
    assert.ok((await readDumps(source)).dumps.has("mysql/shop.sql"));
    assert.equal((await source.identify()).hostKey, sshd.hostKey);
    await assert.rejects(connectOverSsh(sshd, server, "near", { secrets }), { code: "SOURCE_AUTH_FAILED" });
  });

  it("dump what was chosen", async () => {
    const tablesOf = async (config: Record<string, unknown>) => {
      await using source = await connectDirectly(server, { config });
      const { dumps } = await readDumps(source);
      const tables = [...dumps].flatMap(([path, dump]) =>
        [...dump.toString("latin1").matchAll(/^INSERT INTO `(\w+)`/gm)].map(
          ([, table]) => `${path.slice(6, -4)}.${table}`,
        ),
      );
      const told = source.facts().databases.map(({ path, tables }) => `${path}: ${tables.map(({ name }) => name)}`);
      return { tables, told };
    };
    assert.deepEqual(
      await tablesOf({ includeTables: ["shop.la*", "other.plain", "*.years"], excludeTables: ["*y*s"] }),
      {
        tables: ["other.plain", "shop.latin"],
        told: ["mysql/other.sql: plain", "mysql/shop.sql: latin"],
      },
    );
    assert.deepEqual((await tablesOf({ databases: ["other"] })).told, ["mysql/other.sql: plain"]);
    const hard = `${"*a".repeat(100)}b`;
    assert.deepEqual(
      (await tablesOf({ databases: ["other"], excludeTables: [hard, "other.plai", "ther.plain"] })).tables,
      ["other.plain"],
    );
  });

  it("are told of, with what they dumped", async () => {
    // Else the server's estimates are as old as it likes.
    await server.query("ANALYZE TABLE shop.years");
    await using source = await connectDirectly(server);
    const { serverVersion, tools, sampleEntries, remarks, hostKey } = await source.identify();
    assert.match(serverVersion ?? "", /^10\.\d+\.\d+-MariaDB/);
    assert.deepEqual(Object.keys(tools), ["mariadb", "mariadb-dump"]);
    assert.match(tools["mariadb-dump"] ?? "", /^10\.\d+\.\d+$/);
    assert.deepEqual(sampleEntries, ["mysql/nothing_in_it.sql", "mysql/other.sql", "mysql/shop.sql"]);
    assert.deepEqual(remarks, ["Every database is backed up as of one moment, and each as of another one."]);
    assert.equal(hostKey, null);
    const { files, bytes } = (await source.estimate()) ?? assert.fail();
    assert.ok(files === 3 && bytes > 0 && bytes < 100_000_000, `${files} files of ${bytes} bytes`);
    await readDumps(source);
    const shop = source.facts().databases.find(({ path }) => path === "mysql/shop.sql");
    assert.ok(shop?.tables.some(({ name, rows, estimated }) => name === "years" && rows === 2 && estimated));
    assert.deepEqual(source.facts().tools, tools);
  });
});
