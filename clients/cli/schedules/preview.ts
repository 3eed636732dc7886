// `xvault schedules preview`: when a schedule is due from now on, or one that is not made yet would be.
import type { ApiClient } from "../../api/connect.ts";
import { RefusedError } from "../../api/refusal.ts";
import { listPlannedRuns, previewSchedule } from "../../api/schedules.ts";
import { CommandError } from "../failure.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";
import { type TimetableOptions, timetableInput } from "./timetable.ts";

export interface PreviewOptions extends TimetableOptions {
  readonly count: number;
}

/** One line a run; of a schedule with a spread, when each may begin. */
export async function preview(
  terminal: Terminal,
  scheduleId: string | undefined,
  { count, ...timetable }: PreviewOptions,
): Promise<void> {
  const { stdout, signal } = terminal;
  const input = scheduleId === undefined ? timetableInput(timetable) : null;
  const api = await openSession(terminal);
  const runs = input ? await tried(api, input, count, signal) : await planned(api, scheduleId ?? "", count, signal);
  for (const run of runs) stdout.write(`${run}\n`);
}

async function tried(
  api: ApiClient,
  input: ReturnType<typeof timetableInput>,
  first: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { previewSchedule: answer } = await api.query(previewSchedule, { input, first }, { signal });
  if (answer.__typename === "SchedulePreview") return answer.runs;
  throw new RefusedError(answer);
}

async function planned(api: ApiClient, scheduleId: string, first: number, signal: AbortSignal): Promise<string[]> {
  const { schedule } = await api.query(listPlannedRuns, { scheduleId, first }, { signal });
  if (!schedule) throw new CommandError(`There is no schedule of yours with the id ${scheduleId}.`);
  return schedule.plannedRuns.map(({ dueAt, notBefore }) =>
    dueAt === notBefore ? dueAt : `${dueAt}  not before ${notBefore}`,
  );
}
