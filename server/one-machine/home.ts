// The data directory of the one-command mode: one stack's at a time, closed to everyone else, and keeper of its secrets.
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Closed (`await using`, or `Symbol.asyncDispose`) when the stack is down; another may open it then. */
export interface Home extends AsyncDisposable {
  readonly directory: string;
  /** Key-encryption key: 32 bytes in base64. */
  readonly kek: string;
  /** Others that secrets may be sealed with, one after another with commas between: put there by whoever rotates the KEK. */
  readonly previousKeks: string;
  readonly jwtSecret: string;
  /** The secret of that name, made with `make` at its first use and the same ever after. Kept as a 0600 file. */
  secret(name: string, make?: () => string): Promise<string>;
  /** Writes the secret of that name anew, and answers the path of its file. */
  replaceSecret(name: string, value: string): Promise<string>;
  /** Path of a folder in the home, 0700 when it is made here. */
  folder(name: string): Promise<string>;
}

/**
 * Opens the home, making it at the first start.
 * @throws Error whose message tells an operator why this home cannot be used.
 */
export async function openHome(path: string): Promise<Home> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(directory);
  if (process.getuid && process.getuid() !== uid)
    throw new Error(
      `${directory} belongs to another user (uid ${uid}). Start xVault as that user, or give it an XVAULT_HOME of its own.`,
    );
  // Group execute may stay: it lets the account that runs Postgres pass through, see service-account.ts.
  await chmod(directory, mode & 0o710);
  const lock = takeLock(directory);
  try {
    const folder = async (name: string) => {
      await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
      return join(directory, name);
    };
    const secrets = await folder("secrets");
    const secret = async (name: string, make = () => randomBytes(32).toString("base64url")) =>
      (await readSecret(join(secrets, name))) ?? writeSecret(secrets, name, make());
    return {
      directory,
      kek: await keyEncryptionKey(directory, secrets),
      previousKeks: (await readSecret(join(secrets, "previous-keks"))) ?? "",
      jwtSecret: await secret("jwt-secret", () => randomBytes(64).toString("base64url")),
      secret,
      replaceSecret: async (name, value) => {
        await writeSecret(secrets, name, value);
        return join(secrets, name);
      },
      folder,
      [Symbol.asyncDispose]: async () => lock.close(),
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}

/** SQLite's lock is the kernel's: unlike a pid file it is gone the instant its process is, killed or not, and never mistaken. */
function takeLock(directory: string): DatabaseSync {
  const lock = new DatabaseSync(join(directory, "lock"));
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    throw new Error(`Another xVault is running in ${directory}. Stop it, or give this one an XVAULT_HOME of its own.`, {
      cause: error,
    });
  }
}

async function keyEncryptionKey(directory: string, secrets: string): Promise<string> {
  const kept = await readSecret(join(secrets, "kek"));
  if (kept !== null) return kept;
  // Everything in the database is sealed with the key that is gone: a new one would only hide that until the first restore.
  const database = await stat(join(directory, "postgres")).catch(() => null);
  if (database)
    throw new Error(
      `${join(secrets, "kek")} is missing, and the database beside it is sealed with that key. Put the file back from your copy.`,
    );
  return writeSecret(secrets, "kek", randomBytes(32).toString("base64"));
}

async function readSecret(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** On the disk, whole, before anything is sealed with it. */
async function writeSecret(folder: string, name: string, value: string): Promise<string> {
  const written = join(folder, `${name}.new`);
  {
    await using file = await open(written, "w", 0o600);
    await file.writeFile(`${value}\n`);
    await file.sync();
  }
  await rename(written, join(folder, name));
  await using parent = await open(folder);
  await parent.sync();
  return value;
}
