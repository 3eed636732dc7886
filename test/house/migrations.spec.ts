// The migrations are what schema.prisma says, and applying them is safe whoever does it, however often.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { MigrationError, migrate, migrationStatus } from "../../prisma/migrate.ts";
import { readMigrations } from "../../prisma/migration-files.ts";
import { diffSchemas, noDatabase, openSchemaEngine, schemaText } from "../../prisma/schema-engine.ts";
import { stageDatabase } from "../stage/postgres.ts";
import { stageSchemaEngine } from "../stage/schema-engine.ts";

const prisma = fileURLToPath(new URL("../../prisma/", import.meta.url));
const folder = join(prisma, "migrations");
const schema = await readFile(join(prisma, "schema.prisma"), "utf8");
const names = (await readMigrations(folder)).map(({ name }) => name);

const temporary = await mkdtemp(join(tmpdir(), "xvault-migrations-"));
after(() => rm(temporary, { recursive: true }));

/** A copy of the migrations with one more at the end. */
async function withMigration(name: string, sql: string): Promise<string> {
  const copy = await mkdtemp(join(temporary, "folder-"));
  await cp(folder, copy, { recursive: true });
  await mkdir(join(copy, name), { recursive: true });
  await writeFile(join(copy, name, "migration.sql"), sql);
  return copy;
}

async function migrationList() {
  return {
    baseDir: folder,
    lockfile: { path: "migration_lock.toml", content: await readFile(join(folder, "migration_lock.toml"), "utf8") },
    shadowDbInitScript: "",
    migrationDirectories: (await readMigrations(folder)).map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: "migration.sql", content: { tag: "ok" as const, value: sql } },
    })),
  };
}

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe("the migrations", () => {
  it("lead to schema.prisma, nothing more and nothing less", async () => {
    await using database = await stageDatabase({ migrated: false });
    using engine = await stageSchemaEngine(database.url);
    const migrations = { tag: "migrations" as const, ...(await migrationList()) };
    assert.equal(await diffSchemas(engine, migrations, schemaText(schema)), null);
    const changed = schema.replace("model SystemSetting {", "model SystemSetting {\n  note String?\n");
    assert.match((await diffSchemas(engine, migrations, schemaText(changed))) ?? "", /ADD COLUMN\s+"note" TEXT/);
  });

  it("have a snapshot beside them from which the next one is told", async () => {
    using engine = await openSchemaEngine(noDatabase);
    const snapshot = await readFile(join(folder, "schema.snapshot.prisma"), "utf8");
    assert.equal(await diffSchemas(engine, schemaText(snapshot), schemaText(schema)), null);
  });
});

describe("migrate", () => {
  it("applies everything once when several processes start at the same moment", async () => {
    await using database = await stageDatabase({ migrated: false });
    const results = await Promise.all(Array.from({ length: 4 }, () => migrate(database.url)));
    assert.deepEqual(
      results.sort((a, b) => b.length - a.length),
      [names, [], [], []],
    );
    const rows = await query(database.url, `SELECT migration_name AS name FROM "_prisma_migrations" ORDER BY 1`);
    assert.deepEqual(
      rows.map((row) => row.name),
      names,
    );
  });

  it("leaves a database that Prisma's own engine finds in sync", async () => {
    await using database = await stageDatabase({ migrated: false });
    await migrate(database.url);
    using engine = await stageSchemaEngine(database.url);
    const filters = { externalTables: [], externalEnums: [] };
    const migrationsList = await migrationList();
    assert.deepEqual(await engine.diagnoseMigrationHistory({ migrationsList, optInToShadowDatabase: true, filters }), {
      editedMigrationNames: [],
      failedMigrationNames: [],
      hasMigrationsTable: true,
      history: null,
    });
    assert.deepEqual(await engine.applyMigrations({ migrationsList, filters }), { appliedMigrationNames: [] });
  });

  it("leaves nothing of a migration that fails, and names the statement", async () => {
    await using database = await stageDatabase();
    const bad = "CREATE TABLE a (note text DEFAULT ';');\n\n-- and then\nINSERT INTO nowhere VALUES (1);\n";
    const broken = await withMigration("29990101000000_broken", bad);
    await assert.rejects(migrate(database.url, { folder: broken }), (error: Error) => {
      assert.ok(error instanceof MigrationError);
      assert.match(error.message, /29990101000000_broken failed and left nothing behind/);
      assert.match(error.message, /line 4:\nINSERT INTO nowhere VALUES \(1\)$/);
      return true;
    });
    assert.deepEqual(await query(database.url, "SELECT to_regclass('a') AS a"), [{ a: null }]);
    assert.deepEqual((await migrationStatus(database.url, { folder: broken })).pending, ["29990101000000_broken"]);
    const mended = await withMigration("29990101000000_broken", "CREATE TABLE a ();");
    assert.deepEqual(await migrate(database.url, { folder: mended }), ["29990101000000_broken"]);
  });

  it("refuses a migration that would end the transaction it is given", async () => {
    await using database = await stageDatabase();
    const own = await withMigration("29990101000000_own", "CREATE TABLE a ();\nCOMMIT;\nSELECT 1/0;");
    await assert.rejects(migrate(database.url, { folder: own }), /opens or ends a transaction on line 2/);
    assert.deepEqual(await query(database.url, "SELECT to_regclass('a') AS a"), [{ a: null }]);
  });

  it("refuses to go on where a file was changed after it was applied", async () => {
    await using database = await stageDatabase();
    const [first = ""] = names;
    const edited = await withMigration(first, "SELECT 1;");
    await assert.rejects(
      migrate(database.url, { folder: edited }),
      /foundation was changed after this database applied/,
    );
    assert.deepEqual((await migrationStatus(database.url, { folder: edited })).edited, [first]);
  });

  it("leaves a database of a newer version as it is", async () => {
    await using database = await stageDatabase();
    await migrate(database.url, { folder: await withMigration("29990101000000_newer", "CREATE TABLE newer ();") });
    assert.deepEqual(await migrate(database.url), []);
    assert.deepEqual((await migrationStatus(database.url)).unknown, ["29990101000000_newer"]);
  });

  it("says so when another process holds the lock for too long", async () => {
    await using database = await stageDatabase();
    const holder = new pg.Client({ connectionString: database.url });
    await holder.connect();
    await holder.query("SELECT pg_advisory_lock(72707369)");
    await assert.rejects(migrate(database.url, { lockTimeoutMs: 100 }), /Another process has been migrating/);
    await holder.end();
  });
});

describe("xvault migrate", () => {
  const run = (url: string | undefined, ...flags: string[]) =>
    new Promise<[code: number, text: string]>((resolve) => {
      const env = url === undefined ? {} : { DATABASE_URL: url };
      const command = join(prisma, "migrate-command.ts");
      execFile(process.execPath, [command, ...flags], { env }, (error, stdout, stderr) =>
        resolve([error ? Number(error.code) : 0, stdout + stderr]),
      );
    });

  it("tells with its exit code whether the database is up to date", async () => {
    await using database = await stageDatabase({ migrated: false });
    const pending = await run(database.url, "--status");
    assert.equal(pending[0], 1);
    assert.match(pending[1], /^pending {2}20261121000000_foundation$/m);
    assert.equal((await run(database.url))[0], 0);
    const [code, text] = await run(database.url, "--status");
    assert.equal(code, 0);
    assert.match(text, /^The database is up to date\.$/m);
  });

  it("never shows the address, which holds the password", async () => {
    const [code, text] = await run("postgresql://xvault:canary@127.0.0.1:1/xvault");
    assert.equal(code, 1);
    assert.match(text, /ECONNREFUSED/);
    assert.doesNotMatch(text, /canary/);
    assert.deepEqual(await run(undefined), [1, "Set DATABASE_URL to the database that is to be migrated.\n"]);
  });
});
