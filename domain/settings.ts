// The settings of the whole platform, each with its default and its bounds.
import { type Actor, authorizePlatform } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError } from "./errors.ts";
import { asPlatform, type Hub, type Transaction, transact } from "./hub.ts";

interface Terms {
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  readonly description: string;
}

/** The largest Int of GraphQL. */
const unbounded = 2_147_483_647;

export const settings = {
  download_expiration_hours: {
    ...{ default: 1, minimum: 1, maximum: 168 },
    description: "How long a prepared download can be fetched, in hours.",
  },
  max_download_size_mb: {
    ...{ default: 0, minimum: 0, maximum: unbounded },
    description: "The largest download that is prepared, in MiB; 0: no limit.",
  },
  snapshot_deletion_grace_hours: {
    ...{ default: 168, minimum: 0, maximum: 8760 },
    description: "How long the deletion of a snapshot can be taken back, in hours.",
  },
  tenant_deletion_grace_days: {
    ...{ default: 30, minimum: 1, maximum: 365 },
    description: "How long the deletion of a tenant can be taken back, in days.",
  },
  backup_time_limit_minutes: {
    ...{ default: 1440, minimum: 1, maximum: 20_160 },
    description: "How long one attempt at a backup may take, in minutes.",
  },
  restore_time_limit_minutes: {
    ...{ default: 360, minimum: 1, maximum: 20_160 },
    description: "How long one attempt at preparing a download may take, in minutes.",
  },
  scrub_interval_days: {
    ...{ default: 7, minimum: 0, maximum: 365 },
    description: "Within how many days the stored bytes of every snapshot are checked again; 0: never.",
  },
  drill_interval_days: {
    ...{ default: 7, minimum: 0, maximum: 365 },
    description: "How often one snapshot of each source is opened for real to prove that it can be, in days; 0: never.",
  },
  scrub_rate_mb_per_second: {
    ...{ default: 32, minimum: 0, maximum: 100_000 },
    description: "How fast one process reads snapshots to check them, in MiB a second; 0: as fast as it can.",
  },
} as const satisfies Record<string, Terms>;

export type SettingKey = keyof typeof settings;

const keys = Object.keys(settings) as SettingKey[];

export interface Setting extends Terms {
  readonly key: SettingKey;
  readonly value: number;
}

/** The value in force: the stored one, or the default where none is stored or the stored one is out of bounds. */
export async function readSetting(db: Transaction, key: SettingKey): Promise<number> {
  return inForce(key, (await db.systemSetting.findUnique({ where: { key } }))?.value);
}

/** All of them. Throws `ForbiddenError` for everybody but operators. */
export async function listSettings(hub: Hub, actor: Actor): Promise<Setting[]> {
  authorizePlatform(actor);
  const stored = new Map((await hub.platform.systemSetting.findMany()).map(({ key, value }) => [key, value]));
  return keys.map((key) => ({ key, ...settings[key], value: inForce(key, stored.get(key)) }));
}

/** Sets it for everybody, from now on: what has begun keeps the term that it began with. For operators. */
export async function updateSetting(
  hub: Hub,
  actor: Actor,
  { key, value }: { key: SettingKey; value: number },
): Promise<Setting> {
  authorizePlatform(actor);
  const { minimum, maximum } = settings[key];
  if (!isWithin(key, value))
    throw new InvalidInputError([{ path: "value", message: `It is a whole number from ${minimum} to ${maximum}.` }]);
  return change(hub, actor, "updateSetting", key, value);
}

/** Sets it back to its default. For operators. */
export async function resetSetting(hub: Hub, actor: Actor, { key }: { key: SettingKey }): Promise<Setting> {
  authorizePlatform(actor);
  return change(hub, actor, "resetSetting", key, null);
}

function change(
  hub: Hub,
  actor: Actor,
  verb: "updateSetting" | "resetSetting",
  key: SettingKey,
  value: number | null,
): Promise<Setting> {
  return transact(asPlatform(hub), async (tx) => {
    // One after the other, so that each says truly what it found.
    await tx.$queryRaw`SELECT 1 AS held FROM pg_advisory_xact_lock(hashtextextended(${`setting ${key}`}, 0))`;
    const before = await readSetting(tx, key);
    if (value === null) await tx.systemSetting.deleteMany({ where: { key } });
    else await tx.systemSetting.upsert({ where: { key }, create: { key, value }, update: { value } });
    const after = value ?? settings[key].default;
    await audit(tx, actor, { tenantId: null, verb, objectId: key, before: { value: before }, after: { value: after } });
    return { key, ...settings[key], value: after };
  });
}

function inForce(key: SettingKey, stored: unknown): number {
  return isWithin(key, stored) ? stored : settings[key].default;
}

function isWithin(key: SettingKey, value: unknown): value is number {
  const { minimum, maximum } = settings[key];
  return typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum;
}
