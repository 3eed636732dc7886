// Opens an SSH connection: to an address that was checked, to a host whose key is known, and in that order; by way of a jump host where one is named.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect as dial, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import ssh2, { type Client, type SFTPWrapper } from "ssh2";
import { type Network, resolveHost } from "../../network-policy.ts";
import type { SignIn } from "../source.ts";
import { type CommandOptions, type RunningCommand, startCommand } from "./command.ts";
import { connectionLost, hostKeyChanged, noSftp, type SshFault, stalled, unreachable } from "./failure.ts";
import { waysToSignIn } from "./sign-in.ts";

const readyTimeoutMs = 20_000;
const politeEndMs = 1_000;
/** For what is said last to arrive: a socket that is closed with something unread in it takes back what was on its way. */
const interruptedMs = 2_000;
/** Questions to the server whether it is still there, before it counts as stalled. */
const keepAlivesToStall = 4;
/** Identification lines come first and are short; what comes later is none. */
const longestPreamble = 16_384;

export interface SshTarget {
  /** As the customer wrote it. Behind a jump host it is the jump host that looks it up. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly signIn: SignIn;
  /** Null trusts any key. */
  readonly pinnedHostKey: string | null;
}

export interface SshRoute {
  readonly target: SshTarget;
  readonly jump: SshTarget | null;
  readonly allowedNetworks: readonly Network[];
  readonly signal: AbortSignal;
  /** How long a server may be silent when it is asked whether it is still there. */
  readonly stallMs: number;
}

/** One server that has been signed in to. Disposing says goodbye; whatever is in flight then fails. */
export interface SshConnection extends AsyncDisposable {
  /** As the customer wrote it, for messages. */
  readonly host: string;
  readonly hostKey: string;
  readonly jumpHostKey: string | null;
  /** What the server calls itself, e.g. `OpenSSH_9.2p1`. */
  readonly serverVersion: string | null;
  /** Aborted once the connection is over, with the `SourceError` or the signal's reason that says why. */
  readonly over: AbortSignal;
  /** The raw channel: requests of any number and size may be in flight. Throws SOURCE_DISCONNECTED where the server offers no SFTP. */
  openSftp(): Promise<SFTPWrapper>;
  /** Starts a command line in the user's shell, without a terminal. Throws SOURCE_DISCONNECTED where the server runs none. */
  run(commandLine: string, options?: CommandOptions): Promise<RunningCommand>;
  /** A stream to a place as the server sees it. Rejects where it cannot be reached from there. */
  forward(host: string, port: number): Promise<Duplex>;
  /** Lets what is sent in this turn of the event loop leave together: one system call for any number of small requests. */
  gather(): void;
  /** Ends the connection on the spot; every request in flight fails with `reason`. */
  destroy(reason: unknown): void;
}

/** Throws `SourceError`. No secret leaves the process before the host key has been accepted. */
export async function connectSsh(route: SshRoute): Promise<SshConnection> {
  const { target, jump, signal, allowedNetworks } = route;
  signal.throwIfAborted();
  if (!jump) return signInOver(await dialChecked(target, route), target, route, null);
  const address = await resolveHost(jump.host, { allowedNetworks, signal });
  const socket = dialTo(address, jump.port);
  const before = await signInOver(socket, jump, route, null);
  try {
    const stream = await before.forward(target.host, target.port).catch((cause: Error) => {
      before.over.throwIfAborted();
      throw unreachable(target, Object.assign(cause, { code: "ECONNREFUSED" }));
    });
    return await signInOver(stream, target, route, before);
  } catch (error) {
    await before[Symbol.asyncDispose]();
    throw error;
  }
}

async function dialChecked({ host, port }: SshTarget, { allowedNetworks, signal }: SshRoute): Promise<Socket> {
  return dialTo(await resolveHost(host, { allowedNetworks, signal }), port);
}

function dialTo(address: string, port: number): Socket {
  const socket = dial({ host: address, port });
  // Otherwise a request can cost 44 ms: Nagle's algorithm waiting for a delayed acknowledgement.
  socket.setNoDelay(true);
  return socket;
}

/** What the server showed of itself while it was being connected to. */
interface Seen {
  hostKey: string | null;
  fault: SshFault | null;
  preamble: string;
}

/** Owns the stream, and the connection `before` it, once it has resolved. */
async function signInOver(
  stream: Duplex,
  target: SshTarget,
  { signal, stallMs }: SshRoute,
  before: SshConnection | null,
): Promise<SshConnection> {
  const { host, username, signIn, pinnedHostKey } = target;
  const client = new ssh2.Client();
  const seen: Seen = { hostKey: null, fault: null, preamble: "" };
  const end = new AbortController();
  const destroy = (reason: unknown) => {
    end.abort(reason);
    stream.destroy();
  };
  // The commands that run there hear of it as `end` is aborted, and are told to end: the line stays up for that, and is closed by its owner.
  const interruptWith = (reason: unknown) => {
    end.abort(reason);
    setTimeout(() => stream.destroy(), interruptedMs).unref();
  };
  const interrupt = () => interruptWith(signal.reason);
  const isKeyOfHost = (key: string) => pinnedHostKey === null || key === pinnedHostKey;
  client.on("error", (error: SshFault) => {
    seen.fault ??= error;
    if (error.level === "client-timeout") end.abort(stalled(host));
  });
  const closed = new Promise<void>((resolve) => client.on("close", resolve));
  client.on("close", () => end.abort(before?.over.aborted ? before.over.reason : connectionLost(host, seen.fault)));
  before?.over.addEventListener("abort", () => interruptWith(before.over.reason), { once: true });
  signal.addEventListener("abort", interrupt, { once: true });
  // ssh2 listens while it is connected; what comes later has no reader any more.
  stream.on("error", () => undefined);
  end.signal.addEventListener("abort", () => signal.removeEventListener("abort", interrupt), { once: true });
  try {
    const ways = waysToSignIn(host, username, signIn);
    signal.throwIfAborted();
    const ready = once(client, "ready", { signal: end.signal });
    client.connect({
      sock: stream,
      hostVerifier: (key: Buffer) => {
        seen.hostKey = fingerprint(key);
        return isKeyOfHost(seen.hostKey);
      },
      username,
      authHandler: ways,
      readyTimeout: readyTimeoutMs,
      keepaliveInterval: stallMs / keepAlivesToStall,
      keepaliveCountMax: keepAlivesToStall,
    });
    listenForPreamble(stream, seen);
    await ready;
  } catch (error) {
    stream.destroy();
    signal.throwIfAborted();
    if (seen.hostKey && !isKeyOfHost(seen.hostKey)) throw hostKeyChanged(host, seen.fault ?? error);
    if (!seen.fault) throw error;
    throw unreachable(target, seen.fault);
  }
  return opened(client, { stream, target, seen, before, end, closed, destroy });
}

interface Opened {
  readonly stream: Duplex;
  readonly target: SshTarget;
  readonly seen: Seen;
  readonly before: SshConnection | null;
  readonly end: AbortController;
  /** Once nothing goes either way any more. */
  readonly closed: Promise<void>;
  readonly destroy: (reason: unknown) => void;
}

function opened(client: Client, { stream, target, seen, before, end, closed, destroy }: Opened): SshConnection {
  const { host } = target;
  /** ssh2 forgets callbacks of requests that the end of the connection overtook. */
  function asked<T>(ask: (done: (error: Error | undefined, value: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      end.signal.throwIfAborted();
      const over = () => reject(end.signal.reason);
      end.signal.addEventListener("abort", over, { once: true });
      ask((error, value) => {
        end.signal.removeEventListener("abort", over);
        if (error) reject(error);
        else resolve(value);
      });
    });
  }
  const connection: SshConnection = {
    host,
    hostKey: seen.hostKey ?? "",
    jumpHostKey: before?.hostKey ?? null,
    serverVersion: serverVersionIn(seen.preamble),
    over: end.signal,
    openSftp: () =>
      asked<SFTPWrapper>((done) => client.sftp(done)).catch((error: Error) => {
        end.signal.throwIfAborted();
        throw noSftp(host, error);
      }),
    run: (commandLine, options) => startCommand(connection, (done) => client.exec(commandLine, done), asked, options),
    forward: (to, port) => asked<Duplex>((done) => client.forwardOut("127.0.0.1", 0, to, port, done)),
    gather: () => gather(stream),
    destroy,
    async [Symbol.asyncDispose]() {
      client.end();
      if (!stream.destroyed) await Promise.race([closed, pause(politeEndMs, undefined, { ref: false })]);
      destroy(connectionLost(host));
      await before?.[Symbol.asyncDispose]();
    },
  };
  return connection;
}

function gather(stream: Duplex): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

/** The form in which OpenSSH shows host keys. */
function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** To be called in the same turn in which ssh2 began to read: nothing is lost to it by listening along. */
function listenForPreamble(stream: Duplex, seen: Seen): void {
  const onData = (chunk: Buffer) => {
    seen.preamble += chunk.toString("latin1");
    if (/^SSH-.*\n/m.test(seen.preamble) || seen.preamble.length > longestPreamble) stream.off("data", onData);
  };
  stream.prependListener("data", onData);
}

function serverVersionIn(preamble: string): string | null {
  return /^SSH-[^-\s]+-([\x21-\x7e]{1,100})/m.exec(preamble)?.[1] ?? null;
}
