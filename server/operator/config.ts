// Reads what operators' commands need of the hub's environment, and says in one sentence each what is wrong with it.
import * as z from "zod";
import { kekEnvironment, secret } from "../config.ts";

const databaseUrl = z.url("DATABASE_URL is not set to an address such as postgres://user:password@host:5432/database.");

export interface VaultConfig {
  readonly databaseUrl: string;
  /** 32 bytes each. */
  readonly kek: Uint8Array;
  readonly previousKeks: readonly Uint8Array[];
}

/** Throws an `Error` whose message lists everything that is wrong. */
export function readVaultConfig(env: NodeJS.ProcessEnv): VaultConfig {
  const parsed = z.object({ DATABASE_URL: databaseUrl, ...kekEnvironment }).safeParse({
    DATABASE_URL: secret(env, "DATABASE_URL"),
    HUB_ENCRYPTION_KEK: secret(env, "HUB_ENCRYPTION_KEK"),
    HUB_ENCRYPTION_PREVIOUS_KEKS: secret(env, "HUB_ENCRYPTION_PREVIOUS_KEKS"),
  });
  if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join("\n"));
  const { data } = parsed;
  return {
    databaseUrl: data.DATABASE_URL,
    kek: data.HUB_ENCRYPTION_KEK,
    previousKeks: data.HUB_ENCRYPTION_PREVIOUS_KEKS,
  };
}

/** The same for a program that opens nothing. */
export function readDatabaseUrl(env: NodeJS.ProcessEnv): string {
  const parsed = databaseUrl.safeParse(secret(env, "DATABASE_URL"));
  if (!parsed.success) throw new Error(parsed.error.issues.map(({ message }) => message).join("\n"));
  return parsed.data;
}
