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

/** Whether it is open. One that the clocks are set forward over counts as open right then. */
export function isOpenAt(window: RunWindow, zone: Zone, instant: number): boolean {
  const wall = zone.wallAt(instant);
  if (isWithin(window, wall)) return true;
  const closing = nextTime(window.to, wall - dayMs + minuteMs);
  return zone.instantsOf(closing - minuteMs)[0] === instant;
}

/** When the window that is open at `instant` closes. One that the clocks are set forward over is as long as it always is. */
export function closingAt(window: RunWindow, zone: Zone, instant: number): number {
  const wall = zone.wallAt(instant);
  const [closing] = isWithin(window, wall) ? zone.instantsOf(nextTime(window.to, wall)) : [instant];
  return closing > instant ? closing : instant + ((window.to - window.from + 1440) % 1440) * minuteMs;
}

function nextTime(minute: number, wall: Wall): Wall {
  const today = startOfDay(wall) + minute * minuteMs;
  return today >= wall ? today : today + dayMs;
}

function startOfDay(wall: Wall): Wall {
  return Math.floor(wall / dayMs) * dayMs;
}
