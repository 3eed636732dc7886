// Connects to a staged peer as a backup does, and reads everything it has.
import { tmpdir } from "node:os";
import { type Entry, printablePath, type Warning } from "#artifact/node";
import { parseNetwork } from "../../../worker/network-policy.ts";
import { connectSftp } from "../../../worker/sources/sftp.ts";
import type { ConnectOptions, ConnectSource, Source } from "../../../worker/sources/source.ts";
import { describeFile, sha256, sorted } from "../../stage/tree.ts";

export const loopback = [parseNetwork("127.0.0.0/8")];

export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly hostKey: string;
}

export interface Differences extends Partial<ConnectOptions> {
  readonly path?: string;
  readonly username?: string;
  /** What the source needs besides. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** How its type is connected to; SFTP where it is not set. */
  readonly connect?: ConnectSource;
}

/** Trusts the peer's present host key and gives the staged password, unless told otherwise. */
export function connectTo(
  peer: Peer & { username?: string; password?: string; data?: string },
  other: Differences = {},
) {
  const { path = peer.data ?? "/", username = peer.username ?? "someone", settings, connect, ...options } = other;
  return (connect ?? connectSftp)({
    config: { host: peer.host, port: peer.port, username, path, ...settings },
    secrets: { password: peer.password ?? "a password" },
    pinned: { hostKey: peer.hostKey, jumpHostKey: null },
    allowedNetworks: loopback,
    tempBase: tmpdir(),
    log: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

export interface Collected {
  /** In the words of `describeTree`. */
  readonly described: Record<string, string>;
  readonly warnings: readonly Warning[];
}

export async function collect(source: Source): Promise<Collected> {
  const warnings: Warning[] = [];
  const described: Record<string, string> = {};
  for await (const entry of source.entries((warning) => warnings.push(warning)))
    described[printablePath(entry.path)] = await describe(entry);
  return { described: sorted(described), warnings };
}

async function describe(entry: Entry): Promise<string> {
  if (entry.kind === "symlink") return `link to ${printablePath(entry.linkTarget ?? "")}`;
  if (entry.kind === "hardlink") return `same as ${printablePath(entry.linkTarget ?? "")}`;
  if (entry.kind !== "file") return entry.kind;
  const content = await readContent(entry);
  return describeFile(content.length, sha256(content));
}

export async function readContent(entry: Entry): Promise<Buffer> {
  if (entry.bytes) return Buffer.from(entry.bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry.content ?? []) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
