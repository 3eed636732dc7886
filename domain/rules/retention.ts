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
