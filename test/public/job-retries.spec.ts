// Jobs that are tried again: by whom they were begun and by themselves, and what is not.
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
import { deleteAtOnce, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
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

describe("a job that ended badly", () => {
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
});
