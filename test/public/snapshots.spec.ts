// What is kept: pinned for a reason, deleted after a grace in which all of it can be taken back, and shown for what it is.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { ApiKeyActor } from "../../domain/actor.ts";
import { hubFor } from "../../domain/hub.ts";
import { newId } from "../../domain/ids.ts";
import { cancelJob, retryJob } from "../../domain/jobs.ts";
import { deleteSnapshot, undeleteSnapshot } from "../../domain/snapshots.ts";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Person, stagePerson } from "./people.ts";

const weekMs = 7 * 86_400_000;

describe("a snapshot", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;
  let snapshotId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    acme = await stageTenant(hub);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    snapshotId = await backUp(acme, worker, sourceId);
  });

  const facts = "id status pinned pinReason deletionDueAt";
  async function change(verb: string, input: object = {}) {
    const name = `${verb.charAt(0).toUpperCase()}${verb.slice(1)}`;
    const shown = verb === "deleteSnapshot" ? "job { id status dueAt type }" : `snapshot { ${facts} }`;
    const { data } = await acme.ask(
      `mutation ($input: ${name}Input!) { ${verb}(input: $input) { ... on ${name}Payload { ${shown} } ... on Failure { code message } } }`,
      { input: { snapshotId, ...input } },
    );
    return data[verb];
  }
  const look = async (fields = facts) =>
    (await acme.ask(`query ($id: ID!) { snapshot(id: $id) { ${fields} } }`, { id: snapshotId })).data.snapshot;
  const job = async (id: string) =>
    (await acme.ask(`query ($id: ID!) { job(id: $id) { status dueAt targetSnapshot { id } } }`, { id })).data.job;
  /** As if the grace were over. */
  const dueNow = () => hub.running.hub.db.$executeRaw`UPDATE jobs SET not_before = now() WHERE status = 'QUEUED'`;
  const audited = (verb: string) =>
    hub.running.hub.db.auditEvent.findMany({ where: { verb, objectId: snapshotId }, orderBy: { id: "asc" } });

  it("is pinned for a reason, which may be replaced, and left to the retention again", async () => {
    assert.equal((await change("pinSnapshot", { reason: "  Audit of 2026 " })).snapshot.pinReason, "Audit of 2026");
    assert.deepEqual((await change("pinSnapshot", { reason: "Law suit" })).snapshot, {
      id: snapshotId,
      status: "COMPLETED",
      pinned: true,
      pinReason: "Law suit",
      deletionDueAt: null,
    });
    assert.deepEqual(
      (await audited("pinSnapshot")).map(({ before: was, after: is }) => [was, is]),
      [
        [null, { reason: "Audit of 2026" }],
        [{ reason: "Audit of 2026" }, { reason: "Law suit" }],
      ],
    );
    assert.equal((await change("deleteSnapshot")).code, "SNAPSHOT_IN_USE");
    for (let n = 0; n < 2; n++) assert.equal((await change("unpinSnapshot")).snapshot.pinned, false);
    assert.equal((await audited("unpinSnapshot")).length, 1);
    for (const reason of ["", "  ", "a\nb", "r".repeat(501)])
      assert.equal((await change("pinSnapshot", { reason })).code, "BAD_INPUT");
  });

  it("whose deletion was asked for stays restorable for a week, and no worker touches it", async () => {
    const { job: made } = await change("deleteSnapshot");
    assert.ok(Math.abs(Date.parse(made.dueAt) - Date.now() - weekMs) < 60_000);
    const shown = await look(
      `${facts} viewerCanRestore viewerCanDelete viewerCanUndelete viewerCanPin keepReasons { code }`,
    );
    assert.deepEqual(shown, {
      id: snapshotId,
      status: "COMPLETED",
      pinned: false,
      pinReason: null,
      deletionDueAt: made.dueAt,
      viewerCanRestore: true,
      viewerCanDelete: false,
      viewerCanUndelete: true,
      viewerCanPin: false,
      keepReasons: [],
    });
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null);
    assert.deepEqual(await worker.api.reconcileStore({ snapshotIds: [snapshotId] }), { remove: [] });
    assert.equal((await change("pinSnapshot", { reason: "Stay" })).code, "SNAPSHOT_DELETED");
    assert.deepEqual((await change("deleteSnapshot")).job, made);
    assert.equal((await audited("deleteSnapshot")).length, 1);
  });

  it("is kept after all while its deletion waits, and no worker ever gets that deletion", async () => {
    const { job: made } = await change("deleteSnapshot");
    assert.equal((await change("undeleteSnapshot")).snapshot.deletionDueAt, null);
    assert.equal((await job(made.id)).status, "CANCELED");
    await change("undeleteSnapshot");
    assert.equal((await audited("undeleteSnapshot")).length, 1);
    await dueNow();
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null);
    assert.equal((await look()).status, "COMPLETED");
    const again = (await change("deleteSnapshot")).job;
    assert.notEqual(again.id, made.id);
  });

  it("is kept after all as well where the job of its deletion is canceled", async () => {
    const { job: made } = await change("deleteSnapshot");
    await acme.ask(`mutation ($id: ID!) { cancelJob(input: { jobId: $id }) { ... on Failure { code } } }`, {
      id: made.id,
    });
    assert.deepEqual(await look("status deletionDueAt viewerCanDelete"), {
      status: "COMPLETED",
      deletionDueAt: null,
      viewerCanDelete: true,
    });
  });

  it("goes for good once its worker begins: nothing takes that back, pins it or restores it", async () => {
    await change("deleteSnapshot");
    await dueNow();
    const held = await worker.take("DELETE_SNAPSHOT");
    assert.equal((await look()).status, "DELETING");
    assert.equal((await change("undeleteSnapshot")).code, "SNAPSHOT_DELETED");
    assert.equal((await change("pinSnapshot", { reason: "Too late" })).code, "SNAPSHOT_DELETED");
    // Given back to the queue, it is as far gone as before.
    await worker.api.releaseJob(leaseOf(held));
    assert.equal((await change("undeleteSnapshot")).code, "SNAPSHOT_DELETED");
    await worker.api.completeJob(leaseOf(await worker.take("DELETE_SNAPSHOT")));
    assert.deepEqual(await look("status viewerCanDelete viewerCanRestore viewerCanUndelete viewerCanPin"), {
      status: "DELETED",
      viewerCanDelete: false,
      viewerCanRestore: false,
      viewerCanUndelete: false,
      viewerCanPin: false,
    });
  });

  it("and its removal have one outcome, whoever comes first: the worker or the customer", async () => {
    for (let round = 0; round < 8; round++) {
      const { job: made } = await change("deleteSnapshot");
      await dueNow();
      const [kept, claimed] = await Promise.all([change("undeleteSnapshot"), worker.claim("DELETE_SNAPSHOT")]);
      const { status } = await look();
      if (claimed) assert.deepEqual([kept.code, status], ["SNAPSHOT_DELETED", "DELETING"]);
      else
        assert.deepEqual(
          [kept.snapshot.deletionDueAt, status, (await job(made.id)).status],
          [null, "COMPLETED", "CANCELED"],
        );
      await emptyQueue(hub.running.hub.db);
      snapshotId = await backUp(acme, worker, sourceId);
    }
  });

  it("has its whole grace, whatever a key of a program asks for", async () => {
    const key: ApiKeyActor = {
      kind: "apiKey",
      apiKeyId: newId("apiKey", new Date()),
      tenantId: acme.tenantId,
      roles: new Map([[acme.tenantId, "OWNER"]]),
      sourceIds: [],
    };
    const asKey = hubFor(hub.running.hub, key);
    const asked = await deleteSnapshot(asKey, key, { snapshotId });
    const least = Date.now() + weekMs - 60_000;
    const dueAt = async () => Date.parse((await look()).deletionDueAt);
    assert.ok((await dueAt()) > least);
    await deleteSnapshot(asKey, key, { snapshotId });
    assert.ok((await dueAt()) > least);
    await cancelJob(asKey, key, { jobId: asked.id });
    const retried = await retryJob(asKey, key, { jobId: asked.id });
    assert.ok(retried.notBefore.getTime() > least);
    assert.equal(await dueAt(), retried.notBefore.getTime());
    await undeleteSnapshot(asKey, key, { snapshotId });
    await deleteSnapshot(asKey, key, { snapshotId });
    assert.ok((await dueAt()) > least);
    assert.equal(await worker.claim("DELETE_SNAPSHOT"), null);
  });

  it("is deleted at once where the platform sets no grace, and what was promised before stays promised", async () => {
    const { db } = hub.running.hub;
    const key = "snapshot_deletion_grace_hours";
    const promised = (await change("deleteSnapshot")).job.dueAt;
    await db.systemSetting.create({ data: { key, value: 0 } });
    assert.equal((await change("deleteSnapshot")).job.dueAt, promised);
    snapshotId = await backUp(acme, worker, sourceId);
    await change("deleteSnapshot");
    assert.equal((await worker.take("DELETE_SNAPSHOT")).snapshot?.snapshotId, snapshotId);
    await db.systemSetting.delete({ where: { key } });
  });

  it("shows who can open it, how safe it is, and what was made of it", async () => {
    const shown =
      await look(`source { id } durability sealedTo keyFingerprint restorableByPlatform keepReasons { code bucket message }
      restores { totalCount } job { id }`);
    assert.deepEqual(shown.source, { id: sourceId });
    assert.deepEqual(shown.sealedTo, [shown.keyFingerprint]);
    assert.deepEqual(
      [shown.durability, shown.restorableByPlatform, shown.restores.totalCount],
      ["SINGLE_COPY", true, 0],
    );
    assert.deepEqual(shown.keepReasons[0], {
      code: "NEWEST_GOOD",
      bucket: null,
      message: "It is the newest snapshot of its source.",
    });
  });

  it("shows each role what it may do with it", async () => {
    const can = "viewerCanRestore viewerCanDelete viewerCanPin viewerCanUnpin";
    const seen: Record<string, boolean[]> = {};
    await change("pinSnapshot", { reason: "For now" });
    const pinned: Record<string, boolean[]> = {};
    const people: [string, Person][] = [];
    for (const role of ["VIEWER", "MEMBER", "ADMIN", "OWNER"] as const)
      people.push([role, await stagePerson(hub, { tenantId: acme.tenantId, role })]);
    const ask = async (person: Person): Promise<boolean[]> =>
      Object.values(
        (await person.ask(`query ($id: ID!) { snapshot(id: $id) { ${can} } }`, { id: snapshotId })).data.snapshot,
      );
    for (const [role, person] of people) pinned[role] = await ask(person);
    await change("unpinSnapshot");
    for (const [role, person] of people) seen[role] = await ask(person);
    assert.deepEqual(pinned, {
      VIEWER: [false, false, false, false],
      MEMBER: [true, false, true, false],
      ADMIN: [true, false, true, true],
      OWNER: [true, false, true, true],
    });
    assert.deepEqual(seen, {
      VIEWER: [false, false, false, false],
      MEMBER: [true, false, true, false],
      ADMIN: [true, true, true, false],
      OWNER: [true, true, true, false],
    });
  });

  it("is listed by state, source, pin, deletion and time, and the largest first", async () => {
    const { db } = hub.running.hub;
    const other = await testedSource(acme, worker);
    const ids = [
      await backUp(acme, worker, other),
      await backUp(acme, worker, other),
      await backUp(acme, worker, other),
    ];
    const [first = "", second = "", third = ""] = ids;
    await db.snapshot.update({ where: { id: second }, data: { storedBytes: 5_000_000_000n, pinned: true } });
    await db.snapshot.update({ where: { id: third }, data: { status: "MISSING" } });
    snapshotId = first;
    await change("deleteSnapshot");
    const listed = async (args: string) => {
      const { data, errors } = await acme.ask(
        `query ($id: ID!, $source: ID!) { tenant(id: $id) { snapshots(${args}) { totalCount nodes { id } } } }`,
        { id: acme.tenantId, source: other },
      );
      assert.equal(errors, undefined, JSON.stringify(errors));
      assert.equal(data.tenant.snapshots.totalCount, data.tenant.snapshots.nodes.length);
      return data.tenant.snapshots.nodes.map(({ id }: { id: string }) => ids.indexOf(id));
    };
    assert.deepEqual(await listed("where: { sourceId: $source }"), [2, 1, 0]);
    assert.deepEqual(await listed("where: { sourceId: $source }, orderBy: OLDEST_FIRST"), [0, 1, 2]);
    assert.equal((await listed("where: { sourceId: $source }, orderBy: LARGEST_FIRST"))[0], 1);
    assert.deepEqual(await listed("where: { sourceId: $source, pinned: true }"), [1]);
    assert.deepEqual(await listed("where: { sourceId: $source, statuses: [MISSING, CORRUPT] }"), [2]);
    assert.deepEqual(await listed("where: { sourceId: $source, deletionDue: true }"), [0]);
    const { createdAt } = await db.snapshot.findUniqueOrThrow({ where: { id: second } });
    const time = JSON.stringify(createdAt);
    assert.deepEqual(await listed(`where: { sourceId: $source, createdAfter: ${time} }`), [2, 1]);
    assert.deepEqual(await listed(`where: { sourceId: $source, createdBefore: ${time} }`), [0]);
  });
});
