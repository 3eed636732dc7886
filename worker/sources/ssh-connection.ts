// Opens an SFTP session over SSH: to an address that was checked, to a host whose key is known, and in that order.
import { createHash } from "node:crypto";
import { connect as dial, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import ssh2, { type Prompt, type SFTPWrapper } from "ssh2";
import SftpClient from "ssh2-sftp-client";
import type { Secrets } from "./source.ts";
import { SourceError } from "./source-error.ts";
import { authFailed, hostKeyChanged, type SshFault, unreachable } from "./ssh-failure.ts";

const readyTimeoutMs = 20_000;
const politeEndMs = 1_000;
/** Identification lines come first and are short; what comes later is none. */
const longestPreamble = 16_384;

export interface SshTarget {
  /** As the customer wrote it, for messages. */
  readonly host: string;
  /** Where to connect: already checked. */
  readonly address: string;
  readonly port: number;
  readonly username: string;
  readonly secrets: Secrets;
  /** Null trusts any key. */
  readonly pinnedHostKey: string | null;
  readonly signal: AbortSignal;
}

export interface SshConnection extends AsyncDisposable {
  /** The raw channel: requests of any number and size may be in flight. */
  readonly sftp: SFTPWrapper;
  readonly hostKey: string;
  /** What the server calls itself, e.g. `OpenSSH_9.2p1`. */
  readonly serverVersion: string | null;
  /** Lets what is sent in this turn of the event loop leave together: one system call for any number of small requests. */
  gather(): void;
  /** Ends the connection on the spot; every request in flight fails. */
  destroy(): void;
}

/** What the server showed of itself while it was being connected to. */
interface Seen {
  hostKey: string | null;
  fault: SshFault | null;
  preamble: string;
}

/** Throws `SourceError`. No secret leaves the process before the host key has been accepted. */
export async function connectSsh(target: SshTarget): Promise<SshConnection> {
  const { host, port, username, secrets, pinnedHostKey, signal } = target;
  requireUsableSecret(target);
  signal.throwIfAborted();
  const socket = dial({ host: target.address, port, signal });
  // Otherwise a request can cost 44 ms: Nagle's algorithm waiting for a delayed acknowledgement.
  socket.setNoDelay(true);
  const client = new SftpClient("xvault", { error() {}, end() {}, close() {} });
  const seen: Seen = { hostKey: null, fault: null, preamble: "" };
  client.on("error", (error: SshFault) => {
    seen.fault ??= error;
  });
  client.on("connect", () => listenForPreamble(socket, seen));
  client.on("keyboard-interactive", answerPrompts(secrets.password ?? ""));
  try {
    const sftp = await client.connect({
      sock: socket,
      hostVerifier: (key: Buffer) => {
        seen.hostKey = fingerprint(key);
        return pinnedHostKey === null || seen.hostKey === pinnedHostKey;
      },
      username,
      ...(secrets.privateKey !== undefined && { privateKey: secrets.privateKey }),
      ...(secrets.passphrase !== undefined && { passphrase: secrets.passphrase }),
      ...(secrets.password !== undefined && { password: secrets.password, tryKeyboard: true }),
      authHandler: [
        ...(secrets.privateKey === undefined ? [] : (["publickey"] as const)),
        ...(secrets.password === undefined ? [] : (["password", "keyboard-interactive"] as const)),
      ],
      readyTimeout: readyTimeoutMs,
    });
    return {
      sftp,
      hostKey: seen.hostKey ?? "",
      serverVersion: serverVersionIn(seen.preamble),
      gather: () => gather(socket),
      destroy: () => socket.destroy(),
      async [Symbol.asyncDispose]() {
        const ended = client.end().catch(() => undefined);
        if (!socket.destroyed) await Promise.race([ended, pause(politeEndMs, undefined, { ref: false })]);
        socket.destroy();
      },
    };
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    if (seen.hostKey && pinnedHostKey && seen.hostKey !== pinnedHostKey) throw hostKeyChanged(host, error);
    throw unreachable(target, seen.fault ?? (error as SshFault));
  }
}

function gather(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}

/** The form in which OpenSSH shows host keys. */
function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

function requireUsableSecret({ secrets, username, host }: SshTarget): void {
  if (secrets.privateKey !== undefined) {
    const parsed: unknown = ssh2.utils.parseKey(secrets.privateKey, secrets.passphrase);
    if (parsed instanceof Error)
      throw new SourceError(
        "SOURCE_AUTH_FAILED",
        "The private key of this source cannot be opened: it is not an OpenSSH or PEM private key, or its passphrase is missing or wrong.",
        { cause: parsed },
      );
  } else if (secrets.password === undefined) throw authFailed({ host, username });
}

/** Servers that ask for the password in a dialogue of their own get it wherever they do not echo the answer. */
function answerPrompts(password: string) {
  return (_name: string, _lead: string, _language: string, prompts: Prompt[], finish: (answers: string[]) => void) =>
    finish(prompts.map(({ echo }) => (echo ? "" : password)));
}

/** ssh2 has the socket paused at this moment: nothing is lost to it by listening along. */
function listenForPreamble(socket: Socket, seen: Seen): void {
  const onData = (chunk: Buffer) => {
    seen.preamble += chunk.toString("latin1");
    if (/^SSH-.*\n/m.test(seen.preamble) || seen.preamble.length > longestPreamble) socket.off("data", onData);
  };
  socket.on("data", onData);
}

function serverVersionIn(preamble: string): string | null {
  return /^SSH-[^-\s]+-([\x21-\x7e]{1,100})/m.exec(preamble)?.[1] ?? null;
}
