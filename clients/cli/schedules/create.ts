// `xvault schedules create`: lets a source be backed up by itself.
import { createSchedule } from "../../api/schedules.ts";
import { momentText } from "../figures.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { type TimetableOptions, timetableInput } from "./timetable.ts";

const rules = ["keepLast", "keepHourly", "keepDaily", "keepWeekly", "keepMonthly", "keepYearly"] as const;

export interface CreateOptions extends TimetableOptions, Partial<Record<(typeof rules)[number], number>> {
  /** Minutes. */
  readonly jitter?: number;
  readonly skipMissed?: boolean;
}

/** The id is all that it writes to standard output. */
export async function create(terminal: Terminal, sourceId: string, options: CreateOptions): Promise<void> {
  const { jitter, skipMissed } = options;
  const input = {
    ...{ sourceId, ...timetableInput(options) },
    ...(jitter !== undefined && { jitterMinutes: jitter }),
    ...(skipMissed && { missedRuns: "SKIP" as const }),
    retention: Object.fromEntries(
      rules.flatMap((rule) => (options[rule] === undefined ? [] : [[rule, options[rule]]])),
    ),
  };
  const api = await openSession(terminal);
  const { schedule } = await api.mutate(createSchedule, input, { signal: terminal.signal });
  terminal.stdout.write(`${schedule.id}\n`);
  if (schedule.nextRunAt) terminal.stderr.write(`It is due for the first time ${momentText(schedule.nextRunAt)}.\n`);
}
