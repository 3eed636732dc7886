import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { missingPostgres15, type StagedPostgres15, stagePostgres15 } from "../../stage/peers/postgres-15.ts";
import { connectToPostgres, type Differences, overSsh, readDumps } from "./postgres-reading.ts";

const skip = missingPostgres15 ?? missingOpenSsh ?? false;

const shop = `
  CREATE ROLE clerk LOGIN PASSWORD 'clerk-secret'; CREATE ROLE staff; GRANT staff TO clerk;
  CREATE SCHEMA stock AUTHORIZATION staff; CREATE SCHEMA "Größe";
  CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, note text);
  INSERT INTO customers (name, note) SELECT 'customer ' || i, repeat(E'line\\n\\t\\\\. ', i % 7) FROM generate_series(1, 5000) i;
  CREATE TABLE stock.items (sku serial PRIMARY KEY, picture bytea, customer bigint REFERENCES customers, price numeric(12, 4), tags text[], facts jsonb);
  INSERT INTO stock.items (picture, customer, price, tags, facts)
    SELECT decode(md5(i::text) || '0a00ff5c2e0a', 'hex'), i, i / 3.0, ARRAY['a', NULL, 'ü'], jsonb_build_object('n', i) FROM generate_series(1, 800) i;
  CREATE TABLE "Größe"."täglich 文件 🙂" ("spalte ""eins""" text, at timestamptz DEFAULT '2026-01-02 03:04:05+00');
  INSERT INTO "Größe"."täglich 文件 🙂" VALUES ('ä'), (NULL), (E'\\\\.'), ('');
  CREATE TABLE empty (); CREATE TABLE log (at date, what text) PARTITION BY RANGE (at);
  CREATE TABLE log_2025 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
  INSERT INTO log SELECT '2025-01-01'::date + i, 'entry ' || i FROM generate_series(0, 299) i;
  CREATE VIEW named AS SELECT name FROM customers WHERE note <> '';
  CREATE MATERIALIZED VIEW prices AS SELECT sum(price) AS total FROM stock.items;
  CREATE SEQUENCE ticket START 41; SELECT nextval('ticket'), nextval('ticket');
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.note := coalesce(NEW.note, 'touched'); RETURN NEW; END $$;
  CREATE TRIGGER touches BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION touch();
  GRANT SELECT ON customers TO clerk; ALTER TABLE stock.items OWNER TO staff; COMMENT ON TABLE empty IS 'nothing in it';
  SELECT lo_from_bytea(4711, decode(repeat('00ff0a5c', 30000), 'hex')), lo_from_bytea(4712, '');`;

const tables = ["customers", "stock.items", `"Größe"."täglich 文件 🙂"`, "log", "named", "prices", "empty"];

/** All there is to compare of a database, in words. */
async function contentOf(server: StagedPostgres15, database: string): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {};
  for (const table of tables)
    content[table] = await server.query(
      `SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ${table} t`,
      database,
    );
  const ask = async (name: string, sql: string) => {
    content[name] = await server.query(sql, database);
  };
  await ask("sequences", "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2");
  await ask("large objects", "SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY 1");
  await ask(
    "owners",
    "SELECT relname, relacl::text, pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relkind IN ('r', 'v', 'S') AND relnamespace::regnamespace::text !~ '^(pg_|info)' ORDER BY 1",
  );
  await ask("trigger", "INSERT INTO customers (name) VALUES ('new') RETURNING id, note");
  return content;
}

/** A fresh cluster with everything in it that a backup has. */
async function restored(dumps: ReadonlyMap<string, Buffer>): Promise<StagedPostgres15> {
  await using made = new AsyncDisposableStack();
  const fresh = made.use(await stagePostgres15());
  const complaints = await fresh.runScript(dumps.get("postgres/globals.sql") ?? "", { stopsAtError: false });
  // The one role that every cluster has already.
  assert.match(complaints, /^(psql:\S+ ERROR: {2}role "postgres" already exists\s*)?$/);
  for (const [path, dump] of dumps) {
    if (!path.endsWith(".dump") || path === "postgres/postgres.dump") continue;
    const database = decodeURIComponent(path.slice("postgres/".length, -".dump".length));
    await fresh.query(`CREATE DATABASE "${database.replaceAll('"', '""')}" TEMPLATE template0`);
    await fresh.restore(dump, database);
  }
  made.move();
  return fresh;
}

describe("a PostgreSQL source", { skip }, () => {
  async function isWhole(differences: (server: StagedPostgres15) => Promise<Differences>) {
    await using server = await stagePostgres15();
    await server.query("CREATE DATABASE shop");
    await server.query(shop, "shop");
    await server.query(`CREATE DATABASE "täst/ 100% 文件 🙂"`);
    await server.query("CREATE TABLE t AS SELECT 1 AS one", "täst/ 100% 文件 🙂");
    await using source = await connectToPostgres(server, await differences(server));
    const { dumps, warnings } = await readDumps(source);
    assert.deepEqual(warnings, []);
    assert.deepEqual(
      [...dumps.keys()],
      ["postgres/globals.sql", "postgres/postgres.dump", "postgres/shop.dump", "postgres/täst%2F 100%25 文件 🙂.dump"],
    );
    const { tools, databases } = source.facts();
    assert.match(tools.pg_dump ?? "", /^15\.\d+$/);
    assert.deepEqual(databases[1], {
      path: "postgres/shop.dump",
      tables: [
        { name: "Größe.täglich 文件 🙂", rows: 4, estimated: false },
        { name: "public.customers", rows: 5000, estimated: false },
        { name: "public.empty", rows: 0, estimated: false },
        { name: "public.log_2025", rows: 300, estimated: false },
        { name: "stock.items", rows: 800, estimated: false },
      ],
    });
    await using fresh = await restored(dumps);
    assert.deepEqual(await contentOf(fresh, "shop"), await contentOf(server, "shop"));
    assert.deepEqual(await fresh.query("TABLE t", "täst/ 100% 文件 🙂"), [{ one: 1 }]);
    const roles = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('clerk', 'staff') ORDER BY 1";
    assert.deepEqual(await fresh.query(roles), await server.query(roles));
    return await source.identify();
  }

  it("is dumped straight, restored, and found the same row for row", async () => {
    const { tools, remarks, serverVersion, hostKey } = await isWhole(async () => ({}));
    assert.deepEqual(Object.keys(tools), ["pg_dump"]);
    assert.match(serverVersion ?? "", /^PostgreSQL 15\.\d+/);
    assert.deepEqual({ remarks, hostKey }, { remarks: [], hostKey: null });
  });

  it("is dumped by the pg_dump of an SSH server", async () => {
    await using sshd = await stageOpenSsh();
    const { remarks, hostKey } = await isWhole(async (server) => overSsh(sshd, server, "far"));
    assert.match(remarks.join(), /by the pg_dump of the SSH server/);
    assert.equal(hostKey, sshd.hostKey);
  });

  it("is dumped through a tunnel", async () => {
    await using sshd = await stageOpenSsh();
    const { remarks } = await isWhole(async (server) => overSsh(sshd, server, "near"));
    assert.match(remarks.join(), /through a tunnel/);
  });
});
