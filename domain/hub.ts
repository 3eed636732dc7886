// Everything a verb of the domain may lean on, handed in from outside: the database, the vault, and those who want to know.
import { faultPoint } from "#fault-point";
import type { Prisma } from "../prisma/client/client.ts";
import type { Database } from "../prisma/connect.ts";
import { isWriteConflict } from "../prisma/failures.ts";
import type { WalledDatabase } from "../prisma/wall.ts";
import type { Actor } from "./actor.ts";
import type { Announcements } from "./events.ts";
import type { Vault } from "./vault.ts";

export interface Hub {
  /** As much of the database as the caller may see: all of it for the platform itself, what is theirs for everybody else. */
  readonly db: Database;
  /** All of the database. For verbs that no tenant bounds, after their own gate: see `asPlatform`. */
  readonly platform: Database;
  readonly wall: WalledDatabase;
  readonly rates: Rates;
  readonly vault: Vault;
  readonly announce: Announcements;
  readonly terms: Terms;
}

/** Durations and addresses that the operator sets; none of them is a secret. */
export interface Terms {
  /** How long a claim holds without renewal. */
  readonly leaseSeconds: number;
  /** How often a worker renews. */
  readonly heartbeatSeconds: number;
  /** How often a worker compares its store with the rows here. */
  readonly inventorySeconds: number;
  /** Pause before the second, third … attempt of a job; the last one repeats. */
  readonly retryDelaysSeconds: readonly number[];
  /** The same after an attempt whose worker fell silent: its lease has been a pause already. */
  readonly lostDelaysSeconds: readonly number[];
  /** Networks that sources may lie in although they are not public, in CIDR notation. */
  readonly allowedNetworks: readonly string[];
  /** How many source tests a tenant may start in a minute: a test could be used to scan ports. */
  readonly sourceTestsPerMinute: number;
  /** Where download links point, without a trailing slash. */
  readonly restorePublicUrl: string;
  /** How long a session lasts without being refreshed. */
  readonly sessionSeconds: number;
  /** How often in a quarter of an hour a password may be tried at one account. */
  readonly passwordTries: number;
}

/** Counts what must not be done too often. */
export interface Rates {
  /** Takes one of `count` that `key` has in any `seconds`; false where none is left. `key` holds no secret. */
  take(key: string, limit: { readonly count: number; readonly seconds: number }): Promise<boolean>;
}

/** The hub as somebody sees it: behind the wall, with what is theirs. Null: nobody, who sees nothing. */
export function hubFor(hub: Hub, actor: Actor | null): Hub {
  if (actor?.kind === "system") return asPlatform(hub);
  const db = hub.wall.seenBy({
    userId: actor?.kind === "user" ? actor.userId : null,
    tenantIds: actor ? [...actor.roles.keys()] : [],
    sourceIds: actor?.kind === "apiKey" && actor.sourceIds.length > 0 ? actor.sourceIds : null,
  });
  return { ...hub, db };
}

/** The hub without the wall: for what belongs to no tenant, or not yet. */
export function asPlatform(hub: Hub): Hub {
  return { ...hub, db: hub.platform };
}

/** A transaction of the hub's database. */
export type Transaction = Prisma.TransactionClient;

/**
 * Runs `work` in one transaction and makes its announcements after the commit, never before and never for a rolled back one.
 * A write conflict or deadlock is tried again, three times in all, so `work` must do nothing but use its transaction.
 */
export async function transact<T>(
  hub: Pick<Hub, "db" | "announce">,
  work: (tx: Transaction, announce: Announcements) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    // Each once, however often the work says so.
    const announcements = new Map<string, () => void>();
    const { announce: told } = hub;
    const announce: Announcements = {
      jobChanged: (jobId, tenantId) => announcements.set(jobId, () => told.jobChanged(jobId, tenantId)),
      snapshotsChanged: (tenantId) => announcements.set(tenantId, () => told.snapshotsChanged(tenantId)),
      workersChanged: () => announcements.set("workers", () => told.workersChanged()),
      jobDue: () => announcements.set("due", () => told.jobDue()),
      happened: (fact) => announcements.set(`fact ${announcements.size}`, () => told.happened?.(fact)),
    };
    try {
      const result = await hub.db.$transaction(
        async (tx) => {
          const done = await work(tx, announce);
          faultPoint("hub.before-commit");
          return done;
        },
        { timeout: 15_000, maxWait: 10_000 },
      );
      faultPoint("hub.committed");
      for (const tell of announcements.values()) tell();
      return result;
    } catch (error) {
      if (attempt >= 3 || !isWriteConflict(error)) throw error;
    }
  }
}

/** The time of the database: the only clock the domain knows. */
export async function now(db: Transaction): Promise<Date> {
  const [row] = await db.$queryRaw<{ now: Date }[]>`SELECT now() AS now`;
  if (!row) throw new Error("postgres did not tell the time");
  return row.now;
}
