// The retention in deed: shown beforehand, done with the usual grace, and never further than to the newest good snapshot.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { runDueRetention } from "../../domain/retention.ts";
import { backUp, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, type StagedTenant, stageTenant } from "../stage/tenant.ts";
import { type Person, stagePerson } from "./people.ts";

const dayMs = 86_400_000;

describe("the retention", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
    worker = await playWorker(hub);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    acme = await stageTenant(hub);
    sourceId = await testedSource(acme, worker);
  });

  /** Snapshots of the source as of so many days ago, oldest first: copies of a real one, since nobody waits for days. */
  async function history(...daysAgo: number[]): Promise<string[]> {
    const { db } = hub.running.hub;
    const model = await backUp(acme, worker, sourceId);
    const ids: string[] = [];
    for (const days of daysAgo) {
      const id = await backUp(acme, worker, sourceId);
      const { changedIn: _, ...row } = await db.snapshot.findUniqueOrThrow({ where: { id } });
      const spare = await db.job.findUniqueOrThrow({ where: { id: row.jobId } });
      await db.snapshot.delete({ where: { id } });
      const createdAt = new Date(Date.now() - days * dayMs);
      await db.snapshot.create({ data: { ...row, jobId: spare.id, manifest: {}, warnings: [], createdAt } });
      ids.push(id);
    }
    // Only now: else none of the others could be the newest.
    await db.snapshot.delete({ where: { id: model } });
    return ids;
  }
  const schedule = (retention: object, timezone = "UTC") =>
    hub.running.hub.db.schedule.create({
      data: {
        id: `sch_${Date.now().toString(16).padStart(32, "0")}`,
        tenantId: acme.tenantId,
        sourceId,
        intervalMinutes: 60,
        timezone,
        retention,
      },
    });
  async function run(input: object = { sourceId }, person: Pick<Person, "ask"> = acme) {
    const { data, errors } = await person.ask(
      `mutation ($input: RunRetentionInput!) { runRetention(input: $input) {
        ... on RunRetentionPayload { evaluated kept deleted enqueued } ... on Failure { code }
      } }`,
      { input },
    );
    return data?.runRetention ?? errors?.[0]?.extensions;
  }
  async function preview(args = "") {
    const page = "totalCount nodes { snapshot { id } reasons { code } }";
    const { data, errors } = await acme.ask(
      `query ($id: ID!) { previewRetention(sourceId: $id ${args}) { kept { ${page} } going { ${page} } } }`,
      { id: sourceId },
    );
    if (errors) return errors[0]?.message;
    const show = ({
      totalCount,
      nodes,
    }: {
      totalCount: number;
      nodes: { snapshot: { id: string }; reasons: { code: string }[] }[];
    }) => {
      assert.equal(totalCount, nodes.length);
      return Object.fromEntries(
        nodes.map(({ snapshot, reasons }) => [snapshot.id, reasons.map(({ code }) => code).join()]),
      );
    };
    return { kept: show(data.previewRetention.kept), going: show(data.previewRetention.going) };
  }
  const dueForDeletion = async () =>
    (
      await hub.running.hub.db.snapshot.findMany({
        where: { sourceId, deletionDueAt: { not: null } },
        orderBy: { id: "asc" },
      })
    ).map(({ id }) => id);

  it("does what its preview says, with the grace that a person would have, and the same twice is nothing more", async () => {
    const [old = "", older = "", yesterday = "", today = ""] = await history(40, 20, 1.5, 0.1);
    await schedule({ keepLast: 2, keepMonthly: 1 });
    const foreseen = await preview();
    assert.deepEqual(foreseen, {
      kept: { [yesterday]: "LAST", [today]: "NEWEST_GOOD,LAST,MONTHLY" },
      going: { [old]: "", [older]: "" },
    });
    assert.deepEqual(await run(), { evaluated: 4, kept: 2, deleted: 2, enqueued: 2 });
    assert.deepEqual(await dueForDeletion(), [old, older]);
    const { db } = hub.running.hub;
    const jobs = await db.job.findMany({ where: { type: "DELETE_SNAPSHOT", targetSnapshotId: { in: [old, older] } } });
    assert.equal(jobs.length, 2);
    for (const { notBefore } of jobs) assert.ok(notBefore.getTime() > Date.now() + 6 * dayMs);
    assert.deepEqual(await run(), { evaluated: 2, kept: 2, deleted: 0, enqueued: 0 });
    const lines = await db.auditEvent.findMany({
      where: { tenantId: acme.tenantId, verb: "runRetention" },
      orderBy: { id: "asc" },
    });
    assert.deepEqual(lines.map(({ objectId, after: done }) => [objectId, done])[0], [
      sourceId,
      { evaluated: 4, kept: 2, deleted: 2, enqueued: 2 },
    ]);
    const [deletion] = await db.auditEvent.findMany({ where: { verb: "deleteSnapshot", objectId: old } });
    assert.match(JSON.stringify(deletion?.after), /"by":"retention"/);
  });

  it("keeps the last good snapshot after thirty days of failed backups, with a greatest age of seven", async () => {
    const [lost = "", last = ""] = await history(31, 30);
    await schedule({ maxAgeDays: 7 });
    await deleteAtOnce(hub);
    assert.deepEqual(await run(), { evaluated: 2, kept: 1, deleted: 1, enqueued: 1 });
    assert.equal((await worker.take("DELETE_SNAPSHOT")).snapshot?.snapshotId, lost);
    assert.deepEqual((await preview()) as object, { kept: { [last]: "NEWEST_GOOD" }, going: {} });
    await hub.running.hub.db.systemSetting.deleteMany({});
  });

  it("tries a policy that is in force nowhere, and refuses one that is none", async () => {
    const [a = "", b = "", c = ""] = await history(3, 2, 1);
    assert.deepEqual(await preview(), {
      kept: { [a]: "NO_POLICY", [b]: "NO_POLICY", [c]: "NEWEST_GOOD,NO_POLICY" },
      going: {},
    });
    assert.deepEqual(await preview(', policy: { keepLast: 2, keepDaily: null }, timezone: "Asia/Tokyo"'), {
      kept: { [b]: "LAST", [c]: "NEWEST_GOOD,LAST" },
      going: { [a]: "" },
    });
    assert.match(String(await preview(", policy: { keepLast: -1 }")), /keepLast: A count is 0 or more/);
    assert.match(String(await preview(", policy: { maxAgeDays: 0 }")), /maxAgeDays: An age is 1 day or more/);
    assert.match(String(await preview(', timezone: "Mars/Olympus"')), /Not a timezone/);
  });

  it("shows its preview page by page, from either end", async () => {
    const ids = (await history(5, 4, 3, 2, 1)).reverse();
    const page = async (args: string) => {
      const { data, errors } = await acme.ask(
        `query ($id: ID!) { previewRetention(sourceId: $id) { kept(${args}) {
          totalCount nodes { snapshot { id plainBytes source { id } } } pageInfo { endCursor startCursor hasNextPage hasPreviousPage }
        } } }`,
        { id: sourceId },
      );
      assert.equal(errors, undefined, JSON.stringify(errors));
      const { totalCount, nodes, pageInfo } = data.previewRetention.kept;
      assert.equal(totalCount, 5);
      return {
        shown: nodes.map(({ snapshot }: { snapshot: { id: string } }) => ids.indexOf(snapshot.id)),
        ...pageInfo,
      };
    };
    const first = await page("first: 2");
    assert.deepEqual([first.shown, first.hasNextPage, first.hasPreviousPage], [[0, 1], true, false]);
    const second = await page(`first: 2, after: "${first.endCursor}"`);
    assert.deepEqual([second.shown, second.hasNextPage], [[2, 3], true]);
    assert.deepEqual((await page(`last: 1, before: "${second.startCursor}"`)).shown, [1]);
    assert.deepEqual((await page("last: 2")).shown, [3, 4]);
  });

  it("keeps what any schedule of the source keeps, the disabled ones included", async () => {
    const [a = "", b = "", c = ""] = await history(40, 2, 1);
    await schedule({ keepLast: 1 });
    assert.deepEqual(Object.keys(((await preview()) as { going: object }).going), [b, a]);
    const second = await schedule({ keepLast: 2 });
    await hub.running.hub.db.schedule.update({ where: { id: second.id }, data: { status: "DISABLED" } });
    assert.deepEqual(await preview(), { kept: { [b]: "LAST", [c]: "NEWEST_GOOD,LAST" }, going: { [a]: "" } });
    await schedule({});
    assert.deepEqual(await run(), { evaluated: 3, kept: 3, deleted: 0, enqueued: 0 });
  });

  it("leaves a source alone while something of it is being restored", async () => {
    const [a = "", b = ""] = await history(2, 1);
    await schedule({ keepLast: 1 });
    await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) { ... on Failure { code } } }`,
      { id: b },
    );
    assert.deepEqual(await run(), { evaluated: 0, kept: 0, deleted: 0, enqueued: 0 });
    const { data } = await acme.ask(`query ($id: ID!) { snapshot(id: $id) { keepReasons { code } } }`, { id: b });
    assert.deepEqual(
      data.snapshot.keepReasons.map(({ code }: { code: string }) => code),
      ["BEING_RESTORED", "NEWEST_GOOD", "LAST"],
    );
    await hub.running.hub.db.restore.updateMany({ data: { status: "EXPIRED" } });
    assert.equal((await run()).enqueued, 1);
    assert.deepEqual(await dueForDeletion(), [a]);
  });

  it("neither counts nor deletes what is damaged, pinned, or about to go anyway", async () => {
    const { db } = hub.running.hub;
    const [pinned = "", corrupt = "", missing = "", plain = "", asked = ""] = await history(50, 40, 30, 20, 1);
    await schedule({ keepLast: 1 });
    await db.snapshot.update({ where: { id: pinned }, data: { pinned: true } });
    await db.snapshot.update({ where: { id: corrupt }, data: { status: "CORRUPT" } });
    await db.snapshot.update({ where: { id: missing }, data: { status: "MISSING" } });
    await acme.ask(`mutation ($id: ID!) { deleteSnapshot(input: { snapshotId: $id }) { ... on Failure { code } } }`, {
      id: asked,
    });
    assert.deepEqual(await preview(), {
      kept: { [plain]: "NEWEST_GOOD,LAST", [pinned]: "PINNED", [corrupt]: "DAMAGED" },
      going: {},
    });
    assert.equal((await run()).enqueued, 0);
    assert.deepEqual(await dueForDeletion(), [asked]);
  });

  it("asks for each deletion once, however many run at once", async () => {
    const ids = await history(6, 5, 4, 3, 2, 1);
    await schedule({ keepLast: 1 });
    const runs = await Promise.all([run(), run(), runDueRetention(hub.running.hub), runDueRetention(hub.running.hub)]);
    const enqueued = runs.reduce((sum, each) => sum + (typeof each === "number" ? each : each.enqueued), 0);
    assert.equal(enqueued, 5);
    assert.deepEqual(await dueForDeletion(), ids.slice(0, 5));
    assert.equal(
      await hub.running.hub.db.job.count({ where: { type: "DELETE_SNAPSHOT", targetSnapshotId: { in: ids } } }),
      5,
    );
  });

  it("runs for a tenant for its admins, for everybody for operators, and passes over the suspended and the deleted", async () => {
    const { db } = hub.running.hub;
    await history(2, 1);
    await schedule({ keepLast: 1 });
    const { tenantId } = acme;
    const admin = await stagePerson(hub, { tenantId, role: "ADMIN" });
    const member = await stagePerson(hub, { tenantId, role: "MEMBER" });
    const operator = await stagePerson(hub);
    await db.user.update({ where: { id: operator.userId }, data: { platformAdmin: true } });
    assert.equal((await run({ tenantId }, member)).code, "FORBIDDEN");
    assert.equal((await run({}, admin)).code, "FORBIDDEN");
    assert.equal((await run({ tenantId }, operator)).code, "NOT_FOUND");
    assert.equal((await run({ tenantId: "ten_00000000000000000000000000000000" }, admin)).code, "NOT_FOUND");
    assert.equal((await run({ sourceId, tenantId: "ten_00000000000000000000000000000000" }, admin)).code, "NOT_FOUND");
    await db.source.update({ where: { id: sourceId }, data: { deletedAt: new Date() } });
    assert.equal((await run({ tenantId }, admin)).enqueued, 0);
    await db.source.update({ where: { id: sourceId }, data: { deletedAt: null } });
    await db.tenant.update({ where: { id: tenantId }, data: { status: "SUSPENDED" } });
    assert.equal((await run({ tenantId }, admin)).code, "TENANT_SUSPENDED");
    assert.equal(await runDueRetention(hub.running.hub), 0);
    await db.tenant.update({ where: { id: tenantId }, data: { status: "ACTIVE" } });
    assert.deepEqual(await dueForDeletion(), []);
    assert.ok((await run({}, operator)).enqueued >= 1);
    assert.equal((await dueForDeletion()).length, 1);
    assert.equal((await run({ tenantId }, admin)).enqueued, 0);
  });
});
