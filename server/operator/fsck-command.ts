// `xvault fsck`: what operators call it by, what it takes, and how it says what it found.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import * as z from "zod";
import { openVault } from "../../domain/vault.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { type Finding, invariants, type Store } from "./checks/check.ts";
import { readDatabaseUrl, readVaultConfig } from "./config.ts";
import { type FsckOptions, fsck } from "./fsck.ts";
import type { OperatorSetting } from "./setting.ts";

interface FsckFlags {
  readonly store: readonly string[];
  readonly temp: readonly string[];
  readonly leaseSeconds: string;
  readonly graceSeconds: string;
  readonly withStockTools?: boolean;
  readonly json?: boolean;
}

const seconds = z.coerce.number("A number of seconds is expected.").min(0);
/** A statement over all jobs and all of the audit may take its time. */
const statementTimeoutMs = 600_000;
/** As `xvault verify` ends with. */
const damaged = 5;

export function addFsckCommand(program: Command, setting: OperatorSetting): void {
  const collect = (value: string, before: string[]) => [...before, value];
  program
    .command("fsck")
    .description("look whether everything that is promised of the database and of the disks holds; changes nothing")
    .option("--store <directory>", "WORKER_STORAGE_BASE of a worker, as seen from here; may be repeated", collect, [])
    .option("--temp <directory>", "WORKER_TEMP_BASE of a worker or restore service; may be repeated", collect, [])
    .option("--lease-seconds <seconds>", "HUB_LEASE_SECONDS of the hubs", setting.env.HUB_LEASE_SECONDS || "60")
    .option("--grace-seconds <seconds>", "how old something unfinished has to be to be told", "3600")
    .option("--with-stock-tools", "unpack every artifact with age, zstd and tar as well")
    .option("--json", "one JSON object in place of sentences")
    .addHelpText(
      "after",
      `
Reads DATABASE_URL, and HUB_ENCRYPTION_KEK where it is set: with it every artifact whose key the platform holds is opened.
Exit codes: 0 all of it holds, 1 it could not look, 2 wrong usage, ${damaged} something does not hold.`,
    )
    .action((flags: FsckFlags) => runFsck(flags, setting));
}

async function runFsck(flags: FsckFlags, { env, signal, say, endWith }: OperatorSetting): Promise<void> {
  const stores = await Promise.all(flags.store.map(storeAt));
  const opens = Boolean(env.HUB_ENCRYPTION_KEK || env.HUB_ENCRYPTION_KEK_FILE);
  const db = connectDatabase(readDatabaseUrl(env), {
    maxConnections: 2,
    statementTimeoutMs,
    onConnectionLost: () => {},
  });
  try {
    const findings = await fsck({
      ...{ db, stores, temps: flags.temp, signal },
      leaseSeconds: seconds.parse(flags.leaseSeconds),
      graceSeconds: seconds.parse(flags.graceSeconds),
      ...(flags.withStockTools && { withStockTools: true }),
      ...(opens && { identityOf: identitiesOf(db, env) }),
    });
    const status = "COMPLETED" as const;
    const artifacts = await db.snapshot.count({
      where: { status, workerId: { in: stores.map(({ workerId }) => workerId) } },
    });
    const facts = { snapshots: await db.snapshot.count({ where: { status } }), artifacts, opened: opens };
    if (flags.json) say(JSON.stringify({ ok: findings.length === 0, ...facts, findings }));
    else for (const line of linesOf(findings, facts)) say(line);
    endWith(findings.length === 0 ? 0 : damaged);
  } finally {
    await db.$disconnect();
  }
}

function linesOf(
  findings: readonly Finding[],
  facts: { snapshots: number; artifacts: number; opened: boolean },
): string[] {
  const lines = findings.map(({ invariant, about, sentence }) => `${invariant}  ${about}: ${sentence}`);
  for (const [name, promise] of Object.entries(invariants))
    if (findings.some(({ invariant }) => invariant === name)) lines.push(`${name} says: ${promise}`);
  const how = facts.opened ? "looked into" : "looked at from outside, for want of HUB_ENCRYPTION_KEK";
  lines.push(`${facts.artifacts} of ${facts.snapshots} artifacts were ${how}.`);
  lines.push(findings.length === 0 ? "All of it holds." : `${findings.length} do not hold.`);
  return lines;
}

const marker = z.object({ workerId: z.string() });

/** Whose store a directory is, it says itself. */
async function storeAt(base: string): Promise<Store> {
  const text = await readFile(join(base, ".xvault-store.json"), "utf8").catch(() => {
    throw new Error(`--store ${base}: there is no .xvault-store.json in it, so it is no worker's store.`);
  });
  return { base, workerId: marker.parse(JSON.parse(text)).workerId };
}

/** Private keys that the platform holds, disabled ones too: an artifact does not get worse when its key is disabled. */
export function identitiesOf(db: Database, env: NodeJS.ProcessEnv): NonNullable<FsckOptions["identityOf"]> {
  const { kek, previousKeks } = readVaultConfig(env);
  const vault = openVault(kek, previousKeks);
  return async (tenantId, fingerprint) => {
    const row = await db.tenantKey.findUnique({ where: { tenantId_fingerprint: { tenantId, fingerprint } } });
    if (!row?.sealedPrivateKey) return null;
    return vault.open({ tenantId, rowId: row.id, kind: "tenant-key" }, row.sealedPrivateKey);
  };
}
