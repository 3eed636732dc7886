// Decides which snapshots of a source are kept, and says why. Knows no clock and no database.
import * as z from "zod";

const count = z.number().int().min(0, "A count is 0 or more.").max(10_000, "A count is at most 10000.").optional();
const days = z
  .number()
  .int()
  .min(1, "An age is 1 day or more.")
  .max(36_500, "An age is at most 36500 days.")
  .optional();

/** As it is stored with a schedule. Empty: everything is kept. */
export const retentionPolicyInput = z.strictObject({
  keepLast: count,
  keepHourly: count,
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  keepYearly: count,
  minAgeDays: days,
  maxAgeDays: days,
});

/** How many of each kind are kept, 0 or nothing: this rule keeps none. Ages are in days of 24 hours. */
export type RetentionPolicy = z.infer<typeof retentionPolicyInput>;

/** A policy as a document gives it: what is null there was not said. */
export function withoutNulls(given: object): object {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

/** A stored policy. What is none lets nothing go. */
export function parsePolicy(stored: unknown): RetentionPolicy {
  return retentionPolicyInput.safeParse(stored).data ?? {};
}

/** A snapshot whose bytes are there, and whose deletion nobody asked for yet. */
export interface Candidate {
  readonly id: string;
  readonly createdAt: Date;
  /** Some entries could not be read. */
  readonly partial: boolean;
  readonly pinned: boolean;
  readonly beingRestored: boolean;
  /** When it was found that nothing can be restored from it; null: it is good. */
  readonly damagedAt: Date | null;
}

export const keepCodes = [
  "PINNED",
  "BEING_RESTORED",
  "NEWEST_GOOD",
  "LAST",
  "HOURLY",
  "DAILY",
  "WEEKLY",
  "MONTHLY",
  "YEARLY",
  "MIN_AGE",
  "WITHIN_MAX_AGE",
  "NO_POLICY",
  "NOTHING_NEWER",
  "DAMAGED",
] as const;

export interface KeepReason {
  readonly code: (typeof keepCodes)[number];
  /** The hour, day, week, month or year that it stands for, in the schedule's timezone: `2026-03-02T15+01:00`, `2026-W10`. */
  readonly bucket: string | null;
  /** In words. */
  readonly message: string;
}

const dayMs = 86_400_000;

/** For as long somebody may still look at what was found damaged, or get the disk back that it is whole on. */
const damagedDays = 30;

const periods = [
  { key: "keepHourly", code: "HOURLY", noun: "hour" },
  { key: "keepDaily", code: "DAILY", noun: "day" },
  { key: "keepWeekly", code: "WEEKLY", noun: "week" },
  { key: "keepMonthly", code: "MONTHLY", noun: "month" },
  { key: "keepYearly", code: "YEARLY", noun: "year" },
] as const;

type PeriodCode = (typeof periods)[number]["code"];

/**
 * Why each of a source's snapshots is kept; empty: nothing keeps it. The newest of a period stands for the period, and periods
 * without a snapshot do not count. `maxAgeDays` bounds what the counts may choose from. The newest good snapshot, pins, what is being
 * restored and what is younger than `minAgeDays` stay whatever the rest says. A policy that names neither a count nor a greatest age
 * lets nothing go. A damaged snapshot counts for nothing and stands for nothing: it stays while no good one is newer, and for a month.
 */
export function keepReasons(
  snapshots: readonly Candidate[],
  policy: RetentionPolicy,
  timezone: string,
  now: Date,
): Map<string, KeepReason[]> {
  return keepReasonsOfAll(snapshots, [{ policy, timezone }], now);
}

/** The same for a source with several schedules, or none: a snapshot is kept where the policy of any of them keeps it. */
export function keepReasonsOfAll(
  snapshots: readonly Candidate[],
  schedules: readonly { readonly policy: RetentionPolicy; readonly timezone: string }[],
  now: Date,
): Map<string, KeepReason[]> {
  const newestFirst = snapshots.toSorted(
    (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1),
  );
  const reasons = new Map<string, KeepReason[]>(newestFirst.map(({ id }) => [id, []]));
  const keep: Keep = ({ id }, code, message, bucket = null) => {
    const known = reasons.get(id);
    if (!known?.some((reason) => reason.code === code && reason.bucket === bucket))
      known?.push({ code, bucket, message });
  };
  for (const each of newestFirst) {
    if (each.pinned) keep(each, "PINNED", "It is pinned.");
    if (each.beingRestored) keep(each, "BEING_RESTORED", "It is being restored.");
  }
  const good = newestFirst.filter(({ damagedAt }) => damagedAt === null);
  keepDamaged(newestFirst, good[0], { now, keep });
  const [newest] = good;
  if (newest) keep(newest, "NEWEST_GOOD", "It is the newest snapshot of its source.");
  const whole = good.find(({ partial }) => !partial);
  if (whole) keep(whole, "NEWEST_GOOD", "It is the newest snapshot of its source in which nothing is missing.");
  if (schedules.length === 0) keepAll(newestFirst, keep);
  for (const { policy, timezone } of schedules) {
    if (letsNothingGo(policy)) keepAll(newestFirst, keep);
    else applyPolicy(good, { policy, timezone, now, keep });
  }
  return reasons;
}

/** What is damaged may still be looked into, most of all while there is nothing better. */
function keepDamaged(
  snapshots: readonly Candidate[],
  newestGood: Candidate | undefined,
  { now, keep }: { now: Date; keep: Keep },
): void {
  for (const each of snapshots) {
    if (each.damagedAt === null) continue;
    if (!newestGood || newestGood.createdAt < each.createdAt)
      keep(each, "NOTHING_NEWER", "It is damaged, but no good snapshot of its source is newer.");
    if (now.getTime() - each.damagedAt.getTime() < damagedDays * dayMs)
      keep(each, "DAMAGED", `Its damage was found less than ${damagedDays} days ago.`);
  }
}

function letsNothingGo(policy: RetentionPolicy): boolean {
  return !hasCounts(policy) && policy.maxAgeDays === undefined;
}

function hasCounts({ keepLast = 0, ...policy }: RetentionPolicy): boolean {
  return keepLast > 0 || periods.some(({ key }) => (policy[key] ?? 0) > 0);
}

type Keep = (snapshot: Candidate, code: KeepReason["code"], message: string, bucket?: string | null) => void;

function keepAll(snapshots: readonly Candidate[], keep: Keep): void {
  for (const each of snapshots) keep(each, "NO_POLICY", "No retention lets go of anything of its source.");
}

function applyPolicy(
  newestFirst: readonly Candidate[],
  { policy, timezone, now, keep }: { policy: RetentionPolicy; timezone: string; now: Date; keep: Keep },
): void {
  const { keepLast = 0, minAgeDays = 0, maxAgeDays } = policy;
  const counts = hasCounts(policy);
  const ageMs = ({ createdAt }: Candidate) => now.getTime() - createdAt.getTime();
  const eligible =
    maxAgeDays === undefined ? newestFirst : newestFirst.filter((each) => ageMs(each) <= maxAgeDays * dayMs);
  for (const [n, each] of eligible.slice(0, keepLast).entries())
    keep(each, "LAST", `It is number ${n + 1} of the newest ${keepLast}.`);
  const bucketOf = bucketsIn(timezone);
  for (const { key, code, noun } of periods) {
    const wanted = policy[key] ?? 0;
    const taken = new Set<string>();
    for (const each of wanted > 0 ? eligible : []) {
      const bucket = bucketOf(each.createdAt, code);
      if (taken.has(bucket)) continue;
      if (taken.size === wanted) break;
      taken.add(bucket);
      keep(each, code, `It is the newest of the ${noun} ${bucket}, ${noun} ${taken.size} of ${wanted}.`, bucket);
    }
  }
  if (!counts) for (const each of eligible) keep(each, "WITHIN_MAX_AGE", `It is not older than ${maxAgeDays} days.`);
  for (const each of newestFirst)
    if (ageMs(each) < minAgeDays * dayMs) keep(each, "MIN_AGE", `It is younger than ${minAgeDays} days.`);
}

/** Names periods by the clock on the wall there. An hour carries its offset: one hour a year has its name twice. */
function bucketsIn(timezone: string): (at: Date, period: PeriodCode) => string {
  const format = new Intl.DateTimeFormat("en-US", {
    ...{ timeZone: timezone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" },
    ...{ hour: "2-digit", minute: "2-digit", second: "2-digit" },
  });
  return (at, period) => {
    const [month = 1, day = 1, year = 0, hour = 0, minute = 0, second = 0] = format.format(at).split(/\D+/).map(Number);
    const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
    const wall = new Date(wallMs).toISOString();
    switch (period) {
      case "HOURLY":
        return `${wall.slice(0, 13)}${offset(Math.round((wallMs - at.getTime()) / 60_000))}`;
      case "DAILY":
        return wall.slice(0, 10);
      case "WEEKLY":
        return isoWeek(wallMs);
      case "MONTHLY":
        return wall.slice(0, 7);
      case "YEARLY":
        return wall.slice(0, 4);
    }
  };
}

function offset(minutes: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

/** ISO 8601: weeks begin on Monday, and belong to the year that their Thursday lies in. */
function isoWeek(wallMs: number): string {
  const midnight = Math.floor(wallMs / dayMs) * dayMs;
  const thursday = new Date(midnight + (3 - ((new Date(midnight).getUTCDay() + 6) % 7)) * dayMs);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * dayMs)) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}
