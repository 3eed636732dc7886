// How long one attempt at a job may take. The hub is the judge, by the database's clock; the worker is told, so that it stops by itself.
import type { JobType } from "../prisma/client/client.ts";
import type { Transaction } from "./hub.ts";
import { readSetting, type SettingKey } from "./settings.ts";

/** Minutes, or the setting that says how many. */
const limits = {
  BACKUP: "backup_time_limit_minutes",
  RESTORE: "restore_time_limit_minutes",
  VERIFY: "backup_time_limit_minutes",
  DELETE_SNAPSHOT: 60,
  TEST_SOURCE: 2,
} as const satisfies Record<JobType, SettingKey | number>;

/** How many minutes an attempt that begins now has, for each of these types. What began keeps its deadline, whatever is set later. */
export async function timeLimits(tx: Transaction, types: ReadonlySet<JobType>): Promise<(type: JobType) => number> {
  const minutes = new Map<JobType, number>();
  for (const type of types) {
    const limit = limits[type];
    minutes.set(type, typeof limit === "number" ? limit : await readSetting(tx, limit));
  }
  return (type) => minutes.get(type) ?? Number.NaN;
}
