// How long one attempt at a job may take. The hub is the judge, by the database's clock; the worker is told, so that it stops by itself.
import type { Job, JobType } from "../prisma/client/client.ts";
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

/** Gives the attempt that just began its deadline, and answers how many seconds that is away. What began keeps it, whatever is set later. */
export async function setDeadline(tx: Transaction, { id, type }: Pick<Job, "id" | "type">): Promise<number> {
  const limit = limits[type];
  const minutes = typeof limit === "number" ? limit : await readSetting(tx, limit);
  await tx.$executeRaw`UPDATE jobs SET deadline_at = now() + make_interval(mins => ${minutes}::int) WHERE id = ${id}`;
  return minutes * 60;
}
