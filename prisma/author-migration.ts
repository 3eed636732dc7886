// Writes the next migration from what changed in schema.prisma, without a database: `node prisma/author-migration.ts add_labels`.
//
// "What changed" is counted from migrations/schema.snapshot.prisma, the schema as the newest migration left it. A snapshot
// and not git's HEAD: it stays right in an unclean tree, in a tarball, and when a schema was committed before its migration.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { diffSchemas, noDatabase, openSchemaEngine, schemaText } from "./schema-engine.ts";

const schemaFile = new URL("schema.prisma", import.meta.url);
const snapshotFile = new URL("migrations/schema.snapshot.prisma", import.meta.url);
const lockFile = new URL("migrations/migration_lock.toml", import.meta.url);

async function author(name: string): Promise<string> {
  const schema = await readFile(schemaFile, "utf8");
  const before = await readFile(snapshotFile, "utf8").catch(() => null);
  using engine = await openSchemaEngine(noDatabase);
  const sql = await diffSchemas(engine, before === null ? { tag: "empty" } : schemaText(before), schemaText(schema));
  if (sql === null) return "Nothing changed in schema.prisma since the newest migration.";

  const folder = new URL(`migrations/${timestamped(name)}/`, import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(new URL("migration.sql", folder), withoutTransaction(sql));
  await writeFile(snapshotFile, schema);
  if (before === null) await writeFile(lockFile, 'provider = "postgresql"\n');
  return `Wrote ${decodeURIComponent(folder.pathname)}migration.sql; read it before you keep it: a new NOT NULL column has no default yet.`;
}

/** `add_labels` → `20261121093000_add_labels`; a name that brings its timestamp keeps it. */
function timestamped(name: string): string {
  if (!/^\w+$/.test(name)) throw new Error("a migration's name consists of letters, digits and _");
  if (/^\d{14}_/.test(name)) return name;
  return `${new Date().toISOString().replaceAll(/\D/g, "").slice(0, 14)}_${name}`;
}

/** The engine wraps the removal of an enum value in a transaction of its own; migrate.ts brings one for the whole file. */
function withoutTransaction(sql: string): string {
  return sql.replaceAll(/^(BEGIN|COMMIT);\n/gm, "");
}

const name = process.argv[2];
if (name) process.stdout.write(`${await author(name)}\n`);
else {
  process.stderr.write("usage: node prisma/author-migration.ts NAME\n");
  process.exitCode = 1;
}
