// `xvault fsck`: what operators call it by, what it takes, and how it says what it found.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import * as z from "zod";
import { openVault } from "../../domain/vault.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { type Finding, invariants, type Store } from "./checks/check.ts";
import { fsck } from "./fsck.ts";

interface FsckFlags {
  readonly store: readonly string[];
  readonly temp: readonly string[];
  readonly leaseSeconds: string;
  readonly graceSeconds: string;
  readonly withStockTools?: boolean;
  readonly json?: boolean;
}

const seconds = z.coerce.number().min(0);
const kek = z.base64().transform((text) => new Uint8Array(Buffer.from(text, "base64")));
/** A statement over all jobs and all of the audit may take its time. */
const statementTimeoutMs = 600_000;

export interface FsckTerms {
  readonly env: NodeJS.ProcessEnv;
  readonly write: (text: string) => void;
  /** 0: all of it holds; 1: something does not. */
  readonly exit: (code: 0 | 1) => void;
}

/** Throws a sentence where it cannot look. */
export function addFsckCommand(program: Command, { env, write, exit }: FsckTerms): void {
  const collect = (value: string, before: string[]) => [...before, value];
  program
    .command("fsck")
    .description("look whether everything that is promised of the database and of the disks holds; changes nothing")
    .option("--store <directory>", "WORKER_STORAGE_BASE of a worker, as seen from here; may be repeated", collect, [])
    .option("--temp <directory>", "WORKER_TEMP_BASE of a worker or restore service; may be repeated", collect, [])
    .option("--lease-seconds <seconds>", "HUB_LEASE_SECONDS of the hubs", env.HUB_LEASE_SECONDS || "60")
    .option("--grace-seconds <seconds>", "how old something unfinished has to be to be told", "3600")
    .option("--with-stock-tools", "unpack every artifact with age, zstd and tar as well")
    .option("--json", "one JSON object in place of sentences")
    .addHelpText(
      "after",
      "\nReads DATABASE_URL, and HUB_ENCRYPTION_KEK where it is set: with it every artifact whose key the platform holds is opened." +
        "\nEach may be a file instead: DATABASE_URL_FILE. Exit codes: 0 all of it holds, 1 something does not, 2 it could not look.",
    )
    .action(async (flags: FsckFlags) => exit((await runFsck(flags, env, write)) ? 0 : 1));
}

async function runFsck(flags: FsckFlags, env: NodeJS.ProcessEnv, write: (text: string) => void): Promise<boolean> {
  const url = await secret(env, "DATABASE_URL");
  if (!url) throw new Error("Set DATABASE_URL to the database that is to be looked at.");
  const stores = await Promise.all(flags.store.map(storeAt));
  const db = connectDatabase(url, { maxConnections: 2, statementTimeoutMs, onConnectionLost: () => {} });
  try {
    const key = await secret(env, "HUB_ENCRYPTION_KEK");
    const findings = await fsck({
      ...{ db, stores, temps: flags.temp },
      leaseSeconds: seconds.parse(flags.leaseSeconds),
      graceSeconds: seconds.parse(flags.graceSeconds),
      ...(flags.withStockTools && { withStockTools: true }),
      ...(key && { identityOf: identitiesOf(db, kek.parse(key)) }),
    });
    const seen = await db.snapshot.count({
      where: { status: "COMPLETED", workerId: { in: stores.map(({ workerId }) => workerId) } },
    });
    const all = await db.snapshot.count({ where: { status: "COMPLETED" } });
    const facts = { snapshots: all, artifacts: seen, opened: key !== undefined };
    write(
      flags.json ? `${JSON.stringify({ ok: findings.length === 0, ...facts, findings })}\n` : report(findings, facts),
    );
    return findings.length === 0;
  } finally {
    await db.$disconnect();
  }
}

function report(
  findings: readonly Finding[],
  facts: { snapshots: number; artifacts: number; opened: boolean },
): string {
  const lines = findings.map(({ invariant, about, sentence }) => `${invariant}  ${about}: ${sentence}`);
  for (const [name, promise] of Object.entries(invariants))
    if (findings.some(({ invariant }) => invariant === name)) lines.push(`${name} says: ${promise}`);
  const how = facts.opened ? "looked into" : "looked at from outside, for want of HUB_ENCRYPTION_KEK";
  lines.push(`${facts.artifacts} of ${facts.snapshots} artifacts were ${how}.`);
  lines.push(findings.length === 0 ? "All of it holds." : `${findings.length} things do not hold.`);
  return `${lines.join("\n")}\n`;
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
export function identitiesOf(
  db: Database,
  key: Uint8Array,
): (tenantId: string, fingerprint: string) => Promise<string | null> {
  const vault = openVault(key);
  return async (tenantId, fingerprint) => {
    const row = await db.tenantKey.findUnique({ where: { tenantId_fingerprint: { tenantId, fingerprint } } });
    if (!row?.sealedPrivateKey) return null;
    return vault.open({ tenantId, rowId: row.id, kind: "tenant-key" }, row.sealedPrivateKey);
  };
}

async function secret(env: NodeJS.ProcessEnv, name: string): Promise<string | undefined> {
  const file = env[`${name}_FILE`];
  return file ? (await readFile(file, "utf8")).trim() : env[name] || undefined;
}
