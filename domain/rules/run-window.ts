// The part of the day in which the runs of a schedule may begin. Knows no clock.
import type { Wall, Zone } from "./zone.ts";

/** From the first to before the second time of day, in minutes since midnight; past midnight where the second is the lesser one. */
export interface RunWindow {
  readonly from: number;
  readonly to: number;
}

const minuteMs = 60_000;
const dayMs = 86_400_000;

/** `22:30` in minutes since midnight; null for what is no time of day. */
export function timeOfDay(text: string): number | null {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  return hours === undefined ? null : Number(hours) * 60 + Number(minutes);
}

export function isWithin({ from, to }: RunWindow, wall: Wall): boolean {
  const minute = Math.floor((wall - startOfDay(wall)) / minuteMs);
  return from < to ? from <= minute && minute < to : from <= minute || minute < to;
}

/** When it opens next, at `wall` or later. */
export function nextOpening({ from }: RunWindow, wall: Wall): Wall {
  return nextTime(from, wall);
}

/** When the window that is open at `instant` closes. One that clocks are set forward over is as long as it always is. */
export function closingAt(window: RunWindow, zone: Zone, instant: number): number {
  const wall = zone.wallAt(instant);
  const lengthMs = ((window.to - window.from + 1440) % 1440) * minuteMs;
  if (!isWithin(window, wall)) return instant + lengthMs;
  const [closing] = zone.instantsOf(nextTime(window.to, wall));
  return closing > instant ? closing : instant + lengthMs;
}

function nextTime(minute: number, wall: Wall): Wall {
  const today = startOfDay(wall) + minute * minuteMs;
  return today >= wall ? today : today + dayMs;
}

function startOfDay(wall: Wall): Wall {
  return Math.floor(wall / dayMs) * dayMs;
}
