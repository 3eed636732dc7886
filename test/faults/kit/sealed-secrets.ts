// A database full of secrets that are known, and rotations of its KEK as processes that may be killed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createCredential, openCredential } from "../../../domain/credentials.ts";
import { rotateTenantKey } from "../../../domain/custody.ts";
import type { Hub } from "../../../domain/hub.ts";
import { registerKek } from "../../../domain/keks.ts";
import { openTenantKey } from "../../../domain/keys.ts";
import { createTenant } from "../../../domain/tenants.ts";
import { openVault } from "../../../domain/vault.ts";
import { type Fault, faulty } from "./fault.ts";
import type { StagedEarth } from "./hub-process.ts";

const program = (name: "server/operator/main.ts" | "server/main.ts") => join(import.meta.dirname, "../../..", name);
const system = { kind: "system" } as const;

/** KEKs in base64, the one that seals first. */
export type Keks = readonly [string, ...string[]];

export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SealedSecrets {
  readonly tenantId: string;
  /** What everything was sealed with, and a newer one. */
  readonly keks: { readonly old: string; readonly new: string };
  readonly credentialIds: readonly string[];
  /** A hub of this process with these KEKs: the domain alone. */
  hubWith(keks: Keks): Hub;
  /** Opens every secret as a hub with these KEKs does, and compares it with what was sealed. Answers how many are under which. */
  assertReadable(keks: Keks): Promise<Record<string, number>>;
  /** Remembers that a customer changed it. */
  changed(credentialId: string, password: string): void;
  /** The environment of a process with these KEKs, in files. */
  environment(keks: readonly string[]): Promise<Record<string, string>>;
  /** `xvault keys rotate-kek`, to the first of these. */
  rotate(keks: Keks, fault?: Fault): Promise<Ended>;
  /** A hub as a process that does not come up. */
  startInVain(env: Readonly<Record<string, string>>): Promise<Ended>;
}

export const newKek = () => randomBytes(32).toString("base64");
export const vaultWith = (keks: Keks) => {
  const [first, ...others] = keks.map((each) => Buffer.from(each, "base64"));
  return openVault(first ?? Buffer.alloc(0), others);
};
export const kekIdOf = (kek: string) => vaultWith([kek]).kekId;

/** `count` secrets of one tenant, most of them credentials and some keys, sealed with the KEK of the earth's hubs. */
export async function sealSecrets(earth: StagedEarth, { count }: { count: number }): Promise<SealedSecrets> {
  const { db, secretFiles } = earth;
  const kekFile = secretFiles.HUB_ENCRYPTION_KEK_FILE ?? "";
  const keks = { old: await readFile(kekFile, "utf8"), new: newKek() };
  const announce = { jobChanged() {}, snapshotsChanged() {}, workersChanged() {}, jobDue() {} };
  const hubWith = (given: Keks) => ({ db, platform: db, announce, vault: vaultWith(given) }) as unknown as Hub;
  const hub = hubWith([keks.old]);
  await registerKek(hub);
  const { id: tenantId } = await createTenant(hub, system, { name: "Acme" });
  const keys = Math.max(1, Math.floor(count / 5));
  for (let n = 1; n < keys; n++) await rotateTenantKey(hub, system, { tenantId });
  const passwords = new Map<string, string>();
  for (let n = keys; n < count; n++) {
    const password = randomBytes(12).toString("base64url");
    const { id } = await createCredential(hub, system, { tenantId, name: `number ${n}`, secret: { password } });
    passwords.set(id, password);
  }

  async function environment(given: readonly string[]): Promise<Record<string, string>> {
    const [first = "", ...others] = given;
    const files: Record<string, string> = { ...secretFiles };
    const nonce = randomBytes(6).toString("hex");
    for (const [name, value] of [
      ["HUB_ENCRYPTION_KEK", first],
      ["HUB_ENCRYPTION_PREVIOUS_KEKS", others.join(",")],
    ] as const) {
      files[`${name}_FILE`] = `${kekFile}.${nonce}.${name}`;
      await writeFile(`${kekFile}.${nonce}.${name}`, value, { mode: 0o600 });
    }
    return files;
  }

  return {
    ...{ tenantId, keks, hubWith, environment, credentialIds: [...passwords.keys()] },
    async assertReadable(given) {
      const seeing = hubWith(given);
      const credentials = await db.credential.findMany({ where: { tenantId } });
      const tenantKeys = await db.tenantKey.findMany({ where: { tenantId } });
      assert.deepEqual([credentials.length, tenantKeys.length], [passwords.size, keys]);
      for (const { id } of credentials)
        assert.deepEqual(await openCredential(seeing, db, tenantId, id), { password: passwords.get(id) }, id);
      for (const { fingerprint } of tenantKeys)
        assert.match(await openTenantKey(seeing, db, tenantId, fingerprint), /^AGE-SECRET-KEY-1/);
      const under: Record<string, number> = {};
      for (const { kekId } of [...credentials, ...tenantKeys]) under[kekId ?? ""] = (under[kekId ?? ""] ?? 0) + 1;
      return under;
    },
    changed: (id, password) => void passwords.set(id, password),
    rotate: async (given, fault) => {
      const { args, env } = faulty(fault);
      return run([...args, program("server/operator/main.ts"), "rotate-kek", "--json"], {
        ...(await environment(given)),
        ...env,
      });
    },
    startInVain: (env) =>
      run([program("server/main.ts")], { ...secretFiles, HUB_PORT: "0", HUB_INTERNAL_PORT: "0", ...env }),
  };
}

async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  const child = spawn(process.execPath, [...args], {
    env: { PATH: process.env.PATH ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  const [[exitCode, signal], stdout, stderr] = await Promise.all([
    once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>,
    text(child.stdout),
    text(child.stderr),
  ]);
  return { exitCode, signal, stdout, stderr };
}
