// A Unix socket here that leads through an SSH connection to a server as its far side sees it: for programs that only know sockets.
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { SshConnection } from "./connection.ts";

/** What `sockaddr_un` holds, less the byte at its end: 104 on BSD and macOS, 108 on Linux. */
const longestSocketPath = 103;
/** Between two connections: enough that neither waits for each piece of the other. */
const bufferBytes = 1_048_576;
const openTimeoutMs = 20_000;

export interface TunnelOptions {
  /** As the SSH server sees it. */
  readonly host: string;
  readonly port: number;
  /** Where the tunnel makes its own directory, mode 0700; the system's temporary directory where a socket's path would not fit. */
  readonly tempBase: string;
  /** E.g. `.s.PGSQL.5432`, which is what libpq looks for. */
  readonly socketName: string;
}

/** Disposing ends its connections and removes its directory; the SSH connection stays its owner's. */
export interface Tunnel extends AsyncDisposable {
  /** That the socket lies in, alone. */
  readonly directory: string;
  readonly path: string;
  /** Why the SSH server last refused to lead a connection on, null where it never did: the program only sees its connection end. */
  refusal(): "forbidden" | "unreachable" | null;
}

/** Connections are led on one by one, as they come; the end of the SSH connection ends them all. */
export async function openTunnel(
  connection: Pick<SshConnection, "over" | "forward">,
  options: TunnelOptions,
): Promise<Tunnel> {
  const { host, port, tempBase, socketName } = options;
  connection.over.throwIfAborted();
  const base = roomFor(tempBase, socketName);
  await mkdir(base, { recursive: true });
  const directory = await mkdtemp(join(base, "tunnel-"));
  const path = join(directory, socketName);
  const sockets = new Set<Socket>();
  let refusal: "forbidden" | "unreachable" | null = null;

  async function lead(socket: Socket): Promise<void> {
    const far = await withinTime(connection.forward(host, port));
    if (socket.destroyed) far.destroy();
    await Promise.all([pipeline(socket, far), pipeline(far, socket)]);
  }
  const server = createServer({ allowHalfOpen: true, highWaterMark: bufferBytes }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    lead(socket).catch((error: { reason?: unknown }) => {
      // RFC 4254, 5.1: 1 is "administratively prohibited".
      if (error.reason !== undefined) refusal = error.reason === 1 ? "forbidden" : "unreachable";
      socket.destroy();
    });
  });
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };

  try {
    await chmod(directory, 0o700);
    await listening(server, path);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  connection.over.addEventListener("abort", close, { once: true });
  return {
    directory,
    path,
    refusal: () => refusal,
    async [Symbol.asyncDispose]() {
      connection.over.removeEventListener("abort", close);
      close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function roomFor(tempBase: string, socketName: string): string {
  const length = Buffer.byteLength(join(tempBase, "tunnel-XXXXXX", socketName));
  return length <= longestSocketPath ? tempBase : tmpdir();
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
}

/** An SSH server that never answers a request to forward; one that is gone is noticed by the connection itself. */
async function withinTime<T extends { destroy(): void }>(opening: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error("the SSH server did not answer in time")), openTimeoutMs);
  try {
    return await Promise.race([opening, timeout.promise]);
  } catch (error) {
    opening.then((late) => late.destroy()).catch(() => undefined);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
