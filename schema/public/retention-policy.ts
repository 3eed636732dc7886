// What a schedule keeps, as it is given.
import { builder } from "./builder.ts";

export const RetentionPolicyInput = builder.inputType("RetentionPolicyInput", {
  description:
    "Which snapshots of a source are kept: whatever any of these says. Nothing at all: everything is. The newest good one always is. A source with several schedules keeps what any of them keeps.",
  fields: (t) => ({
    keepLast: t.int({ description: "This many of the newest." }),
    keepHourly: t.int({ description: "The newest of each of the last hours that have one, this many." }),
    keepDaily: t.int({ description: "The same of days, in the schedule's timezone." }),
    keepWeekly: t.int({ description: "The same of weeks, from Monday on." }),
    keepMonthly: t.int({ description: "The same of months." }),
    keepYearly: t.int({ description: "The same of years." }),
    minAgeDays: t.int({ description: "Nothing younger than this goes, whatever the rest says." }),
    maxAgeDays: t.int({
      description: "Nothing older than this is counted in the above; by itself: everything younger is kept.",
    }),
  }),
});
