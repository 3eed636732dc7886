// A MySQL or MariaDB server, as the client and dump programs of one place see it: what it holds, and dumps of its databases.
//
// For whoever has a place of their own, such as a WordPress site's server:
//   const server = await openMysqlServer(farPlace(connection), { host, port, socket, username, password, stallMs });
//   const { entry, facts } = await server.prepareDump("wp_site", { warn });   // and server.tools once it was read
// or, with the programs of this machine where the far side has none:
//   await using server = await openMysqlOverSsh(connection, { … });           // see over-ssh.ts
import type { Entry, Manifest, Warning } from "#artifact/node";
import { captured } from "../dump/captured.ts";
import { type FoundTool, findTool } from "../dump/find-tool.ts";
import type { Place, ToolEnd } from "../dump/place.ts";
import { verifiedDump } from "../dump/verified-dump.ts";
import { stallsToFirstByte } from "../source.ts";
import { SourceError } from "../source-error.ts";
import { mysqlClient, type Query } from "./client.ts";
import { withCheckedHead } from "./dump-head.ts";
import { dumpTrailer } from "./dump-trailer.ts";
import { failureOf, type Peer, printable } from "./failure.ts";
import { type Inventory, isTransactional, listDatabases, listSizes, type Table, takeInventory } from "./inventory.ts";
import { optionFile, type SignInSettings } from "./option-file.ts";
import { isServersOwn, selectsTable, type TableSelectionSettings } from "./table-selection.ts";
import { argumentsOf, makerOf, parseVersion, requireFitting, type ServerVersion } from "./versions.ts";

export interface MysqlSettings extends SignInSettings {
  /** How it is called in messages, where that is not its host. */
  readonly name?: string | undefined;
  /** How long a program may write nothing at all. */
  readonly stallMs: number;
  /** Why the way to the server last failed, where that is known better than the program knows. */
  readonly failure?: () => SourceError | null;
}

export interface DumpRequest extends Pick<TableSelectionSettings, "includeTables" | "excludeTables"> {
  /** Its entry. @default `mysql/<database>.sql`, made safe */
  readonly path?: string;
  readonly warn: (warning: Warning) => void;
}

export interface PreparedDump {
  /** The dump starts when its content is read. */
  readonly entry: Entry;
  readonly facts: DatabaseFacts;
}

export type DatabaseFacts = NonNullable<Manifest["databases"]>[number];

/** Owns nothing: the place is its owner's. Every method throws `SourceError`. */
export interface MysqlServer {
  readonly version: ServerVersion;
  /** The client and the dump program, and their versions. */
  readonly tools: Readonly<Record<string, string>>;
  /** In the order of names; throws PATH_NOT_FOUND for one that is asked for and missing. All but the server's own where none is. */
  databases(wanted?: readonly string[]): Promise<readonly string[]>;
  inventory(database: string): Promise<Inventory>;
  /** What their tables take, as the server estimates; dumps are smaller or larger. */
  bytesOf(databases: readonly string[]): Promise<number>;
  /**
   * A dump of one database as of one moment, which creates the database where it is loaded. Null where it is gone,
   * or where `includeTables` takes none of its tables. Tells `warn` of what such a dump may lack.
   */
  prepareDump(database: string, request: DumpRequest): Promise<PreparedDump | null>;
}

const clients = ["mariadb", "mysql"];
const dumpPrograms = ["mariadb-dump", "mysqldump"];
const namesShown = 5;

/** Null where the place has no dump program, or no client. */
export async function findMysqlTools(place: Place): Promise<{ client: FoundTool; dumper: FoundTool } | null> {
  const [client, dumper] = [await findTool(place, clients), await findTool(place, dumpPrograms)];
  return client && dumper && { client, dumper };
}

/**
 * Finds the programs, signs in and asks for the version. Throws `SourceError`: DUMP_FAILED where the place has no programs,
 * SOURCE_AUTH_FAILED, SOURCE_DISCONNECTED, DUMP_VERSION_MISMATCH.
 */
export async function openMysqlServer(place: Place, settings: MysqlSettings): Promise<MysqlServer> {
  const tools = await findMysqlTools(place);
  if (!tools) throw noPrograms(place);
  const { host = "127.0.0.1", socket, name = socket ?? host, username = "", failure = () => null } = settings;
  const peer = { host: printable(name), username: printable(username) };
  const { client, dumper } = tools;
  const include = settings.password === undefined && place.isFar ? await ownOptionFile(place, settings.stallMs) : null;
  const text = (ignoredTables: readonly string[], tool: FoundTool) =>
    optionFile({ ...settings, include, ignoredTables, client: place.isFar ? [] : withoutTls(tool) });
  const query = mysqlClient({
    place,
    tool: client,
    peer,
    optionFile: text([], client),
    stallMs: settings.stallMs,
    failure,
  });
  const [[version = ""] = []] = await query("SELECT VERSION()");
  return new OpenServer({
    place,
    dumper,
    client,
    query,
    peer,
    failure,
    stallMs: settings.stallMs,
    version: parseVersion(version),
    optionFile: (ignoredTables) => text(ignoredTables, dumper),
  });
}

/** What is nearer than this way is encrypted already, or is the customer's wish. */
function withoutTls(tool: FoundTool): readonly string[] {
  return [makerOf(tool) === "MariaDB" ? "skip-ssl" : "ssl-mode=DISABLED"];
}

/** Of the far user, for who gives us no password; null where there is none. */
async function ownOptionFile(place: Place, silenceMs: number): Promise<string | null> {
  const script = 'eval "f=~$(id -un)/.my.cnf"; [ -r "$f" ] && printf %s "$f"';
  const { code, text } = await captured(place, { program: "sh", args: ["-c", script], silenceMs });
  return code === 0 && /^\/[^\p{Cc}]+$/u.test(text) ? text : null;
}

interface Parts {
  readonly place: Place;
  readonly client: FoundTool;
  readonly dumper: FoundTool;
  readonly query: Query;
  readonly peer: Peer;
  readonly version: ServerVersion;
  readonly stallMs: number;
  readonly failure: () => SourceError | null;
  readonly optionFile: (ignoredTables: readonly string[]) => string;
}

class OpenServer implements MysqlServer {
  readonly version: ServerVersion;
  readonly tools: Readonly<Record<string, string>>;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    const { version, client, dumper } = parts;
    requireFitting(dumper, version);
    this.version = version;
    this.tools = { [client.program]: client.version, [dumper.program]: dumper.version };
    this.#parts = parts;
  }

  async databases(wanted?: readonly string[]): Promise<readonly string[]> {
    const all = await listDatabases(this.#parts.query);
    if (!wanted) return all.filter((name) => !isServersOwn(name));
    const missing = wanted.find((name) => !all.includes(name));
    if (missing !== undefined)
      throw new SourceError(
        "PATH_NOT_FOUND",
        `The database “${printable(missing)}” does not exist, or the user “${this.#parts.peer.username}” may not see it.`,
      );
    return [...new Set(wanted)];
  }

  inventory(database: string): Promise<Inventory> {
    return takeInventory(this.#parts.query, database);
  }

  async bytesOf(databases: readonly string[]): Promise<number> {
    const sizes = new Map(await listSizes(this.#parts.query));
    return databases.reduce((sum, database) => sum + (sizes.get(database) ?? 0), 0);
  }

  async prepareDump(database: string, { path, warn, ...selection }: DumpRequest): Promise<PreparedDump | null> {
    const { exists, tables, missing } = await this.inventory(database);
    const [taken, ignored]: [Table[], Table[]] = [[], []];
    for (const table of tables) (selectsTable(selection, database, table.name) ? taken : ignored).push(table);
    const entry = {
      path: path ?? entryPathOf(database),
      kind: "file",
      size: null,
      mode: 0o600,
      mtimeMs: Date.now(),
    } as const;
    if (!exists) {
      warn({
        code: "VANISHED",
        path: entry.path,
        message: "Left out: this database was dropped after the backup had begun.",
      });
      return null;
    }
    if (selection.includeTables && taken.length === 0) return null;
    const tell = (message: string) => warn({ code: "TOOL_WARNING", path: entry.path, message });
    if (missing.length > 0) tell(lacking(missing, this.#parts.peer.username));
    const torn = taken.filter((table) => !isTransactional(table));
    if (torn.length > 0) tell(notOfOneMoment(torn));
    const ignoredTables = ignored.map(({ name }) => `${database}.${name}`);
    return {
      entry: { ...entry, content: withCheckedHead(this.#dump(database, ignoredTables, tell)) },
      facts: { path: entry.path, tables: taken.map(({ name, rows }) => ({ name, rows, estimated: true })) },
    };
  }

  #dump(database: string, ignoredTables: readonly string[], tell: (message: string) => void) {
    const { place, dumper, peer, stallMs, failure, optionFile: text } = this.#parts;
    const secretFile = { text: text(ignoredTables), pass: (path: string) => ({ args: [`--defaults-file=${path}`] }) };
    const args = [...dumpArguments, ...argumentsOf(dumper), "--databases", "--", database];
    const patience = { silenceMs: stallMs, firstByteMs: stallsToFirstByte * stallMs };
    return verifiedDump(() => place.run({ program: dumper.program, args, secretFile, ...patience }), {
      program: dumper.program,
      trailer: dumpTrailer(),
      refuse: (end: ToolEnd) => failure() ?? failureOf(end, peer, database),
      complained: () =>
        tell("The dump program complained of something and finished all the same: try it by hand to see what it says."),
    });
  }
}

const dumpArguments = [
  // All tables as of one moment, without a lock: for the engines that can do it.
  "--single-transaction",
  "--quick",
  "--routines",
  "--triggers",
  "--events",
  "--hex-blob",
  // The server's own affair, which takes the privilege to see everybody's queries.
  "--no-tablespaces",
  // An unchanged database gives the same bytes again.
  "--skip-dump-date",
  "--default-character-set=utf8mb4",
];

/** `mysql/<database>.sql`; what no file can be called is percent-encoded. */
export function entryPathOf(database: string): string {
  return `mysql/${database.replace(/[/\\%\p{Cc}\p{Cs}]/gu, (sign) => (sign.isWellFormed() ? encodeURIComponent(sign) : "%"))}.sql`;
}

function lacking(missing: readonly string[], username: string): string {
  return `The user “${username}” lacks privileges (${missing.join(", ")}), so the dump may lack what it cannot see, such as triggers or stored routines: grant them.`;
}

function notOfOneMoment(tables: readonly Table[]): string {
  const engines = [...new Set(tables.map(({ engine }) => engine))].join(", ");
  const names = tables.slice(0, namesShown).map(({ name }) => `“${printable(name)}”`);
  const more = tables.length > namesShown ? ` and ${tables.length - namesShown} more` : "";
  return `These tables know no transactions (${printable(engines)}), so a change during the dump may be in it by half: ${names.join(", ")}${more}.`;
}

function noPrograms(place: Place): SourceError {
  return new SourceError(
    "DUMP_FAILED",
    place.isFar
      ? "The SSH server has no mariadb-dump or mysqldump with its client: install them there, or have the dump made near."
      : "This installation of xVault has no mariadb-dump or mysqldump with its client: have its operator install MariaDB's client programs.",
  );
}
