// Schedules changed, paused, ended, and looked at beforehand.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runDueSchedules } from "../../domain/due-schedules.ts";
import { playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { stagePerson } from "./people.ts";

const rules = "keepLast keepHourly keepDaily keepWeekly keepMonthly keepYearly minAgeDays maxAgeDays";
const shown = `id cron intervalMinutes timezone status nextRunAt retention { ${rules} }`;
const verb = (name: string) => {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return `mutation ($input: ${type}Input!) {
    ${name}(input: $input) { ... on ${type}Payload { schedule { ${shown} } } ... on Failure { code message } }
  }`;
};
const none = Object.fromEntries(rules.split(" ").map((rule) => [rule, null]));

describe("a schedule", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, await playWorker(hub));
  });
  after(() => stack.disposeAsync());

  const ask = async (name: string, input: object) => (await acme.ask(verb(name), { input })).data[name];
  const make = async (input: object) => (await ask("createSchedule", { sourceId, ...input })).schedule;
  const audited = async (name: string, objectId: string) =>
    (await hub.running.hub.db.auditEvent.findMany({ where: { verb: name, objectId } })).map(({ before, after }) => ({
      before,
      after,
    }));
  const isSoon = (at: string, withinMs: number) => {
    const waitMs = Date.parse(at) - Date.now();
    return waitMs > -5_000 && waitMs <= withinMs;
  };

  it("takes an expression for an interval and the other way round, and is due by the new one", async () => {
    const { id } = await make({ cron: "0 0 1 1 *", timezone: "Europe/Berlin", retention: { keepLast: 3 } });
    const { schedule } = await ask("updateSchedule", { scheduleId: id, intervalMinutes: 10 });
    assert.deepEqual([schedule.cron, schedule.intervalMinutes, schedule.timezone], [null, 10, "Europe/Berlin"]);
    assert.ok(isSoon(schedule.nextRunAt, 600_000));
    assert.deepEqual(schedule.retention, { ...none, keepLast: 3 });
    const again = (await ask("updateSchedule", { scheduleId: id, cron: "@hourly", timezone: "UTC" })).schedule;
    assert.deepEqual([again.cron, again.intervalMinutes, again.timezone], ["@hourly", null, "UTC"]);
    const timetable = { cron: null, intervalMinutes: 10, timezone: "Europe/Berlin", retention: { keepLast: 3 } };
    assert.deepEqual((await audited("updateSchedule", id))[1], {
      before: timetable,
      after: { ...timetable, cron: "@hourly", intervalMinutes: null, timezone: "UTC" },
    });
  });

  it("keeps its slot where its timetable stays the same", async () => {
    const { db } = hub.running.hub;
    const { id } = await make({ intervalMinutes: 60 });
    const nextRunAt = new Date("2026-01-01T00:00:00Z");
    await db.schedule.update({ where: { id }, data: { nextRunAt } });
    const { schedule } = await ask("updateSchedule", {
      scheduleId: id,
      intervalMinutes: 60,
      retention: { keepDaily: 7 },
    });
    assert.equal(schedule.nextRunAt, nextRunAt.toISOString());
    assert.deepEqual(schedule.retention, { ...none, keepDaily: 7 });
    await db.schedule.delete({ where: { id } });
  });

  for (const [what, input] of [
    ["both an expression and an interval", { cron: "0 3 * * *", intervalMinutes: 5 }],
    ["an expression with seconds", { cron: "0 0 3 * * *" }],
    ["an unknown name for an expression", { cron: "@sometimes" }],
    ["@reboot", { cron: "@reboot" }],
    ["a timezone that is none", { timezone: "Mars/Phobos" }],
    ["a negative count", { retention: { keepLast: -1 } }],
    ["an age of nothing", { retention: { minAgeDays: 0 } }],
    ["a count beyond all bounds", { retention: { keepDaily: 1_000_000 } }],
    ["a least age above the greatest", { retention: { minAgeDays: 8, maxAgeDays: 7 } }],
  ] as const)
    it(`is not changed to ${what}`, async () => {
      const before = await make({ cron: "0 4 * * *" });
      const { code, message } = await ask("updateSchedule", { scheduleId: before.id, ...input });
      assert.equal(code, "BAD_INPUT");
      assert.match(message, /^\S.*\.$/);
      const { data } = await acme.ask(`query ($id: ID!) { schedule(id: $id) { ${shown} } }`, { id: before.id });
      assert.deepEqual(data.schedule, before);
    });

  it("keeps rules that were given, and none that were left out or null", async () => {
    const { id, retention } = await make({
      intervalMinutes: 60,
      retention: { keepLast: 0, keepWeekly: null, maxAgeDays: 365 },
    });
    assert.deepEqual(retention, { ...none, keepLast: 0, maxAgeDays: 365 });
    const stored = await hub.running.hub.db.schedule.findUniqueOrThrow({ where: { id } });
    assert.deepEqual(stored.retention, { keepLast: 0, maxAgeDays: 365 });
  });

  it("that is paused comes due no more; resumed, it goes on from now", async () => {
    const { db } = hub.running.hub;
    const { id } = await make({ intervalMinutes: 60 });
    const paused = (await ask("pauseSchedule", { scheduleId: id })).schedule;
    assert.deepEqual([paused.status, paused.nextRunAt], ["DISABLED", null]);
    assert.equal((await ask("pauseSchedule", { scheduleId: id })).schedule.status, "DISABLED");
    assert.equal((await audited("pauseSchedule", id)).length, 1);
    const { schedule } = await ask("resumeSchedule", { scheduleId: id });
    assert.equal(schedule.status, "ENABLED");
    assert.ok(isSoon(schedule.nextRunAt, 3_600_000));
    await db.schedule.update({ where: { id }, data: { nextRunAt: new Date("2026-01-01T00:00:00Z") } });
    await ask("pauseSchedule", { scheduleId: id });
    await runDueSchedules(hub.running.hub);
    assert.equal(await db.job.count({ where: { scheduleId: id } }), 0);
  });

  it("that ended leaves its jobs", async () => {
    const { db } = hub.running.hub;
    const { id } = await make({ intervalMinutes: 60 });
    await db.schedule.update({ where: { id }, data: { nextRunAt: new Date("2026-01-01T00:00:00Z") } });
    await runDueSchedules(hub.running.hub);
    const job = await db.job.findFirstOrThrow({ where: { scheduleId: id } });
    const end = `mutation ($id: ID!) { deleteSchedule(input: { scheduleId: $id }) { ... on DeleteSchedulePayload { scheduleId } ... on Failure { code } } }`;
    assert.deepEqual((await acme.ask(end, { id })).data.deleteSchedule, { scheduleId: id });
    assert.equal((await acme.ask(end, { id })).data.deleteSchedule.code, "NOT_FOUND");
    const { scheduleId, status, sourceId: of } = await db.job.findUniqueOrThrow({ where: { id: job.id } });
    assert.deepEqual([scheduleId, status, of], [null, "QUEUED", sourceId]);
    const [{ before } = { before: null }] = await audited("deleteSchedule", id);
    assert.deepEqual((before as { intervalMinutes: number }).intervalMinutes, 60);
    await emptyQueue(db);
  });

  it("tells when it is due next, and what a timetable would come to", async () => {
    const { id } = await make({ cron: "30 2 * * *", timezone: "Europe/Berlin" });
    const look = `query ($id: ID!, $first: Int!) { schedule(id: $id) { nextRunAt nextRuns(first: $first) source { id } viewerCanUpdate } }`;
    const { nextRunAt, nextRuns, source, viewerCanUpdate } = (await acme.ask(look, { id, first: 3 })).data.schedule;
    assert.deepEqual([nextRuns.length, nextRuns[0], source.id, viewerCanUpdate], [3, nextRunAt, sourceId, true]);
    const preview = `query ($input: TimetableInput!, $first: Int) {
      previewSchedule(input: $input, first: $first) { ... on SchedulePreview { runs } ... on Failure { code message } }
    }`;
    const input = { cron: "30 2 * * *", timezone: "Europe/Berlin" };
    const { runs } = (await acme.ask(preview, { input, first: 3 })).data.previewSchedule;
    assert.deepEqual(runs, nextRuns);
    assert.equal((await acme.ask(preview, { input })).data.previewSchedule.runs.length, 5);
    for (const refused of [{ input: { cron: "x" } }, { input: {} }, { input, first: 51 }, { input, first: 0 }])
      assert.equal((await acme.ask(preview, refused)).data.previewSchedule.code, "BAD_INPUT");
    for (const first of [0, 51, -1])
      assert.ok(
        (await acme.ask(look, { id, first })).errors?.every(({ extensions }) => extensions?.code !== "INTERNAL"),
      );
    const member = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    assert.equal((await member.ask(look, { id, first: 1 })).data.schedule.viewerCanUpdate, false);
    await ask("pauseSchedule", { scheduleId: id });
    assert.deepEqual((await acme.ask(look, { id, first: 3 })).data.schedule.nextRuns, []);
  });
});
