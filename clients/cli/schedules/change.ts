// `xvault schedules pause`, `resume` and `delete`: what is to become of a schedule.
import { deleteSchedule, pauseSchedule, resumeSchedule } from "../../api/schedules.ts";
import { momentText } from "../figures.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

export async function pause(terminal: Terminal, scheduleId: string): Promise<void> {
  const api = await openSession(terminal);
  await api.mutate(pauseSchedule, { scheduleId }, { signal: terminal.signal });
  terminal.stdout.write(`${scheduleId} is paused.\n`);
}

export async function resume(terminal: Terminal, scheduleId: string): Promise<void> {
  const api = await openSession(terminal);
  const { schedule } = await api.mutate(resumeSchedule, { scheduleId }, { signal: terminal.signal });
  const next = schedule.nextRunAt ? ` It is due next ${momentText(schedule.nextRunAt)}.` : "";
  terminal.stdout.write(`${scheduleId} runs.${next}\n`);
}

export async function remove(terminal: Terminal, scheduleId: string): Promise<void> {
  const api = await openSession(terminal);
  await api.mutate(deleteSchedule, { scheduleId }, { signal: terminal.signal });
  terminal.stdout.write(`${scheduleId} is deleted.\n`);
}
