// Brings a database up to the migrations of this version, each in one transaction, however many processes try at once.
//
// It keeps the books of Prisma's own engine (advisory lock, `_prisma_migrations`, checksums), so that either can go on where
// the other stopped. The engine itself is not used: its native binary cannot be had offline and its WebAssembly one cuts
// scripts at every semicolon, those inside functions too.
import { fileURLToPath } from "node:url";
import pg from "pg";
import { book, compare, createBooks, type MigrationStatus, readBooks } from "./migration-books.ts";
import { type Migration, readMigrations } from "./migration-files.ts";
import { type Statement, statementsOf } from "./statements.ts";

export interface MigrateOptions {
  /** Folder of migrations [the one of this version]. */
  readonly folder?: string;
  /** Milliseconds to wait for another process that is migrating, or for a lock on a table in use [60,000]. */
  readonly lockTimeoutMs?: number;
}

/** A database that cannot be brought up to this version; the message says why and what stands in the way. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

const migrationsFolder = fileURLToPath(new URL("migrations", import.meta.url));

/** Prisma's own: whichever tool migrates, one at a time. */
const advisoryLock = 72_707_369;

/**
 * Applies what is pending and answers with its names; may run at any time and in several processes at once.
 * Migrations that only a newer version knows are left alone: old and new hubs run side by side during an upgrade.
 * @throws MigrationError
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  const migrations = await readMigrations(options.folder ?? migrationsFolder);
  return connected(url, options, async (client) => {
    await takeLock(client);
    await createBooks(client);
    const status = compare(migrations, await readBooks(client));
    const [edited] = status.edited;
    if (edited)
      throw new MigrationError(
        `Migration ${edited} was changed after this database applied it. Restore the file as it was released and make the change in a new migration.`,
      );
    const [unfinished] = status.unfinished;
    if (unfinished)
      throw new MigrationError(
        `Migration ${unfinished} was begun by another tool and left unfinished. Mend the database and settle it with "prisma migrate resolve" before xVault goes on.`,
      );
    for (const name of status.pending) {
      const migration = migrations.find((candidate) => candidate.name === name);
      if (migration) await apply(client, migration);
    }
    return [...status.pending];
  });
}

/** Names of the migrations of this version. */
export async function knownMigrations(): Promise<string[]> {
  return (await readMigrations(migrationsFolder)).map(({ name }) => name);
}

/** How the database stands against this version's migrations. Changes nothing. */
export async function migrationStatus(url: string, options: MigrateOptions = {}): Promise<MigrationStatus> {
  const migrations = await readMigrations(options.folder ?? migrationsFolder);
  return connected(url, options, async (client) => compare(migrations, await readBooks(client)));
}

async function connected<T>(
  url: string,
  { lockTimeoutMs = 60_000 }: MigrateOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "xvault-migrate",
    connectionTimeoutMillis: 10_000,
    lock_timeout: lockTimeoutMs,
    keepAlive: true,
  });
  // A connection that breaks fails the query in flight, which says it better than an event nobody awaits.
  client.on("error", () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Held until the connection ends. */
async function takeLock(client: pg.Client): Promise<void> {
  try {
    await client.query(`SELECT pg_advisory_lock(${advisoryLock})`);
  } catch (error) {
    if ((error as pg.DatabaseError).code !== "55P03") throw error;
    throw new MigrationError(
      "Another process has been migrating this database for too long; it still holds the lock.",
      {
        cause: error,
      },
    );
  }
}

async function apply(client: pg.Client, { name, sql, checksum }: Migration): Promise<void> {
  const statements = statementsOf(sql);
  const own = statements.find((statement) => /^(begin|start|commit|end|rollback|abort)\b/i.test(statement.sql));
  if (own)
    throw new MigrationError(
      `Migration ${name} opens or ends a transaction on line ${own.line}; it is given one for the whole file.`,
    );
  await client.query("BEGIN");
  let current: Statement | undefined;
  try {
    // A query without parameters is the simple protocol, which takes every kind of statement.
    for (current of statements) await client.query(current.sql);
    current = undefined;
    await book(client, name, checksum);
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {}); // a lost connection has rolled back already
    const place = current ? ` It stopped at line ${current.line}:\n${excerpt(current.sql)}` : "";
    throw new MigrationError(`Migration ${name} failed and left nothing behind: ${(error as Error).message}.${place}`, {
      cause: error,
    });
  }
}

function excerpt(sql: string): string {
  return sql.length > 400 ? `${sql.slice(0, 400)} …` : sql;
}
