// What the staged FTP servers have in common: a user, an authority with a certificate, a process that ends with its test.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { chmod, chown, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../../server/one-machine/port.ts";
import { ftpPackages, libraryPath } from "./ftp-packages.ts";

const run = promisify(execFile);
/** ProFTPD changes its user, and with it forgets that it was to die with its parent: the end of this input tells instead. */
const diesWithParent = ["/bin/sh", "-c", '"$@" & read -r _; kill -KILL 0', "ftp-server"];

export interface FtpServerOptions {
  /** Whether nobody signs in, and nothing is sent, without TLS whose session the data connections take up again. @default true */
  readonly tls?: boolean;
  /** Sign-ins at one time. */
  readonly maxClients?: number;
}

/** Disposing stops it and removes all that belongs to it. */
export interface StagedFtp extends AsyncDisposable {
  /** A name, because certificates are for names. */
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** What the user sees as `/`: a directory on this machine, empty at first. */
  readonly data: string;
  /** PEM of what signed the server's certificate. */
  readonly authority: string;
  /** Of the server's certificate: `SHA256:…`. */
  readonly fingerprint: string;
  /** What the server wrote so far. */
  log(): Promise<string>;
}

export interface FtpSite {
  readonly files: string;
  readonly port: number;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly data: string;
  readonly packages: string;
  readonly certificate: string;
  readonly key: string;
}

/** Lays out what the server needs, has `command` write its settings, and starts what that returns. */
export async function stageFtpServer(command: (site: FtpSite) => Promise<readonly string[]>): Promise<StagedFtp> {
  const found = await ftpPackages();
  if ("missing" in found) throw new Error(found.missing);
  await using cleanUp = new AsyncDisposableStack();
  const files = await mkdtemp(join(tmpdir(), "xvault-ftp-"));
  cleanUp.defer(() => rm(files, { recursive: true, force: true }));
  await chmod(files, 0o755);
  const data = join(files, "data");
  const port = await freePort();
  const owner = { uid: 20_000 + (port % 40_000), gid: 20_000 + (port % 40_000) };
  await mkdir(data, { mode: 0o755 });
  await chown(data, owner.uid, owner.gid);
  const { authority, fingerprint } = await makeCertificate(files);
  const [certificate, key] = [join(files, "server.pem"), join(files, "server.key")];
  const line = await command({ files, port, owner, data, packages: found.root, certificate, key });
  const server = await start(line, { port, libraries: await libraryPath(found.root) });
  cleanUp.defer(() => stop(server));
  const kept = cleanUp.move();
  return {
    host: "localhost",
    port,
    username: ftpUser.name,
    password: ftpUser.password,
    owner,
    data,
    authority,
    fingerprint,
    log: () => readFile(join(files, "log"), "utf8").catch(() => ""),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

export const ftpUser = {
  name: "xvault-stage",
  password: "pw-Stage-1",
  /** Of the password, SHA-512 crypt. */
  passwordHash: "$6$stage$AJ4OhKUwiwM1bFDJV38G3hNoRhlElGLr4pbAKJLFq2.2BHtyR9IDv1eHzPldwxif1lwFGkRhUMI9ykPCQsCVQ1",
} as const;

/** For `localhost`, into `server.pem` and `server.key` of a directory. */
export async function makeCertificate(files: string): Promise<{ authority: string; fingerprint: string }> {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: files });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "30",
    "-subj",
    "/CN=Stage CA",
  );
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost"];
  const leaf = ["-keyout", "server.key", "-out", "server.pem", "-days", "30", "-subj", "/CN=localhost"];
  await openssl("req", "-x509", ...newKey, ...leaf, ...signed, "-addext", "basicConstraints=critical,CA:FALSE");
  const { raw } = new X509Certificate(await readFile(join(files, "server.pem")));
  const digest = createHash("sha256").update(raw).digest("base64").replace(/=+$/, "");
  return { authority: await readFile(join(files, "ca.pem"), "utf8"), fingerprint: `SHA256:${digest}` };
}

async function start(command: readonly string[], { port, libraries }: { port: number; libraries: string }) {
  const [file = "", ...args] = [...diesWithParent, ...command];
  const server = spawn(file, args, {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    env: { ...process.env, LD_LIBRARY_PATH: libraries },
  });
  const deadline = performance.now() + 20_000;
  while (!(await listens(port))) {
    if (server.exitCode !== null || performance.now() > deadline)
      throw new Error(`the FTP server did not start on port ${port}: ${command.join(" ")}`);
    await pause(20);
  }
  return server;
}

/** Both servers fork for every connection: the whole group ends. */
async function stop(server: ChildProcess): Promise<void> {
  const end = new Promise((resolve) => server.once("exit", resolve));
  const over = server.exitCode !== null || server.signalCode !== null;
  try {
    process.kill(-(server.pid ?? 0), "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
  if (!over) await end;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
