// Connects to a staged PostgreSQL as a backup does, and gives its dumps as bytes.
import { tmpdir } from "node:os";
import type { Warning } from "#artifact/node";
import { connectPostgres } from "../../../worker/sources/postgres.ts";
import type { ConnectOptions, Source } from "../../../worker/sources/source.ts";
import type { StagedOpenSsh } from "../../stage/peers/openssh.ts";
import { loopback, readContent } from "./reading.ts";

interface Peer {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
}

export interface Differences extends Partial<Omit<ConnectOptions, "config">> {
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Straight to it, without TLS and as its superuser, unless told otherwise. */
export function connectToPostgres(
  { host, port, username = "postgres", password = "staged" }: Peer,
  { config = {}, ...options }: Differences = {},
): Promise<Source> {
  return connectPostgres({
    config: { host, port, username, tls: "off", ...config },
    secrets: { password },
    pinned: { hostKey: null, jumpHostKey: null },
    allowedNetworks: loopback,
    tempBase: tmpdir(),
    log: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

/** What leads through an SSH server to a database as that one sees it. */
export function overSsh(sshd: StagedOpenSsh, peer: Peer, dump: "near" | "far"): Differences {
  const { host, port, username, password, hostKey } = sshd;
  return {
    config: { host: peer.host, ssh: { host, port, username, dump } },
    secrets: { password: peer.password ?? "staged", ssh: { password } },
    pinned: { hostKey, jumpHostKey: null },
  };
}

export interface Dumped {
  /** By entry. */
  readonly dumps: ReadonlyMap<string, Buffer>;
  readonly warnings: readonly Warning[];
}

export async function readDumps(source: Source): Promise<Dumped> {
  const warnings: Warning[] = [];
  const dumps = new Map<string, Buffer>();
  for await (const entry of source.entries((warning) => warnings.push(warning)))
    dumps.set(String(entry.path), await readContent(entry));
  return { dumps, warnings };
}
