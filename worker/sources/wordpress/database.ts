// The database of a WordPress site, reached as its wp-config.php says: those of its tables that are the site's.
import type { Warning } from "#artifact/node";
import { printable } from "../mysql/failure.ts";
import { type MysqlOverSsh, openMysqlOverSsh } from "../mysql/over-ssh.ts";
import { entryPathOf, type PreparedDump } from "../mysql/server.ts";
import { SourceError } from "../source-error.ts";
import type { SshConnection } from "../ssh/connection.ts";
import { parseDatabaseHost } from "./database-host.ts";
import type { WpConfig } from "./wp-config.ts";

export interface SiteDatabaseOptions {
  readonly tempBase: string;
  readonly signal: AbortSignal;
  readonly stallMs: number;
}

/** Disposing closes what leads to it; the SSH connection stays its owner's. */
export interface SiteDatabase extends AsyncDisposable {
  /** Of the dump. */
  readonly path: string;
  /** Programs and their versions. */
  readonly tools: Readonly<Record<string, string>>;
  /** Sentences: what is in it, what of it is left out, and how it is read. */
  remarks(): Promise<string[]>;
  /** Throws PATH_NOT_FOUND where it has no table of the site's. */
  prepareDump(warn: (warning: Warning) => void): Promise<PreparedDump>;
}

/**
 * Signs in. The password goes to the dump program on the server, or to ours through a tunnel where the server has none. Throws
 * `SourceError`.
 */
export async function openSiteDatabase(
  connection: SshConnection,
  config: WpConfig,
  { tempBase, signal, stallMs }: SiteDatabaseOptions,
): Promise<SiteDatabase> {
  const { host, user, password } = config.database;
  const address = parseDatabaseHost(host);
  if (!address)
    throw new SourceError(
      "DUMP_FAILED",
      "The DB_HOST in the wp-config.php of this site is no address: correct it there.",
    );
  const way =
    address.kind === "tcp"
      ? { host: address.host, port: address.port }
      : { host: "localhost", socket: address.path ?? undefined };
  const settings = { ...way, name: host === "" ? "localhost" : host, username: user, password, stallMs };
  try {
    return siteDatabase(await openMysqlOverSsh(connection, { settings, dump: "far", tempBase, signal }), config);
  } catch (error) {
    if (!(error instanceof SourceError) || error.code !== "SOURCE_AUTH_FAILED") throw error;
    throw new SourceError(
      "SOURCE_AUTH_FAILED",
      `The database server “${printable(host)}” did not accept the sign-in of “${printable(user)}” with the password that the wp-config.php of this site has: check DB_USER and DB_PASSWORD there, and from where this user may sign in.`,
      { cause: error.cause },
    );
  }
}

function siteDatabase(
  opened: MysqlOverSsh,
  { database: { name }, tablePrefix, customUserTables }: WpConfig,
): SiteDatabase {
  const { server } = opened;
  const path = entryPathOf(name).replace(/^mysql\//, "database/");
  const isOfSite = (table: string) => table.startsWith(tablePrefix) || customUserTables.includes(table);
  return {
    path,
    tools: server.tools,

    async remarks() {
      await server.databases([name]);
      const { tables, missing } = await server.inventory(name);
      const others = tables.filter((table) => !isOfSite(table.name)).length;
      const elsewhere = customUserTables.filter((custom) => !tables.some((table) => table.name === custom));
      return [
        `The database “${printable(name)}” on ${server.version.text} has ${tables.length - others} tables of this site.`,
        ...(others === 0
          ? []
          : [
              `${others} other tables there do not begin with “${tablePrefix}” and are left out: if the site needs them, back up the database as a source of its own.`,
            ]),
        ...elsewhere.map(
          (table) => `The table “${printable(table)}” that the site has its users in lies elsewhere and is left out.`,
        ),
        ...(missing.length === 0 ? [] : [`For a complete dump, grant the site's user: ${missing.join(", ")}.`]),
        ...(opened.dump === "far"
          ? []
          : [
              "The SSH server has no dump program, so the dump is made by this installation of xVault through a tunnel.",
            ]),
      ];
    },

    async prepareDump(warn) {
      await server.databases([name]);
      const patterns = [`${tablePrefix}*`, ...customUserTables].map((table) => `${name}.${table}`);
      const includeTables = tablePrefix === "" ? {} : { includeTables: patterns };
      const prepared = await server.prepareDump(name, { path, warn, ...includeTables });
      if (prepared && prepared.facts.tables.length > 0) return prepared;
      throw new SourceError(
        "PATH_NOT_FOUND",
        `The database “${printable(name)}” has no tables that begin with “${tablePrefix}”, as the wp-config.php of this site says they do: check $table_prefix and DB_NAME there.`,
      );
    },

    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}
