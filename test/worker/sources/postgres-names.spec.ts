import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import {
  missingPostgres15,
  postgres15Bin,
  type StagedPostgres15,
  stagePostgres15,
} from "../../stage/peers/postgres-15.ts";
import { connectToPostgres, type Differences, overSsh, readDumps } from "./postgres-reading.ts";

const canary = join(tmpdir(), `xvault-canary-${process.pid}`);
const odd = [
  "host=evil dbname=x",
  "postgres://evil/x",
  `x; touch ${canary}`,
  `$(touch ${canary})`,
  `\`touch ${canary}\``,
  `-T${canary}`,
  `--file=${canary}`,
  `two\nlines\\! touch ${canary}`,
  `a'b"c\\d %20`,
];

describe("names in a PostgreSQL source", { skip: missingPostgres15 ?? missingOpenSsh ?? false }, () => {
  let server: StagedPostgres15;
  let sshd: StagedOpenSsh;
  /** The programs themselves are quicker than Debian's choosers between versions. */
  const ways = (): Differences[] => [{ toolPath: postgres15Bin }, overSsh(sshd, server, "far")];

  before(async () => {
    [server, sshd] = await Promise.all([stagePostgres15(), stageOpenSsh()]);
    for (const [index, name] of odd.entries()) {
      await server.query(`CREATE DATABASE ${identifier(name)} TEMPLATE template0`);
      await server.query(`CREATE TABLE table_${index} AS SELECT ${index} AS n`, name);
      await server.query(
        `CREATE ROLE ${identifier(name)} LOGIN PASSWORD 'staged'; GRANT pg_read_all_data TO ${identifier(name)}`,
      );
    }
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
  });

  it("of databases and users are taken literally", async () => {
    for (const way of ways())
      for (const [index, name] of odd.entries()) {
        const config = { ...way.config, databases: [name], username: name, globals: false };
        await using source = await connectToPostgres(server, { ...way, config });
        const { dumps } = await readDumps(source);
        assert.equal(dumps.size, 1);
        const [{ path, tables } = { path: "", tables: [] }] = source.facts().databases;
        assert.equal(decodeURIComponent(path), `postgres/${name}.dump`);
        assert.deepEqual(tables, [{ name: `public.table_${index}`, rows: 1, estimated: false }]);
      }
    assert.ok(!existsSync(canary));
  });

  it("of tables are patterns of pg_dump and nothing else", async () => {
    for (const way of ways())
      for (const name of odd.filter((each) => !each.includes("."))) {
        const config = { ...way.config, databases: ["postgres"], includeTables: [name] };
        await using source = await connectToPostgres(server, { ...way, config });
        await assert.rejects(readDumps(source), { code: "PATH_NOT_FOUND", message: /No table .* matches/ }, name);
      }
    assert.ok(!existsSync(canary));
  });

  it("with line breaks and psql's commands in them restore as they were", async () => {
    const [table, role] = [`t\n\\! touch ${canary}\n--`, `r\n\\! touch ${canary}\n--`];
    await server.query("CREATE DATABASE injected");
    await server.query(
      `CREATE ROLE ${identifier(role)}; CREATE SCHEMA ${identifier(table)}; CREATE TABLE ${identifier(table)}.${identifier(table)} AS SELECT 7 AS n;
       ALTER TABLE ${identifier(table)}.${identifier(table)} OWNER TO ${identifier(role)}`,
      "injected",
    );
    await using source = await connectToPostgres(server, { config: { databases: ["injected"] } });
    const { dumps } = await readDumps(source);
    assert.deepEqual(source.facts().databases[0]?.tables, [{ name: `${table}.${table}`, rows: 1, estimated: false }]);
    await using fresh = await stagePostgres15();
    await fresh.runScript(dumps.get("postgres/globals.sql") ?? "", { stopsAtError: false });
    await fresh.query("CREATE DATABASE injected");
    await fresh.restore(dumps.get("postgres/injected.dump") ?? Buffer.alloc(0), "injected");
    const [row] = await fresh.query(
      `SELECT n, pg_get_userbyid(relowner) AS owner FROM ${identifier(table)}.${identifier(table)}, pg_class WHERE pg_class.oid = tableoid`.replace(
        "tableoid",
        `${identifier(table)}.${identifier(table)}.tableoid`,
      ),
      "injected",
    );
    assert.deepEqual(row, { n: 7, owner: role });
    assert.ok(!existsSync(canary));
  });
});

describe("the tables of a PostgreSQL source", { skip: missingPostgres15 ?? false }, () => {
  it("are those that are included and not excluded", async () => {
    await using server = await stagePostgres15();
    await server.query(
      `CREATE TABLE kept AS SELECT 1; CREATE TABLE log_1 AS SELECT 1; CREATE TABLE "Log_2" AS SELECT 1;
       CREATE SCHEMA other; CREATE TABLE other.kept AS SELECT 1; CREATE TABLE other.log_1 AS SELECT 1`,
    );
    const tablesOf = async (config: Differences["config"]) => {
      await using source = await connectToPostgres(server, { config: { databases: ["postgres"], ...config } });
      await readDumps(source);
      assert.equal(await source.estimate(), null);
      return source.facts().databases[0]?.tables.map(({ name }) => name);
    };
    assert.deepEqual(
      await tablesOf({ excludeTables: ["*.log_*"] }),
      ["public.Log_2", "public.kept", "other.kept"].sort(bySchema),
    );
    assert.deepEqual(await tablesOf({ includeTables: ["other.*"] }), ["other.kept", "other.log_1"]);
    assert.deepEqual(await tablesOf({ includeTables: ["public.*", "other.*"], excludeTables: ["log_1", '"Log_2"'] }), [
      "other.kept",
      "other.log_1",
      "public.kept",
    ]);
  });

  it("are counted a thousand to a snapshot", async () => {
    await using server = await stagePostgres15({ settings: { max_locks_per_transaction: "256" } });
    const many =
      "DO $$ BEGIN FOR i IN 1..600 LOOP EXECUTE format('CREATE TABLE t%s AS SELECT generate_series(1, %s)', i, i); END LOOP; END $$";
    await server.query("CREATE DATABASE another");
    for (const database of ["another", "postgres"]) await server.query(many, database);
    await using source = await connectToPostgres(server);
    const estimate = await source.estimate();
    assert.equal(estimate?.files, 3);
    assert.ok((estimate?.bytes ?? 0) > 10_000_000);
    await readDumps(source);
    const { databases } = source.facts();
    assert.deepEqual(
      databases.map(({ tables }) => tables.length),
      [600, 400],
    );
    for (const { name, rows } of databases.flatMap(({ tables }) => tables)) assert.equal(name, `public.t${rows}`);
  });
});

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function bySchema(a: string, b: string): number {
  return a < b ? -1 : 1;
}
