// A real OpenSSH server for one test: users, keys and files of its own, on a port of the loopback address.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { freePort } from "../../../server/one-machine/port.ts";
import { available } from "../available.ts";

const run = promisify(execFile);

/** Why it cannot be staged here; null where it can. */
export const missingOpenSsh: string | null =
  available("sshd") ?? (process.getuid?.() === 0 ? null : "a staged sshd that takes passwords must be started by root");

export interface OpenSshOptions {
  /** Whether there is an SFTP subsystem; there is one by default. */
  readonly sftp?: boolean;
  /** The user's shell. @default /bin/sh */
  readonly shell?: string;
  /** Programs that come first in the user's PATH, by name: a shell script, or the path of another program. */
  readonly programs?: Readonly<Record<string, string>>;
  /** Whether the user's PATH leads to the machine's programs as well; it does by default. */
  readonly ordinaryPrograms?: boolean;
  /** `jail`: the user sees nothing but its data, over SFTP alone. `bastion`: it may only be led on to other servers. */
  readonly only?: "jail" | "bastion";
}

/** Disposing stops it and removes all that belongs to it. */
export interface StagedOpenSsh extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Without a passphrase, in OpenSSH's format; accepted for the user. */
  readonly privateKey: string;
  /** Another one that is accepted, and its passphrase. */
  readonly lockedKey: { readonly privateKey: string; readonly passphrase: string };
  /** As `ssh-keygen -l` shows it: `SHA256:…`. */
  readonly hostKey: string;
  /** Who the user is to the file system. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** An empty directory that belongs to the user, by its path here; in a jail, users find it at `/data`. */
  readonly data: string;
  /** The user's own, where its shell looks for what to do first. */
  readonly home: string;
  /** Directory of the server's own files, for keys that other programs are to use: `id`, `known_hosts`. */
  readonly files: string;
  /** What sshd wrote so far. */
  log(): Promise<string>;
  /** Restarts under a new host key, on the same port; returns its fingerprint. */
  changeHostKey(): Promise<string>;
  /** Ends every connection at once, as a crash does. */
  dropConnections(): Promise<void>;
}

const password = "pw-Stage-1";
/** Of the password, SHA-512 crypt. */
const passwordHash = "$6$stage$AJ4OhKUwiwM1bFDJV38G3hNoRhlElGLr4pbAKJLFq2.2BHtyR9IDv1eHzPldwxif1lwFGkRhUMI9ykPCQsCVQ1";
const passphrase = "phrase-Stage-1";
const diesWithParent = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] : [];

export async function stageOpenSsh(options: OpenSshOptions = {}): Promise<StagedOpenSsh> {
  if (missingOpenSsh) throw new Error(missingOpenSsh);
  await using cleanUp = new AsyncDisposableStack();
  // sshd leads nobody into a jail that lies in a directory which everybody may write, as /tmp is.
  const files = await mkdtemp(join(options.only === "jail" ? "/srv" : tmpdir(), "xvault-sshd-"));
  cleanUp.defer(() => rm(files, { recursive: true, force: true }));
  const port = await freePort();
  const uid = 20_000 + (port % 40_000);
  const user = { name: `bk${port}`, uid, home: join(files, "home"), shell: options.shell ?? "/bin/sh" };
  const data = join(files, "data");
  await layOut(files, user, port, options);
  const launch = await launcher(files, user);
  cleanUp.defer(() => launch.cleanUp());
  let sshd = await start(launch, port);
  cleanUp.defer(async () => {
    await killSessions(sshd);
    await stop(sshd);
  });
  const kept = cleanUp.move();

  return {
    host: "127.0.0.1",
    port,
    username: user.name,
    password,
    privateKey: await readFile(join(files, "id"), "utf8"),
    lockedKey: { privateKey: await readFile(join(files, "locked"), "utf8"), passphrase },
    hostKey: await fingerprint(files),
    owner: { uid, gid: uid },
    data,
    home: user.home,
    files,
    log: () => readFile(join(files, "log"), "utf8"),
    async changeHostKey() {
      await stop(sshd);
      await makeHostKey(files, port);
      sshd = await start(launch, port);
      return fingerprint(files);
    },
    dropConnections: () => killSessions(sshd),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  readonly shell: string;
}

async function layOut(files: string, { name, uid, home }: User, port: number, options: OpenSshOptions) {
  await chmod(files, 0o755);
  for (const directory of [home, join(files, "data")]) {
    await mkdir(directory, { mode: 0o755 });
    await chown(directory, uid, uid);
  }
  await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  await makeHostKey(files, port);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(files, "id")]);
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-f", join(files, "locked")]);
  const keys = await Promise.all(["id.pub", "locked.pub"].map((file) => readFile(join(files, file), "utf8")));
  await writeFile(join(files, "authorized"), keys.join(""));
  const lines = [
    `Port ${port}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${join(files, "host")}`,
    "PidFile none",
    `AuthorizedKeysFile ${join(files, "authorized")}`,
    // Keys below /tmp are refused otherwise.
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication yes",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin no",
    `AllowUsers ${name}`,
    "UseDNS no",
    "LogLevel VERBOSE",
    "MaxStartups 100",
    ...((options.sftp ?? true) ? ["Subsystem sftp internal-sftp"] : []),
    ...(options.only ? restrictions[options.only](files) : []),
    ...(options.programs ? [`SetEnv PATH=${await layOutPrograms(files, options)}`] : []),
  ];
  await writeFile(join(files, "sshd_config"), `${lines.join("\n")}\n`);
}

const restrictions = {
  jail: (files: string) => [`ChrootDirectory ${files}`, "ForceCommand internal-sftp -d /data", "AllowTcpForwarding no"],
  bastion: () => ["AllowTcpForwarding local", "PermitTTY no", "ForceCommand /bin/false"],
} as const;

async function layOutPrograms(files: string, { programs = {}, ordinaryPrograms = true }: OpenSshOptions) {
  const directory = join(files, "bin");
  await mkdir(directory, { mode: 0o755 });
  for (const [name, program] of Object.entries(programs))
    if (program.startsWith("/")) await symlink(program, join(directory, name));
    else await writeFile(join(directory, name), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
  return ordinaryPrograms ? `${directory}:/usr/local/bin:/usr/bin:/bin` : directory;
}

async function makeHostKey(files: string, port: number): Promise<void> {
  await rm(join(files, "host"), { force: true });
  await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(files, "host")]);
  const [type, key] = (await readFile(join(files, "host.pub"), "utf8")).split(" ");
  await writeFile(join(files, "known_hosts"), `[127.0.0.1]:${port} ${type} ${key}\n`);
}

async function fingerprint(files: string): Promise<string> {
  const { stdout } = await run("ssh-keygen", ["-lf", join(files, "host.pub")]);
  return stdout.split(" ")[1] ?? "";
}

interface Launcher {
  readonly command: readonly string[];
  cleanUp(): Promise<void>;
}

/** The user exists inside this sshd alone, where the system lets us arrange that; otherwise on the machine, until the end. */
async function launcher(files: string, user: User): Promise<Launcher> {
  const sshd = ["/usr/sbin/sshd", "-D", "-f", join(files, "sshd_config"), "-E", join(files, "log")];
  const mayUnshare = await run("unshare", ["-m", "--propagation", "private", "true"]).then(
    () => true,
    () => false,
  );
  if (!mayUnshare) {
    await run("useradd", ["-M", "-d", user.home, "-u", `${user.uid}`, "-s", user.shell, "-p", passwordHash, user.name]);
    return { command: sshd, cleanUp: async () => void (await run("userdel", [user.name])) };
  }
  const { name, uid, home, shell } = user;
  const [passwd, shadow] = [join(files, "passwd"), join(files, "shadow")];
  await writeFile(passwd, `${await readFile("/etc/passwd", "utf8")}${name}:x:${uid}:${uid}::${home}:${shell}\n`);
  await writeFile(shadow, `${await readFile("/etc/shadow", "utf8")}${name}:${passwordHash}:19000:0:99999:7:::\n`, {
    mode: 0o600,
  });
  const mounts = `mount --bind ${passwd} /etc/passwd && mount --bind ${shadow} /etc/shadow`;
  const script = `${mounts} && exec "$@"`;
  return {
    command: ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sshd", ...sshd],
    cleanUp: async () => undefined,
  };
}

async function start({ command }: Launcher, port: number): Promise<ChildProcess> {
  const [file = "", ...args] = [...diesWithParent, ...command];
  const sshd = spawn(file, args, { cwd: "/", stdio: "ignore" });
  const deadline = performance.now() + 20_000;
  while (!(await listens(port))) {
    if (sshd.exitCode !== null || performance.now() > deadline) throw new Error(`sshd did not start on port ${port}`);
    await pause(20);
  }
  return sshd;
}

async function stop(sshd: ChildProcess): Promise<void> {
  if (sshd.exitCode !== null || sshd.signalCode !== null) return;
  const end = new Promise((resolve) => sshd.once("exit", resolve));
  sshd.kill("SIGKILL");
  await end;
}

/** sshd forks for every connection, and again for its user. */
async function killSessions({ pid }: ChildProcess): Promise<void> {
  for (const session of await descendants(pid ?? 0)) {
    try {
      process.kill(session, "SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

async function descendants(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const children = text.split(" ").filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
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
