// What is promised of schedules: a slot makes one job, whichever hubs live and die meanwhile (F31), and a source has one backup at a time (F32).
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { runDueSchedules } from "../../domain/due-schedules.ts";
import { BackupAlreadyRunningError } from "../../domain/errors.ts";
import type { Hub } from "../../domain/hub.ts";
import { startBackup } from "../../domain/jobs.ts";
import { connectDatabase, type Database } from "../../prisma/connect.ts";
import { leaseOf, madeSnapshot, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type HubProcess, type StagedEarth, stageEarth, stageHubProcess } from "./kit/hub-process.ts";

const hourMs = 3_600_000;

async function createSchedule(tenant: StagedTenant, input: object): Promise<string> {
  const { data } = await tenant.ask(
    `mutation ($input: CreateScheduleInput!) {
      createSchedule(input: $input) { ... on CreateSchedulePayload { schedule { id } } ... on Failure { message } }
    }`,
    { input },
  );
  if (!data.createSchedule.schedule) throw new Error(data.createSchedule.message);
  return data.createSchedule.schedule.id;
}

describe("two hubs with one database (F31)", () => {
  const stack = new AsyncDisposableStack();
  const env = { HUB_SWEEP_SECONDS: "0.1" };
  let earth: StagedEarth;
  let hubs: HubProcess[];
  let scheduleIds: string[];
  const timetables = [
    { intervalMinutes: 60 },
    { cron: "0 * * * *", timezone: "Europe/Berlin" },
    { cron: "@hourly", timezone: "Asia/Tokyo" },
    { intervalMinutes: 60, timezone: "America/New_York" },
  ];

  before(async () => {
    earth = stack.use(await stageEarth());
    hubs = await Promise.all([1, 2].map(async () => stack.use(await stageHubProcess(earth, { env }))));
    const [hub] = hubs;
    assert.ok(hub);
    const tenant = await stageTenant(hub);
    const worker = await playWorker(hub);
    scheduleIds = [];
    for (const timetable of timetables) {
      const sourceId = await testedSource(tenant, worker);
      scheduleIds.push(await createSchedule(tenant, { sourceId, ...timetable }));
    }
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(earth.db);
    await earth.db.$executeRaw`UPDATE jobs SET schedule_id = NULL, slot_at = NULL`;
    await earth.db.schedule.updateMany({ data: { skippedSlots: 0, lastSkippedAt: null, lastSkipReason: null } });
  });

  const schedules = () => earth.db.schedule.findMany({ orderBy: { id: "asc" } });
  const jobs = () => earth.db.job.findMany({ where: { scheduleId: { not: null } }, orderBy: { id: "asc" } });
  const makeDue = (slotAt: Date) => earth.db.schedule.updateMany({ data: { nextRunAt: slotAt } });

  /** By the clock of the database. */
  async function clock(): Promise<Date> {
    const [row] = await earth.db.$queryRaw<{ now: Date }[]>`SELECT now() AS now`;
    assert.ok(row);
    return row.now;
  }

  async function untilNothingIsDue(): Promise<void> {
    const deadline = performance.now() + 30_000;
    while ((await earth.db.schedule.count({ where: { nextRunAt: { lte: await clock() } } })) > 0) {
      assert.ok(performance.now() < deadline, "slots are still due after 30 s");
      await pause(20);
    }
  }

  it("make one job of every slot, round after round", async () => {
    const begin = (await clock()).getTime() - 600_000;
    const slots = Array.from({ length: 10 }, (_, round) => new Date(begin + round * 1000));
    for (const slotAt of slots) {
      await makeDue(slotAt);
      await untilNothingIsDue();
      await emptyQueue(earth.db);
    }
    const expected = scheduleIds.flatMap((id) => slots.map((slotAt) => `${id} ${slotAt.toISOString()}`));
    const made = (await jobs()).map(({ scheduleId, slotAt }) => `${scheduleId} ${slotAt?.toISOString()}`);
    assert.deepEqual(made.toSorted(), expected.toSorted());
    assert.deepEqual(
      hubs.map(({ lines }) => lines.filter((line) => line.includes("upkeep failed"))),
      [[], []],
    );
  });

  it("that were both down over five slots, and die again while they catch up, do so with one job, and count the others", async () => {
    await Promise.all(hubs.map((hub) => hub.end("SIGKILL")));
    const first = new Date(Math.floor((await clock()).getTime() / hourMs) * hourMs - 4 * hourMs);
    await makeDue(first);
    // The one dies before it has made its first job for good, the other right after it.
    for (const [index, at] of (["hub.before-commit", "hub.committed"] as const).entries()) {
      const hub = hubs[index];
      // The first transaction of a start is about the KEK.
      await hub?.start({ env, fault: { at, action: "kill", nth: 2 } }).catch(() => undefined);
      await hub?.ended();
      assert.equal(hub?.child.signalCode, "SIGKILL");
      assert.equal((await jobs()).length, index);
    }
    await Promise.all(hubs.map((hub) => hub.start({ env })));
    await untilNothingIsDue();
    assert.deepEqual(
      (await jobs()).map(({ scheduleId, slotAt, status }) => [scheduleId, slotAt, status]).toSorted(),
      scheduleIds.map((id) => [id, first, "QUEUED"]).toSorted(),
    );
    for (const { skippedSlots, lastSkipReason, lastSlotAt } of await schedules()) {
      // A sixth slot came where the test went on over the full hour.
      assert.ok(skippedSlots === 4 || skippedSlots === 5, `${skippedSlots} slots were skipped`);
      assert.deepEqual([lastSkipReason, lastSlotAt], ["MISSED", first]);
    }
  });
});

describe("a source (F32)", () => {
  const stack = new AsyncDisposableStack();
  const system = { kind: "system" } as const;
  let hub: StagedHub;
  let db: Database;
  let contexts: Hub[];
  let tenant: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;
  let scheduleIds: string[];

  before(async () => {
    // Nothing is upkept here but by the tests themselves.
    hub = stack.use(await stageHub({ sweepSeconds: 3600 }));
    ({ db } = hub);
    const other = connectDatabase(hub.databaseUrl, { onConnectionLost: () => {} });
    stack.defer(() => other.$disconnect());
    contexts = [hub.running.hub, { ...hub.running.hub, db: other, platform: other }];
    tenant = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(tenant, worker);
    scheduleIds = [
      // Slots so far apart that none of their own comes while this runs.
      await createSchedule(tenant, { sourceId, intervalMinutes: 527_040 }),
      await createSchedule(tenant, { sourceId, cron: "0 0 1 1 *" }),
    ];
  });
  after(() => stack.disposeAsync());

  const makeDue = (ids: string[], slotAt: Date) =>
    db.schedule.updateMany({ where: { id: { in: ids } }, data: { nextRunAt: slotAt } });
  const shown = async (id: string) =>
    (
      await tenant.ask(
        `query ($id: ID!) { schedule(id: $id) { skippedRuns lastSkipReason lastSkippedAt lastRunAt nextRunAt } }`,
        { id },
      )
    ).data.schedule;

  it("whose last backup still works is not backed up by the next slot, which is skipped, counted and shown", async () => {
    const [id = ""] = scheduleIds;
    const soon = (minutes: number) => new Date(Date.now() - minutes * 60_000);
    await makeDue([id], soon(3));
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    const slow = await worker.take("BACKUP");
    assert.deepEqual([(await shown(id)).skippedRuns, (await shown(id)).lastSkippedAt], [0, null]);
    for (const [round, slotAt] of [soon(2), soon(1)].entries()) {
      await makeDue([id], slotAt);
      assert.equal(await runDueSchedules(hub.running.hub), 0);
      const { skippedRuns, lastSkipReason, lastSkippedAt, lastRunAt, nextRunAt } = await shown(id);
      assert.deepEqual([skippedRuns, lastSkipReason, lastRunAt], [round + 1, "BACKUP_UNDER_WAY", slotAt.toISOString()]);
      assert.ok(Date.parse(lastSkippedAt) > slotAt.getTime() && Date.parse(nextRunAt) > slotAt.getTime());
    }
    assert.equal(await db.job.count({ where: { type: "BACKUP", sourceId } }), 1);
    await worker.api.completeJob({ ...leaseOf(slow), snapshot: madeSnapshot(slow) });
    await makeDue([id], soon(0));
    assert.equal(await runDueSchedules(hub.running.hub), 1);
    assert.equal((await shown(id)).skippedRuns, 2);
  });

  it("has one backup at a time in 50 races of two hubs, two schedules and a person", async () => {
    await db.schedule.updateMany({ data: { skippedSlots: 0 } });
    const begin = Date.now() - 600_000;
    const won = { slot: 0, person: 0 };
    for (let race = 0; race < 50; race++) {
      await emptyQueue(db);
      const slotAt = new Date(begin + race * 1000);
      await makeDue(scheduleIds, slotAt);
      const jobsBefore = await db.job.count({ where: { type: "BACKUP", sourceId } });
      const person = async () => {
        await pause(race % 10);
        const refusal = await startBackup(hub.running.hub, system, { sourceId }).catch((error) => error);
        if (refusal instanceof BackupAlreadyRunningError) return 0;
        if (refusal instanceof Error) throw refusal;
        return 1;
      };
      const [started, ...made] = await Promise.all([person(), ...contexts.map((context) => runDueSchedules(context))]);
      // Whoever found a row locked leaves it to the next round.
      const late = await runDueSchedules(hub.running.hub);
      const bySlots = made.reduce((sum, count) => sum + count, late);
      assert.equal(started + bySlots, 1, `race ${race}: ${started} by a person, ${bySlots} by slots`);
      assert.equal((await db.job.count({ where: { type: "BACKUP", sourceId } })) - jobsBefore, 1);
      won.slot += bySlots;
      won.person += started;
    }
    const counted = await db.schedule.findMany({ where: { id: { in: scheduleIds } } });
    const skipped = counted.reduce((sum, { skippedSlots }) => sum + skippedSlots, 0);
    assert.equal(won.slot + skipped, 100, "every slot made a job or was counted");
    assert.ok(won.slot > 0 && won.person > 0, `slots won ${won.slot} races, the person ${won.person}`);
  });
});
