// What the clocks of a timezone show, and when they show it: once, twice, or never. Knows no clock of its own.

/** What a clock on the wall shows, in milliseconds, counted as if it hung in UTC. */
export type Wall = number;

export interface Zone {
  /** `instant`: milliseconds since 1970. */
  wallAt(instant: number): Wall;
  /**
   * When the clocks show this: at one instant, or at two where they were set back meanwhile, the first one first. What they never
   * show, because they are set forward over it, is the instant at which that happens.
   */
  instantsOf(wall: Wall): readonly [first: number, second?: number];
}

const dayMs = 86_400_000;

/** Throws `RangeError` for what is no timezone. */
export function zoneOf(timezone: string): Zone {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hourCycle: "h23",
    ...{ era: "short", year: "numeric", month: "numeric", day: "numeric" },
    ...{ hour: "numeric", minute: "numeric", second: "numeric" },
  });

  function measure(instant: number): number {
    const shown: Record<string, string> = {};
    for (const { type, value } of format.formatToParts(instant)) shown[type] = value;
    const wall = Date.UTC(
      ...[Number(shown.year), Number(shown.month) - 1, Number(shown.day)],
      ...([Number(shown.hour), Number(shown.minute), Number(shown.second)] as const),
    );
    return wall - Math.floor(instant / 1000) * 1000;
  }

  // Measuring takes its time. No clock is set twice in a day: one with the same offset at both ends has it all along.
  const midnights = new Map<number, number>();
  function offsetAtMidnight(day: number): number {
    const offset = midnights.get(day) ?? measure(day * dayMs);
    midnights.set(day, offset);
    return offset;
  }

  /** How far the clocks are ahead of UTC. */
  function offsetAt(instant: number): number {
    const day = Math.floor(instant / dayMs);
    const offset = offsetAtMidnight(day);
    return offset === offsetAtMidnight(day + 1) ? offset : measure(instant);
  }

  return {
    wallAt: (instant) => instant + offsetAt(instant),
    instantsOf(wall) {
      // Both are within a day of what is looked for, whatever the offset.
      const [before, after] = [offsetAt(wall - dayMs), offsetAt(wall + dayMs)];
      if (before === after) return [wall - before];
      const shown = [before, after].map((offset) => [wall - offset, offset] as const);
      const [first, second] = shown.filter(([instant, offset]) => offsetAt(instant) === offset);
      if (first && second) return first[0] < second[0] ? [first[0], second[0]] : [second[0], first[0]];
      return [first?.[0] ?? changeBetween(wall - dayMs, wall + dayMs)];
    },
  };

  /** The first instant with the offset that holds at the end. */
  function changeBetween(from: number, to: number): number {
    const later = offsetAt(to);
    let [low, high] = [from, to];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetAt(middle) === later) high = middle;
      else low = middle;
    }
    return high;
  }
}
