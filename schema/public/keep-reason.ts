// Why a snapshot is kept, in words and in a code.
import { keepCodes, type KeepReason as Reason } from "../../domain/rules/retention.ts";
import { builder } from "./builder.ts";

const descriptions: Record<Reason["code"], string> = {
  PINNED: "Somebody pinned it.",
  BEING_RESTORED: "It is being restored.",
  NEWEST_GOOD:
    "It is the newest of its source; or the newest in which nothing is missing. The last good one is never let go.",
  LAST: "It is one of the newest, as `keepLast` says.",
  HOURLY: "It is the newest of its hour.",
  DAILY: "It is the newest of its day.",
  WEEKLY: "It is the newest of its week, from Monday on.",
  MONTHLY: "It is the newest of its month.",
  YEARLY: "It is the newest of its year.",
  MIN_AGE: "It is younger than `minAgeDays`.",
  WITHIN_MAX_AGE: "It is not older than `maxAgeDays`, which is all that the policy says.",
  NO_POLICY: "No policy lets anything of its source go, or one of its schedules has none.",
  NOTHING_NEWER: "It is damaged, but no good one of its source is newer: something of it may still be read.",
  DAMAGED: "It was found damaged less than 30 days ago.",
};

const KeepCode = builder.enumType("KeepCode", {
  description: "Why a snapshot is kept.",
  values: Object.fromEntries(
    keepCodes.map((code) => [code, { value: code, description: descriptions[code] }]),
  ) as Record<Reason["code"], { value: Reason["code"]; description: string }>,
});

export const KeepReason = builder.objectRef<Reason>("KeepReason").implement({
  description: "A reason to keep a snapshot.",
  fields: (t) => ({
    code: t.expose("code", { type: KeepCode, description: "The kind of reason." }),
    bucket: t.exposeString("bucket", {
      nullable: true,
      description:
        "The hour, day, week, month or year that it stands for, in the schedule's timezone, such as `2026-03-02T15+01:00` or `2026-W10`.",
    }),
    message: t.exposeString("message", { description: "The reason in a sentence." }),
  }),
});
