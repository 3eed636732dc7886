// When a schedule is due: every slot once, whatever the clocks of its timezone do.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { nextSlot, nextSlots, type Timetable, timetableFault } from "../../domain/rules/schedule.ts";

const cron = (expression: string, timezone = "UTC"): Timetable => ({
  cron: expression,
  intervalMinutes: null,
  timezone,
});
const every = (intervalMinutes: number, timezone = "UTC"): Timetable => ({ cron: null, intervalMinutes, timezone });

/** Every slot from `from` to before `to`, each asked for from the one before it. */
function slots(timetable: Timetable, from: string, to: string): string[] {
  const found: string[] = [];
  for (let slot = nextSlot(timetable, new Date(from)); slot && slot < new Date(to); slot = nextSlot(timetable, slot))
    found.push(slot.toISOString().slice(0, 16));
  return found;
}

describe("the next slot", () => {
  const table: [what: string, timetable: Timetable, after: string, slot: string | null][] = [
    ["is the next time that the expression names", cron("30 2 * * *"), "2026-03-01T02:29:59Z", "2026-03-01T02:30:00Z"],
    ["comes after a slot, not with it", cron("30 2 * * *"), "2026-03-01T02:30:00Z", "2026-03-02T02:30:00Z"],
    [
      "is read in its timezone",
      cron("0 9 * * 1-5", "America/New_York"),
      "2026-07-03T13:00:00Z",
      "2026-07-06T13:00:00Z",
    ],
    ["waits for a leap day", cron("0 0 29 2 *"), "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"],
    ["is null for a day that never comes", cron("0 0 31 2 *"), "2026-03-01T00:00:00Z", null],
    ["of a named expression is that of the expression", cron("@daily"), "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"],
    ["of an interval lies on its grid", every(15), "2026-03-01T10:07:00Z", "2026-03-01T10:15:00Z"],
    ["of an interval comes after a slot, not with it", every(15), "2026-03-01T10:15:00Z", "2026-03-01T10:30:00Z"],
    ["of an interval knows no timezone", every(1440, "Asia/Tokyo"), "2026-03-01T10:15:00Z", "2026-03-02T00:00:00Z"],
  ];
  for (const [what, timetable, after, slot] of table)
    it(what, () => assert.deepEqual(nextSlot(timetable, new Date(after)), slot && new Date(slot)));
});

describe("the next slots", () => {
  it("are as many as asked for, each the next after the one before it", () => {
    const slot = (hour: number) => new Date(Date.UTC(2026, 2, 1, hour));
    assert.deepEqual(nextSlots(cron("@hourly"), slot(0), 3), [slot(1), slot(2), slot(3)]);
    assert.deepEqual(nextSlots(cron("0 0 31 2 *"), slot(0), 3), []);
  });
});

describe("a daily slot", () => {
  const table: [what: string, timetable: Timetable, from: string, to: string, expected: string[]][] = [
    [
      "in an hour that is skipped comes just after it, once (Berlin)",
      cron("30 2 * * *", "Europe/Berlin"),
      "2026-03-28T12:00:00Z",
      "2026-03-31T12:00:00Z",
      ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"],
    ],
    [
      "in an hour that comes twice comes once, the first time (Berlin)",
      cron("30 2 * * *", "Europe/Berlin"),
      "2026-10-24T12:00:00Z",
      "2026-10-27T12:00:00Z",
      ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"],
    ],
    [
      "in an hour that is skipped comes just after it, once (New York)",
      cron("30 2 * * *", "America/New_York"),
      "2026-03-07T12:00:00Z",
      "2026-03-09T12:00:00Z",
      ["2026-03-08T07:00", "2026-03-09T06:30"],
    ],
    [
      "in an hour that comes twice comes once, the first time (New York)",
      cron("30 1 * * *", "America/New_York"),
      "2026-10-31T12:00:00Z",
      "2026-11-02T12:00:00Z",
      ["2026-11-01T05:30", "2026-11-02T06:30"],
    ],
    [
      "follows clocks that move by half an hour (Lord Howe)",
      cron("45 1 * * *", "Australia/Lord_Howe"),
      "2026-04-03T12:00:00Z",
      "2026-04-05T18:00:00Z",
      ["2026-04-03T14:45", "2026-04-04T14:45", "2026-04-05T15:15"],
    ],
    [
      "at a midnight that is skipped comes just after it (Havana)",
      cron("30 0 * * *", "America/Havana"),
      "2026-03-07T12:00:00Z",
      "2026-03-09T12:00:00Z",
      ["2026-03-08T05:00", "2026-03-09T04:30"],
    ],
  ];
  for (const [what, timetable, from, to, expected] of table)
    it(what, () => assert.deepEqual(slots(timetable, from, to), expected));

  it("is the same whenever it is asked for, minute by minute through both changes of the clocks", () => {
    const timetable = cron("30 2 * * *", "Europe/Berlin");
    for (const [from, to] of [
      ["2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"],
      ["2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"],
    ] as const) {
      const expected = slots(timetable, from, "2026-12-01T00:00:00Z");
      for (let at = Date.parse(from); at < Date.parse(to); at += 60_000) {
        const slot = nextSlot(timetable, new Date(at));
        assert.equal(
          slot?.toISOString().slice(0, 16),
          expected.find((each) => Date.parse(`${each}Z`) > at),
        );
      }
    }
  });
});

describe("an hourly slot", () => {
  it("comes every hour of an hour that comes twice, and misses none where one is skipped", () => {
    const hourly = cron("0 * * * *", "Europe/Berlin");
    for (const day of ["2026-03-29", "2026-10-25"]) {
      const found = slots(hourly, `${day}T00:00:00Z`, `${day}T05:00:01Z`);
      assert.deepEqual(
        found,
        [1, 2, 3, 4, 5].map((hour) => `${day}T0${hour}:00`),
      );
    }
  });
});

describe("a slot of any timetable", () => {
  const timezone = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Chatham");
  const at = fc.date({ min: new Date("2025-01-01"), max: new Date("2027-12-31"), noInvalidDate: true });
  const daily = fc
    .tuple(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 23 }), timezone)
    .map(([minute, hour, zone]) => cron(`${minute} ${hour} * * *`, zone));
  const interval = fc.integer({ min: 1, max: 527_040 }).map((minutes) => every(minutes));

  it("lies ahead, at most one period and an hour away", () => {
    fc.assert(
      fc.property(fc.oneof(daily, interval), at, (timetable, after) => {
        assert.equal(timetableFault(timetable), null);
        const waitMs = (nextSlot(timetable, after)?.getTime() ?? 0) - after.getTime();
        assert.ok(waitMs > 0 && waitMs <= (timetable.intervalMinutes ?? 25 * 60) * 60_000);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a timetable", () => {
  const fiveFields =
    "A cron expression has five fields: minute (0-59), hour (0-23), day of month (1-31), month (1-12), day of week (0-7); or it is one of @hourly, @daily, @weekly, @monthly and @yearly.";
  const one = "Give either a cron expression or an interval, not both.";
  const minutes = "An interval is a whole number of minutes, from 1 to 527040 (a year).";
  const table: [what: string, timetable: Timetable, fault: string | null][] = [
    ["with five fields is taken", cron("*/15 8-18 1,15 JAN-JUN MON-FRI"), null],
    ["with blanks around it is taken", cron("  0 3 * * *  "), null],
    ["with an interval of a minute is taken", every(1), null],
    ["with an interval of a year is taken", every(527_040), null],
    ["with another name of a timezone is taken", cron("0 3 * * *", "Asia/Kolkata"), null],
    ["in Kyiv is taken", cron("0 3 * * *", "Europe/Kyiv"), null],
    ["in Etc/UTC is taken", cron("0 3 * * *", "Etc/UTC"), null],
    ["with both a cron expression and an interval is refused", { ...every(5), cron: "0 3 * * *" }, one],
    ["with neither is refused", { cron: null, intervalMinutes: null, timezone: "UTC" }, one],
    ["with seconds is refused", cron("0 0 3 * * *"), fiveFields],
    ["with a name for an expression is taken", cron("@daily"), null],
    ["with a name that says no time is refused", cron("@reboot"), fiveFields],
    ["with nothing in it is refused", cron(""), fiveFields],
    ["with a minute 61 is refused", cron("61 * * * *"), fiveFields],
    ["with a step of 0 is refused", cron("*/0 * * * *"), fiveFields],
    ["with letters is refused", cron("a b c d e"), fiveFields],
    [
      "for the 31st of February is refused",
      cron("0 0 31 2 *"),
      "This cron expression never comes due: there is no such day.",
    ],
    ["with an interval of 0 is refused", every(0), minutes],
    ["with an interval of more than a year is refused", every(527_041), minutes],
    ["with an interval of half a minute is refused", every(0.5), minutes],
    [
      "on Mars is refused",
      cron("0 3 * * *", "Mars/Phobos"),
      "“Mars/Phobos” is not a timezone of the IANA database, such as Europe/Berlin.",
    ],
    [
      "with an offset for a timezone is refused: it would not follow the clocks",
      cron("0 3 * * *", "+02:00"),
      "“+02:00” is not a timezone of the IANA database, such as Europe/Berlin.",
    ],
    [
      "without a timezone is refused",
      every(5, ""),
      "“” is not a timezone of the IANA database, such as Europe/Berlin.",
    ],
  ];
  for (const [what, timetable, fault] of table) it(what, () => assert.equal(timetableFault(timetable), fault));
});
