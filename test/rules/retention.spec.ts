// Which snapshots are kept, and why: by example, and against a naive second opinion over ten thousand made-up histories.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type Candidate,
  keepReasons,
  keepReasonsOfAll,
  parsePolicy,
  type RetentionPolicy,
} from "../../domain/rules/retention.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** A whole snapshot made at this time, called after it. */
function at(time: string, changes: Partial<Candidate> = {}): Candidate {
  return {
    id: time,
    createdAt: new Date(time),
    partial: false,
    pinned: false,
    beingRestored: false,
    damagedAt: null,
    ...changes,
  };
}

/** `["2026-03-02T15:00Z", "DAILY 2026-03-02"]` for each that is kept. */
function kept(snapshots: Candidate[], policy: RetentionPolicy, timezone = "UTC", now = "2026-03-10T12:00Z") {
  return [...keepReasons(snapshots, policy, timezone, new Date(now))].flatMap(([id, reasons]) =>
    reasons.length === 0 ? [] : [[id, ...reasons.map(({ code, bucket }) => (bucket ? `${code} ${bucket}` : code))]],
  );
}

describe("a snapshot", () => {
  it("stands for its day where it is the newest of it, and days without one do not count", () => {
    const snapshots = [
      at("2026-03-09T15:00Z"),
      at("2026-03-09T12:00Z"),
      at("2026-03-05T23:59Z"),
      at("2026-03-05T00:00Z"),
      at("2026-03-02T08:00Z"),
    ];
    assert.deepEqual(kept(snapshots, { keepDaily: 2 }), [
      ["2026-03-09T15:00Z", "NEWEST_GOOD", "DAILY 2026-03-09"],
      // A later one stands for that day, and the third day is one too many.
      ["2026-03-05T23:59Z", "DAILY 2026-03-05"],
    ]);
  });

  it("stands for hours, weeks, months and years as well, each counted by itself", () => {
    const snapshots = [
      at("2026-01-05T10:30Z"),
      at("2026-01-05T10:10Z"),
      at("2026-01-04T10:00Z"),
      at("2025-12-31T10:00Z"),
    ];
    const policy = { keepLast: 1, keepHourly: 2, keepWeekly: 2, keepMonthly: 2, keepYearly: 5 };
    assert.deepEqual(kept(snapshots, policy, "UTC", "2026-01-06T00:00Z"), [
      [
        ...["2026-01-05T10:30Z", "NEWEST_GOOD", "LAST", "HOURLY 2026-01-05T10+00:00", "WEEKLY 2026-W02"],
        ...["MONTHLY 2026-01", "YEARLY 2026"],
      ],
      ["2026-01-04T10:00Z", "HOURLY 2026-01-04T10+00:00", "WEEKLY 2026-W01"],
      ["2025-12-31T10:00Z", "MONTHLY 2025-12", "YEARLY 2025"],
    ]);
  });

  it("belongs to the day that it is in the schedule's timezone", () => {
    const snapshots = [at("2026-03-09T14:30Z"), at("2026-03-09T15:30Z")];
    assert.deepEqual(kept(snapshots, { keepDaily: 2 }, "Asia/Tokyo"), [
      ["2026-03-09T15:30Z", "NEWEST_GOOD", "DAILY 2026-03-10"],
      ["2026-03-09T14:30Z", "DAILY 2026-03-09"],
    ]);
    assert.equal(kept(snapshots, { keepDaily: 2 }, "UTC").length, 1);
  });

  it("of the hour that comes twice in autumn is not taken for one of the other", () => {
    const snapshots = [at("2026-10-25T00:30Z"), at("2026-10-25T01:30Z"), at("2026-10-25T02:30Z")];
    assert.deepEqual(
      kept(snapshots, { keepHourly: 3 }, "Europe/Berlin", "2026-10-25T03:00Z").map(([, ...why]) => why.at(-1)),
      ["HOURLY 2026-10-25T03+01:00", "HOURLY 2026-10-25T02+01:00", "HOURLY 2026-10-25T02+02:00"],
    );
  });

  it("says in words what it is kept for", () => {
    const [reasons] = keepReasons(
      [at("2026-03-09T15:00Z")],
      { keepDaily: 7 },
      "UTC",
      new Date("2026-03-10T00:00Z"),
    ).values();
    assert.deepEqual(
      reasons?.map(({ message }) => message),
      ["It is the newest snapshot of its source.", "It is the newest of the day 2026-03-09, day 1 of 7."],
    );
  });

  it("that is the last good one stays after thirty days of failed backups, with a greatest age of seven", () => {
    const snapshots = [at("2026-02-08T03:00Z"), at("2026-02-07T03:00Z")];
    assert.deepEqual(kept(snapshots, { maxAgeDays: 7 }), [["2026-02-08T03:00Z", "NEWEST_GOOD"]]);
    assert.deepEqual(kept(snapshots, { keepLast: 5, maxAgeDays: 7 }), [["2026-02-08T03:00Z", "NEWEST_GOOD"]]);
  });

  it("that is the last whole one stays behind any number of partial ones", () => {
    const snapshots = [
      at("2026-03-09T03:00Z", { partial: true }),
      at("2026-03-08T03:00Z", { partial: true }),
      at("2026-01-01T03:00Z"),
    ];
    assert.deepEqual(kept(snapshots, { keepLast: 1 }), [
      ["2026-03-09T03:00Z", "NEWEST_GOOD", "LAST"],
      ["2026-01-01T03:00Z", "NEWEST_GOOD"],
    ]);
  });

  it("stays while it is pinned, being restored or younger than the least age, whatever the counts say", () => {
    const snapshots = [
      at("2026-03-10T11:00Z"),
      at("2026-03-08T12:00:00.001Z"),
      at("2026-03-08T12:00Z"),
      at("2026-01-01T00:00Z", { pinned: true }),
      at("2025-01-01T00:00Z", { beingRestored: true }),
    ];
    assert.deepEqual(kept(snapshots, { keepLast: 1, minAgeDays: 2, maxAgeDays: 1 }), [
      ["2026-03-10T11:00Z", "NEWEST_GOOD", "LAST", "MIN_AGE"],
      ["2026-03-08T12:00:00.001Z", "MIN_AGE"],
      ["2026-01-01T00:00Z", "PINNED"],
      ["2025-01-01T00:00Z", "BEING_RESTORED"],
    ]);
  });

  it("that is damaged counts for nothing, and stays for a month, or until a good one is newer", () => {
    const long = { damagedAt: new Date("2026-02-08T11:59Z") };
    const snapshots = [
      at("2026-03-09T03:00Z", long),
      at("2026-03-08T03:00Z"),
      at("2026-03-07T03:00Z", long),
      at("2026-03-06T03:00Z", { damagedAt: new Date("2026-02-08T12:01Z") }),
      at("2026-03-05T03:00Z", { ...long, pinned: true }),
      at("2026-03-04T03:00Z"),
      at("2026-03-03T03:00Z"),
    ];
    assert.deepEqual(kept(snapshots, { keepLast: 2 }), [
      ["2026-03-09T03:00Z", "NOTHING_NEWER"],
      ["2026-03-08T03:00Z", "NEWEST_GOOD", "LAST"],
      ["2026-03-06T03:00Z", "DAMAGED"],
      ["2026-03-05T03:00Z", "PINNED"],
      ["2026-03-04T03:00Z", "LAST"],
    ]);
    assert.equal(kept(snapshots, {}).length, 7);
  });

  it("is let go by no policy that only says what to keep at least, or nothing, or nonsense", () => {
    const snapshots = [at("2026-03-09T03:00Z"), at("2020-03-09T03:00Z")];
    for (const stored of [
      {},
      { minAgeDays: 3 },
      { keepLast: 0, keepDaily: 0 },
      null,
      { keepLast: -1 },
      { keep: 3 },
      { keepLast: "3" },
    ])
      assert.deepEqual(
        kept(snapshots, parsePolicy(stored)).map((each) => each.includes("NO_POLICY")),
        [true, true],
        JSON.stringify(stored),
      );
  });

  it("stays where any of several schedules keeps it, and where there is none at all", () => {
    const snapshots = [at("2026-03-09T03:00Z"), at("2026-03-08T03:00Z"), at("2026-02-08T03:00Z")];
    const codes = (schedules: { policy: RetentionPolicy; timezone: string }[]) =>
      [...keepReasonsOfAll(snapshots, schedules, new Date("2026-03-10T12:00Z")).values()].map((reasons) =>
        reasons.map(({ code }) => code).join(),
      );
    const last = { policy: { keepLast: 1 }, timezone: "UTC" };
    const monthly = { policy: { keepMonthly: 2 }, timezone: "Europe/Berlin" };
    assert.deepEqual(codes([last, monthly]), ["NEWEST_GOOD,LAST,MONTHLY", "", "MONTHLY"]);
    assert.deepEqual(codes([last, { policy: {}, timezone: "UTC" }])[1], "NO_POLICY");
    assert.deepEqual(codes([]), ["NEWEST_GOOD,NO_POLICY", "NO_POLICY", "NO_POLICY"]);
  });
});

describe("ten thousand histories", () => {
  const timezones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"];
  const now = new Date("2026-11-02T12:00:00Z");

  /** The clock on the wall, from the runtime's own Swedish: `2026-03-02 15:04:05`. */
  const swedish = new Map(
    timezones.map((timeZone) => [
      timeZone,
      new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }),
    ]),
  );

  /** The same period or not: two snapshots are compared, no period is given a name. */
  function sameWeek(a: string, b: string): boolean {
    const monday = (day: string) => {
      let ms = Date.parse(`${day.slice(0, 10)}T00:00:00Z`);
      while (new Date(ms).getUTCDay() !== 1) ms -= dayMs;
      return ms;
    };
    return monday(a) === monday(b);
  }

  const samePeriod: Record<string, (a: string, b: string, apartMs: number) => boolean> = {
    // An hour ends as well where the clock is put back: then the wall shows less between the two than has passed.
    keepHourly: (a, b, apartMs) =>
      a.slice(0, 13) === b.slice(0, 13) && Math.abs(Date.parse(a) - Date.parse(b) - apartMs) < 1000,
    keepDaily: (a, b) => a.slice(0, 10) === b.slice(0, 10),
    keepWeekly: sameWeek,
    keepMonthly: (a, b) => a.slice(0, 7) === b.slice(0, 7),
    keepYearly: (a, b) => a.slice(0, 4) === b.slice(0, 4),
  };

  /** Who stays, decided for each snapshot by itself by looking at all the others. */
  function naive(snapshots: Candidate[], policy: RetentionPolicy, timezone: string): Set<string> {
    const wall = (each: Candidate) => swedish.get(timezone)?.format(each.createdAt) ?? "";
    const isNewer = (a: Candidate, b: Candidate) =>
      a.createdAt > b.createdAt || (Number(a.createdAt) === Number(b.createdAt) && a.id > b.id);
    const age = (each: Candidate) => (now.getTime() - each.createdAt.getTime()) / dayMs;
    const rules = Object.keys(samePeriod).filter((key) => (policy[key as keyof RetentionPolicy] ?? 0) > 0);
    const isCounting = rules.length > 0 || (policy.keepLast ?? 0) > 0;
    const letsGo = isCounting || policy.maxAgeDays !== undefined;
    const good = snapshots.filter((each) => each.damagedAt === null);
    const eligible = good.filter((each) => age(each) <= (policy.maxAgeDays ?? Number.POSITIVE_INFINITY));

    function stays(each: Candidate): boolean {
      if (!letsGo || each.pinned || each.beingRestored) return true;
      if (each.damagedAt !== null) {
        const isFresh = Number(now) - Number(each.damagedAt) < 30 * dayMs;
        return isFresh || !good.some((other) => other.createdAt >= each.createdAt);
      }
      if (age(each) < (policy.minAgeDays ?? 0)) return true;
      if (!good.some((other) => isNewer(other, each))) return true;
      if (!each.partial && !good.some((other) => !other.partial && isNewer(other, each))) return true;
      if (!eligible.includes(each)) return false;
      if (!isCounting) return true;
      const newer = eligible.filter((other) => isNewer(other, each));
      if (newer.length < (policy.keepLast ?? 0)) return true;
      return rules.some((key) => {
        const same = (a: Candidate, b: Candidate) =>
          samePeriod[key]?.(wall(a), wall(b), Number(a.createdAt) - Number(b.createdAt)) ?? false;
        if (newer.some((other) => same(other, each))) return false;
        const standing = newer.filter((one) => !newer.some((two) => isNewer(two, one) && same(two, one)));
        return standing.length < (policy[key as keyof RetentionPolicy] ?? 0);
      });
    }
    return new Set(snapshots.filter(stays).map(({ id }) => id));
  }

  const mostlyUnset = (most: number) => fc.option(fc.integer({ min: 0, max: most }), { nil: undefined, freq: 1 });
  const policies = fc
    .record({
      keepLast: mostlyUnset(4),
      keepHourly: mostlyUnset(5),
      keepDaily: mostlyUnset(5),
      keepWeekly: mostlyUnset(4),
      keepMonthly: mostlyUnset(4),
      keepYearly: mostlyUnset(3),
      minAgeDays: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined, freq: 1 }),
      maxAgeDays: fc.option(fc.integer({ min: 1, max: 500 }), { nil: undefined, freq: 1 }),
    })
    .map((policy) => Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined)))
    .map((policy) => policy as RetentionPolicy);
  /** Bursts, regular rhythms and long silences; some at the very same moment, some in the double hour of autumn. */
  const steps = fc.oneof(
    fc.constantFrom(0, 30 * 60_000, hourMs, 6 * hourMs, dayMs, 7 * dayMs),
    fc.integer({ min: 0, max: 3 * hourMs }),
    fc.integer({ min: 0, max: 40 * dayMs }),
  );
  const histories = fc
    .array(
      fc.record({
        step: steps,
        partial: fc.boolean(),
        pinned: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
        beingRestored: fc.integer({ min: 0, max: 19 }).map((n) => n === 0),
        damagedAt: fc.option(
          fc.integer({ min: 0, max: 60 * dayMs }).map((ago) => new Date(now.getTime() - ago)),
          { nil: null, freq: 3 },
        ),
      }),
      { maxLength: 24, size: "max" },
    )
    .map((made) => {
      let time = now.getTime();
      return made.map(({ step, ...rest }, n): Candidate => {
        time -= step;
        return { id: `snp_${String((n * 7919) % 1009).padStart(4, "0")}`, createdAt: new Date(time), ...rest };
      });
    });

  it("are kept as a naive second opinion keeps them, whole and the newest good one always among them", () => {
    let looked = 0;
    fc.assert(
      fc.property(histories, policies, fc.constantFrom(...timezones), (snapshots, policy, timezone) => {
        const reasons = keepReasons(snapshots, policy, timezone, now);
        looked += reasons.size;
        assert.equal(reasons.size, snapshots.length);
        const stays = new Set([...reasons].flatMap(([id, why]) => (why.length > 0 ? [id] : [])));
        assert.deepEqual([...stays].sort(), [...naive(snapshots, policy, timezone)].sort());
        const good = snapshots.filter(({ damagedAt }) => damagedAt === null);
        if (good.length > 0) assert.ok(good.some(({ id }) => stays.has(id)));
        if (snapshots.length > 0) assert.ok(stays.size > 0);
      }),
      { numRuns: 10_000 },
    );
    assert.ok(looked > 50_000);
  });
});
