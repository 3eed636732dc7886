// Finds the way to a PostgreSQL server: straight to an address that was checked, or through SSH, with its programs here or there.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { resolveHost } from "../../network-policy.ts";
import { farPlace } from "../dump/far-place.ts";
import { type FoundTool, findTool } from "../dump/find-tool.ts";
import { nearPlace } from "../dump/near-place.ts";
import type { Place } from "../dump/place.ts";
import { type ConnectOptions, defaultStallMs, stallsToFirstByte } from "../source.ts";
import { SourceError } from "../source-error.ts";
import { connectSsh, type SshConnection } from "../ssh/connection.ts";
import { routeTo } from "../ssh/settings.ts";
import { openTunnel, type Tunnel } from "../ssh/tunnel.ts";
import type { Server } from "./server.ts";
import { accessOf, type PostgresConfig } from "./settings.ts";

export interface Reach {
  readonly server: Server;
  readonly pgDump: FoundTool;
  /** Null where there is no SSH on the way. */
  readonly connection: SshConnection | null;
  readonly remarks: readonly string[];
  /** A better reason for a failure on this way, where there is one. */
  explain(error: unknown): unknown;
}

/** What is opened goes to `opened`, and is closed with it. Throws `SourceError`. */
export async function reach(
  config: PostgresConfig,
  options: ConnectOptions,
  opened: AsyncDisposableStack,
): Promise<Reach> {
  const { ssh } = config;
  if (!ssh) return reachDirectly(config, options, opened);
  const { dump, ...sshServer } = ssh;
  const connection = opened.use(await connectSsh(routeTo(sshServer, options.secrets.ssh ?? {}, options)));
  const isFar = dump === "far";
  const place = isFar ? farPlace(connection) : null;
  const pgDump = place && (await findFar(place, connection));
  if (!place || !pgDump) return reachThroughTunnel(config, options, { connection, opened, isFallback: isFar });
  return {
    server: serverOf(config, options, place, { PGHOST: hostOverSsh(config), PGPORT: `${config.port}` }),
    pgDump,
    connection,
    remarks: ["The dump is made by the pg_dump of the SSH server."],
    explain: (error) => error,
  };
}

async function reachDirectly(config: PostgresConfig, options: ConnectOptions, opened: AsyncDisposableStack) {
  const { signal, allowedNetworks } = options;
  const { host = "", port, tls } = config;
  const address = await resolveHost(host, { allowedNetworks, signal });
  const place = nearPlaceOf(options, signal);
  const way = {
    // Only for the name on the certificate: with an address given, libpq looks nothing up.
    PGHOST: host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, ""),
    PGHOSTADDR: address,
    PGPORT: `${port}`,
    PGSSLMODE: { required: "require", verified: "verify-full", off: "disable" }[tls],
    ...(tls === "verified" && { PGSSLROOTCERT: await authorityFile(config, options, opened) }),
  };
  return {
    server: serverOf(config, options, place, way),
    pgDump: await findNear(place),
    connection: null,
    remarks: [],
    explain: (error: unknown) => error,
  };
}

interface Tunneled {
  readonly connection: SshConnection;
  readonly opened: AsyncDisposableStack;
  readonly isFallback: boolean;
}

async function reachThroughTunnel(
  config: PostgresConfig,
  options: ConnectOptions,
  { connection, opened, isFallback }: Tunneled,
): Promise<Reach> {
  const { port } = config;
  const tunnel = opened.use(
    await openTunnel(connection, {
      host: hostOverSsh(config),
      port,
      tempBase: options.tempBase,
      socketName: `.s.PGSQL.${port}`,
    }),
  );
  const place = nearPlaceOf(options, AbortSignal.any([options.signal, connection.over]));
  return {
    server: serverOf(config, options, place, { PGHOST: tunnel.directory, PGPORT: `${port}` }),
    pgDump: await findNear(place),
    connection,
    remarks: [
      isFallback
        ? "The SSH server has no pg_dump and psql that this user can run: the dump is made here, through a tunnel."
        : "The dump is made here, through a tunnel.",
    ],
    explain: (error) => whyTunnelFailed(error, tunnel, { connection, config }),
  };
}

function whyTunnelFailed(
  error: unknown,
  tunnel: Tunnel,
  { connection, config }: { readonly connection: SshConnection; readonly config: PostgresConfig },
): unknown {
  const refusal = tunnel.refusal();
  if (refusal === null || !(error instanceof SourceError)) return error;
  const message =
    refusal === "forbidden"
      ? `The SSH server “${connection.host}” forbids to lead connections on: allow this user TCP forwarding, or install pg_dump and psql there.`
      : `The SSH server “${connection.host}” could not reach “${hostOverSsh(config)}” on port ${config.port}: no PostgreSQL listens there.`;
  return new SourceError("SOURCE_DISCONNECTED", message, { cause: error });
}

function hostOverSsh({ host = "127.0.0.1" }: PostgresConfig): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

function nearPlaceOf({ tempBase, toolPath }: ConnectOptions, signal: AbortSignal): Place {
  return nearPlace({ tempBase, signal, toolPath });
}

function serverOf(
  config: PostgresConfig,
  { secrets, stallMs = defaultStallMs }: ConnectOptions,
  place: Place,
  way: Readonly<Record<string, string>>,
): Server {
  const access = accessOf(config, secrets, way);
  const { port, tls } = config;
  const about = { host: config.host ?? hostOverSsh(config), port, username: access.username, tls };
  return { place, access, about, silenceMs: stallMs, firstByteMs: stallsToFirstByte * stallMs };
}

/** Null also where the server runs no commands at all, as long as it is there. */
async function findFar(place: Place, connection: SshConnection): Promise<FoundTool | null> {
  try {
    return (await findTool(place, ["psql"])) && (await findTool(place, ["pg_dump"]));
  } catch (error) {
    connection.over.throwIfAborted();
    if (error instanceof SourceError) return null;
    throw error;
  }
}

async function findNear(place: Place): Promise<FoundTool> {
  const found = (await findTool(place, ["psql"])) && (await findTool(place, ["pg_dump"]));
  if (found) return found;
  throw new SourceError(
    "DUMP_FAILED",
    "The worker has no pg_dump and psql: ask the operator to install the client programs of PostgreSQL, or go through SSH to a server that has them.",
  );
}

async function authorityFile(
  { authority = rootCertificates.join("\n") }: PostgresConfig,
  { tempBase }: ConnectOptions,
  opened: AsyncDisposableStack,
): Promise<string> {
  await mkdir(tempBase, { recursive: true, mode: 0o700 });
  const directory = await mkdtemp(join(tempBase, "authority-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  const path = join(directory, "authority.pem");
  await writeFile(path, authority, { mode: 0o600 });
  return path;
}
