// Says a second time when a timetable is due, by another way: minute after minute through the years, with Luxon's clocks and no croner.
import { IANAZone } from "luxon";

const minuteMs = 60_000;
const dayMs = 86_400_000;
/** Clocks are set at a quarter of an hour, everywhere that this is used for. */
const quarterMs = 15 * minuteMs;

/** `offsets[n]`: minutes ahead of UTC in the n-th quarter of an hour since `from`. */
export interface Clocks {
  readonly from: number;
  readonly to: number;
  readonly offsets: Int16Array;
}

export function clocksOf(timezone: string, from: string, to: string): Clocks {
  const zone = IANAZone.create(timezone);
  if (!zone.isValid) throw new Error(`luxon knows no timezone ${timezone}`);
  const [first, last] = [Date.parse(from), Date.parse(to)];
  const offsets = Int16Array.from({ length: (last - first) / quarterMs }, (_, n) => zone.offset(first + n * quarterMs));
  return { from: first, to: last, offsets };
}

/** Numbers, `*`, lists, ranges and steps: as much of cron as the tests need. Every instant at which it is due, by the rules. */
export function oracleSlots(cron: string, { from, to, offsets }: Clocks): number[] {
  const [minutes, hours, days, months, weekdays] = cron.split(" ").map((field, n) => members(field, n));
  if (!minutes || !hours || !days || !months || !weekdays) throw new Error(`${cron} has less than five fields`);
  const [, hourField, dayField, , weekdayField] = cron.split(" ");
  const isNamed = (wall: number) => {
    const minuteOfDay = Math.floor(wall / minuteMs) % 1440;
    if (!minutes.has(minuteOfDay % 60) || !hours.has(Math.floor(minuteOfDay / 60))) return false;
    const date = new Date(wall);
    if (!months.has(date.getUTCMonth() + 1)) return false;
    const [byDay, byWeekday] = [days.has(date.getUTCDate()), weekdays.has(date.getUTCDay())];
    return dayField === "*" || weekdayField === "*" ? byDay && byWeekday : byDay || byWeekday;
  };
  const found: number[] = [];
  // The furthest that the clocks have shown yet: what is behind it, they show a second time.
  let furthest = from + (offsets[0] ?? 0) * minuteMs - minuteMs;
  for (let instant = from; instant < to; instant += minuteMs) {
    const wall = instant + (offsets[Math.floor((instant - from) / quarterMs)] ?? 0) * minuteMs;
    let isDue = isNamed(wall) && (wall > furthest || hourField === "*");
    for (let skipped = furthest + minuteMs; skipped < wall; skipped += minuteMs) isDue ||= isNamed(skipped);
    if (isDue) found.push(instant);
    furthest = Math.max(furthest, wall);
  }
  return found;
}

const bounds = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;

function members(field: string, n: number): Set<number> {
  const [least, most] = bounds[n] ?? [0, 0];
  return new Set(
    field.split(",").flatMap((part) => {
      const [range = "", step = "1"] = part.split("/");
      const [low = "", high = low] = range === "*" ? [String(least), String(most)] : range.split("-");
      const all = Array.from({ length: Number(high) - Number(low) + 1 }, (_, index) => Number(low) + index);
      return all.filter((_, index) => index % Number(step) === 0);
    }),
  );
}

/** Slots of every so many minutes since 1970. */
export function oracleIntervals(intervalMinutes: number, { from, to }: Clocks): number[] {
  const found: number[] = [];
  for (let instant = from; instant < to; instant += minuteMs)
    if (instant % (intervalMinutes * minuteMs) === 0) found.push(instant);
  return found;
}

/** The slots that lie from one time of the day to before another, by the clocks. */
export function withinHours(
  slots: readonly number[],
  { from, offsets }: Clocks,
  [first, last]: [number, number],
): number[] {
  return slots.filter((instant) => {
    const wall = instant + (offsets[Math.floor((instant - from) / quarterMs)] ?? 0) * minuteMs;
    const hour = (wall % dayMs) / 3_600_000;
    return first < last ? first <= hour && hour < last : first <= hour || hour < last;
  });
}
