// Jobs as customers see them: started once, watched, canceled; and every refusal as an answer of its own type.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { stagePerson } from "./people.ts";

const start = `mutation ($id: ID!) {
  startBackup(input: { sourceId: $id }) {
    __typename ... on StartBackupPayload { job { id } } ... on Failure { code message } ... on BackupAlreadyRunningError { jobId }
  }
}`;
const cancel = `mutation ($id: ID!) {
  cancelJob(input: { jobId: $id }) {
    __typename ... on CancelJobPayload { job { id status cancelRequestedAt endedAt } } ... on Failure { code message }
  }
}`;

describe("a job", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(() => emptyQueue(hub.running.hub.db));

  const startBackup = async (id = sourceId) => (await acme.ask(start, { id })).data.startBackup;
  const cancelJob = async (id: string) => (await acme.ask(cancel, { id })).data.cancelJob;

  it("that backs a source up is started once, of twenty times at the same moment", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => startBackup()));
    const started = answers.filter(({ __typename }) => __typename === "StartBackupPayload");
    assert.equal(started.length, 1);
    const refusal = {
      __typename: "BackupAlreadyRunningError",
      code: "BACKUP_ALREADY_RUNNING",
      message: "A backup of this source is under way already.",
      jobId: started[0].job.id,
    };
    for (const answer of answers) if (answer !== started[0]) assert.deepEqual(answer, refusal);
    const { db } = hub.running.hub;
    assert.equal(await db.job.count({ where: { sourceId, type: "BACKUP", status: "QUEUED" } }), 1);
    assert.equal(await db.auditEvent.count({ where: { verb: "startBackup", objectId: started[0].job.id } }), 1);
    const [bell] = await db.outbox.findMany({ where: { jobId: started[0].job.id } });
    assert.deepEqual([bell?.leaseEpoch, bell?.targetWorkerId], [0, null]);
  });

  it("that is under way keeps others from being started, until it has ended", async () => {
    const first = (await startBackup()).job.id;
    const job = await worker.take("BACKUP");
    assert.equal((await startBackup()).jobId, first);
    await worker.api.enterPhase({ ...leaseOf(job), phase: "FINALIZING" });
    assert.equal((await startBackup()).jobId, first);
    await worker.api.failJob({ ...leaseOf(job), code: "DISK_FULL", message: "The disk of the worker is full." });
    assert.notEqual((await startBackup()).job.id, first);
  });

  it("is refused in words of its own where it cannot be", async () => {
    const { db } = hub.running.hub;
    const refused = async (id: string, __typename: string, code: string, message: string) =>
      assert.deepEqual(await startBackup(id), { __typename, code, message });
    await refused(
      "src_00000000000000000000000000000000",
      "NotFoundError",
      "NOT_FOUND",
      "There is nothing of yours with this id.",
    );
    const config = { host: "files.example.com", username: "u", path: "/" };
    const untested = await acme.createSftpSource(config, await acme.createCredential({ password: "x" }));
    const testFirst = "Test this source once first, so that its host key is known.";
    await refused(untested, "SourceNotTestedError", "SOURCE_NOT_TESTED", testFirst);
    await db.source.update({ where: { id: sourceId }, data: { status: "DISABLED" } });
    await refused(sourceId, "SourceDisabledError", "SOURCE_DISABLED", "This source is disabled; enable it first.");
    await db.source.update({ where: { id: sourceId }, data: { status: "ACTIVE" } });
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "SUSPENDED" } });
    await refused(sourceId, "TenantSuspendedError", "TENANT_SUSPENDED", "This tenant is suspended.");
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "ACTIVE" } });
  });

  it("that waits is canceled at once, and no worker gets it", async () => {
    const { id } = (await startBackup()).job;
    const { job } = await cancelJob(id);
    assert.deepEqual([job.status, job.cancelRequestedAt], ["CANCELED", job.endedAt]);
    assert.equal(await worker.claim("BACKUP"), null);
    const ended = {
      __typename: "JobEndedError",
      code: "JOB_ENDED",
      message: "This job has ended already: it is canceled.",
    };
    assert.deepEqual(await cancelJob(id), ended);
  });

  it("that a worker is on is asked to stop, once", async () => {
    const { id } = (await startBackup()).job;
    const held = await worker.take("BACKUP");
    const first = await cancelJob(id);
    assert.equal(first.job.status, "RUNNING");
    assert.deepEqual(await cancelJob(id), first);
    const { db } = hub.running.hub;
    assert.equal(await db.auditEvent.count({ where: { verb: "cancelJob", objectId: id } }), 1);
    await worker.api.failJob({ ...leaseOf(held), code: "CANCELED", message: "Stopped." });
    const { status, errorCode, errorMessage } = await jobEnd(acme.ask, id);
    assert.deepEqual([status, errorCode, errorMessage], ["CANCELED", null, null]);
  });

  it("that was given back to the queue can still be canceled", async () => {
    const { id } = (await startBackup()).job;
    await worker.api.releaseJob(leaseOf(await worker.take("BACKUP")));
    assert.equal((await cancelJob(id)).job.status, "CANCELED");
  });

  it("has one end, whoever comes first: the cancellation or the completion", async () => {
    for (let round = 0; round < 5; round++) {
      const id = await startJob(acme.ask, "testSource", sourceId);
      const held = await worker.take("TEST_SOURCE");
      const [answer] = await Promise.all([cancelJob(id), worker.api.completeJob(leaseOf(held))]);
      assert.ok(["CancelJobPayload", "JobEndedError"].includes(answer.__typename));
      const { db } = hub.running.hub;
      const ends = await db.jobEvent.findMany({ where: { jobId: id, kind: "state" }, orderBy: { seq: "asc" } });
      assert.deepEqual(ends.at(-1)?.facts, { status: "COMPLETED" });
      assert.equal(ends.length, 3);
    }
  });

  it("shows its log line by line, in order, page by page", async () => {
    const { id } = (await startBackup()).job;
    const held = await worker.take("BACKUP");
    for (const phase of ["CONNECTING", "PULLING", "FINALIZING"] as const)
      await worker.api.enterPhase({ ...leaseOf(held), phase });
    const query = `query ($id: ID!, $after: String) {
      job(id: $id) { events(first: 3, after: $after) { totalCount nodes { seq kind facts } pageInfo { endCursor hasNextPage } } }
    }`;
    const first = (await acme.ask(query, { id })).data.job.events;
    assert.deepEqual([first.totalCount, first.pageInfo.hasNextPage], [5, true]);
    const rest = (await acme.ask(query, { id, after: first.pageInfo.endCursor })).data.job.events;
    assert.deepEqual(
      [...first.nodes, ...rest.nodes],
      [
        { seq: 1, kind: "state", facts: { status: "QUEUED" } },
        { seq: 2, kind: "state", facts: { status: "RUNNING", attempt: 1 } },
        { seq: 3, kind: "phase", facts: { phase: "CONNECTING" } },
        { seq: 4, kind: "phase", facts: { phase: "PULLING" } },
        { seq: 5, kind: "state", facts: { status: "FINALIZING" } },
      ],
    );
    assert.equal(rest.pageInfo.hasNextPage, false);
  });

  it("that deletes a snapshot is one, however often it is asked for, and may be asked for again once it failed", async () => {
    await deleteAtOnce(hub);
    const snapshotId = await backUp(acme, worker, sourceId);
    const jobs = await Promise.all(Array.from({ length: 5 }, () => startJob(acme.ask, "deleteSnapshot", snapshotId)));
    assert.equal(new Set(jobs).size, 1);
    const held = await worker.take("DELETE_SNAPSHOT");
    await worker.api.failJob({ ...leaseOf(held), code: "DISK_FULL", message: "No." });
    const again = await startJob(acme.ask, "deleteSnapshot", snapshotId);
    assert.notEqual(again, jobs[0]);
    await worker.api.completeJob(leaseOf(await worker.take("DELETE_SNAPSHOT")));
    assert.equal(await startJob(acme.ask, "deleteSnapshot", snapshotId), again);
  });

  it("that would delete a snapshot that is pinned is refused", async () => {
    const snapshotId = await backUp(acme, worker, sourceId);
    await hub.running.hub.db.snapshot.update({ where: { id: snapshotId }, data: { pinned: true } });
    await assert.rejects(
      startJob(acme.ask, "deleteSnapshot", snapshotId),
      /^Error: This snapshot is pinned; it cannot/,
    );
  });

  it("is canceled in whatever state it is, unless it has ended", async () => {
    const { id } = (await startBackup()).job;
    const held = await worker.take("BACKUP");
    await worker.api.enterPhase({ ...leaseOf(held), phase: "FINALIZING" });
    assert.equal((await cancelJob(id)).job.status, "FINALIZING");
    const asked = await acme.ask(`query ($id: ID!) { job(id: $id) { viewerCanCancel viewerCanRetry } }`, { id });
    assert.deepEqual(asked.data.job, { viewerCanCancel: false, viewerCanRetry: false });
    await worker.api.releaseJob(leaseOf(held));
    assert.equal((await cancelJob(id)).code, "JOB_ENDED");
  });

  it("names its worker, its schedule and what it is about, to everybody who may look", async () => {
    const { id } = (await startBackup()).job;
    const viewer = await stagePerson(hub, { tenantId: acme.tenantId, role: "VIEWER" });
    const look = async () =>
      (
        await viewer.ask(
          `query ($id: ID!) { job(id: $id) {
            workerName priority progress schedule { id } targetSnapshot { id } source { id } viewerCanCancel viewerCanRetry
          } }`,
          { id },
        )
      ).data.job;
    const nothing = {
      schedule: null,
      targetSnapshot: null,
      source: { id: sourceId },
      viewerCanCancel: false,
      viewerCanRetry: false,
    };
    assert.deepEqual(await look(), { workerName: null, priority: 5, progress: null, ...nothing });
    await worker.api.enterPhase({
      ...leaseOf(await worker.take("BACKUP")),
      phase: "PULLING",
      progress: { filesDone: 3 },
    });
    assert.deepEqual(await look(), {
      workerName: "staged BACKUP",
      priority: 5,
      progress: { phase: "PULLING", filesDone: 3 },
      ...nothing,
    });
  });

  it("is listed by type, state, source and time, from either end", async () => {
    const other = await testedSource(acme, worker);
    const snapshotId = await backUp(acme, worker, other);
    await startJob(acme.ask, "deleteSnapshot", snapshotId);
    const waiting = (await startBackup(other)).job.id;
    const { createdAt } = await hub.running.hub.db.job.findUniqueOrThrow({ where: { id: waiting } });
    const time = JSON.stringify(createdAt);
    const listed = async (args: string) => {
      const { data, errors } = await acme.ask(
        `query ($id: ID!, $source: ID!) { tenant(id: $id) { jobs(${args}) { totalCount nodes { type status } } } }`,
        { id: acme.tenantId, source: other },
      );
      assert.equal(errors, undefined, JSON.stringify(errors));
      const { totalCount, nodes } = data.tenant.jobs;
      assert.equal(totalCount, nodes.length);
      return nodes.map(({ type, status }: { type: string; status: string }) => `${type} ${status}`);
    };
    assert.deepEqual(await listed("where: { sourceId: $source }, orderBy: OLDEST_FIRST"), [
      "TEST_SOURCE COMPLETED",
      "BACKUP COMPLETED",
      "BACKUP QUEUED",
    ]);
    assert.deepEqual(await listed("where: { sourceId: $source, types: [BACKUP] }"), [
      "BACKUP QUEUED",
      "BACKUP COMPLETED",
    ]);
    assert.deepEqual(await listed("where: { sourceId: $source, statuses: [QUEUED] }"), ["BACKUP QUEUED"]);
    assert.deepEqual(await listed(`where: { sourceId: $source, createdAfter: ${time} }`), ["BACKUP QUEUED"]);
    assert.deepEqual(await listed(`where: { sourceId: $source, createdBefore: ${time}, types: [BACKUP] }`), [
      "BACKUP COMPLETED",
    ]);
  });
});
