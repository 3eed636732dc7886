// The end of a source, and its rests: what goes with it, what stays, and what a dashboard shows of it.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runDueSchedules } from "../../domain/due-schedules.ts";
import {
  backUp,
  leaseOf,
  madeSnapshot,
  type PlayedWorker,
  playWorker,
  testedSource,
} from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { stagePerson } from "./people.ts";

const change = (verb: string) => `mutation ($id: ID!) {
  ${verb}(input: { sourceId: $id }) {
    ... on ${verb.charAt(0).toUpperCase()}${verb.slice(1)}Payload { source { id status deletedAt } } ... on Failure { code }
  }
}`;
const remove = `mutation ($input: DeleteSourceInput!) {
  deleteSource(input: $input) {
    ... on DeleteSourcePayload { source { id name deletedAt credential { id } } }
    ... on Failure { code message } ... on SourceHasSnapshotsError { count } ... on BackupAlreadyRunningError { jobId }
  }
}`;

describe("a source", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());

  const set = async (verb: string, id = sourceId) => (await acme.ask(change(verb), { id })).data[verb];
  const end = async (input: object) => (await acme.ask(remove, { input })).data.deleteSource;
  const audited = (verb: string, objectId: string) =>
    hub.running.hub.db.auditEvent.findMany({ where: { verb, objectId }, orderBy: { id: "asc" } });
  const startBackup = `mutation ($id: ID!) { startBackup(input: { sourceId: $id }) { __typename ... on Failure { code } } }`;

  it("that is disabled is backed up no more, until it is enabled again", async () => {
    assert.equal((await set("disableSource")).source.status, "DISABLED");
    assert.equal((await acme.ask(startBackup, { id: sourceId })).data.startBackup.code, "SOURCE_DISABLED");
    assert.equal((await set("enableSource")).source.status, "ACTIVE");
    assert.equal((await acme.ask(startBackup, { id: sourceId })).data.startBackup.__typename, "StartBackupPayload");
    await emptyQueue(hub.running.hub.db);
  });

  it("that is disabled twice was disabled once, by the audit log as well", async () => {
    const id = await testedSource(acme, worker);
    await set("disableSource", id);
    assert.equal((await set("disableSource", id)).source.status, "DISABLED");
    assert.deepEqual(
      (await audited("disableSource", id)).map(({ before, after }) => [before, after]),
      [[{ status: "ACTIVE" }, { status: "DISABLED" }]],
    );
  });

  it("is not given up while a backup is under way, nor with its snapshots unasked", async () => {
    const id = await testedSource(acme, worker);
    const jobId = await startJob(acme.ask, "startBackup", id);
    assert.deepEqual([(await end({ sourceId: id, deleteSnapshots: true })).jobId], [jobId]);
    const job = await worker.take("BACKUP");
    await worker.api.completeJob({ ...leaseOf(job), snapshot: madeSnapshot(job) });
    const refusal = await end({ sourceId: id });
    assert.deepEqual([refusal.code, refusal.count], ["SOURCE_HAS_SNAPSHOTS", 1]);
    assert.match(refusal.message, /1 snapshot\./);
    assert.equal((await hub.running.hub.db.source.findUniqueOrThrow({ where: { id } })).deletedAt, null);
    assert.deepEqual(await audited("deleteSource", id), []);
  });

  it("is given up with its schedules and snapshots, and stays behind them", async () => {
    const { db } = hub.running.hub;
    const id = await testedSource(acme, worker);
    const snapshotId = await backUp(acme, worker, id);
    const { data } = await acme.ask(
      `mutation ($id: ID!) { createSchedule(input: { sourceId: $id, cron: "@daily" }) { ... on CreateSchedulePayload { schedule { id } } } }`,
      { id },
    );
    const scheduleId = data.createSchedule.schedule.id;
    await db.schedule.update({ where: { id: scheduleId }, data: { nextRunAt: new Date("2026-01-01T00:00:00Z") } });
    await runDueSchedules(hub.running.hub);
    await emptyQueue(db);
    const { source } = await end({ sourceId: id, deleteSnapshots: true });
    assert.ok(source.deletedAt);
    assert.equal(source.credential, null, "its credential is free");
    assert.equal(await db.schedule.count({ where: { sourceId: id } }), 0);
    const jobs = await db.job.findMany({ where: { sourceId: id, type: "BACKUP" } });
    assert.deepEqual([jobs.length, jobs.every((job) => job.scheduleId === null)], [2, true], "its jobs stay");
    const deletion = await db.job.findFirstOrThrow({
      where: { targetSnapshotId: snapshotId, type: "DELETE_SNAPSHOT" },
    });
    assert.equal(deletion.status, "QUEUED");
    const [event] = await audited("deleteSource", id);
    const before = (event?.before ?? {}) as Record<string, unknown>;
    assert.deepEqual([before.schedules, before.status, before.name], [[scheduleId], "ACTIVE", "staged"]);
    assert.deepEqual((event?.after as { snapshots: string[] } | null)?.snapshots, [snapshotId]);
    assert.equal((await audited("deleteSnapshot", snapshotId)).length, 1);

    const seen = await acme.ask(
      `query ($id: ID!, $tenant: ID!, $job: ID!) {
        source(id: $id) { id } node(id: $id) { id } nodes(ids: [$id]) { id }
        tenant(id: $tenant) { sources(first: 100) { nodes { id } } }
        job(id: $job) { source { id deletedAt } }
      }`,
      { id, tenant: acme.tenantId, job: jobs[0]?.id },
    );
    assert.deepEqual([seen.data.source, seen.data.node, seen.data.nodes], [null, null, [null]]);
    assert.ok(seen.data.tenant.sources.nodes.every((each: { id: string }) => each.id !== id));
    assert.deepEqual(seen.data.job.source, { id, deletedAt: source.deletedAt });
  });

  it("that was given up takes no verb any more, and no place in the plan", async () => {
    const { db } = hub.running.hub;
    const id = await testedSource(acme, worker);
    const count = await db.source.count({ where: { tenantId: acme.tenantId, deletedAt: null } });
    await db.tenant.update({ where: { id: acme.tenantId }, data: { maxSources: count } });
    assert.ok((await end({ sourceId: id })).source);
    for (const verb of ["disableSource", "enableSource"]) assert.equal((await set(verb, id)).code, "NOT_FOUND");
    assert.equal((await end({ sourceId: id })).code, "NOT_FOUND");
    assert.equal((await acme.ask(startBackup, { id })).data.startBackup.code, "NOT_FOUND");
    await testedSource(acme, worker);
    await db.tenant.update({ where: { id: acme.tenantId }, data: { maxSources: null } });
  });

  it("is either backed up or given up, however both are asked for at once", async () => {
    const { db } = hub.running.hub;
    for (let round = 0; round < 8; round++) {
      const id = await testedSource(acme, worker);
      const [ended, started] = await Promise.all([end({ sourceId: id }), acme.ask(startBackup, { id })]);
      const isEnded = Boolean(ended.source);
      const isStarted = started.data.startBackup.__typename === "StartBackupPayload";
      assert.notEqual(isEnded, isStarted, JSON.stringify([ended, started.data]));
      assert.equal(await db.job.count({ where: { sourceId: id, type: "BACKUP" } }), isStarted ? 1 : 0);
    }
    await emptyQueue(db);
  });

  it("with a pinned snapshot is not given up at all", async () => {
    const { db } = hub.running.hub;
    const id = await testedSource(acme, worker);
    const [, pinned] = [await backUp(acme, worker, id), await backUp(acme, worker, id)];
    await db.snapshot.update({ where: { id: pinned }, data: { pinned: true } });
    assert.equal((await end({ sourceId: id, deleteSnapshots: true })).code, "SNAPSHOT_IN_USE");
    assert.equal(await db.job.count({ where: { type: "DELETE_SNAPSHOT", targetSnapshot: { sourceId: id } } }), 0);
  });

  it("shows its newest good snapshot, its next run, and what the asking may do", async () => {
    const { db } = hub.running.hub;
    const id = await testedSource(acme, worker);
    const look = `query ($id: ID!) { source(id: $id) { lastSnapshot { id status } nextRunAt viewerCanUpdate viewerCanDelete viewerCanBackUp viewerCanTest } }`;
    const show = async () => (await acme.ask(look, { id })).data.source;
    const all = { viewerCanUpdate: true, viewerCanDelete: true, viewerCanBackUp: true, viewerCanTest: true };
    assert.deepEqual(await show(), { lastSnapshot: null, nextRunAt: null, ...all });
    const [good, corrupt] = [await backUp(acme, worker, id), await backUp(acme, worker, id)];
    await db.snapshot.update({ where: { id: corrupt }, data: { status: "CORRUPT" } });
    for (const nextRunAt of [new Date("2040-01-02T00:00:00Z"), new Date("2040-01-01T00:00:00Z")]) {
      const { data } = await acme.ask(
        `mutation ($id: ID!) { createSchedule(input: { sourceId: $id, cron: "@yearly" }) { ... on CreateSchedulePayload { schedule { id } } } }`,
        { id },
      );
      await db.schedule.update({ where: { id: data.createSchedule.schedule.id }, data: { nextRunAt } });
    }
    const { lastSnapshot, nextRunAt } = await show();
    assert.deepEqual([lastSnapshot, nextRunAt], [{ id: good, status: "COMPLETED" }, "2040-01-01T00:00:00.000Z"]);
    await set("disableSource", id);
    assert.equal((await show()).nextRunAt, null);
    const member = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    const { viewerCanUpdate, viewerCanDelete, viewerCanBackUp } = (await member.ask(look, { id })).data.source;
    assert.deepEqual([viewerCanUpdate, viewerCanDelete, viewerCanBackUp], [false, false, true]);
  });
});
