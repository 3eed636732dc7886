// Decides when a schedule is next due. Knows no clock.
import { Cron } from "croner";
import { isWithin, nextOpening, type RunWindow, timeOfDay } from "./run-window.ts";
import { type Wall, type Zone, zoneOf } from "./zone.ts";

export interface Timetable {
  /** Five fields, or a name such as @daily; null where `intervalMinutes` is set. */
  readonly cron: string | null;
  readonly intervalMinutes: number | null;
  /** IANA name. */
  readonly timezone: string;
  /** The part of the day that slots lie in, `22:00` to `06:00` in the timezone; both or none. None: all day. */
  readonly windowFrom?: string | null;
  readonly windowTo?: string | null;
}

/** Since no clock is known here: what comes due at all does so from here on. A leap year begins. */
const someYear = Date.UTC(2024, 0, 1);

/** What is wrong with a timetable, in one sentence, or null. */
export function timetableFault(timetable: Timetable): string | null {
  const { cron, intervalMinutes, timezone, windowFrom, windowTo } = timetable;
  if ((cron === null) === (intervalMinutes === null)) return "Give either a cron expression or an interval, not both.";
  if (!isTimezone(timezone))
    return `“${timezone.slice(0, 64)}” is not a timezone of the IANA database, such as Europe/Berlin.`;
  if (
    intervalMinutes !== null &&
    !(Number.isInteger(intervalMinutes) && intervalMinutes >= 1 && intervalMinutes <= 527_040)
  )
    return "An interval is a whole number of minutes, from 1 to 527040 (a year).";
  if (cron !== null && !((isMacro(cron) || cron.trim().split(/\s+/).length === 5) && parses(cron)))
    return "A cron expression has five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12), day of week (0-7); or it is one of @hourly, @daily, @weekly, @monthly and @yearly.";
  if ((windowFrom ?? windowTo ?? null) !== null && windowOf(timetable) === null)
    return "A window lasts from one time of the day to another one, such as 22:00 to 06:00.";
  if (cron !== null && nextSlot({ cron, intervalMinutes, timezone }, new Date(someYear)) === null)
    return "This cron expression never comes due: there is no such day.";
  if (nextSlot(timetable, new Date(someYear)) === null) return "This never comes due: no run would lie in the window.";
  return null;
}

/**
 * The first slot after `after`, or null where there is none in the next years.
 *
 * A cron expression names times on the clock of its timezone. One that the clocks are set forward over comes due right then, once,
 * however many lie there. One that comes twice, because they are set back, is due the first time alone; but where the hour is left
 * open (`*`), slots go on through both.
 *
 * An interval knows no timezone: its slots lie on a grid that begins with 1970, in UTC, so that they depend on nothing that happened
 * before, such as an hour in which no hub was there.
 */
export function nextSlot(timetable: Timetable, after: Date): Date | null {
  return nextSlots(timetable, after, 1)[0] ?? null;
}

/** The next slots, at most `count`. */
export function nextSlots(timetable: Timetable, after: Date, count: number): Date[] {
  const next = slotFinder(timetable);
  const slots: Date[] = [];
  for (let slot = next(after.getTime()); slot !== null && slots.length < count; slot = next(slot))
    slots.push(new Date(slot));
  return slots;
}

/** How many slots lie after `after`, up to and with `until`; `most` where there are more. */
export function countSlots(
  timetable: Timetable,
  { after, until, most }: { after: Date; until: Date; most: number },
): number {
  const next = slotFinder(timetable);
  let count = 0;
  for (let slot = next(after.getTime()); slot !== null && slot <= until.getTime() && count < most; slot = next(slot))
    count++;
  return count;
}

/** The window of a timetable; null where slots lie anywhere in the day. */
export function windowOf({ windowFrom, windowTo }: Timetable): RunWindow | null {
  const [from, to] = [timeOfDay(windowFrom ?? ""), timeOfDay(windowTo ?? "")];
  return from === null || to === null || from === to ? null : { from, to };
}

type SlotFinder = (after: number) => number | null;

function slotFinder(timetable: Timetable): SlotFinder {
  const { cron, intervalMinutes, timezone } = timetable;
  const [zone, window] = [zoneOf(timezone), windowOf(timetable)];
  if (cron !== null) return cronSlots(cron, zone, window);
  return intervalMinutes === null ? () => null : intervalSlots(intervalMinutes * 60_000, zone, window);
}

/** What an expression names is found on a calendar whose clocks are never set, and then looked up on those that are. */
function cronSlots(cron: string, zone: Zone, window: RunWindow | null): SlotFinder {
  const expression = new Cron(cron, { utcOffset: 0, paused: true });
  const isHourOpen = /^(@hourly|\S+\s+(\*|\?|0-23)(\/1)?\s.*)$/i.test(cron.trim());

  function nextNamed(after: Wall): Wall | null {
    let from = after;
    // Every day that is named has the same times. After three of them it is clear that none lies in the window.
    for (let tries = 0; tries < 8; tries++) {
      const named = expression.nextRun(new Date(from))?.getTime() ?? null;
      if (named === null || window === null || isWithin(window, named)) return named;
      from = nextOpening(window, named) - 1;
    }
    return null;
  }

  function nextOf(after: number): number | null {
    let wall: Wall | null = zone.wallAt(after);
    for (;;) {
      wall = nextNamed(wall);
      if (wall === null) return null;
      const [first, second] = zone.instantsOf(wall);
      if (first > after) return first;
      if (isHourOpen && second !== undefined && second > after) return second;
    }
  }

  /** Where `after` lies in an hour that comes again: the first slot of its second coming. */
  function nextAgain(after: number): number | null {
    const wall = zone.wallAt(after);
    const [first, second] = zone.instantsOf(wall);
    if (second === undefined || first !== after) return null;
    let from = wall;
    // Back to where that hour begins.
    while (zone.instantsOf(from).length === 2) from -= 60_000;
    const named = nextNamed(from);
    const again = named === null ? undefined : zone.instantsOf(named)[1];
    return again !== undefined && again > after ? again : null;
  }

  return (after) => {
    const [next, again] = [nextOf(after), isHourOpen ? nextAgain(after) : null];
    return next !== null && again !== null ? Math.min(next, again) : next;
  };
}

function intervalSlots(step: number, zone: Zone, window: RunWindow | null): SlotFinder {
  return (after) => {
    let slot = (Math.floor(after / step) + 1) * step;
    if (window === null) return slot;
    // An interval of a day and a minute comes through all of the day's minutes in so many tries; none needs more.
    for (let tries = 0; tries < 1_500; tries++) {
      const wall = zone.wallAt(slot);
      if (isWithin(window, wall)) return slot;
      const [opening] = zone.instantsOf(nextOpening(window, wall));
      slot = Math.max(slot + step, Math.ceil(opening / step) * step);
    }
    return null;
  };
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

function parses(cron: string): boolean {
  try {
    new Cron(cron, { utcOffset: 0, paused: true }).stop();
    return true;
  } catch {
    return false;
  }
}
