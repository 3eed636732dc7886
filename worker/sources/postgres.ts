// The databases of a PostgreSQL server as a source: an archive of each in pg_dump's custom format, and the roles as SQL.
import type { Entry, Warning } from "#artifact/node";
import { textTrailer, verifiedDump } from "./dump/verified-dump.ts";
import { parseConfig } from "./parse-config.ts";
import { Archive } from "./postgres/archive.ts";
import { refusalOf } from "./postgres/failure.ts";
import { type Reach, reach } from "./postgres/reach.ts";
import { type Database, type Survey, signedIn, surveyServer, unreadableIn } from "./postgres/server.ts";
import { type PostgresConfig, postgresConfig } from "./postgres/settings.ts";
import { requireFittingVersion } from "./postgres/version.ts";
import type { ConnectOptions, Estimate, Identity, Source, SourceFacts } from "./source.ts";
import { SourceError } from "./source-error.ts";

const sampleSize = 10;
/** Databases whose tables a source test looks through. */
const examined = 20;
/** With rows in the facts of a snapshot, over all its databases. */
const countedTables = 1000;
/** What hosting providers put on every server for themselves, and let nobody in. */
const ofProviders = ["rdsadmin", "cloudsqladmin", "azure_maintenance", "azure_sys"];
const globalsPath = "postgres/globals.sql";
/** Three times the longest row that PostgreSQL can send, which is what pg_dump needs for one. */
const dumpMemoryBytes = 4 * 1024 ** 3;
/** Newer versions end with a command to psql, besides. */
const globalsTrailer = /^-- PostgreSQL database cluster dump complete\n--\n(\s|\\unrestrict \w+\n)*$/m;

/** Throws `SourceError`: DUMP_VERSION_MISMATCH before anything is dumped, PATH_NOT_FOUND for a database that does not exist. */
export async function connectPostgres(options: ConnectOptions): Promise<Source> {
  const config = parseConfig(postgresConfig, options.config);
  await using opened = new AsyncDisposableStack();
  const reached = await reach(config, options, opened);
  try {
    const survey = await surveyServer(reached.server, config.databases?.[0]);
    requireFittingVersion(survey, reached.pgDump, reached.server.place);
    const databases = chosenFrom(survey, config, reached);
    return new PostgresSource({ config, reached, survey, databases, opened: opened.move() });
  } catch (error) {
    throw reached.explain(error);
  }
}

/** In the order of the settings, or all of them by name. */
function chosenFrom({ databases }: Survey, { databases: named }: PostgresConfig, { server }: Reach): Database[] {
  if (named) return [...new Set(named)].map((name) => databases.find((each) => each.name === name) ?? missing(name));
  const all = databases.filter(({ name, isTemplate }) => !isTemplate && !ofProviders.includes(name));
  if (all.length === 0)
    throw new SourceError("PATH_NOT_FOUND", `The server “${server.about.host}” has no databases but templates.`);
  return all;
}

function missing(name: string): never {
  throw new SourceError("PATH_NOT_FOUND", `There is no database “${name}” on the server.`);
}

interface PostgresParts {
  readonly config: PostgresConfig;
  readonly reached: Reach;
  readonly survey: Survey;
  readonly databases: readonly Database[];
  readonly opened: AsyncDisposableStack;
}

class PostgresSource implements Source {
  readonly #parts: PostgresParts;
  readonly #facts: SourceFacts["databases"] = [];

  constructor(parts: PostgresParts) {
    this.#parts = parts;
  }

  async identify(): Promise<Identity> {
    const { reached, survey, databases } = this.#parts;
    return {
      hostKey: reached.connection?.hostKey ?? null,
      jumpHostKey: reached.connection?.jumpHostKey ?? null,
      serverVersion: `PostgreSQL ${survey.version.replace(/[^\x20-\x7e]/g, "?")}`,
      sampleEntries: databases
        .slice(0, sampleSize)
        .map(({ name, bytes }) => (bytes === null ? pathOf(name) : `${pathOf(name)} (${megabytes(bytes)})`)),
      tools: { pg_dump: reached.pgDump.version },
      remarks: [...reached.remarks, ...(await this.#missingRights())],
    };
  }

  /** What the databases take on the server's disks, indexes and all: their dumps are smaller, as a rule. */
  async estimate(): Promise<Estimate | null> {
    const { config, databases } = this.#parts;
    if (config.includeTables.length + config.excludeTables.length > 0) return null;
    const bytes = databases.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
    return { files: databases.length + (config.globals ? 1 : 0), bytes };
  }

  async *entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const { config, databases } = this.#parts;
    const file = { kind: "file", size: null, mode: 0o600, mtimeMs: Date.now() } as const;
    if (config.globals) yield { ...file, path: globalsPath, content: this.#globals(warn) };
    for (const database of databases) {
      const path = pathOf(database.name);
      if (database.bytes !== null) yield { ...file, path, content: this.#dump(database.name, path, warn) };
      else if (config.databases) throw this.#closed(database.name);
      else warn({ code: "UNREADABLE", path, message: "Left out: the user has no right to connect to this database." });
    }
  }

  /** The rows are those in the dumps, counted as they passed: not what the server estimates, and not of another moment. */
  facts(): SourceFacts {
    return { tools: { pg_dump: this.#parts.reached.pgDump.version }, databases: this.#facts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.opened.disposeAsync();
  }

  #globals(warn: (warning: Warning) => void): AsyncIterable<Uint8Array> {
    const { readsPasswords } = this.#parts.survey;
    if (!readsPasswords)
      warn({
        code: "TOOL_WARNING",
        path: globalsPath,
        message: "Without the passwords of the roles, which the user has no right to read: grant it pg_read_all_data.",
      });
    return this.#run("postgres", globalsPath, {
      program: "pg_dumpall",
      args: ["--globals-only", ...(readsPasswords ? [] : ["--no-role-passwords"])],
      trailer: textTrailer(globalsTrailer),
      warn,
    });
  }

  async *#dump(database: string, path: string, warn: (warning: Warning) => void): AsyncGenerator<Uint8Array> {
    const { includeTables, excludeTables } = this.#parts.config;
    const counted = this.#facts.reduce((sum, { tables }) => sum + tables.length, 0);
    const archive = new Archive({ maxTables: countedTables - counted });
    yield* this.#run(database, path, {
      program: "pg_dump",
      args: [
        "--format=custom",
        // The artifact is compressed anyway, to much the same size: pg_dump's own compression would cost the server four times the time.
        "--compress=0",
        ...includeTables.map((pattern) => `--table=${pattern}`),
        ...excludeTables.map((pattern) => `--exclude-table=${pattern}`),
      ],
      trailer: archive,
      warn,
    });
    if (!archive.isVerifiable)
      warn({
        code: "TOOL_WARNING",
        path,
        message: "This pg_dump is newer than xVault, which could not check the dump to its end: try a restore.",
      });
    const tables = archive
      .tables()
      .flatMap(({ schema, name, rows }) =>
        rows === null ? [] : { name: `${schema}.${name}`, rows, estimated: false },
      );
    this.#facts.push({ path, tables });
  }

  #run(database: string, path: string, { program, args, trailer, warn }: DumpProgram): AsyncIterable<Uint8Array> {
    const { server } = this.#parts.reached;
    const { place, silenceMs, firstByteMs, about } = server;
    const lockMs = Math.ceil(firstByteMs / 2);
    const command = {
      program,
      args: ["--no-password", `--lock-wait-timeout=${lockMs}`, ...args],
      silenceMs,
      firstByteMs,
      maxMemoryBytes: dumpMemoryBytes,
    };
    return verifiedDump(() => place.run(signedIn(server, database, command)), {
      program,
      trailer,
      refuse: (end) => refusalOf(end, { ...about, database }),
      complained: () =>
        warn({
          code: "TOOL_WARNING",
          path,
          message: `The program ${program} made this dump whole, but warned of something in it: try a restore.`,
        }),
    });
  }

  async #missingRights(): Promise<string[]> {
    const { config, databases, survey, reached } = this.#parts;
    const remarks: string[] = [];
    const { username } = reached.server.about;
    if (config.globals && !survey.readsPasswords)
      remarks.push(
        `The user “${username}” may not read the passwords of roles, so roles are kept without: grant it pg_read_all_data.`,
      );
    const filtered = config.includeTables.length + config.excludeTables.length > 0;
    for (const { name, bytes } of databases.slice(0, examined)) {
      if (bytes === null) remarks.push(this.#closed(name).message);
      else if (!filtered) remarks.push(...(await this.#unreadableIn(name)));
    }
    return remarks;
  }

  async #unreadableIn(name: string): Promise<string[]> {
    const { server } = this.#parts.reached;
    const { count, names } = await unreadableIn(server, name);
    if (count === 0) return [];
    const some = (names ?? []).map((each) => `“${each.slice(0, 130)}”`).join(", ");
    return [
      `The user “${server.about.username}” may not read ${count} tables or sequences of the database “${name}”, such as ${some}, so a backup of it will fail: grant it pg_read_all_data.`,
    ];
  }

  #closed(name: string): SourceError {
    const { username } = this.#parts.reached.server.about;
    return new SourceError(
      "PATH_NOT_FOUND",
      `The user “${username}” may not connect to the database “${name}”: grant it CONNECT, or take the database out of this source.`,
    );
  }
}

interface DumpProgram {
  readonly program: string;
  readonly args: readonly string[];
  readonly trailer: Parameters<typeof verifiedDump>[1]["trailer"];
  readonly warn: (warning: Warning) => void;
}

/** A database may be called anything; what a path cannot hold is written as in a URL. */
function pathOf(database: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  return `postgres/${database.replace(/[%/\\\x00-\x1f\x7f]/g, encodeURIComponent)}.dump`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}
