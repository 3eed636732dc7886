// When the run of a slot may begin: spread as the schedule says, never outside its window, and the same for everybody who asks.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { jitterFault, planRun, type SpreadTimetable } from "../../domain/rules/run-plan.ts";
import { nextSlots } from "../../domain/rules/schedule.ts";

const hourly = (changes: Partial<SpreadTimetable> = {}): SpreadTimetable => ({
  id: "sch_1",
  ...{ cron: "0 * * * *", intervalMinutes: null, timezone: "Europe/Berlin", jitterMinutes: 0 },
  ...changes,
});
const night = { windowFrom: "22:00", windowTo: "06:00" };
const [minuteMs, hourMs] = [60_000, 3_600_000];
const plan = (timetable: SpreadTimetable, slot: string, at = slot) => {
  const { notBefore, windowEndsAt } = planRun(timetable, new Date(slot), new Date(at));
  return [notBefore.toISOString().slice(0, 16), windowEndsAt?.toISOString().slice(0, 16) ?? null];
};

describe("a run", () => {
  it("without a spread begins at its slot, or as soon as it can after it", () => {
    assert.deepEqual(plan(hourly(), "2026-07-01T10:00Z"), ["2026-07-01T10:00", null]);
    assert.deepEqual(plan(hourly(), "2026-07-01T10:00Z", "2026-07-01T15:30Z"), ["2026-07-01T15:30", null]);
  });

  it("in its window may begin until that closes", () => {
    assert.deepEqual(plan(hourly(night), "2026-07-01T20:00Z"), ["2026-07-01T20:00", "2026-07-02T04:00"]);
    assert.deepEqual(plan(hourly(night), "2026-07-02T03:00Z", "2026-07-02T03:59Z"), [
      "2026-07-02T03:59",
      "2026-07-02T04:00",
    ]);
  });

  it("whose window is over waits for the next one", () => {
    assert.deepEqual(plan(hourly(night), "2026-07-02T03:00Z", "2026-07-02T04:00Z"), [
      "2026-07-02T20:00",
      "2026-07-03T04:00",
    ]);
    assert.deepEqual(plan(hourly(night), "2026-07-02T03:00Z", "2026-07-05T21:15Z"), [
      "2026-07-05T21:15",
      "2026-07-06T04:00",
    ]);
  });

  it("in a window that the clocks leave out has the time that the window has on other days", () => {
    const timetable = hourly({ windowFrom: "02:00", windowTo: "03:00" });
    assert.deepEqual(plan(timetable, "2026-03-29T01:00Z"), ["2026-03-29T01:00", "2026-03-29T02:00"]);
  });

  it("in a window with an hour that comes twice may begin in both", () => {
    assert.deepEqual(plan(hourly(night), "2026-10-24T23:00Z")[1], "2026-10-25T05:00");
  });
});

describe("the spread of runs", () => {
  it("is the same whoever asks, and another one for every slot and schedule", () => {
    const slots = nextSlots(hourly(), new Date("2026-01-01T00:00:00Z"), 200);
    const begins = (id: string) =>
      slots.map((slot) => planRun(hourly({ id, jitterMinutes: 59 }), slot, slot).notBefore.getTime() - slot.getTime());
    assert.deepEqual(begins("sch_1"), begins("sch_1"));
    const both = [...begins("sch_1"), ...begins("sch_2")];
    assert.ok(new Set(both).size > 390);
    for (const quarter of [0, 1, 2, 3]) {
      const share = both.filter((ms) => Math.floor(ms / (14.75 * minuteMs)) === quarter).length / both.length;
      assert.ok(share > 0.15 && share < 0.35, `${share} of the runs begin in quarter ${quarter}`);
    }
  });

  it("goes neither before the slot, nor beyond the spread, nor to where the window closes", () => {
    const slot = fc
      .tuple(
        fc.integer({ min: 0, max: 20_000 }),
        fc.constantFrom("Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"),
      )
      .map(([hour, timezone]) => [new Date(Date.UTC(2026, 0, 1) + hour * hourMs), timezone] as const);
    fc.assert(
      fc.property(slot, fc.integer({ min: 0, max: 59 }), fc.uuid(), ([after, timezone], jitterMinutes, id) => {
        const timetable = hourly({ id, timezone, jitterMinutes, ...night });
        const [slotAt = after] = nextSlots(timetable, after, 1);
        const { notBefore, windowEndsAt } = planRun(timetable, slotAt, slotAt);
        const waitMs = notBefore.getTime() - slotAt.getTime();
        assert.ok(waitMs >= 0 && waitMs <= jitterMinutes * minuteMs);
        assert.ok(windowEndsAt && notBefore < windowEndsAt);
      }),
      { numRuns: 500 },
    );
  });

  const table: [what: string, timetable: SpreadTimetable, minutes: number, fault: string | null][] = [
    ["of nothing is taken", hourly(), 0, null],
    ["of less than the time between two runs is taken", hourly(), 59, null],
    [
      "of as much as the time between two runs is refused",
      hourly({ cron: "0 0,1 * * *" }),
      60,
      "A spread is shorter than the time from one run to the next, which is 60 minutes here.",
    ],
    ["of a day is taken where runs are a week apart", hourly({ cron: "@weekly" }), 1440, null],
    ["below nothing is refused", hourly(), -1, "A spread is a whole number of minutes, from 0 to 1440 (a day)."],
    [
      "of more than a day is refused",
      hourly({ cron: "@weekly" }),
      1441,
      "A spread is a whole number of minutes, from 0 to 1440 (a day).",
    ],
  ];
  for (const [what, timetable, minutes, fault] of table)
    it(what, () => assert.equal(jitterFault(timetable, minutes), fault));
});
