// Kills a process that migrates at a statement of choice, runs the migration again, and compares what came of it with a database that was never disturbed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { migrate, migrationStatus } from "../../../prisma/migrate.ts";
import { stageDatabase } from "../../stage/postgres.ts";

/** Counts what changes the schema, beyond any rollback, and stands still at one of them. */
const trap = (statement: number) => `
  CREATE SCHEMA fault;
  CREATE SEQUENCE fault.passed;
  CREATE FUNCTION fault.stop() RETURNS event_trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF nextval('fault.passed') = ${statement} THEN PERFORM pg_sleep(60); END IF;
  END $$;
  CREATE EVENT TRIGGER fault_stop ON ddl_command_end EXECUTE FUNCTION fault.stop();`;

/** Answers false where the migrations have fewer statements than that. */
export async function killMigrationAt(statement: number): Promise<boolean> {
  await using database = await stageDatabase({ migrated: false });
  const admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
  try {
    await admin.query(trap(statement));
    const script = `import { migrate } from ${JSON.stringify(import.meta.resolve("../../../prisma/migrate.ts"))}; await migrate(process.env.URL);`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      env: { PATH: process.env.PATH ?? "", URL: database.url },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const exited = once(child, "exit");
    const isAsleep = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'xvault-migrate' AND wait_event = 'PgSleep' AND datname = current_database()`;
    while (child.exitCode === null && (await admin.query(isAsleep)).rowCount === 0) await pause(10);
    const isReached = child.exitCode === null;
    child.kill("SIGKILL");
    await exited;
    // As the server would when it next writes to the process that is gone.
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'xvault-migrate' AND datname = current_database()`,
    );
    await admin.query("DROP EVENT TRIGGER fault_stop; DROP SCHEMA fault CASCADE");
    await migrate(database.url);
    assert.deepEqual((await migrationStatus(database.url)).pending, []);
    await using undisturbed = await stageDatabase();
    assert.deepEqual(await shapeOf(database.url), await shapeOf(undisturbed.url));
    return isReached;
  } finally {
    await admin.end();
  }
}

/** Columns, constraints, indexes, triggers and policies, as the server describes them. */
async function shapeOf(url: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(`
      SELECT table_name || '.' || column_name AS what, data_type || ' ' || is_nullable || coalesce(column_default, '') AS how
        FROM information_schema.columns WHERE table_schema = 'public'
      UNION ALL SELECT conrelid::regclass::text || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
      UNION ALL SELECT tgrelid::regclass::text || ' ' || tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT tablename || ' ' || policyname, coalesce(qual, '') || coalesce(with_check, '') FROM pg_policies
      UNION ALL SELECT 'migration ' || migration_name, checksum FROM _prisma_migrations
      ORDER BY 1, 2`);
    return rows;
  } finally {
    await client.end();
  }
}
