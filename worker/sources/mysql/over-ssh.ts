// A database server behind an SSH server: dumped by the programs there, or by ours through a tunnel.
import { farPlace } from "../dump/far-place.ts";
import { nearPlace } from "../dump/near-place.ts";
import { SourceError } from "../source-error.ts";
import type { SshConnection } from "../ssh/connection.ts";
import { openTunnel } from "../ssh/tunnel.ts";
import { printable } from "./failure.ts";
import { findMysqlTools, type MysqlServer, type MysqlSettings, openMysqlServer } from "./server.ts";

export interface OverSshOptions {
  readonly settings: MysqlSettings;
  /** Where the dump is made. `far` becomes `near` where the SSH server has no dump program, or runs no commands. */
  readonly dump: "near" | "far";
  readonly tempBase: string;
  readonly signal: AbortSignal;
}

/** Disposing closes the tunnel; the SSH connection stays its owner's. */
export interface MysqlOverSsh extends AsyncDisposable {
  readonly server: MysqlServer;
  /** Where the dump is made indeed. */
  readonly dump: "near" | "far";
}

/** Throws `SourceError`. */
export async function openMysqlOverSsh(connection: SshConnection, options: OverSshOptions): Promise<MysqlOverSsh> {
  const { settings, dump } = options;
  const far = farPlace(connection);
  if (dump === "far" && (await hasTools(far)))
    return { server: await openMysqlServer(far, settings), dump: "far", [Symbol.asyncDispose]: async () => undefined };
  return openThroughTunnel(connection, options);
}

/** A server that forbids commands may still allow forwarding. */
async function hasTools(far: ReturnType<typeof farPlace>): Promise<boolean> {
  try {
    return (await findMysqlTools(far)) !== null;
  } catch (error) {
    if (error instanceof SourceError && error.code === "SOURCE_DISCONNECTED") return false;
    throw error;
  }
}

async function openThroughTunnel(
  connection: SshConnection,
  { settings, tempBase, signal }: OverSshOptions,
): Promise<MysqlOverSsh> {
  connection.over.throwIfAborted();
  const { host = "127.0.0.1", port = 3306, socket } = settings;
  if (socket !== undefined)
    throw new SourceError(
      "DUMP_FAILED",
      "A socket can only be used by a dump program on the SSH server: install mariadb-dump there, or give a host and a port in place of the socket.",
    );
  await using stack = new AsyncDisposableStack();
  const tunnel = stack.use(await openTunnel(connection, { host, port, tempBase, socketName: "mysql.sock" }));
  const place = nearPlace({ tempBase, signal: AbortSignal.any([signal, connection.over]) });
  const failure = () => {
    const refusal = tunnel.refusal();
    if (refusal === null) return null;
    const why =
      refusal === "forbidden"
        ? "does not forward connections: have AllowTcpForwarding switched on for this user, or have the dump made there"
        : `cannot reach the database server at “${printable(host)}”, port ${port}: check both, as seen from there`;
    return new SourceError("SOURCE_DISCONNECTED", `The SSH server “${printable(connection.host)}” ${why}.`);
  };
  const server = await openMysqlServer(place, {
    ...settings,
    socket: tunnel.path,
    name: settings.name ?? host,
    failure,
  });
  const kept = stack.move();
  return { server, dump: "near", [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
