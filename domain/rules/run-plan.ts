// Decides when the run of a slot may begin: spread, and within the window of its schedule. Knows no clock.
import { closingAt, isWithin, nextOpening } from "./run-window.ts";
import { nextSlots, type Timetable, windowOf } from "./schedule.ts";
import { zoneOf } from "./zone.ts";

/** A timetable with an identity, which every slot's share of the spread comes from. */
export interface SpreadTimetable extends Timetable {
  readonly id: string;
  readonly jitterMinutes: number;
}

export interface RunPlan {
  readonly notBefore: Date;
  /** Nor may it begin from this on; null: no window bounds it. */
  readonly windowEndsAt: Date | null;
}

const minuteMs = 60_000;

/** What is wrong with a spread, in one sentence, or null. The timetable is a sound one. */
export function jitterFault(timetable: Timetable, jitterMinutes: number): string | null {
  if (!(Number.isInteger(jitterMinutes) && jitterMinutes >= 0 && jitterMinutes <= 1440))
    return "A spread is a whole number of minutes, from 0 to 1440 (a day).";
  if (jitterMinutes === 0) return null;
  // No clock is known here; every week of a timetable is much like the others.
  const slots = nextSlots(timetable, new Date(Date.UTC(2024, 0, 1)), 100).map((slot) => slot.getTime());
  const shortest = Math.min(...slots.slice(1).map((slot, index) => slot - (slots[index] ?? 0)));
  if (jitterMinutes * minuteMs < shortest) return null;
  return `A spread is shorter than the time from one run to the next, which is ${shortest / minuteMs} minutes here.`;
}

/**
 * When the run of `slot` may begin, as seen at `at`. The same for everybody who asks: the spread depends on nothing but the schedule and
 * the slot. It never goes beyond the window; and where that is over, the run waits for the next one.
 */
export function planRun(timetable: SpreadTimetable, slot: Date, at: Date): RunPlan {
  const window = windowOf(timetable);
  const share = shareOf(timetable.id, slot);
  const spreadMs = timetable.jitterMinutes * minuteMs;
  const begin = (from: number, withinMs: number) =>
    new Date(Math.max(at.getTime(), from + Math.floor(share * Math.min(spreadMs, withinMs))));
  if (window === null) return { notBefore: begin(slot.getTime(), spreadMs), windowEndsAt: null };
  const zone = zoneOf(timetable.timezone);
  const own = closingAt(window, zone, slot.getTime());
  if (at.getTime() < own)
    return { notBefore: begin(slot.getTime(), own - slot.getTime()), windowEndsAt: new Date(own) };
  const wall = zone.wallAt(at.getTime());
  const [opening] = isWithin(window, wall) ? [at.getTime()] : zone.instantsOf(nextOpening(window, wall));
  const closing = closingAt(window, zone, opening);
  return { notBefore: begin(opening, closing - opening), windowEndsAt: new Date(closing) };
}

/** From 0 to before 1, evenly spread over schedules and slots: FNV-1a, with the bits of its result mixed as MurmurHash3 does it. */
function shareOf(id: string, slot: Date): number {
  let hash = 0x811c9dc5;
  for (const character of `${id} ${slot.toISOString()}`)
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  for (const [shift, factor] of [
    [16, 0x85ebca6b],
    [13, 0xc2b2ae35],
  ] as const)
    hash = Math.imul(hash ^ (hash >>> shift), factor);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
