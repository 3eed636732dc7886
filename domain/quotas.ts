// What a tenant may have, what it has, and the refusals that follow from the two.
import * as z from "zod";
import type { SnapshotStatus, Tenant } from "../prisma/client/client.ts";
import { type Actor, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { QuotaExceededError } from "./errors.ts";
import { asPlatform, type Hub, type Transaction, transact } from "./hub.ts";
import { nameInput, parseInput } from "./input.ts";
import { lockTenant } from "./tenants.ts";

/** Snapshots whose bytes lie somewhere. */
export const storedStatuses = ["COMPLETED", "DELETING", "CORRUPT"] as const satisfies readonly SnapshotStatus[];

const mebibyte = 1_048_576n;

/** A limit of 1 PiB is told as 2^30 MiB, which an Int of GraphQL still holds. */
const mostBytes = 2n ** 50n;

const quotasInput = z.object({
  plan: nameInput.optional(),
  maxSources: z.number().int().min(0).max(1_000_000).nullish(),
  maxBytes: z.bigint().min(0n).max(mostBytes, "At most 1 PiB.").nullish(),
  maxRunningJobs: z.number().int().min(1, "At least 1: suspend the tenant to stop it.").max(1000).nullish(),
});

export interface SetTenantQuotasInput {
  readonly tenantId: string;
  readonly plan?: string | null | undefined;
  readonly maxSources?: number | null | undefined;
  readonly maxBytes?: bigint | number | null | undefined;
  readonly maxRunningJobs?: number | null | undefined;
}

/** Changes the limits that are given; null lifts one. What is there already stays, even above a new limit. For operators. */
export async function setTenantQuotas(hub: Hub, actor: Actor, input: SetTenantQuotasInput): Promise<Tenant> {
  authorizePlatform(actor);
  const { maxBytes } = input;
  const wanted = parseInput(quotasInput, {
    ...input,
    plan: input.plan ?? undefined,
    maxBytes: typeof maxBytes === "number" ? BigInt(maxBytes) : maxBytes,
  });
  return transact(asPlatform(hub), async (tx) => {
    const before = await lockTenant(tx, input.tenantId);
    const tenant = await tx.tenant.update({
      where: { id: before.id },
      data: {
        ...(wanted.plan !== undefined && { plan: wanted.plan }),
        ...(wanted.maxSources !== undefined && { maxSources: wanted.maxSources }),
        ...(wanted.maxBytes !== undefined && { maxBytes: wanted.maxBytes }),
        ...(wanted.maxRunningJobs !== undefined && { maxRunningJobs: wanted.maxRunningJobs }),
      },
    });
    await audit(tx, actor, {
      tenantId: tenant.id,
      verb: "setTenantQuotas",
      objectId: tenant.id,
      before: facts(before),
      after: facts(tenant),
    });
    return tenant;
  });
}

export interface TenantUsage {
  readonly sources: number;
  /** Those whose bytes lie somewhere. */
  readonly snapshots: number;
  readonly storedBytes: bigint;
  readonly runningJobs: number;
}

/** What each of these tenants has, as far as `db` sees it: in one statement, however many there are. */
export async function usageOf(
  db: Transaction,
  tenantIds: readonly string[],
): Promise<ReadonlyMap<string, TenantUsage>> {
  const rows = await db.$queryRaw<(TenantUsage & { id: string })[]>`
    SELECT asked.id, stored.snapshots, stored.bytes AS "storedBytes",
      (SELECT count(*)::int FROM sources s WHERE s.tenant_id = asked.id AND s.deleted_at IS NULL) AS sources,
      (SELECT count(*)::int FROM jobs j WHERE j.tenant_id = asked.id AND j.status IN ('RUNNING', 'FINALIZING'))
        AS "runningJobs"
    FROM unnest(${[...tenantIds]}::text[]) AS asked(id)
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS snapshots, COALESCE(sum(n.stored_bytes), 0)::bigint AS bytes FROM snapshots n
        WHERE n.tenant_id = asked.id AND n.status = ANY(${[...storedStatuses]}::text[]::snapshot_status[])) AS stored`;
  return new Map(rows.map(({ id, ...usage }) => [id, usage]));
}

/** What the tenant's plan leaves for more snapshots, or null where it sets no limit. */
export async function remainingBytes(
  tx: Transaction,
  { id, maxBytes }: Pick<Tenant, "id" | "maxBytes">,
): Promise<bigint | null> {
  if (maxBytes === null) return null;
  const stored = await tx.snapshot.aggregate({
    where: { tenantId: id, status: { in: [...storedStatuses] } },
    _sum: { storedBytes: true },
  });
  const left = maxBytes - (stored._sum.storedBytes ?? 0n);
  return left > 0n ? left : 0n;
}

/** Throws `QuotaExceededError` where nothing more may be stored. To be asked before a backup is begun. */
export async function refuseFull(tx: Transaction, tenant: Pick<Tenant, "id" | "maxBytes">): Promise<void> {
  if (tenant.maxBytes !== null && (await remainingBytes(tx, tenant)) === 0n)
    throw new QuotaExceededError("MiB of stored backups", Number(tenant.maxBytes / mebibyte));
}

/** Throws `QuotaExceededError` where there may be no more sources. Whoever asks waits for those who asked before to end. */
export async function refuseMoreSources(
  tx: Transaction,
  { id, maxSources }: Pick<Tenant, "id" | "maxSources">,
): Promise<void> {
  if (maxSources === null) return;
  await tx.$queryRaw`SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended(${`sources of ${id}`}, 0))`;
  if ((await tx.source.count({ where: { tenantId: id, deletedAt: null } })) >= maxSources)
    throw new QuotaExceededError("sources", maxSources);
}

/**
 * Whether the tenant is within its limit with the job that the caller has just set running; checks of snapshots, which take a place of
 * their own in a worker, do not count. The lock makes claimers of one tenant
 * count one after the other, each seeing what the one before it took; it is held to the end of the transaction.
 */
export async function isWithinRunningJobs(tx: Transaction, tenantId: string): Promise<boolean> {
  const { maxRunningJobs } = await tx.tenant.findUniqueOrThrow({ where: { id: tenantId } });
  if (maxRunningJobs === null) return true;
  await tx.$queryRaw`SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended(${`jobs of ${tenantId}`}, 0))`;
  return (
    (await tx.job.count({
      where: { tenantId, type: { not: "VERIFY" }, status: { in: ["RUNNING", "FINALIZING"] } },
    })) <= maxRunningJobs
  );
}

function facts({ plan, maxSources, maxBytes, maxRunningJobs }: Tenant) {
  return { plan, maxSources, maxBytes: maxBytes === null ? null : String(maxBytes), maxRunningJobs };
}
