// The way to a database server without SSH: this process connects, to the address that was checked, and sees to TLS itself.
// MySQL's programs know a Unix socket here and no more. MariaDB's client falls back to plain text wherever a server offers no
// TLS, and it can check a certificate only against what it connects to, which must be the checked address and no name.
import { once } from "node:events";
import { connect as dial, isIP, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { pipeline } from "node:stream/promises";
import { connect as startTls } from "node:tls";
import { type Network, resolveHost } from "../../network-policy.ts";
import { SourceError } from "../source-error.ts";
import { openTunnel, type Tunnel } from "../ssh/tunnel.ts";
import { printable } from "./failure.ts";
import { askingForTls, framed, parseGreeting, readHeader, readPacket, readPayload, withoutTls } from "./handshake.ts";

/** Between server and program: enough that neither waits for each piece of the other. */
const bufferBytes = 1_048_576;
const signInMs = 20_000;
/** Ways to sign in that never show the password to whoever listens. */
const safeInPlainText: ReadonlySet<string> = new Set([
  "mysql_native_password",
  "caching_sha2_password",
  "client_ed25519",
  "parsec",
]);
/** The server asks for the password itself, as `caching_sha2_password` does when it has forgotten what it knew of a user. */
const asksForPassword = Buffer.from([1, 4]);

export interface DirectOptions {
  readonly host: string;
  readonly port: number;
  /**
   * `required`: encrypted, so that nobody who listens learns anything; who stands in between could still pass himself off as the server.
   * `verified`: besides, the certificate must be one for `host`, signed by `authority` or, without one, by an authority that browsers
   * trust. `off`: in plain text; ways to sign in that show the password are refused.
   */
  readonly tls: "required" | "verified" | "off";
  /** In PEM. */
  readonly authority?: string | undefined;
  readonly allowedNetworks: readonly Network[];
  readonly tempBase: string;
  readonly signal: AbortSignal;
}

/** Disposing ends every connection. */
export interface Direct extends AsyncDisposable {
  /** Of the Unix socket. */
  readonly path: string;
  /** Why the last connection came to nothing, null where none did: a program only sees its connection end. */
  failure(): SourceError | null;
}

/** The name is resolved once. Throws `SourceError` HOST_NOT_ALLOWED or, for unknown names, SOURCE_DISCONNECTED. */
export async function openDirect(options: DirectOptions): Promise<Direct> {
  const { host, port, signal, tempBase } = options;
  const address = await resolveHost(host, options);
  const over = new AbortController();
  let failure: SourceError | null = null;

  async function forward(): Promise<Duplex> {
    failure = null;
    const [near, far] = duplexPair({ highWaterMark: bufferBytes });
    near.once("close", () => far.destroy());
    const server = dial({ host: address, port, noDelay: true });
    for (const stream of [near, far, server]) stream.on("error", () => undefined);
    converse(far, server, options, AbortSignal.any([signal, over.signal])).catch((error: unknown) => {
      if (error instanceof SourceError) failure = error;
      near.destroy();
      server.destroy();
    });
    return near;
  }
  const tunnel: Tunnel = await openTunnel(
    { over: signal, forward },
    { host, port, tempBase, socketName: "mysql.sock" },
  );
  return {
    path: tunnel.path,
    failure: () => failure,
    async [Symbol.asyncDispose]() {
      over.abort(new Error("the way to the database server was closed"));
      await tunnel[Symbol.asyncDispose]();
    },
  };
}

/** Packets of the sign-in one by one; everything after it as it comes. */
async function converse(tool: Duplex, server: Socket, options: DirectOptions, signal: AbortSignal): Promise<void> {
  const { host, port, tls } = options;
  const close = () => {
    tool.destroy();
    server.destroy();
  };
  signal.addEventListener("abort", close, { once: true });
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(signInMs)]);
    await once(server, "connect", { signal: patience }).catch((cause: Error) => {
      throw cannotConnect(host, port, cause);
    });
    const { payload } = await readPacket(server, patience);
    const greeting = parseGreeting(payload);
    // An error comes in its place where the server has too many connections, or none for this worker.
    if (!greeting && payload[0] !== 0xff) throw notMysql(host, port);
    if (greeting && !/^[\x20-\x7e]{1,100}$/.test(greeting.version)) throw notMysql(host, port);
    if (!greeting || tls === "off") {
      if (greeting && !safeInPlainText.has(greeting.plugin)) throw wantsPassword(host);
      tool.write(framed({ sequence: 0, payload }));
      await signIn(tool, server, 0, { host, isPlain: true, patience, signal });
      return;
    }
    if (!greeting.offersTls) throw offersNoTls(host);
    tool.write(framed({ sequence: 0, payload: withoutTls(payload, greeting) }));
    const { request, answer } = askingForTls((await readPacket(tool, patience)).payload);
    server.write(framed({ sequence: 1, payload: request }));
    const encrypted = await encrypt(server, options, patience);
    encrypted.write(framed({ sequence: 2, payload: answer }));
    await signIn(tool, encrypted, 1, { host, isPlain: false, patience, signal });
  } finally {
    signal.removeEventListener("abort", close);
  }
}

async function encrypt(server: Socket, { host, tls, authority }: DirectOptions, patience: AbortSignal) {
  const name = host.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const encrypted = startTls({
    socket: server,
    host: name,
    ...(isIP(name) === 0 && { servername: name }),
    ...(authority !== undefined && { ca: authority }),
    rejectUnauthorized: tls === "verified",
  });
  encrypted.on("error", () => undefined);
  try {
    await once(encrypted, "secureConnect", { signal: patience });
    return encrypted;
  } catch (error) {
    throw encryptionFailed(host, tls, error);
  }
}

interface Circumstances {
  readonly host: string;
  /** Whether others may listen. */
  readonly isPlain: boolean;
  readonly patience: AbortSignal;
  readonly signal: AbortSignal;
}

/** `shift`: by how much the server's count of packets is ahead of the program's, which knows nothing of the request for TLS. */
async function signIn(tool: Duplex, server: Duplex, shift: number, circumstances: Circumstances): Promise<void> {
  const { host, isPlain, patience, signal } = circumstances;
  let over = false;
  async function fromServer(): Promise<void> {
    while (!over) {
      const { sequence, payload } = await readPacket(server, patience);
      if (isPlain && showsPassword(payload)) throw wantsPassword(host);
      // 0 is success and 255 an error; whatever else comes is part of the dialogue.
      over = payload[0] === 0 || payload[0] === 0xff;
      tool.write(framed({ sequence: sequence - shift, payload }));
    }
    await pipeline(server, tool);
  }
  async function fromTool(): Promise<void> {
    for (;;) {
      const header = await readHeader(tool, signal);
      if (over) {
        server.write(header);
        return pipeline(tool, server);
      }
      const { sequence, payload } = await readPayload(tool, header, patience);
      server.write(framed({ sequence: sequence + shift, payload }));
    }
  }
  await Promise.all([fromServer(), fromTool()]);
}

function showsPassword(payload: Buffer): boolean {
  if (payload[0] !== 0xfe) return payload.equals(asksForPassword);
  const end = payload.indexOf(0, 1);
  return !safeInPlainText.has(payload.toString("latin1", 1, end < 0 ? payload.length : end));
}

function cannotConnect(host: string, port: number, cause: Error & { code?: string }): SourceError {
  const what =
    cause.code === "ECONNREFUSED"
      ? `refused the connection: nothing listens on port ${port}`
      : `did not answer on port ${port}: check the address, the port and its firewall`;
  return new SourceError("SOURCE_DISCONNECTED", `The database server “${printable(host)}” ${what}.`, { cause });
}

function notMysql(host: string, port: number): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `What answers on port ${port} of “${printable(host)}” is no MySQL or MariaDB server: check the host and the port.`,
  );
}

function offersNoTls(host: string): SourceError {
  return new SourceError(
    "SOURCE_DISCONNECTED",
    `The database server “${printable(host)}” offers no TLS, so nothing was sent to it: switch it on there, or back up over SSH.`,
  );
}

function encryptionFailed(host: string, tls: DirectOptions["tls"], cause: unknown): SourceError {
  const what =
    tls === "verified"
      ? "could not prove who it is: its certificate must be valid for that name and signed by the authority in the settings of this source"
      : "and xVault have no way of encryption in common: the server's TLS may be very old";
  return new SourceError("SOURCE_DISCONNECTED", `The database server “${printable(host)}” ${what}.`, { cause });
}

function wantsPassword(host: string): SourceError {
  return new SourceError(
    "SOURCE_AUTH_FAILED",
    `The database server “${printable(host)}” wants to see the password, and without TLS so would others: require TLS, or back up over SSH.`,
  );
}
