// Runs that are spread, kept within a window, or left out where they were missed.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { runDueSchedules } from "../../domain/due-schedules.ts";
import { deferLateRuns } from "../../domain/waiting-backups.ts";
import { type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

const shown = `id cron intervalMinutes timezone window { from to } jitterMinutes missedRuns
  skippedRuns lastSkipReason nextRunAt plannedRuns(first: 3) { dueAt notBefore }`;
const verb = (name: string, type: string) => `mutation ($input: ${type}Input!) {
  ${name}(input: $input) { ... on ${type}Payload { schedule { ${shown} } } ... on Failure { code message } }
}`;
const [minuteMs, hourMs] = [60_000, 3_600_000];

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
    await emptyQueue(hub.db);
    await hub.db.schedule.updateMany({ data: { status: "DISABLED" } });
  });

  const create = async (input: object) =>
    (await acme.ask(verb("createSchedule", "CreateSchedule"), { input: { sourceId, ...input } })).data.createSchedule;
  const update = async (input: object) =>
    (await acme.ask(verb("updateSchedule", "UpdateSchedule"), { input })).data.updateSchedule;
  const ask = async (id: string) =>
    (await acme.ask(`query ($id: ID!) { schedule(id: $id) { ${shown} } }`, { id })).data.schedule;
  const makeDue = (id: string, nextRunAt: Date) => hub.db.schedule.update({ where: { id }, data: { nextRunAt } });
  const jobOf = (scheduleId: string) => hub.db.job.findFirstOrThrow({ where: { scheduleId }, orderBy: { id: "desc" } });

  /** `22:00` in so many hours, by the clock of UTC. */
  const inHours = (hours: number) => new Date(Date.now() + hours * hourMs).toISOString().slice(11, 16);
  const open = () => ({ from: inHours(-1), to: inHours(3) });
  const closed = () => ({ from: inHours(3), to: inHours(5) });

  it("is made with a window and a spread, and shows when its runs are due and may begin", async () => {
    const input = { cron: "0 * * * *", timezone: "Europe/Berlin", missedRuns: "SKIP", jitterMinutes: 30 };
    const { schedule } = await create({ ...input, window: { from: "22:00", to: "06:00" } });
    const { id, cron, timezone, window, jitterMinutes, missedRuns, plannedRuns, nextRunAt } = schedule;
    assert.deepEqual({ cron, timezone, jitterMinutes, missedRuns }, input);
    assert.deepEqual(window, { from: "22:00", to: "06:00" });
    assert.equal(plannedRuns[0].dueAt, nextRunAt);
    for (const { dueAt, notBefore } of plannedRuns) {
      const hour = Number(
        new Intl.DateTimeFormat("en-GB", { timeZone: timezone, hour: "numeric" }).format(Date.parse(dueAt)),
      );
      assert.ok(hour >= 22 || hour < 6, dueAt);
      const spreadMs = Date.parse(notBefore) - Date.parse(dueAt);
      assert.ok(spreadMs >= 0 && spreadMs <= 30 * minuteMs);
    }
    const preview = `query ($input: TimetableInput!) {
      previewSchedule(input: $input, first: 3) { ... on SchedulePreview { runs } ... on Failure { message } }
    }`;
    const { data } = await acme.ask(preview, { input: { cron, timezone, window } });
    assert.deepEqual(
      data.previewSchedule.runs,
      plannedRuns.map((run: { dueAt: string }) => run.dueAt),
    );
    assert.deepEqual((await ask(id)).plannedRuns, plannedRuns);
  });

  it("keeps what is left out of a change, and loses its window by the same time twice", async () => {
    const { id } = (await create({ intervalMinutes: 60, jitterMinutes: 5, window: { from: "22:00", to: "06:00" } }))
      .schedule;
    const kept = (await update({ scheduleId: id, missedRuns: "SKIP" })).schedule;
    assert.deepEqual([kept.window, kept.jitterMinutes, kept.missedRuns], [{ from: "22:00", to: "06:00" }, 5, "SKIP"]);
    const { schedule } = await update({ scheduleId: id, window: { from: "00:00", to: "00:00" }, jitterMinutes: 0 });
    assert.deepEqual([schedule.window, schedule.jitterMinutes], [null, 0]);
    const [, second] = await hub.db.auditEvent.findMany({ where: { verb: "updateSchedule", objectId: id } });
    assert.deepEqual(second?.before, {
      ...{ cron: null, intervalMinutes: 60, timezone: "UTC", jitterMinutes: 5, missedRuns: "SKIP", retention: {} },
      window: { from: "22:00", to: "06:00" },
    });
  });

  for (const [what, input] of [
    ["a spread as long as its interval", { intervalMinutes: 60, jitterMinutes: 60 }],
    ["a window that none of its runs lies in", { cron: "0 12 * * *", window: { from: "22:00", to: "06:00" } }],
    ["a window with a time that is none", { intervalMinutes: 60, window: { from: "22:00", to: "6" } }],
  ] as const)
    it(`is refused with ${what}`, async () => {
      const { code, message } = await create(input);
      assert.equal(code, "BAD_INPUT");
      assert.match(message, /^\S.*\.$/);
    });

  it("lets a spread run wait for its share, which a person may cut short", async () => {
    const { id } = (await create({ intervalMinutes: 1440, jitterMinutes: 1439 })).schedule;
    const slotAt = new Date(Date.now() - 1000);
    await makeDue(id, slotAt);
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    const job = await jobOf(id);
    assert.deepEqual([job.slotAt, job.windowEndsAt], [slotAt, null]);
    assert.ok(
      job.notBefore.getTime() >= slotAt.getTime() && job.notBefore.getTime() <= slotAt.getTime() + 1439 * minuteMs,
    );
    await hub.db.job.update({ where: { id: job.id }, data: { notBefore: new Date(Date.now() + hourMs) } });
    assert.equal(await worker.claim("BACKUP"), null);
    assert.equal(await startJob(acme.ask, "startBackup", sourceId), job.id);
    assert.equal((await worker.take("BACKUP")).jobId, job.id);
    await assert.rejects(startJob(acme.ask, "startBackup", sourceId), /already/);
  });

  it("has a run that could not begin in its window wait for the next one", async () => {
    const { id } = (await create({ intervalMinutes: 1, window: open() })).schedule;
    await makeDue(id, new Date(Date.now() - 1000));
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    const job = await jobOf(id);
    assert.ok(job.windowEndsAt && job.windowEndsAt.getTime() > Date.now() + 2 * hourMs);
    assert.equal(await deferLateRuns(hub.running.hub), 0);

    // The window closes before anybody has begun.
    const { from, to } = closed();
    await hub.db.schedule.update({ where: { id }, data: { windowFrom: from, windowTo: to } });
    await hub.db.job.update({ where: { id: job.id }, data: { windowEndsAt: new Date(Date.now() - 1000) } });
    assert.equal(await worker.claim("BACKUP"), null);
    const [one, other] = await Promise.all([deferLateRuns(hub.running.hub), deferLateRuns(hub.running.hub)]);
    assert.equal(one + other, 1);
    const deferred = await jobOf(id);
    assert.equal(deferred.notBefore.toISOString().slice(11, 16), from);
    assert.equal(deferred.windowEndsAt?.toISOString().slice(11, 16), to);
    assert.equal(await worker.claim("BACKUP"), null);
    assert.equal(await startJob(acme.ask, "startBackup", sourceId), job.id);
    assert.equal((await worker.take("BACKUP")).jobId, job.id);
  });

  it("catches up in its window what was missed outside it", async () => {
    const window = closed();
    const { id } = (await create({ intervalMinutes: 60, window })).schedule;
    const slotAt = new Date(Date.now() - 20 * hourMs);
    await makeDue(id, slotAt);
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    const job = await jobOf(id);
    assert.deepEqual(job.slotAt, slotAt);
    assert.equal(job.notBefore.toISOString().slice(11, 16), window.from);
  });

  it("that skips missed runs makes nothing of them, and counts them", async () => {
    const { id } = (await create({ intervalMinutes: 60, missedRuns: "SKIP" })).schedule;
    const hour = Math.floor(Date.now() / hourMs) * hourMs;
    await makeDue(id, new Date(hour - 2 * hourMs));
    assert.equal(await runDueSchedules(hub.running.hub), 0);
    const { skippedRuns, lastSkipReason, nextRunAt } = await ask(id);
    assert.ok(skippedRuns === 3 || skippedRuns === 4);
    assert.equal(lastSkipReason, "MISSED");
    assert.ok(Date.parse(nextRunAt) > hour);
    await makeDue(id, new Date(Date.now() - minuteMs));
    assert.equal(await runDueSchedules(hub.running.hub), 1);
  });

  it("that cannot be run keeps no other one waiting", async () => {
    const { id: broken } = (await create({ intervalMinutes: 60 })).schedule;
    await hub.db.schedule.update({ where: { id: broken }, data: { timezone: "Mars/Phobos" } });
    const { id } = (await create({ intervalMinutes: 60 })).schedule;
    await makeDue(broken, new Date(Date.now() - 2 * minuteMs));
    await makeDue(id, new Date(Date.now() - minuteMs));
    await assert.rejects(runDueSchedules(hub.running.hub), { message: "1 of 2 due schedules failed" });
    assert.equal((await jobOf(id)).status, "QUEUED");
  });
});
