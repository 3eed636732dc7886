// Every slot of two years, in timezones all over the world, is what an oracle of another make says: none lost, none doubled (F30).
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nextSlot, nextSlots, type Timetable, timetableFault } from "../../domain/rules/schedule.ts";
import { type Clocks, clocksOf, oracleIntervals, oracleSlots, withinHours } from "./slot-oracle.ts";

const cron = (expression: string, timezone: string): Timetable => ({
  cron: expression,
  intervalMinutes: null,
  timezone,
});

/** With the leap day of 2028; and years that lie back, in zones whose clocks were set then. */
const worlds: [timezone: string, from: string, to: string][] = [
  ...[
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Pacific/Apia",
  ].map((timezone): [string, string, string] => [timezone, "2027-03-01T00:00:00Z", "2029-03-01T00:00:00Z"]),
  // A midnight that is skipped, a day that is, and half an hour from UTC.
  ["America/Sao_Paulo", "2017-03-01T00:00:00Z", "2019-03-01T00:00:00Z"],
  ["Pacific/Apia", "2011-03-01T00:00:00Z", "2013-03-01T00:00:00Z"],
  ["Asia/Tehran", "2019-06-01T00:00:00Z", "2021-06-01T00:00:00Z"],
];

const expressions = {
  "every night": "30 2 * * *",
  "every quarter of an hour": "*/15 * * * *",
  "every hour, at half past": "30 * * * *",
  "every second hour": "0 */2 * * *",
  "twice a day": "30 2,14 * * *",
  "four times in an hour of the night": "*/15 2 * * *",
  "on leap days": "0 0 29 2 *",
  "every week": "0 3 * * 1",
  "every month, early": "30 0 1 * *",
  "on the 13th, and on Fridays": "0 12 13 * 5",
};

/** One slot asked for after the other, as hubs do it, and not one more than the oracle has. */
function assertSlots(timetable: Timetable, expected: readonly number[], { from, to }: Clocks): void {
  const found = nextSlots(timetable, new Date(from - 1), expected.length + 1)
    .map((slot) => slot.getTime())
    .filter((slot) => slot < to);
  const wrong = expected.findIndex((slot, index) => slot !== found[index]);
  const shown = (slot: number | undefined) => (slot === undefined ? "none" : new Date(slot).toISOString());
  assert.equal(wrong < 0 ? "" : `${shown(found[wrong])} instead of ${shown(expected[wrong])}`, "");
  assert.equal(found.length, expected.length);
  assert.equal(new Set(found).size, found.length);
}

for (const [timezone, from, to] of worlds)
  describe(`the slots in ${timezone} from ${from.slice(0, 4)} on`, () => {
    const clocks = clocksOf(timezone, from, to);
    for (const [name, expression] of Object.entries(expressions))
      it(`are those of the oracle ${name}`, () =>
        assertSlots(cron(expression, timezone), oracleSlots(expression, clocks), clocks));

    it("within a window are those of the oracle that lie in it", () => {
      const window = { windowFrom: "22:00", windowTo: "06:00" };
      const slots = oracleSlots("0 * * * *", clocks);
      const hourly = { ...cron("0 * * * *", timezone), ...window };
      assertSlots(hourly, withinHours(slots, clocks, [22, 6]), clocks);
      const interval = { cron: null, intervalMinutes: 90, timezone, ...window };
      assertSlots(interval, withinHours(oracleIntervals(90, clocks), clocks, [22, 6]), clocks);
    });
  });

describe("the slots of a schedule", () => {
  it("are the same whenever they are asked for, and whatever came before", () => {
    const zones = worlds.map(([timezone]) => timezone);
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.constantFrom(...Object.values(expressions)),
        fc.date({ min: new Date("2011-01-01"), max: new Date("2029-01-01"), noInvalidDate: true }),
        fc.integer({ min: 1, max: 4 * 24 * 60 }),
        (timezone, expression, at, minutes) => {
          const timetable = cron(expression, timezone);
          const later = new Date(at.getTime() + minutes * 60_000);
          const asked = nextSlot(timetable, later);
          const walked = nextSlots(timetable, at, 400).find((slot) => slot > later);
          if (walked) assert.deepEqual(asked, walked);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("are those of the new timezone from the change on, and none of the old one again", () => {
    const [old, young] = [cron("30 2 * * *", "Europe/Berlin"), cron("30 2 * * *", "America/New_York")];
    const changedAt = new Date("2028-02-28T12:00:00Z");
    const before = nextSlots(old, new Date("2028-02-27T00:00:00Z"), 2).filter((slot) => slot <= changedAt);
    assert.deepEqual(
      [...before, ...nextSlots(young, changedAt, 3)].map((slot) => slot.toISOString().slice(0, 16)),
      ["2028-02-27T01:30", "2028-02-28T01:30", "2028-02-29T07:30", "2028-03-01T07:30", "2028-03-02T07:30"],
    );
  });

  it("through a change of the clocks run after an hour that is left out, even where the whole window is", () => {
    const timetable = { ...cron("*/30 * * * *", "Europe/Berlin"), windowFrom: "02:00", windowTo: "03:00" };
    assert.deepEqual(
      nextSlots(timetable, new Date("2026-03-28T12:00:00Z"), 3).map((slot) => slot.toISOString().slice(0, 16)),
      ["2026-03-29T01:00", "2026-03-30T00:00", "2026-03-30T00:30"],
    );
  });
});

describe("a timetable with a window", () => {
  const night = { windowFrom: "22:00", windowTo: "06:00" };
  const never = "This never comes due: no run would lie in the window.";
  const shape = "A window lasts from one time of the day to another one, such as 22:00 to 06:00.";
  const every = (intervalMinutes: number) => ({ cron: null, intervalMinutes, timezone: "Europe/Berlin" });
  const table: [what: string, timetable: Timetable, fault: string | null][] = [
    ["that some of its runs lie in is taken", { ...cron("0 * * * *", "Europe/Berlin"), ...night }, null],
    ["that none of its runs lies in is refused", { ...cron("0 12 * * *", "Europe/Berlin"), ...night }, never],
    ["that none of its leap days lies in is refused", { ...cron("0 12 29 2 *", "Europe/Berlin"), ...night }, never],
    [
      "that an interval comes into after days is taken",
      { ...every(1441), windowFrom: "12:00", windowTo: "12:01" },
      null,
    ],
    ["that an interval never comes into is refused", { ...every(1440), windowFrom: "12:00", windowTo: "13:00" }, never],
    ["of no time is refused", { ...every(60), windowFrom: "22:00", windowTo: "22:00" }, shape],
    ["with an hour 24 is refused", { ...every(60), windowFrom: "22:00", windowTo: "24:00" }, shape],
    ["with one end is refused", { ...every(60), windowFrom: "22:00", windowTo: null }, shape],
  ];
  for (const [what, timetable, fault] of table) it(what, () => assert.equal(timetableFault(timetable), fault));
});
