// Connects to a staged FTP server as a backup does.
import { tmpdir } from "node:os";
import type { Warning } from "#artifact/node";
import { connectFtp } from "../../../worker/sources/ftp.ts";
import type { ConnectOptions, Source } from "../../../worker/sources/source.ts";
import { loopback } from "./reading.ts";

export interface FtpPeer {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  readonly authority?: string;
}

export interface FtpDifferences extends Partial<Omit<ConnectOptions, "config">> {
  /** Over the settings that lead to the peer. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Trusts the peer's own authority and gives the staged password, unless told otherwise. */
export function connectToFtp(peer: FtpPeer, { settings = {}, ...options }: FtpDifferences = {}): Promise<Source> {
  const { host, port, username = "someone", password = "password-of-ours", authority } = peer;
  return connectFtp({
    config: { host, port, username, path: "/", certificate: { authority }, ...settings },
    secrets: { password },
    pinned: { hostKey: null, jumpHostKey: null },
    allowedNetworks: loopback,
    tempBase: tmpdir(),
    log: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
}

/** By path. */
export function codes(warnings: readonly Warning[]): Record<string, string> {
  return Object.fromEntries(warnings.map(({ path, code }) => [path, code]));
}
