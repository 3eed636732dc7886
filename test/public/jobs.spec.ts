// Jobs as customers see them: started once, watched, canceled; and every refusal as an answer of its own type.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  backUp,
  hostKey,
  leaseOf,
  madeSnapshot,
  type PlayedWorker,
  playWorker,
  testedSource,
} from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, jobEnd, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { mutation } from "./everything-of.ts";
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

  const retry = async (id: string, ask = acme.ask) =>
    (
      await ask(
        `mutation ($id: ID!) {
          retryJob(input: { jobId: $id }) {
            __typename ... on RetryJobPayload { job { id type status attempt source { id } targetSnapshot { id } dueAt } }
            ... on Failure { code message }
          }
        }`,
        { id },
      )
    ).data.retryJob;
  const can = async (id: string) =>
    Object.values(
      (await acme.ask(`query ($id: ID!) { job(id: $id) { viewerCanCancel viewerCanRetry } }`, { id })).data.job,
    );

  it("that failed is tried again as a new one, and only then", async () => {
    const { id } = (await startBackup()).job;
    assert.equal((await retry(id)).message, "This job is still under way: wait for its end, or cancel it first.");
    assert.deepEqual(await can(id), [true, false]);
    const held = await worker.take("BACKUP");
    assert.equal((await retry(id)).code, "JOB_NOT_RETRYABLE");
    await worker.api.failJob({ ...leaseOf(held), code: "DISK_FULL", message: "The disk of the worker is full." });
    assert.deepEqual(await can(id), [false, true]);
    const { job } = await retry(id);
    assert.notEqual(job.id, id);
    assert.deepEqual([job.type, job.status, job.attempt, job.source.id], ["BACKUP", "QUEUED", 0, sourceId]);
    assert.equal((await retry(id)).__typename, "BackupAlreadyRunningError");
    const { db } = hub.running.hub;
    const [line, ...more] = await db.auditEvent.findMany({ where: { verb: "retryJob", objectId: id } });
    assert.deepEqual([line?.after, more], [{ jobId: job.id }, []]);
    assert.equal(await db.auditEvent.count({ where: { verb: "startBackup", objectId: job.id } }), 0);
    const again = await worker.take("BACKUP");
    await worker.api.completeJob({ ...leaseOf(again), snapshot: madeSnapshot(again) });
    assert.equal((await retry(job.id)).message, "This job is completed: there is nothing to try again.");
  });

  it("that failed is tried again under the same conditions as it was begun under", async () => {
    const { db } = hub.running.hub;
    const { id } = (await startBackup()).job;
    await cancelJob(id);
    await db.source.update({ where: { id: sourceId }, data: { status: "DISABLED" } });
    assert.equal((await retry(id)).code, "SOURCE_DISABLED");
    await db.source.update({ where: { id: sourceId }, data: { status: "ACTIVE", hostKey: null } });
    assert.equal((await retry(id)).code, "SOURCE_NOT_TESTED");
    await db.source.update({ where: { id: sourceId }, data: { hostKey } });
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "SUSPENDED" } });
    assert.equal((await retry(id)).code, "TENANT_SUSPENDED");
    await db.tenant.update({ where: { id: acme.tenantId }, data: { status: "ACTIVE" } });
  });

  it("that tested a source or a draft is tried again with the same settings", async () => {
    const test = await startJob(acme.ask, "testSource", sourceId);
    await cancelJob(test);
    assert.deepEqual((await retry(test)).job.source, { id: sourceId });
    assert.equal((await worker.take("TEST_SOURCE")).source?.sourceId, sourceId);
    const credentialId = await acme.createCredential({ password: "x" });
    const config = { host: "files.example.com", username: "u", path: "/drafted" };
    const { data } = await acme.ask(
      `mutation ($input: TestSourceDraftInput!) { testSourceDraft(input: $input) { ... on TestSourceDraftPayload { job { id } } } }`,
      { input: { tenantId: acme.tenantId, type: "SFTP", config, credentialId } },
    );
    const draft = data.testSourceDraft.job.id;
    await cancelJob(draft);
    const { job } = await retry(draft);
    const held = await worker.take("TEST_SOURCE");
    assert.equal(held.jobId, job.id);
    assert.match(JSON.stringify(held.source?.config), /"\/drafted"/);
    assert.deepEqual(await worker.unseal((await worker.api.claimSecrets(leaseOf(held))).sealed), { password: "x" });
    // Who may not test a draft may not test it again either.
    const member = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    const { errors } = await member.ask(mutation("retryJob"), { input: { jobId: draft } });
    assert.equal(errors?.[0]?.extensions?.code, "FORBIDDEN");
    await hub.running.hub.db.credential.delete({ where: { id: credentialId } });
    assert.equal(
      (await retry(draft)).message,
      "The credential of this test is gone: test the settings with another one.",
    );
  });

  it("that failed to delete a snapshot goes on with it at once; one that was canceled has its grace again", async () => {
    const { db } = hub.running.hub;
    await deleteAtOnce(hub);
    const snapshotId = await backUp(acme, worker, sourceId);
    const failed = await startJob(acme.ask, "deleteSnapshot", snapshotId);
    const held = await worker.take("DELETE_SNAPSHOT");
    await worker.api.failJob({ ...leaseOf(held), code: "DISK_FULL", message: "No." });
    await db.systemSetting.deleteMany({});
    const { job } = await retry(failed);
    assert.deepEqual([job.type, job.targetSnapshot.id], ["DELETE_SNAPSHOT", snapshotId]);
    assert.deepEqual((await retry(failed)).job, job);
    await worker.api.completeJob(leaseOf(await worker.take("DELETE_SNAPSHOT")));
    const kept = await backUp(acme, worker, sourceId);
    const canceled = await startJob(acme.ask, "deleteSnapshot", kept);
    await cancelJob(canceled);
    const again = await retry(canceled);
    assert.ok(Date.parse(again.job.dueAt) > Date.now() + 6 * 86_400_000);
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null);
    const member = await stagePerson(hub, { tenantId: acme.tenantId, role: "MEMBER" });
    for (const verb of ["retryJob", "cancelJob"])
      assert.equal(
        (await member.ask(mutation(verb), { input: { jobId: again.job.id } })).errors?.[0]?.extensions?.code,
        "FORBIDDEN",
        verb,
      );
  });

  it("that prepared a restore is not tried again, in words that say what to do", async () => {
    const snapshotId = await backUp(acme, worker, sourceId);
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) { ... on StartRestorePayload { restore { job { id } } } } }`,
      { id: snapshotId },
    );
    const { id } = data.startRestore.restore.job;
    await cancelJob(id);
    assert.deepEqual(await retry(id), {
      __typename: "JobNotRetryableError",
      code: "JOB_NOT_RETRYABLE",
      message: "Start a new restore instead: the link of this one was shown once and works no more.",
    });
  });

  it("is canceled in whatever state it is, unless it has ended", async () => {
    const { id } = (await startBackup()).job;
    const held = await worker.take("BACKUP");
    await worker.api.enterPhase({ ...leaseOf(held), phase: "FINALIZING" });
    assert.equal((await cancelJob(id)).job.status, "FINALIZING");
    assert.deepEqual(await can(id), [false, false]);
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

  it("says when it is tried again after an attempt that broke off, and only then", async () => {
    const jobId = (await startBackup()).job.id;
    const next = async () =>
      (await acme.ask("query ($id: ID!) { job(id: $id) { dueAt nextAttemptAt } }", { id: jobId })).data.job;
    assert.equal((await next()).nextAttemptAt, null, "before the first attempt");
    const job = await worker.take("BACKUP");
    assert.equal((await next()).nextAttemptAt, null, "while one is under way");
    await worker.api.failJob({ ...leaseOf(job), code: "SOURCE_DISCONNECTED", message: "The connection broke." });
    const { dueAt, nextAttemptAt } = await next();
    assert.equal(nextAttemptAt, dueAt);
    assert.ok(nextAttemptAt);
    await cancelJob(jobId);
    assert.equal((await next()).nextAttemptAt, null, "after its end");
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
