// When sources are due: one job a slot, whatever happens to the hub meanwhile.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { runDueSchedules } from "../../domain/due-schedules.ts";
import { type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const create = `mutation ($input: CreateScheduleInput!) {
  createSchedule(input: $input) {
    ... on CreateSchedulePayload { schedule { id cron intervalMinutes timezone status nextRunAt } }
    ... on Failure { code message }
  }
}`;

describe("a schedule", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    // Nothing is upkept here but by the tests themselves.
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    await hub.running.hub.db.schedule.updateMany({ data: { status: "DISABLED" } });
  });

  const make = async (input: object) => (await acme.ask(create, { input: { sourceId, ...input } })).data.createSchedule;
  const find = (id: string) => hub.running.hub.db.schedule.findUniqueOrThrow({ where: { id } });
  const jobsOf = (scheduleId: string) =>
    hub.running.hub.db.job.findMany({ where: { scheduleId }, orderBy: { id: "asc" } });
  const put = (id: string, nextRunAt: string) =>
    hub.running.hub.db.schedule.update({ where: { id }, data: { nextRunAt: new Date(nextRunAt) } });

  it("is made with its next slot", async () => {
    const { schedule } = await make({ cron: " 30 2 * * * ", timezone: "Europe/Berlin" });
    const { id, nextRunAt, ...shown } = schedule;
    const timetable = { cron: "30 2 * * *", intervalMinutes: null, timezone: "Europe/Berlin" };
    assert.deepEqual(shown, { ...timetable, status: "ENABLED" });
    const waitMs = Date.parse(nextRunAt) - Date.now();
    assert.ok(waitMs > -60_000 && waitMs < 25 * 3_600_000);
    assert.match(nextRunAt, /T0[01]:30:00.000Z$/);
    const { data } = await acme.ask(`query ($id: ID!) { schedule(id: $id) { id cron } }`, { id });
    assert.deepEqual(data.schedule, { id, cron: "30 2 * * *" });
  });

  it("is in UTC where no timezone is given", async () => {
    const { schedule } = await make({ intervalMinutes: 90 });
    assert.deepEqual([schedule.timezone, Date.parse(schedule.nextRunAt) % (90 * 60_000)], ["UTC", 0]);
  });

  for (const [what, input] of [
    ["neither a cron expression nor an interval", {}],
    ["both", { cron: "0 3 * * *", intervalMinutes: 5 }],
    ["a cron expression of six fields", { cron: "0 0 3 * * *" }],
    ["an interval of 0", { intervalMinutes: 0 }],
    ["a timezone that is none", { cron: "0 3 * * *", timezone: "Mars/Phobos\0" }],
  ] as const)
    it(`is refused with ${what}`, async () => {
      const { code, message } = await make(input);
      assert.equal(code, "BAD_INPUT");
      assert.match(message, /^\S.*\.$/);
    });

  it("makes one job for a slot that has come, however many hubs look at once", async () => {
    const { id } = (await make({ intervalMinutes: 60 })).schedule;
    assert.equal(await runDueSchedules(hub.running.hub), 0);
    await put(id, "2026-03-01T12:00:00Z");
    const made = await Promise.all(Array.from({ length: 6 }, () => runDueSchedules(hub.running.hub)));
    assert.equal(
      made.reduce((sum, count) => sum + count),
      1,
    );
    const jobs = await jobsOf(id);
    assert.deepEqual(
      jobs.map(({ type, slotAt, status }) => [type, slotAt, status]),
      [["BACKUP", new Date("2026-03-01T12:00:00Z"), "QUEUED"]],
    );
    assert.equal((await worker.take("BACKUP")).jobId, jobs[0]?.id);
  });

  it("catches up slots that were missed once, and goes on from now", async () => {
    const { id } = (await make({ intervalMinutes: 5 })).schedule;
    await put(id, "2026-03-01T12:00:00Z");
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    assert.equal(await runDueSchedules(hub.running.hub), 0);
    const { nextRunAt, lastSlotAt } = await find(id);
    assert.deepEqual(lastSlotAt, new Date("2026-03-01T12:00:00Z"));
    const waitMs = (nextRunAt?.getTime() ?? 0) - Date.now();
    assert.ok(waitMs > -5_000 && waitMs <= 305_000);
  });

  it("passes a slot over while a backup of its source is under way", async () => {
    await startJob(acme.ask, "startBackup", sourceId);
    const { id } = (await make({ intervalMinutes: 60 })).schedule;
    await put(id, "2026-03-01T12:00:00Z");
    assert.equal(await runDueSchedules(hub.running.hub), 0);
    assert.deepEqual(await jobsOf(id), []);
    assert.ok(((await find(id)).nextRunAt?.getTime() ?? 0) > Date.now() - 5_000);
  });

  it("of a source or a tenant that is to rest makes nothing, until it is not", async () => {
    const { db } = hub.running.hub;
    const { id } = (await make({ intervalMinutes: 60 })).schedule;
    await put(id, "2026-03-01T12:00:00Z");
    await db.source.update({ where: { id: sourceId }, data: { status: "DISABLED" } });
    assert.equal(await runDueSchedules(hub.running.hub), 0);
    await db.source.update({ where: { id: sourceId }, data: { status: "ACTIVE" } });
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "SUSPENDED" } });
    assert.equal(await runDueSchedules(hub.running.hub), 0);
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "ACTIVE" } });
    assert.equal(await runDueSchedules(hub.running.hub), 1);
  });
});
