// Who runs Postgres and Redis where xVault itself runs as root: a system user of no rights, because Postgres refuses root
// and Redis has no use for it. Without root everything runs as the one user there is.
import { execFile, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmod, chown, lstat, mkdir, realpath, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

export interface ServiceAccount {
  readonly uid: number;
  readonly gid: number;
  /** Folder that the account can enter whatever the modes elsewhere. Belongs to root. */
  readonly home: string;
}

const name = "xvault-data";
const accountHome = "/var/lib/xvault-data";
const run = promisify(execFile);

/** The account for services, made where it is missing; null where this process is not root. */
export async function serviceAccount(): Promise<ServiceAccount | null> {
  if (process.getuid?.() !== 0) return null;
  const ids = (await lookUp()) ?? (await create());
  await mkdir(accountHome, { recursive: true });
  await chmod(accountHome, 0o755);
  return { ...ids, home: accountHome };
}

async function lookUp(): Promise<{ uid: number; gid: number } | null> {
  try {
    const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    return null;
  }
}

async function create(): Promise<{ uid: number; gid: number }> {
  const options = ["--system", "--user-group", "--no-create-home", "--home-dir", accountHome];
  let failure: unknown;
  for (let attempt = 1; attempt <= 10; attempt++) {
    await run("useradd", [...options, "--shell", "/usr/sbin/nologin", name]).catch((error: unknown) => {
      failure = error;
    });
    const ids = await lookUp();
    if (ids) return ids;
    await sleep(200); // another process may hold the lock on /etc/passwd
  }
  throw new Error(
    `Postgres does not run as root, and a user for it could not be made. Run "useradd --system ${name}", start xVault as another user, or set DATABASE_URL and REDIS_URL.`,
    { cause: failure },
  );
}

/** How to start a process as the account: options for `spawn`. Its environment holds nothing of ours, least of all secrets. */
export function asAccount(account: ServiceAccount | null) {
  const env = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" };
  return { cwd: "/", env, ...(account && { uid: account.uid, gid: account.gid }) };
}

/**
 * The folder of a service in the home, which the account can pass through but not change. Where the home lies behind a
 * closed door (0700 /root), the folder is made in the account's home and the name in this home is a link to it.
 */
export async function serviceFolder(home: string, service: string, account: ServiceAccount | null): Promise<string> {
  const folder = join(home, service);
  if (!account) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return folder;
  }
  await admit(home, account);
  if (!(await lstat(folder).catch(() => null))) {
    if (canEnter(home, account)) await mkdir(folder);
    else {
      const elsewhere = join(account.home, randomUUID(), service);
      await mkdir(elsewhere, { recursive: true });
      await symlink(elsewhere, folder);
    }
  }
  const real = await realpath(folder);
  await admit(real, account);
  if (!canEnter(real, account))
    throw new Error(
      `User ${name}, who runs the databases, cannot enter ${real}. Move XVAULT_HOME, e.g. to /var/lib/xvault.`,
    );
  return real;
}

/** A folder inside a service's folder that the account owns. */
export async function ownedFolder(folder: string, account: ServiceAccount | null): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (account) await chown(folder, account.uid, account.gid);
  return folder;
}

async function admit(folder: string, account: ServiceAccount): Promise<void> {
  await chown(folder, 0, account.gid);
  await chmod(folder, 0o710);
}

/** Asked of the kernel, which knows of access lists and mounts too. */
function canEnter(folder: string, account: ServiceAccount): boolean {
  return spawnSync("test", ["-x", folder], asAccount(account)).status === 0;
}
