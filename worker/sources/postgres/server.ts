// Asks a PostgreSQL server about itself with psql, in the place where its dumps are made too: the same way in, the same libpq.
//
// Not with a driver: that would be a second way in with settings of its own, it would need a tunnel where the dump needs none, and a
// server that is not what it claims to be could fill this process's memory.
import * as z from "zod";
import { captured } from "../dump/captured.ts";
import type { Place, ToolCommand } from "../dump/place.ts";
import { SourceError } from "../source-error.ts";
import { type About, noWayIn, refusalOf } from "./failure.ts";
import type { Access } from "./settings.ts";

const longestAnswer = 16 * 1_048_576;
/** Psql keeps a whole answer. */
const psqlMemoryBytes = 512 * 1_048_576;
/** What psql ends with where it could not connect. */
const badConnection = 2;

export interface Server {
  readonly place: Place;
  readonly access: Access;
  readonly about: Omit<About, "database">;
  readonly silenceMs: number;
  /** On catalogues of a hundred thousand tables a database works for minutes before it has something to say. */
  readonly firstByteMs: number;
}

/** Adds the way in to a command. The database's name stays in the environment: as an argument it could be taken for a connection string. */
export function signedIn({ access }: Pick<Server, "access">, database: string, command: ToolCommand): ToolCommand {
  const { env, passwordLine } = access;
  return {
    ...command,
    env: { ...env, PGDATABASE: database, ...command.env },
    ...(passwordLine !== null && {
      secretFile: { text: passwordLine, pass: (path: string) => ({ env: { PGPASSFILE: path } }) },
    }),
  };
}

/** The one JSON value that `sql` selects. Throws `SourceError`. */
async function ask<Schema extends z.ZodType>(
  server: Server,
  { database, sql, schema }: { readonly database: string; readonly sql: string; readonly schema: Schema },
): Promise<z.output<Schema>> {
  const { place, silenceMs, firstByteMs } = server;
  const about = { ...server.about, database };
  const command = signedIn(server, database, {
    program: "psql",
    args: ["--no-psqlrc", "--no-password", "-qAt", "--set=ON_ERROR_STOP=1", `--command=${sql}`],
    env: { PGCLIENTENCODING: "UTF8" },
    maxMemoryBytes: psqlMemoryBytes,
  });
  const { text, ...end } = await captured(place, { ...command, silenceMs, firstByteMs }, longestAnswer);
  if (end.code === badConnection) throw refusalOf(end, about) ?? noWayIn(end, about);
  if (end.code !== 0 || end.signal !== null) throw refusalOf(end, about) ?? unfit(server, new Error(end.complaints));
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw unfit(server, error);
  }
}

function unfit({ about }: Server, cause: unknown): SourceError {
  return new SourceError(
    "DUMP_FAILED",
    `The server “${about.host}” could not say what databases it has: it is no PostgreSQL, or its psql is missing or broken.`,
    { cause },
  );
}

const database = z.object({
  name: z.string(),
  isTemplate: z.boolean(),
  /** Null where it may not be connected to. */
  bytes: z.number().nullable(),
});

const survey = z.object({
  /** E.g. 150020. */
  versionNumber: z.int(),
  version: z.string().max(200),
  readsPasswords: z.boolean(),
  databases: z.array(database),
});

export type Database = z.output<typeof database>;
export type Survey = z.output<typeof survey>;

const surveySql = `SELECT row_to_json(s) FROM (
  SELECT current_setting('server_version_num')::int AS "versionNumber", current_setting('server_version') AS version,
    has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS "readsPasswords",
    (SELECT json_agg(row_to_json(d)) FROM (
      SELECT datname AS name, datistemplate AS "isTemplate",
        CASE WHEN datallowconn AND has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END AS bytes
      FROM pg_catalog.pg_database ORDER BY datname) d) AS databases) s`;

/** Databases that every server has, to ask the first question in where no other is named. */
const maintenance = ["postgres", "template1"];

/** What the server is and has. Throws `SourceError`, PATH_NOT_FOUND where the named database does not exist. */
export async function surveyServer(server: Server, named: string | undefined): Promise<Survey> {
  const about = (name: string) => ask(server, { database: name, sql: surveySql, schema: survey });
  if (named !== undefined) return about(named);
  const [first = "", second = ""] = maintenance;
  try {
    return await about(first);
  } catch (error) {
    if (!(error instanceof SourceError) || error.code !== "PATH_NOT_FOUND") throw error;
    return about(second);
  }
}

const unreadable = z.object({ count: z.int(), names: z.array(z.string()).nullable() });

/** What pg_dump locks and reads; what belongs to PostgreSQL itself is nobody's data. */
const unreadableSql = `SELECT row_to_json(s) FROM (
  WITH closed AS (
    SELECT format('%I.%I', nspname, relname) AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
      AND NOT (has_schema_privilege(n.oid, 'USAGE') AND
        CASE relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END))
  SELECT (SELECT count(*) FROM closed) AS count,
    (SELECT json_agg(name) FROM (SELECT name FROM closed ORDER BY name LIMIT 3) f) AS names) s`;

/** How many tables and sequences of a database the user may not read, and a few of their names. */
export async function unreadableIn(server: Server, name: string): Promise<z.output<typeof unreadable>> {
  return ask(server, { database: name, sql: unreadableSql, schema: unreadable });
}
