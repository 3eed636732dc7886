import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingMariadb, type StagedMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { identifier } from "../../stage/peers/mariadb-shop.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { watchProcesses } from "../../stage/processes.ts";
import { stageRogueMysql } from "../../stage/rogue-mysql.ts";
import { connectDirectly, connectOverSsh, readDumps } from "./mysql-reading.ts";

const skip = missingMariadb ?? missingOpenSsh ?? false;

describe("the way to a MySQL server", { skip }, () => {
  let server: StagedMariadb;
  before(async () => {
    server = await stageMariadb();
    await server.query("CREATE DATABASE small");
  });
  after(() => server[Symbol.asyncDispose]());

  async function cipher(config: Record<string, unknown>): Promise<string> {
    await using proxy = await stageFaultProxy(server);
    await using source = await connectDirectly({ ...server, port: proxy.port }, { config });
    await readDumps(source);
    return (await server.query("SHOW GLOBAL STATUS LIKE 'Ssl_finished_accepts'")).split("\t")[1]?.trim() ?? "";
  }

  it("is encrypted unless that is switched off", async () => {
    const before = await cipher({ tls: "off" });
    assert.equal(await cipher({ tls: "off" }), before);
    assert.ok(Number(await cipher({})) > Number(before));
  });

  it("is closed where the server offers no encryption, before anything was sent", async () => {
    await using plain = await stageRogueMysql();
    await assert.rejects(connectDirectly(plain), {
      code: "SOURCE_DISCONNECTED",
      message: /offers no TLS, so nothing was sent/,
    });
    assert.equal(plain.received().length, 0);
    await using unencrypted = await stageMariadb({ tls: false });
    await assert.rejects(connectDirectly(unencrypted), { code: "SOURCE_DISCONNECTED", message: /offers no TLS/ });
    await using asked = await connectDirectly(unencrypted, { config: { tls: "off" } });
    assert.match((await asked.identify()).remarks.join(), /Without TLS/);
  });

  it("is verified against the host that the customer named, and the authority that they gave", async () => {
    const { authority } = server;
    for (const host of ["localhost", "127.0.0.1"])
      await (await connectDirectly({ ...server, host }, { config: { tls: "verified", authority } }))[
        Symbol.asyncDispose
      ]();
    await using stranger = await stageMariadb();
    const unfit = [
      [server, { tls: "verified" }],
      [server, { tls: "verified", authority: stranger.authority }],
      [
        { ...server, host: "127.0.0.2" },
        { tls: "verified", authority },
      ],
    ] as const;
    await using elsewhere = await stageMariadb({ settings: ["--bind-address=127.0.0.2"] });
    for (const [peer, config] of [
      ...unfit,
      [
        { ...elsewhere, host: "127.0.0.2" },
        { tls: "verified", authority: elsewhere.authority },
      ] as const,
    ])
      await assert.rejects(connectDirectly(peer, { config }), { code: "SOURCE_DISCONNECTED" });
  });

  it("takes users of every kind of sign-in that MariaDB has", async () => {
    await server.query(`INSTALL SONAME 'auth_ed25519';
      CREATE USER ed@'%' IDENTIFIED VIA ed25519 USING PASSWORD('pw of ed'); CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('pw of native');
      CREATE USER strict@'%' IDENTIFIED BY 'pw of strict' REQUIRE SSL;
      GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO ed@'%', native@'%', strict@'%'`);
    for (const username of ["ed", "native", "strict"]) {
      await using source = await connectDirectly({ ...server, username, password: `pw of ${username}` });
      assert.deepEqual([...(await readDumps(source)).dumps.keys()], ["mysql/small.sql"]);
    }
    for (const username of ["ed", "native"]) {
      const config = { tls: "off" };
      await using source = await connectDirectly({ ...server, username, password: `pw of ${username}` }, { config });
      assert.equal((await source.identify()).sampleEntries[0], "mysql/small.sql");
    }
    const refused = connectDirectly(
      { ...server, username: "strict", password: "pw of strict" },
      { config: { tls: "off" } },
    );
    await assert.rejects(refused, { code: "SOURCE_AUTH_FAILED" });
  });
});

describe("a hostile MySQL server", { skip }, () => {
  const plainly = { config: { tls: "off" } };

  it("gets no file of ours, whichever program it asks", async () => {
    await using first = await stageRogueMysql();
    await assert.rejects(connectDirectly(first, plainly), { code: "DUMP_FAILED" });
    await using second = await stageRogueMysql({
      answer: (sql) => {
        if (sql.startsWith("SELECT VERSION")) return [["10.11.6-MariaDB"]];
        if (sql.startsWith("SELECT 'database'")) return [["database"]];
        if (sql.includes("schemata")) return [["shop"]];
        return sql.includes("information_schema") ? [] : "infile";
      },
    });
    await using source = await connectDirectly(second, plainly);
    await assert.rejects(readDumps(source), { name: "SourceError" });
    for (const rogue of [first, second]) assert.doesNotMatch(rogue.received().toString("latin1"), /root:|nologin/);
    assert.ok(
      second.queries.some((sql) => /SQL_MODE/.test(sql)),
      "the dump program was asked as well",
    );
  });

  it("does not get to see the password in plain text", async () => {
    for (const behaviour of [
      { switchTo: "mysql_clear_password" },
      { switchTo: "dialog" },
      { plugin: "mysql_clear_password" },
      { plugin: "sha256_password" },
    ]) {
      await using rogue = await stageRogueMysql(behaviour);
      await assert.rejects(connectDirectly(rogue, plainly), {
        code: "SOURCE_AUTH_FAILED",
        message: /wants to see the password/,
      });
      assert.doesNotMatch(rogue.received().toString("latin1"), /password-of-ours/);
    }
  });

  it("gets no line of its own into a dump, by way of its version", async () => {
    const version = "10.11.6-MariaDB\n\\! touch /canary";
    await using greeting = await stageRogueMysql({ version });
    await assert.rejects(connectDirectly(greeting, plainly), {
      code: "SOURCE_DISCONNECTED",
      message: /no MySQL or MariaDB server/,
    });
    await using answering = await stageRogueMysql({ answer: () => [[version]] });
    await assert.rejects(connectDirectly(answering, plainly), {
      code: "DUMP_FAILED",
      message: /version that cannot be one/,
    });
  });

  it("cannot fill the memory with rows, nor wait for ever", async () => {
    await using endless = await stageRogueMysql({ answer: () => "endless" });
    const before = process.memoryUsage().rss;
    await assert.rejects(connectDirectly(endless, plainly), { code: "DUMP_FAILED" });
    assert.ok(process.memoryUsage().rss - before < 300 * 1_048_576);
    await using silent = await stageRogueMysql({ answer: () => "silence" });
    await assert.rejects(connectDirectly(silent, { ...plainly, stallMs: 500 }), { code: "SOURCE_STALLED" });
  });
});

describe("what a MySQL source keeps to itself", { skip }, () => {
  let server: StagedMariadb;
  let sshd: StagedOpenSsh;
  const staged = new AsyncDisposableStack();
  before(async () => {
    server = staged.use(await stageMariadb());
    sshd = staged.use(await stageOpenSsh());
    await server.query(
      "CREATE DATABASE big; USE big; CREATE TABLE filled (id INT PRIMARY KEY, filler LONGTEXT); INSERT INTO filled SELECT seq, REPEAT(MD5(seq), 3000) FROM seq_1_to_200",
    );
  });
  after(() => staged.disposeAsync());

  for (const way of ["directly", "near", "far"] as const)
    it(`is its passwords: no argument or environment of any process has them while it is dumped, ${way}`, async () => {
      const tempBase = await mkdtemp(join(tmpdir(), "xvault-secrets-"));
      const processes = await watchProcesses();
      {
        await using source = await (way === "directly"
          ? connectDirectly(server, { tempBase })
          : connectOverSsh(sshd, server, way, { tempBase }));
        for await (const { content } of source.entries(() => undefined))
          for await (const _ of content ?? []) await pause(1);
      }
      const text = (await processes.stop()).replaceAll("\0", " ");
      assert.ok(/mariadb-dump[^\n]*--databases/.test(text), "the dump program was seen");
      for (const secret of [server.password, sshd.password]) assert.ok(!text.includes(secret), "a password was seen");
      assert.deepEqual(await readdir(tempBase), []);
      await rm(tempBase, { recursive: true });
    });

  it("are the machines: names of databases and tables are never commands or options", async () => {
    const canary = join(tmpdir(), `canary-${process.pid}`);
    const names = [
      `; touch ${canary}`,
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `\n\\! touch ${canary}`,
      `--result-file=${canary}`,
      `-r${canary}`,
      `' OR 1=1 -- "`,
    ];
    await rm(canary, { force: true });
    for (const name of names) {
      const database = identifier(name);
      await server.query(
        `CREATE DATABASE ${database}; CREATE TABLE ${database}.${database} (id INT); CREATE TABLE ${database}.other (id INT)`,
      );
    }
    try {
      for (const way of ["near", "far"] as const) {
        const config = { databases: names, excludeTables: names.map((name) => `${name}.${name}`) };
        await using source = await connectOverSsh(sshd, server, way, { config });
        const { dumps, warnings } = await readDumps(source);
        assert.deepEqual(warnings, []);
        for (const dump of dumps.values()) {
          assert.match(dump.toString(), /CREATE TABLE `other`/);
          assert.equal(dump.toString().match(/^CREATE TABLE/gm)?.length, 1);
        }
        assert.equal(dumps.size, names.length);
        await using other = await stageMariadb();
        for (const dump of dumps.values()) await other.query(dump);
      }
      const files = await readdir(join(sshd.files, "home"));
      assert.ok(!existsSync(canary) && !files.some((name) => name.includes("canary")));
    } finally {
      for (const name of names) await server.query(`DROP DATABASE ${identifier(name)}`);
    }
  });

  it("refuses a name with a NUL", async () => {
    for (const way of ["near", "far"] as const) {
      await using source = await connectOverSsh(sshd, server, way, { config: { databases: ["a\0b"] } });
      await assert.rejects(readDumps(source), { code: "PATH_NOT_FOUND" });
    }
  });
});
