// Says whether the hub can work, and everything that keeps it from working well, in sentences for whoever runs it.
import type { Vault } from "../domain/vault.ts";
import type { Database } from "../prisma/connect.ts";
import { knownMigrations } from "../prisma/migrate.ts";

export interface Readiness {
  /** Without Redis the hub is degraded (live progress and doorbells are late), without Postgres it is unavailable. */
  readonly status: "ready" | "degraded" | "unavailable";
  readonly postgres: boolean;
  readonly redis: boolean;
  /** Why it is not ready; no address, name or secret in any of them, for anybody may ask. */
  readonly reasons: readonly string[];
}

export interface ReadinessTerms {
  readonly db: Database;
  readonly vault: Vault;
  /** Since when Redis is away; null while it is there. */
  readonly redisAwaySince: () => Date | null;
  /** Duties of the upkeep whose last round failed, and since when. */
  readonly failingDuties: () => ReadonlyMap<string, Date>;
}

const deadlineMs = 2_000;

/** Those who ask at the same time get the same answer: the database is asked once. */
export function createReadiness(terms: ReadinessTerms): () => Promise<Readiness> {
  let postgresAwaySince: Date | null = null;
  let asking: Promise<Readiness> | null = null;
  // They come with the program.
  const migrations = knownMigrations();
  migrations.catch(() => undefined);

  async function ask(): Promise<Readiness> {
    const found = await Promise.race([
      askDatabase(terms, await migrations).catch(() => null),
      new Promise<null>((resolve) => setTimeout(resolve, deadlineMs, null).unref()),
    ]);
    postgresAwaySince = found ? null : (postgresAwaySince ?? new Date());
    const redisAwaySince = terms.redisAwaySince();
    const reasons = [
      ...(postgresAwaySince ? [`postgres does not answer since ${postgresAwaySince.toISOString()}`] : []),
      ...(redisAwaySince ? [`redis is away since ${redisAwaySince.toISOString()}`] : []),
      ...(found ?? []),
      ...Array.from(terms.failingDuties(), ([duty, since]) => `upkeep ${duty} fails since ${since.toISOString()}`),
    ];
    return {
      status: !found ? "unavailable" : reasons.length > 0 ? "degraded" : "ready",
      postgres: found !== null,
      redis: redisAwaySince === null,
      reasons,
    };
  }

  return () => {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };
}

/** What the database knows of that is not as it should be. */
async function askDatabase({ db, vault }: ReadinessTerms, migrations: readonly string[]): Promise<string[]> {
  const [roles, keks, applied] = await Promise.all([
    db.worker.groupBy({ by: ["role"], where: { status: "ONLINE" } }),
    db.kek.findMany({ where: { retiredAt: null } }),
    db.$queryRaw<{ name: string }[]>`
      SELECT migration_name AS name FROM "_prisma_migrations" WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
  ]);
  const online = new Set(roles.map(({ role }) => role));
  const missing = keks.filter(({ id }) => !vault.kekIds.includes(id));
  const done = new Set(applied.map(({ name }) => name));
  const pending = migrations.filter((name) => !done.has(name)).length;
  return [
    ...(online.has("BACKUP") ? [] : ["no worker is online"]),
    ...(online.has("RESTORE") ? [] : ["no restore service is online"]),
    ...missing.map(({ id }) => `secrets may be sealed with the KEK ${id}, which this hub was not given`),
    ...(pending > 0 ? [`${pending} ${pending === 1 ? "migration is" : "migrations are"} pending`] : []),
  ];
}
