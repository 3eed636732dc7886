// `xvault migrate` and `xvault migrate --status`, on the database that DATABASE_URL names.
// Ends with 0 where the database is up to date, and with 1 where it is not or cannot be reached.
import { MigrationError, migrate, migrationStatus } from "./migrate.ts";

const say = (line: string) => process.stdout.write(`${line}\n`);

async function runMigrate(url: string): Promise<boolean> {
  const applied = await migrate(url);
  for (const name of applied) say(`applied  ${name}`);
  say(applied.length === 0 ? "The database is up to date." : "The database is up to date now.");
  return true;
}

async function showStatus(url: string): Promise<boolean> {
  const status = await migrationStatus(url);
  const notes: Record<string, readonly string[]> = {
    "changed since": status.edited,
    "of a newer version": status.unknown,
  };
  for (const name of status.applied) {
    const about = Object.keys(notes).filter((note) => notes[note]?.includes(name));
    say(`applied  ${name}${about.length > 0 ? `  (${about.join(", ")})` : ""}`);
  }
  for (const name of status.unfinished) say(`BROKEN   ${name}  (begun by another tool and left unfinished)`);
  for (const name of status.pending) say(`pending  ${name}`);
  const inOrder = status.pending.length + status.edited.length + status.unfinished.length === 0;
  say(inOrder ? "The database is up to date." : 'The database is not up to date; "xvault migrate" brings it there.');
  return inOrder;
}

/** One sentence, and never the address: it holds the password. */
function explain(error: unknown): string {
  if (error instanceof MigrationError) return error.message;
  return `The database that DATABASE_URL names cannot be used: ${(error as Error).message || (error as NodeJS.ErrnoException).code}.`;
}

async function main([...flags]: readonly string[]): Promise<boolean> {
  const unknown = flags.find((flag) => flag !== "--status");
  const url = process.env.DATABASE_URL;
  if (unknown !== undefined) throw new MigrationError(`migrate knows no ${unknown}; it takes --status or nothing.`);
  if (!url) throw new MigrationError("Set DATABASE_URL to the database that is to be migrated.");
  return flags.includes("--status") ? showStatus(url) : runMigrate(url);
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}
