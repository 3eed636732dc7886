// The books of Prisma's engine, `_prisma_migrations`: which migrations a database has had, and with which content.
import { randomUUID } from "node:crypto";
import type pg from "pg";
import type { Migration } from "./migration-files.ts";

export interface MigrationStatus {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** Applied, and their files were changed since. */
  readonly edited: readonly string[];
  /** Begun by another tool, which left them unfinished. */
  readonly unfinished: readonly string[];
  /** Applied by a newer version of xVault. */
  readonly unknown: readonly string[];
}

// Word for word what Prisma's engine creates.
const table = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)`;

/** Makes the books where there are none. */
export async function createBooks(client: pg.Client): Promise<void> {
  await client.query(table);
}

interface Booking {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** What was applied to this database, and what was begun; empty where nothing ever was. Changes nothing. */
export async function readBooks(client: pg.Client): Promise<Booking[]> {
  const { rows: books } = await client.query(`SELECT to_regclass('"_prisma_migrations"') IS NOT NULL AS kept`);
  if (!books[0].kept) return [];
  const { rows } = await client.query<Booking>(
    `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
       FROM "_prisma_migrations" WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name`,
  );
  return rows;
}

export function compare(migrations: readonly Migration[], bookings: readonly Booking[]): MigrationStatus {
  const checksums = new Map(migrations.map(({ name, checksum }) => [name, checksum]));
  const finished = bookings.filter((booking) => booking.finished);
  const booked = new Set(bookings.map(({ name }) => name));
  return {
    applied: finished.map(({ name }) => name),
    pending: migrations.map(({ name }) => name).filter((name) => !booked.has(name)),
    edited: finished
      .filter(({ name, checksum }) => checksums.has(name) && checksums.get(name) !== checksum)
      .map(({ name }) => name),
    unfinished: bookings.filter((booking) => !booking.finished).map(({ name }) => name),
    unknown: finished.map(({ name }) => name).filter((name) => !checksums.has(name)),
  };
}

/** Enters a migration as applied, in the transaction that applies it. */
export async function book(client: pg.Client, name: string, checksum: string): Promise<void> {
  await client.query(
    `INSERT INTO "_prisma_migrations" (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
     VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
    [randomUUID(), checksum, name],
  );
}
