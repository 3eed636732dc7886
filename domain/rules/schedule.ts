// Decides when a schedule is next due. Knows no clock.
import { Cron } from "croner";

export interface Timetable {
  /** Five fields, or a name such as @daily; null where `intervalMinutes` is set. */
  readonly cron: string | null;
  readonly intervalMinutes: number | null;
  /** IANA name. */
  readonly timezone: string;
}

/** What is wrong with a timetable, in one sentence, or null. */
export function timetableFault({ cron, intervalMinutes, timezone }: Timetable): string | null {
  if ((cron === null) === (intervalMinutes === null)) return "Give either a cron expression or an interval, not both.";
  if (!isTimezone(timezone))
    return `“${timezone.slice(0, 64)}” is not a timezone of the IANA database, such as Europe/Berlin.`;
  if (
    intervalMinutes !== null &&
    !(Number.isInteger(intervalMinutes) && intervalMinutes >= 1 && intervalMinutes <= 527_040)
  )
    return "An interval is a whole number of minutes, from 1 to 527040 (a year).";
  if (cron !== null && !((isMacro(cron) || cron.trim().split(/\s+/).length === 5) && parses(cron, timezone)))
    return "A cron expression has five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12), day of week (0-7); or it is one of @hourly, @daily, @weekly, @monthly and @yearly.";
  // From the beginning of time on, since no clock is known here.
  if (cron !== null && nextSlot({ cron, intervalMinutes, timezone }, new Date(0)) === null)
    return "This cron expression never comes due: there is no such day.";
  return null;
}

/** The first slot after `after`, or null where there is none in the next years. */
export function nextSlot({ cron, intervalMinutes, timezone }: Timetable, after: Date): Date | null {
  if (cron !== null) return new Cron(cron, { timezone, paused: true }).nextRun(after);
  if (intervalMinutes === null) return null;
  const step = intervalMinutes * 60_000;
  return new Date((Math.floor(after.getTime() / step) + 1) * step);
}

/** The next slots, at most `count`. */
export function nextSlots(timetable: Timetable, after: Date, count: number): Date[] {
  const slots: Date[] = [];
  for (let slot = nextSlot(timetable, after); slot && slots.length < count; slot = nextSlot(timetable, slot))
    slots.push(slot);
  return slots;
}

/** Names for the commonest expressions. */
function isMacro(cron: string): boolean {
  return /^@(hourly|daily|midnight|weekly|monthly|yearly|annually)$/i.test(cron);
}

/** By any name of the IANA database, links such as Asia/Kolkata included; an offset such as +02:00 is none. */
export function isTimezone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name)) return false;
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

function parses(cron: string, timezone: string): boolean {
  try {
    new Cron(cron, { timezone, paused: true }).stop();
    return true;
  } catch {
    return false;
  }
}
