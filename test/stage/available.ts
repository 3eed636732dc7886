// What the tests need besides npm's packages, why, and whether it is there. Where it is not, its specs are skipped by name.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

interface Requirement {
  /** Debian package that brings the command. */
  readonly package: string;
  readonly reason: string;
}

/** By command. */
export const requirements = {
  "redis-server": { package: "redis-server", reason: "the doorbell and the live feed run on a real Redis" },
  sshd: { package: "openssh-server", reason: "SSH and SFTP sources are pulled from a real OpenSSH" },
  busybox: { package: "busybox", reason: "SSH sources are read by BusyBox's tar too, where a server has no other" },
  sshpass: { package: "sshpass", reason: "password logins are tried with OpenSSH's own client too" },
  age: { package: "age", reason: "every artifact must open with the stock age command" },
  zstd: { package: "zstd", reason: "every artifact must decompress with the stock zstd command" },
  pg_dump: { package: "postgresql-client-15", reason: "Postgres sources are compared with the stock pg_dump and psql" },
  initdb: {
    package: "postgresql-15",
    reason: "the hub's database is dumped by a pg_dump of its own version, and searched for secrets",
  },
  chromium: { package: "chromium", reason: "the portable door of the artifact is opened in a real browser" },
  mariadbd: {
    package: "mariadb-server",
    reason: "MySQL sources are dumped from a real MariaDB and restored into another",
  },
  php: { package: "php-cli", reason: "WordPress sites are made, and read again after a restore, by a real PHP" },
  openssl: { package: "openssl", reason: "staged servers show certificates of their own" },
  strace: { package: "strace", reason: "system calls of a real worker are made to fail" },
  ps: { package: "procps", reason: "the arguments of running processes are searched for secrets" },
} as const satisfies Record<string, Requirement>;

export type Command = keyof typeof requirements;

/** Null where the command is there; otherwise the sentence for `skip`: `it("…", { skip: available("age") ?? false }, …)`. */
export function available(command: Command): string | null {
  // Debian keeps daemons where an ordinary user's PATH does not look.
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/lib/postgresql/15/bin",
  ];
  if (folders.some((folder) => isExecutable(join(folder, command)))) return null;
  const { package: name, reason } = requirements[command];
  return `${command} is not installed (Debian package ${name}): ${reason}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
