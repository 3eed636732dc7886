// The workers as operators handle them: listed with what they keep, renamed, drained and retired.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { sweepLeases } from "../../domain/leases.ts";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue, expireLease } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";
import { run, stageOperator } from "./operators.ts";
import { type Person, stagePerson } from "./people.ts";

describe("a worker", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let operator: Person;
  let acme: StagedTenant;
  let worker: PlayedWorker;
  let sourceId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 600, sweepSeconds: 3600 }));
    operator = await stageOperator(hub);
    acme = await stageTenant(hub);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.running.hub.db);
    worker = await playWorker(hub);
    sourceId = await testedSource(acme, worker);
  });

  const look = async (id: string) =>
    (
      await operator.ask(
        `query ($id: ID!) { worker(id: $id) { name status drainedAt retiredAt snapshotCount storedBytes runningJobs } }`,
        { id },
      )
    ).data.worker;
  const auditOf = (verb: string, objectId: string) =>
    hub.running.hub.db.auditEvent.findMany({ where: { verb, objectId, tenantId: null } });

  it("is shown with what it keeps and what it is at", async () => {
    await backUp(acme, worker, sourceId);
    await startJob(acme.ask, "testSource", sourceId);
    await worker.take("TEST_SOURCE");
    assert.deepEqual(await look(worker.id), {
      ...{ name: "staged BACKUP", status: "ONLINE", drainedAt: null, retiredAt: null },
      ...{ snapshotCount: 1, storedBytes: "1000000000", runningJobs: 1 },
    });
  });

  it("is found by what it is for, by its state and in the order that is asked for", async () => {
    const service = await playWorker(hub, { role: "RESTORE" });
    await run(operator.ask, "updateWorker", { workerId: service.id, name: "A first" });
    const ids = async (filter: object, orderBy = "NEWEST_FIRST") => {
      const { data } = await operator.ask(
        `query ($where: WorkerFilter, $orderBy: WorkerOrder) {
          workers(first: 100, where: $where, orderBy: $orderBy) { totalCount nodes { id } }
        }`,
        { where: filter, orderBy },
      );
      assert.equal(data.workers.totalCount, data.workers.nodes.length);
      return data.workers.nodes.map(({ id }: { id: string }) => id);
    };
    assert.deepEqual(await ids({ role: "RESTORE" }), [service.id]);
    await run(operator.ask, "drainWorker", { workerId: worker.id });
    assert.deepEqual(await ids({ status: "DRAINING" }), [worker.id]);
    assert.deepEqual((await ids({}, "OLDEST_FIRST")).reverse(), await ids({}));
    assert.equal((await ids({}, "NAME"))[0], service.id);
    await run(operator.ask, "retireWorker", { workerId: service.id });
    assert.deepEqual(await ids({ role: "RESTORE" }), []);
    assert.deepEqual(await ids({ role: "RESTORE", includeRetired: true }), [service.id]);
  });

  it("costs one statement more for the numbers of a whole page, not one for each", async () => {
    const { platform } = hub.running.hub;
    let statements = 0;
    const counting = platform.$queryRaw.bind(platform);
    Object.assign(platform, {
      $queryRaw: (...args: Parameters<typeof platform.$queryRaw>) => {
        if (JSON.stringify(args[0]).includes("snapshotCount")) statements++;
        return counting(...args);
      },
    });
    try {
      const { data } = await operator.ask("{ workers { nodes { snapshotCount storedBytes runningJobs } } }");
      assert.ok(data.workers.nodes.length > 1);
      assert.equal(statements, 1);
    } finally {
      Object.assign(platform, { $queryRaw: counting });
    }
  });

  it("is renamed, with the old name in the audit", async () => {
    const { worker: renamed } = await run(
      operator.ask,
      "updateWorker",
      { workerId: worker.id, name: "Berlin 2" },
      "worker { name }",
    );
    assert.equal(renamed.name, "Berlin 2");
    const [row] = await auditOf("updateWorker", worker.id);
    assert.deepEqual(
      [row?.before, row?.after],
      [
        { name: "staged BACKUP", drainedAt: null },
        { name: "Berlin 2", drainedAt: null },
      ],
    );
    for (const name of ["", "a\nb", "x".repeat(101)])
      assert.equal((await run(operator.ask, "updateWorker", { workerId: worker.id, name })).code, "BAD_INPUT");
  });

  it("that is drained gets nothing more, whatever it says of itself, and ends what it has", async () => {
    await startJob(acme.ask, "testSource", sourceId);
    const held = await worker.take("TEST_SOURCE");
    const queued = await startJob(acme.ask, "testSource", sourceId);
    const { worker: drained } = await run(
      operator.ask,
      "drainWorker",
      { workerId: worker.id },
      "worker { status drainedAt }",
    );
    assert.equal(drained.status, "DRAINING");
    assert.ok(drained.drainedAt);
    await run(operator.ask, "drainWorker", { workerId: worker.id });
    assert.equal((await auditOf("drainWorker", worker.id)).length, 1, "asking twice changes nothing");
    await worker.api.heartbeat({ draining: false });
    assert.equal((await look(worker.id)).status, "DRAINING");
    assert.equal(await worker.claim("TEST_SOURCE"), null);
    await worker.api.completeJob({ ...leaseOf(held), findings: {} });
    await run(operator.ask, "resumeWorker", { workerId: worker.id });
    assert.deepEqual([(await look(worker.id)).status, (await look(worker.id)).drainedAt], ["ONLINE", null]);
    assert.equal((await worker.take("TEST_SOURCE")).jobId, queued);
  });

  it("is not retired while it keeps snapshots, unless that is forced: they are missing then", async () => {
    const snapshotId = await backUp(acme, worker, sourceId);
    assert.deepEqual(await run(operator.ask, "retireWorker", { workerId: worker.id }), {
      ...{ __typename: "WorkerInUseError", code: "WORKER_IN_USE" },
      message: "This worker keeps 1 snapshot that cannot be restored without it: retire it with force to give them up.",
    });
    const { db } = hub.running.hub;
    await startJob(acme.ask, "testSource", sourceId);
    const held = await worker.take("TEST_SOURCE");
    await acme.ask(`mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) { __typename } }`, {
      id: snapshotId,
    });
    const forced = await run(
      operator.ask,
      "retireWorker",
      { workerId: worker.id, force: true },
      "missing worker { retiredAt }",
    );
    assert.equal(forced.missing, 1);
    assert.ok(forced.worker.retiredAt);
    assert.equal((await db.snapshot.findUniqueOrThrow({ where: { id: snapshotId } })).status, "MISSING");
    const restore = await db.job.findFirstOrThrow({ where: { type: "RESTORE", targetSnapshotId: snapshotId } });
    assert.deepEqual([restore.status, restore.errorCode], ["FAILED", "WORKER_OFFLINE"]);
    const refused = { code: "UNAUTHENTICATED" };
    await assert.rejects(worker.api.heartbeat({ draining: false }), refused);
    await assert.rejects(worker.api.completeJob({ ...leaseOf(held), findings: {} }), refused);
    await assert.rejects(worker.claim("TEST_SOURCE"), refused);
    await expireLease(db, held.jobId);
    await sweepLeases(hub.running.hub);
    assert.notEqual((await db.job.findUniqueOrThrow({ where: { id: held.jobId } })).status, "RUNNING");
    assert.deepEqual(
      (await auditOf("retireWorker", worker.id)).map((row) => row.after),
      [{ missing: 1, force: true }],
    );
    const again = await run(operator.ask, "retireWorker", { workerId: worker.id }, "missing");
    assert.equal(again.missing, 0);
    assert.equal((await auditOf("retireWorker", worker.id)).length, 1);
  });

  it("is retired at once where it keeps nothing", async () => {
    const { worker: retired } = await run(
      operator.ask,
      "retireWorker",
      { workerId: worker.id },
      "worker { retiredAt }",
    );
    assert.ok(retired.retiredAt);
  });

  it("is an operator's business alone", async () => {
    const owner = await stagePerson(hub, { tenantId: acme.tenantId, role: "OWNER" });
    const workerId = worker.id;
    for (const verb of ["drainWorker", "resumeWorker", "retireWorker"])
      assert.deepEqual(await run(owner.ask, verb, { workerId }), { error: "FORBIDDEN" });
    assert.deepEqual(await run(owner.ask, "updateWorker", { workerId, name: "x" }), { error: "FORBIDDEN" });
    for (const unknown of [`wrk_${"0".repeat(32)}`, "", "\0", acme.tenantId])
      for (const verb of ["drainWorker", "resumeWorker", "retireWorker"])
        assert.equal((await run(operator.ask, verb, { workerId: unknown })).code, "NOT_FOUND");
  });
});
