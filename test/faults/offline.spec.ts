// F34, as far as it is about an owner that is away: the job stays queued and says whom it waits for; and what workers tell of themselves.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { heartbeat, markOfflineWorkers } from "../../domain/workers.ts";
import { backUp, leaseOf, type PlayedWorker, playWorker, testedSource } from "../private/played-worker.ts";
import { emptyQueue } from "../private/state.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { deleteAtOnce, type StagedTenant, stageTenant, startJob } from "../stage/tenant.ts";

describe("a job whose worker is away", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let acme: StagedTenant;
  let owner: PlayedWorker;
  let snapshotId: string;

  before(async () => {
    hub = stack.use(await stageHub({ leaseSeconds: 60 }));
    await deleteAtOnce(hub);
    acme = await stageTenant(hub);
  });
  after(() => stack.disposeAsync());
  beforeEach(async () => {
    await emptyQueue(hub.db);
    owner = await playWorker(hub);
    snapshotId = await backUp(acme, owner, await testedSource(acme, owner));
  });

  const look = async (jobId: string) => {
    const { data } = await acme.ask(
      `query ($id: ID!) { job(id: $id) {
        status waitingFor { code message workerName lastSeenAt } events(first: 20) { nodes { kind facts } }
      } }`,
      { id: jobId },
    );
    return data.job;
  };
  const until = async (isSo: (job: Awaited<ReturnType<typeof look>>) => boolean, jobId: string) => {
    for (const deadline = performance.now() + 15_000; ; ) {
      const job = await look(jobId);
      if (isSo(job)) return job;
      assert.ok(performance.now() < deadline, `not so in time: ${JSON.stringify(job)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const startRestore = async () => {
    const { data } = await acme.ask(
      `mutation ($id: ID!) { startRestore(input: { snapshotId: $id, form: ZIP }) {
        ... on StartRestorePayload { restore { job { id } } } } }`,
      { id: snapshotId },
    );
    return data.startRestore.restore.job.id as string;
  };
  const isAway = (worker: PlayedWorker) =>
    hub.db.worker.update({ where: { id: worker.id }, data: { status: "OFFLINE" } });

  it("of a deletion waits for the owner of the store and nobody else, says so in its log, and goes on when it is back", async () => {
    const bystander = await playWorker(hub);
    const jobId = await startJob(acme.ask, "deleteSnapshot", snapshotId);
    // Nothing of it is heard any more: after three beats it is offline.
    const job = await until(({ waitingFor }) => waitingFor !== null, jobId);
    assert.equal(job.status, "QUEUED");
    const { lastSeenAt } = await hub.db.worker.findUniqueOrThrow({ where: { id: owner.id } });
    assert.deepEqual(job.waitingFor, {
      code: "WORKER_OFFLINE",
      message: `Waits for the worker “staged BACKUP”, which is offline since ${lastSeenAt?.toISOString().replace(/\.\d+Z$/, "Z")}.`,
      workerName: "staged BACKUP",
      lastSeenAt: lastSeenAt?.toISOString(),
    });
    await bystander.api.heartbeat({ draining: false });
    assert.equal(await bystander.claim("DELETE_SNAPSHOT", "RESTORE"), null, "it is no other worker's");
    const noted = await until(
      ({ events }) => events.nodes.some(({ kind }: { kind: string }) => kind === "waiting"),
      jobId,
    );
    assert.equal(noted.events.nodes.at(-1).facts.message, job.waitingFor.message);
    await owner.api.heartbeat({ draining: false });
    assert.equal((await look(jobId)).waitingFor, null);
    const held = await owner.take("DELETE_SNAPSHOT");
    await owner.api.completeJob(leaseOf(held));
    const done = await look(jobId);
    assert.equal(done.status, "COMPLETED");
    assert.equal(done.events.nodes.filter(({ kind }: { kind: string }) => kind === "waiting").length, 1, "told once");
  });

  it("of a restore waits for a service that reads the store, whether it is silent, drained or has never joined", async () => {
    const jobId = await startRestore();
    assert.match(
      (await look(jobId)).waitingFor.message,
      /^Waits for a worker that can do it: none has joined yet/,
      "at once, for nobody has to fall silent first",
    );
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [owner.id] });
    assert.equal((await look(jobId)).waitingFor, null);
    await service.api.heartbeat({ draining: true });
    assert.equal(
      (await look(jobId)).waitingFor.message,
      "Waits for the worker “staged RESTORE”, which takes no jobs now.",
    );
    await isAway(service);
    assert.match((await look(jobId)).waitingFor.message, /“staged RESTORE”, which is offline since 2/);
    await playWorker(hub, { role: "RESTORE", readsStoresOf: [owner.id] });
    assert.equal((await look(jobId)).waitingFor, null, "another one reads it as well");
  });

  it("waits for nobody as long as it is not due, or is under way", async () => {
    await hub.db.systemSetting.deleteMany({ where: { key: "snapshot_deletion_grace_hours" } });
    await isAway(owner);
    assert.equal((await look(await startJob(acme.ask, "deleteSnapshot", snapshotId))).waitingFor, null);
    await deleteAtOnce(hub);
  });
});

describe("a worker", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  before(async () => {
    // Nothing sweeps here but the tests themselves.
    hub = stack.use(await stageHub({ leaseSeconds: 60, sweepSeconds: 3600 }));
  });
  after(() => stack.disposeAsync());

  it("is announced when it falls silent and when it is heard again, and not with every beat", async () => {
    const { id: workerId } = await playWorker(hub);
    let told = 0;
    const announce = { ...hub.running.hub.announce, workersChanged: () => void told++ };
    const counting = { ...hub.running.hub, announce };
    const actor = { kind: "worker", workerId } as const;
    await heartbeat(counting, actor, { draining: false });
    assert.equal(told, 0);
    await hub.db.$executeRaw`UPDATE workers SET last_seen_at = now() - interval '1 minute' WHERE id = ${workerId}`;
    assert.equal(await markOfflineWorkers(counting), 1);
    assert.equal(told, 1);
    await heartbeat(counting, actor, { draining: false });
    assert.equal(told, 2);
    await heartbeat(counting, actor, { draining: true });
    assert.equal(told, 3);
  });

  it("is shown with its room and how much it does at once, as it said last", async () => {
    const worker = await playWorker(hub);
    const { ask } = await stageTenant(hub);
    const look = async () =>
      (
        await ask(`query ($id: ID!) { worker(id: $id) { freeBytes totalBytes concurrency capabilities } }`, {
          id: worker.id,
        })
      ).data.worker;
    const before = await look();
    assert.deepEqual([before.freeBytes, before.totalBytes, before.concurrency], [null, null, null]);
    await worker.api.heartbeat({ draining: false, freeBytes: 5_000_000_000, totalBytes: 9_000_000_000 });
    await worker.api.heartbeat({ draining: false });
    const after = await look();
    assert.deepEqual([after.freeBytes, after.totalBytes], ["5000000000", "9000000000"]);
  });

  it("is asked for an inventory until it took one, and again after an hour or at an operator's word", async () => {
    const worker = await playWorker(hub);
    const { ask } = await stageTenant(hub);
    const { api } = worker;
    const due = async () =>
      (await heartbeat(hub.running.hub, { kind: "worker", workerId: worker.id }, { draining: false })).inventoryDue;
    assert.equal(await due(), true);
    const counts = { present: 3, adopted: 0, removed: 0, missing: 0, returned: 0, left: [] };
    await api.reportInventory(counts);
    assert.equal(await due(), false);
    await hub.db.$executeRaw`UPDATE workers SET inventoried_at = now() - interval '61 minutes' WHERE id = ${worker.id}`;
    assert.equal(await due(), true);
    await api.reportInventory(counts);
    await ask(`mutation ($id: ID!) { startInventory(input: { workerId: $id }) { __typename } }`, { id: worker.id });
    assert.equal(await due(), true);
    await api.reportInventory(counts);
    assert.equal(await due(), false);
  });

  it("without a dump program gets only the databases that are dumped on a server of their own", async () => {
    const { ask, createCredential, createSource } = await stageTenant(hub);
    const credentialId = await createCredential({ password: "x", ssh: { password: "y" } });
    const place = { host: "db.example.com", username: "backup" };
    const near = await createSource("POSTGRES", place, credentialId);
    const far = await createSource(
      "POSTGRES",
      { ...place, ssh: { host: "shell.example.com", username: "b" } },
      credentialId,
    );
    const led = await createSource(
      "POSTGRES",
      { ...place, ssh: { host: "shell.example.com", username: "b", dump: "near" } },
      credentialId,
    );
    for (const sourceId of [near, far, led]) await startJob(ask, "testSource", sourceId);
    const bare = await playWorker(hub, { sourceTypes: ["POSTGRES"], tools: { pg_dump: null } });
    assert.equal((await bare.take("TEST_SOURCE")).source?.sourceId, far);
    assert.equal(await bare.claim("TEST_SOURCE"), null);
    const able = await playWorker(hub, { sourceTypes: ["POSTGRES"], tools: { pg_dump: "15.20" } });
    assert.equal((await able.take("TEST_SOURCE")).source?.sourceId, near);
    const old = await playWorker(hub, { sourceTypes: ["POSTGRES"] });
    assert.equal((await old.take("TEST_SOURCE")).source?.sourceId, led, "one that says nothing of its tools has them");
  });
});
