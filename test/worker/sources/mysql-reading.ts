// Connects to a staged MariaDB as a backup does, over any of the ways there are, and reads its dumps.
import { tmpdir } from "node:os";
import type { Warning } from "#artifact/node";
import { connectMysql } from "../../../worker/sources/mysql.ts";
import type { ConnectOptions, Secrets, Source } from "../../../worker/sources/source.ts";
import type { StagedOpenSsh } from "../../stage/peers/openssh.ts";
import { loopback, readContent } from "./reading.ts";

export interface MysqlPeer {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

export interface Differences extends Partial<Omit<ConnectOptions, "config">> {
  readonly config?: Readonly<Record<string, unknown>>;
}

export function connectDirectly(peer: MysqlPeer, { config, ...other }: Differences = {}): Promise<Source> {
  const { host, port, username, password } = peer;
  return connect({ host, port, username, ...config }, { password }, null, other);
}

export function connectOverSsh(
  sshd: StagedOpenSsh,
  peer: MysqlPeer,
  dump: "near" | "far",
  { config, ...other }: Differences = {},
): Promise<Source> {
  const { host, port, username, password } = peer;
  const ssh = { host: sshd.host, port: sshd.port, username: sshd.username, dump };
  const secrets = { password, ssh: { password: sshd.password } };
  return connect({ host, port, username, ssh, ...config }, secrets, sshd.hostKey, other);
}

function connect(config: unknown, secrets: Secrets, hostKey: string | null, other: Partial<ConnectOptions>) {
  return connectMysql({
    config,
    secrets,
    pinned: { hostKey, jumpHostKey: null },
    allowedNetworks: loopback,
    tempBase: tmpdir(),
    log: () => undefined,
    signal: new AbortController().signal,
    ...other,
  });
}

export interface Dumps {
  /** By the paths of their entries. */
  readonly dumps: ReadonlyMap<string, Buffer>;
  readonly warnings: readonly Warning[];
}

export async function readDumps(source: Source): Promise<Dumps> {
  const warnings: Warning[] = [];
  const dumps = new Map<string, Buffer>();
  for await (const entry of source.entries((warning) => warnings.push(warning)))
    dumps.set(String(entry.path), await readContent(entry));
  return { dumps, warnings };
}
