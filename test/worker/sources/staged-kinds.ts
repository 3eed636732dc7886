// One staged server for every type of source and every way to it, and what leads there: what the contract suite is run against.
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type SourceType, sourceKinds } from "../../../worker/sources/kinds.ts";
import type { ConnectOptions, Secrets, Source } from "../../../worker/sources/source.ts";
import { ftpPackages } from "../../stage/peers/ftp-packages.ts";
import { missingMariadb, stageMariadb } from "../../stage/peers/mariadb.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { missingPostgres15, stagePostgres15 } from "../../stage/peers/postgres-15.ts";
import { stageProftpd } from "../../stage/peers/proftpd.ts";
import { missingWordpress, stageWordpress } from "../../stage/peers/wordpress.ts";
import { seededBytes, smallFiles, type Tree, tree, writeTree } from "../../stage/tree.ts";
import { loopback } from "./reading.ts";

const ftp = await ftpPackages();
const missingFtp = "missing" in ftp ? ftp.missing : null;

export interface StagedKind {
  readonly type: SourceType;
  /** The server that a worker itself connects to. */
  readonly first: { readonly host: string; readonly port: number };
  /** Settings that lead there by way of another port of the same host. */
  config(port?: number): Readonly<Record<string, unknown>>;
  readonly secrets: Secrets;
  /** Null where the way there has none. */
  readonly hostKey: string | null;
  /** Secrets that are found on the way, in a wp-config.php. */
  readonly hidden?: readonly string[];
  /** Some of the entries that a backup has. */
  readonly entries: readonly string[];
}

type Stage = (stack: AsyncDisposableStack) => Promise<StagedKind>;

const files: Tree = tree({
  "index.html": "hello",
  empty: "",
  "deep/er/noise.bin": seededBytes(3_000_000, "contract"),
  ...Object.fromEntries(smallFiles(200)),
});

/** By what they are called in the suite; `missing` says why one cannot be staged here. */
export const kinds: Readonly<Record<string, { readonly missing: string | null; readonly stage: Stage }>> = {
  SSH: { missing: missingOpenSsh, stage: overSsh("SSH") },
  SFTP: { missing: missingOpenSsh, stage: overSsh("SFTP") },
  FTP: { missing: missingFtp, stage: stageFtp },
  POSTGRES: { missing: missingPostgres15, stage: postgres(null) },
  "POSTGRES by the far pg_dump": { missing: missingPostgres15 ?? missingOpenSsh, stage: postgres("far") },
  "POSTGRES through a tunnel": { missing: missingPostgres15 ?? missingOpenSsh, stage: postgres("near") },
  MYSQL: { missing: missingMariadb, stage: mysql(null) },
  "MYSQL by the far mariadb-dump": { missing: missingMariadb ?? missingOpenSsh, stage: mysql("far") },
  "MYSQL through a tunnel": { missing: missingMariadb ?? missingOpenSsh, stage: mysql("near") },
  WORDPRESS: { missing: missingWordpress ?? missingOpenSsh, stage: stageSite },
};

/** Trusts what was staged, unless told otherwise. The caller closes it. */
export function connectStaged(kind: StagedKind, other: Partial<ConnectOptions> = {}): Promise<Source> {
  return sourceKinds[kind.type].connect({
    config: kind.config(),
    secrets: kind.secrets,
    pinned: { hostKey: kind.hostKey, jumpHostKey: null },
    allowedNetworks: loopback,
    tempBase: tmpdir(),
    log: () => undefined,
    signal: new AbortController().signal,
    ...other,
  });
}

function overSsh(type: "SSH" | "SFTP"): Stage {
  return async (stack) => {
    const sshd = stack.use(await stageOpenSsh());
    await writeTree(sshd.data, files, { owner: sshd.owner });
    const { host, username, data: path, password, hostKey } = sshd;
    return {
      ...{ type, first: sshd, hostKey, secrets: { password }, entries: ["index.html", "deep/er/noise.bin"] },
      config: (port = sshd.port) => ({ host, port, username, path }),
    };
  };
}

async function stageFtp(stack: AsyncDisposableStack): Promise<StagedKind> {
  const server = stack.use(await stageProftpd());
  await writeTree(server.data, files, { owner: server.owner });
  const { host, username, password, authority } = server;
  return {
    ...{
      type: "FTP",
      first: server,
      hostKey: null,
      secrets: { password },
      entries: ["index.html", "deep/er/noise.bin"],
    },
    config: (port = server.port) => ({ host, port, username, path: "/", certificate: { authority } }),
  };
}

function postgres(dump: "far" | "near" | null): Stage {
  return async (stack) => {
    const server = stack.use(await stagePostgres15());
    const user = { username: "backup", password: randomBytes(18).toString("base64url") };
    await server.query(`CREATE ROLE ${user.username} SUPERUSER LOGIN PASSWORD '${user.password}'`);
    await server.query("CREATE DATABASE shop");
    await server.query(
      "CREATE TABLE orders AS SELECT n AS id, repeat(md5(n::text), 4) AS note FROM generate_series(1, 20000) AS n",
      "shop",
    );
    const entries = ["postgres/shop.dump"];
    return behind(stack, dump, { type: "POSTGRES", server: { ...server, ...user }, entries });
  };
}

function mysql(dump: "far" | "near" | null): Stage {
  return async (stack) => {
    const server = stack.use(await stageMariadb({ tls: false }));
    await server.query(
      "CREATE DATABASE shop; USE shop; CREATE TABLE orders AS SELECT seq AS id, REPEAT(MD5(seq), 4) AS note FROM seq_1_to_20000",
    );
    return behind(stack, dump, { type: "MYSQL", server, entries: ["mysql/shop.sql"] });
  };
}

interface Database {
  readonly type: "MYSQL" | "POSTGRES";
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly username: string;
    readonly password: string;
  };
  readonly entries: readonly string[];
}

async function behind(
  stack: AsyncDisposableStack,
  dump: "far" | "near" | null,
  { type, server, entries }: Database,
): Promise<StagedKind> {
  const { host, port, username, password } = server;
  const itself = { host, port, username, tls: "off" };
  if (dump === null)
    return {
      ...{ type, entries, first: server, hostKey: null, secrets: { password } },
      config: (through = port) => ({ ...itself, port: through }),
    };
  const sshd = stack.use(await stageOpenSsh());
  const way = { host: sshd.host, username: sshd.username, dump };
  return {
    ...{ type, entries, first: sshd, hostKey: sshd.hostKey },
    secrets: { password, ssh: { password: sshd.password } },
    config: (through = sshd.port) => ({ ...itself, ssh: { ...way, port: through } }),
  };
}

async function stageSite(stack: AsyncDisposableStack): Promise<StagedKind> {
  const mariadb = stack.use(await stageMariadb({ tls: false }));
  const sshd: StagedOpenSsh = stack.use(await stageOpenSsh());
  const directory = join(sshd.data, "site");
  const { database } = await stageWordpress(mariadb, { directory, owner: sshd.owner });
  const { host, username, password, hostKey } = sshd;
  return {
    ...{ type: "WORDPRESS", first: sshd, hostKey, secrets: { password } },
    entries: ["files/wp-config.php", "files/index.php"],
    hidden: [database.password],
    config: (port = sshd.port) => ({ host, port, username, path: directory }),
  };
}
