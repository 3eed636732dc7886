// What becomes of a source's snapshots in time: looked at beforehand, and done. The rules themselves are in rules/retention.ts.
import type { Job, Schedule } from "../prisma/client/client.ts";
import { type Actor, authorize, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, NotFoundError, SnapshotInUseError } from "./errors.ts";
import type { Announcements } from "./events.ts";
import { asPlatform, type Hub, now, type Transaction, transact } from "./hub.ts";
import { parseInput } from "./input.ts";
import {
  type Candidate,
  type KeepReason,
  keepReasonsOfAll,
  parsePolicy,
  type RetentionPolicy,
  retentionPolicyInput,
  withoutNulls,
} from "./rules/retention.ts";
import { isTimezone } from "./rules/schedule.ts";
import { lockSnapshot, queueDeletion } from "./snapshots.ts";
import { findSource, requireSource } from "./sources.ts";
import { refuseSuspended } from "./tenants.ts";

type Scheduled = Pick<Schedule, "sourceId" | "timezone"> & { readonly policy: RetentionPolicy };

/** The snapshots of some sources that retention has a say in: good and damaged ones, whose deletion nobody asked for yet. */
async function candidatesOf(db: Transaction, sourceIds: readonly string[]): Promise<Map<string, Candidate[]>> {
  const sourceId = { in: [...sourceIds] };
  const found = await db.snapshot.findMany({
    where: { sourceId, status: { in: ["COMPLETED", "CORRUPT"] }, deletionDueAt: null },
    select: {
      ...{ id: true, sourceId: true, status: true, createdAt: true, partial: true, pinned: true, damagedAt: true },
    },
  });
  const restores = await db.restore.findMany({
    where: { status: "PREPARING", snapshot: { sourceId } },
    select: { snapshotId: true },
  });
  const restored = new Set(restores.map(({ snapshotId }) => snapshotId));
  const candidates = new Map<string, Candidate[]>(sourceIds.map((id) => [id, []]));
  const at = await now(db);
  for (const { sourceId: of, status, damagedAt, ...each } of found)
    candidates.get(of)?.push({
      ...each,
      beingRestored: restored.has(each.id),
      // An older hub marks what is damaged without saying since when.
      damagedAt: status === "CORRUPT" ? (damagedAt ?? at) : null,
    });
  return candidates;
}

/** The policies of all schedules, the disabled ones included: switching one off lets nothing go. */
async function policiesOf(db: Transaction, sourceIds: readonly string[]): Promise<Map<string, Scheduled[]>> {
  const schedules = await db.schedule.findMany({
    where: { sourceId: { in: [...sourceIds] } },
    select: { sourceId: true, timezone: true, retention: true },
    orderBy: { id: "asc" },
  });
  const policies = new Map<string, Scheduled[]>(sourceIds.map((id) => [id, []]));
  for (const { retention, ...schedule } of schedules)
    policies.get(schedule.sourceId)?.push({ ...schedule, policy: parsePolicy(retention) });
  return policies;
}

/** Why each snapshot of these sources is kept, by its id. What is about to be deleted, or is missing, has no reason. */
export async function findKeepReasons(hub: Hub, sourceIds: readonly string[]): Promise<Map<string, KeepReason[]>> {
  const candidates = await candidatesOf(hub.db, sourceIds);
  const policies = await policiesOf(hub.db, sourceIds);
  const at = await now(hub.db);
  return new Map(
    sourceIds.flatMap((id) => [...keepReasonsOfAll(candidates.get(id) ?? [], policies.get(id) ?? [], at)]),
  );
}

export interface PreviewRetentionInput {
  readonly sourceId: string;
  /** In place of the policies that are in force. */
  readonly policy?: object | null | undefined;
  /** For the given policy; UTC where none is given. */
  readonly timezone?: string | null | undefined;
}

export interface RetentionVerdict {
  readonly snapshotId: string;
  readonly reasons: readonly KeepReason[];
}

/** What a run would keep of a source, and what not, newest first. Null: there is no such source. */
export async function previewRetention(
  hub: Hub,
  actor: Actor,
  { sourceId, policy, timezone }: PreviewRetentionInput,
): Promise<{ kept: RetentionVerdict[]; going: RetentionVerdict[] } | null> {
  const given = policy == null ? null : parseInput(retentionPolicyInput, withoutNulls(policy));
  if (timezone != null && !isTimezone(timezone))
    throw new InvalidInputError([{ path: "timezone", message: "Not a timezone of the IANA database." }]);
  const source = await findSource(hub, actor, sourceId);
  if (!source) return null;
  const candidates = (await candidatesOf(hub.db, [source.id])).get(source.id) ?? [];
  const policies = given
    ? [{ policy: given, timezone: timezone ?? "UTC" }]
    : ((await policiesOf(hub.db, [source.id])).get(source.id) ?? []);
  const reasons = keepReasonsOfAll(candidates, policies, await now(hub.db));
  const verdicts = [...reasons].map(([snapshotId, each]) => ({ snapshotId, reasons: each }));
  return {
    kept: verdicts.filter((each) => each.reasons.length > 0),
    going: verdicts.filter((each) => each.reasons.length === 0),
  };
}

export interface RunRetentionInput {
  readonly sourceId?: string | null | undefined;
  readonly tenantId?: string | null | undefined;
}

export interface RetentionSummary {
  /** Snapshots looked at. */
  readonly evaluated: number;
  /** Those with a reason to stay. */
  readonly kept: number;
  /** Those without one: all of them go once their grace is over. */
  readonly deleted: number;
  /** Deletions that this run asked for. */
  readonly enqueued: number;
}

const nothing: RetentionSummary = { evaluated: 0, kept: 0, deleted: 0, enqueued: 0 };

/**
 * Asks for the deletion, after the usual grace, of what no reason keeps: of one source, of a tenant, or, for operators, of everybody.
 * Sources of which something is being restored are left for the next run. Safe in several hubs at once, and repeatable.
 */
export async function runRetention(hub: Hub, actor: Actor, input: RunRetentionInput): Promise<RetentionSummary> {
  const { seen, where, tenantId } = await scopeOf(hub, actor, input);
  const sources = await seen.db.source.findMany({
    where: { ...where, deletedAt: null, tenant: { status: "ACTIVE" } },
    select: { id: true, tenantId: true },
    orderBy: { id: "asc" },
  });
  let total = nothing;
  for (const source of sources) {
    const { evaluated, kept, deleted, enqueued } = await retain(seen, actor, source);
    total = {
      evaluated: total.evaluated + evaluated,
      kept: total.kept + kept,
      deleted: total.deleted + deleted,
      enqueued: total.enqueued + enqueued,
    };
  }
  if (actor.kind !== "system")
    await transact(seen, (tx) =>
      audit(tx, actor, {
        tenantId,
        verb: "runRetention",
        objectId: input.sourceId ?? tenantId,
        after: { ...total },
      }),
    );
  return total;
}

/** Runs the retention of everybody, and answers how many deletions that asked for. */
export async function runDueRetention(hub: Hub): Promise<number> {
  return (await runRetention(hub, { kind: "system" }, {})).enqueued;
}

async function scopeOf(hub: Hub, actor: Actor, { sourceId, tenantId }: RunRetentionInput) {
  if (sourceId != null) {
    const source = await requireSource(hub, actor, sourceId);
    if (tenantId != null && tenantId !== source.tenantId) throw new NotFoundError();
    authorize(actor, source.tenantId, "runRetention");
    await refuseSuspended(hub.db, source.tenantId);
    return { seen: hub, where: { id: source.id }, tenantId: source.tenantId };
  }
  if (tenantId != null) {
    authorize(actor, tenantId, "runRetention");
    await refuseSuspended(hub.db, tenantId);
    return { seen: hub, where: { tenantId }, tenantId };
  }
  authorizePlatform(actor);
  return { seen: asPlatform(hub), where: {}, tenantId: null };
}

/** Deletions that are asked for in one transaction. */
const batch = 100;

async function retain(hub: Hub, actor: Actor, source: { id: string; tenantId: string }): Promise<RetentionSummary> {
  const first = await retainSome(hub, actor, source);
  let { enqueued } = first;
  for (let last = enqueued; last === batch; enqueued += last) last = (await retainSome(hub, actor, source)).enqueued;
  return { ...first, enqueued };
}

async function retainSome(
  hub: Hub,
  actor: Actor,
  { id: sourceId, tenantId }: { id: string; tenantId: string },
): Promise<RetentionSummary> {
  return transact(hub, async (tx, announce) => {
    // One run at a time; jobs of the source may be made meanwhile.
    await tx.$queryRaw`SELECT id FROM sources WHERE id = ${sourceId} FOR NO KEY UPDATE`;
    const candidates = (await candidatesOf(tx, [sourceId])).get(sourceId) ?? [];
    if (candidates.some(({ beingRestored }) => beingRestored)) return nothing;
    const policies = (await policiesOf(tx, [sourceId])).get(sourceId) ?? [];
    const reasons = keepReasonsOfAll(candidates, policies, await now(tx));
    const going = [...reasons].flatMap(([id, why]) => (why.length === 0 ? [id] : []));
    let enqueued = 0;
    for (const snapshotId of going) {
      if (enqueued === batch) break;
      const job = await deleteUnkept(tx, announce, snapshotId);
      if (!job) continue;
      const after = { jobId: job.id, deletionDueAt: job.notBefore.toISOString(), by: "retention" };
      await audit(tx, actor, { tenantId, verb: "deleteSnapshot", objectId: snapshotId, after });
      enqueued++;
    }
    return { evaluated: reasons.size, kept: reasons.size - going.length, deleted: going.length, enqueued };
  });
}

/** Null where somebody was quicker: it is pinned, being restored, or on its way out already. */
async function deleteUnkept(tx: Transaction, announce: Announcements, snapshotId: string): Promise<Job | null> {
  const snapshot = await lockSnapshot(tx, snapshotId);
  if (!["COMPLETED", "CORRUPT"].includes(snapshot.status) || snapshot.deletionDueAt) return null;
  try {
    return await queueDeletion(tx, announce, snapshot);
  } catch (error) {
    if (error instanceof SnapshotInUseError) return null;
    throw error;
  }
}
