// The databases of a MySQL or MariaDB server as a source: one dump each, reached directly or by way of an SSH server.
import * as z from "zod";
import type { Entry, Warning } from "#artifact/node";
import { nearPlace } from "./dump/near-place.ts";
import { openDirect } from "./mysql/direct.ts";
import { printable } from "./mysql/failure.ts";
import { isTransactional } from "./mysql/inventory.ts";
import { openMysqlOverSsh } from "./mysql/over-ssh.ts";
import {
  type DatabaseFacts,
  entryPathOf,
  type MysqlServer,
  type MysqlSettings,
  openMysqlServer,
} from "./mysql/server.ts";
import { parseConfig } from "./parse-config.ts";
import {
  type ConnectOptions,
  defaultStallMs,
  type Estimate,
  type Identity,
  type Source,
  type SourceFacts,
} from "./source.ts";
import { connectSsh, type SshConnection } from "./ssh/connection.ts";
import { remotePath, routeTo, sshRoute } from "./ssh/settings.ts";

const sampleSize = 10;
/** A source test looks closely at so many databases. */
const examined = 25;
/** In a manifest, of all databases together. */
const tablesTold = 1000;

const names = z.array(z.string().min(1).max(256)).min(1).max(1000).optional();

const mysqlConfig = z.object({
  /** Over SSH, as the SSH server sees it. */
  host: z.string().min(1).max(253).default("127.0.0.1"),
  port: z.int().min(1).max(65_535).default(3306),
  /** Path of a Unix socket on the SSH server, in place of host and port: for a dump that is made there. */
  socket: remotePath.optional(),
  username: z.string().min(1).max(256).optional(),
  /** See `DirectOptions`: MySQL's programs leave TLS to us. Without meaning over SSH, which encrypts already. */
  tls: z.enum(["required", "verified", "off"]).default("required"),
  /** Of the server's certificate, in PEM, where `tls` is `verified`; without it, the authorities that browsers trust. */
  authority: z.string().max(65_536).optional(),
  /** By their exact names. Without them all but the server's own, among them `mysql` with its users and grants: those fit no other version. */
  databases: names,
  /** As `database.table`; `*` stands for any characters, and what comes of it is compared with the tables that there are. */
  includeTables: names,
  excludeTables: names,
  ssh: sshRoute
    .extend({
      /** By the programs of the SSH server, or by ours through a tunnel: also where it has none. */
      dump: z.enum(["near", "far"]).default("far"),
    })
    .optional(),
});

type MysqlConfig = z.infer<typeof mysqlConfig>;

/**
 * Every database is dumped as of one moment, which is another one for each. `secrets` sign in to the database, `secrets.ssh` to the
 * SSH server and `secrets.jump` to the host before it. Without a password, a dump made on the SSH server uses what the ~/.my.cnf of
 * its user has.
 */
export async function connectMysql(options: ConnectOptions): Promise<Source> {
  const { secrets, tempBase, signal, allowedNetworks, stallMs = defaultStallMs } = options;
  const config = parseConfig(mysqlConfig, options.config);
  const { host, port, socket, tls, authority } = config;
  const settings: MysqlSettings = {
    host,
    port,
    socket,
    username: config.username ?? secrets.username,
    password: secrets.password,
    stallMs,
  };
  await using stack = new AsyncDisposableStack();
  if (config.ssh) {
    const { dump, ...ssh } = config.ssh;
    const connection = stack.use(await connectSsh(routeTo(ssh, secrets.ssh ?? {}, options)));
    const opened = stack.use(await openMysqlOverSsh(connection, { settings, dump, tempBase, signal }));
    const remark =
      dump === opened.dump
        ? []
        : ["The SSH server has no dump program, so dumps are made by this installation of xVault through a tunnel."];
    return new MysqlSource({ config, server: opened.server, connection, remarks: remark, stack: stack.move() });
  }
  const direct = stack.use(await openDirect({ host, port, tls, authority, allowedNetworks, tempBase, signal }));
  const server = await openMysqlServer(nearPlace({ tempBase, signal }), {
    ...settings,
    socket: direct.path,
    name: host,
    failure: direct.failure,
  });
  const remarks = tls === "off" ? ["Without TLS everybody on the way can read what is backed up."] : [];
  return new MysqlSource({ config, server, connection: null, remarks, stack: stack.move() });
}

interface MysqlParts {
  readonly config: MysqlConfig;
  readonly server: MysqlServer;
  /** Null for a server that is reached directly. */
  readonly connection: SshConnection | null;
  readonly remarks: readonly string[];
  /** What disposing closes. */
  readonly stack: AsyncDisposableStack;
}

class MysqlSource implements Source {
  readonly #parts: MysqlParts;
  readonly #databases: DatabaseFacts[] = [];
  #tablesTold = 0;

  constructor(parts: MysqlParts) {
    this.#parts = parts;
  }

  async identify(): Promise<Identity> {
    const { server, connection, config } = this.#parts;
    const databases = await server.databases(config.databases);
    const remarks = [...this.#parts.remarks];
    if (databases.length === 0)
      remarks.push("There are no databases that this user may see, so there is nothing to back up.");
    if (databases.length > 1) remarks.push("Every database is backed up as of one moment, and each as of another one.");
    for (const database of databases.slice(0, examined)) remarks.push(...(await this.#remarksOn(database)));
    return {
      hostKey: connection?.hostKey ?? null,
      jumpHostKey: connection?.jumpHostKey ?? null,
      serverVersion: server.version.text,
      sampleEntries: databases.slice(0, sampleSize).map(entryPathOf),
      tools: server.tools,
      remarks,
    };
  }

  async #remarksOn(database: string): Promise<string[]> {
    const { tables, missing } = await this.#parts.server.inventory(database);
    const name = printable(database);
    return [
      ...(missing.length > 0 ? [`For a complete dump of “${name}”, grant this user: ${missing.join(", ")}.`] : []),
      ...(tables.every(isTransactional)
        ? []
        : [`“${name}” has tables that know no transactions: a change during the dump may be in it by half.`]),
    ];
  }

  async estimate(): Promise<Estimate> {
    const { server, config } = this.#parts;
    const databases = await server.databases(config.databases);
    return { files: databases.length, bytes: await server.bytesOf(databases) };
  }

  async *entries(warn: (warning: Warning) => void): AsyncGenerator<Entry> {
    const { server, config } = this.#parts;
    const { includeTables, excludeTables } = config;
    for (const database of await server.databases(config.databases)) {
      const prepared = await server.prepareDump(database, { includeTables, excludeTables, warn });
      if (!prepared) continue;
      yield prepared.entry;
      this.#tell(prepared.facts);
    }
  }

  #tell({ path, tables }: DatabaseFacts): void {
    const told = tables.slice(0, tablesTold - this.#tablesTold);
    this.#tablesTold += told.length;
    this.#databases.push({ path, tables: told });
  }

  facts(): SourceFacts {
    return { tools: this.#parts.server.tools, databases: this.#databases };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.stack.disposeAsync();
  }
}
