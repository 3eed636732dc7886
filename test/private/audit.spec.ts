// Every command of the data plane that decides something is written down once, with who gave it and without secrets.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { privateSchema } from "../../schema/private/schema.ts";
import { stageHub } from "../stage/hub.ts";
import { stageTenant, startJob } from "../stage/tenant.ts";
import { forgotten, leaseOf, madeSnapshot, playWorker, testedSource } from "./played-worker.ts";

/** What leaves no row, and why. A command that is neither here nor audited makes the spec fail. */
const unaudited = {
  heartbeat: "a sign of life",
  renewLease: "a sign of life",
  enterPhase: "stands in the log of the job",
  recordLog: "stands in the log of the job",
  reconcileStore: "changes nothing",
  compareStore: "changes nothing",
  weighArtifact: "changes nothing",
  reportInventory: "sums up what has rows of its own",
  reconcileRestores: "changes nothing",
  claimJobs: "has a row of claimJob for each of the jobs",
  completeJobs: "has a row of completeJob for each of the jobs",
};

describe("the audit of the data plane", () => {
  it("has one row for every command, however often it was repeated", async () => {
    await using hub = await stageHub({ leaseSeconds: 60 });
    const worker = await playWorker(hub);
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    const acme = await stageTenant(hub);
    const sourceId = await testedSource(acme, worker);
    const { db } = hub.running.hub;
    const begun = await db.auditEvent.count();
    const expected: [verb: string, objectId: string, actorId: string][] = [];
    const twice = async (report: () => Promise<unknown>) => {
      await report();
      await report();
    };

    const jobId = await startJob(acme.ask, "startBackup", sourceId);
    const first = await worker.take("BACKUP");
    await twice(() => worker.api.releaseJob(leaseOf(first)));
    const second = await worker.take("BACKUP");
    await twice(() => worker.api.enterPhase({ ...leaseOf(second), phase: "PULLING" }));
    await twice(() => worker.api.failJob({ ...leaseOf(second), code: "SOURCE_STALLED", message: "Silence." }));
    await db.job.update({ where: { id: jobId }, data: { notBefore: new Date(0) } });
    const third = await worker.take("BACKUP");
    await worker.api.claimSecrets(leaseOf(third));
    await twice(() => worker.api.renewLease(leaseOf(third)));
    await twice(() => worker.api.completeJob({ ...leaseOf(third), snapshot: madeSnapshot(third) }));
    for (const verb of ["claimJob", "releaseJob", "claimJob", "failJob", "claimJob", "claimSecrets", "completeJob"])
      expected.push([verb, jobId, worker.id]);

    const { data } = await acme.ask(
      `mutation ($id: ID!) {
        startRestore(input: { snapshotId: $id, form: ZIP }) { ... on StartRestorePayload { restore { id job { id } } } }
      }`,
      { id: third.backup?.snapshotId },
    );
    const { restore } = data.startRestore;
    const job = await service.take("RESTORE");
    await twice(() => service.api.completeRestore({ ...leaseOf(job), sizeBytes: 1 }));
    await service.api.recordFetch({ restoreId: restore.id });
    await twice(() => service.api.reconcileRestores({ restoreIds: [restore.id] }));
    await twice(() => worker.api.reconcileStore({ snapshotIds: [] }));
    expected.push(["claimJob", job.jobId, service.id], ["completeRestore", job.jobId, service.id]);
    expected.push(["recordFetch", restore.id, service.id]);
    await takeStock();
    async function takeStock(): Promise<void> {
      const { snapshotId, manifestSha256 } = madeSnapshot(third);
      await twice(() => worker.api.compareStore({ snapshotIds: [], atStart: false }));
      await twice(() => worker.api.reportMissing({ snapshotIds: [snapshotId] }));
      await twice(() => worker.api.reportReturned({ snapshotId, manifestSha256 }));
      const snapshot = forgotten(madeSnapshot(third), worker.id);
      const { ids } = snapshot.manifest;
      await twice(() => worker.api.weighArtifact({ ...ids, atStart: false }));
      await twice(() => worker.api.adoptSnapshot({ atStart: false, snapshot }));
      const counts = { present: 2, adopted: 1, removed: 0, missing: 1, returned: 1, left: [] };
      await twice(() => worker.api.reportInventory(counts));
      expected.push(
        ["reportMissing", snapshotId, worker.id],
        ["reportReturned", snapshotId, worker.id],
        ["adoptSnapshot", snapshot.snapshotId, worker.id],
      );
    }
    const newcomer = await playWorker(hub);
    expected.push(["enrol", newcomer.id, newcomer.id], ["registerWorker", newcomer.id, newcomer.id]);

    const rows = await db.auditEvent.findMany({ orderBy: { id: "asc" }, skip: begun });
    const byWorkers = rows.filter(({ actorKind }) => actorKind === "worker");
    assert.deepEqual(
      byWorkers.map(({ verb, objectId, actorId }) => [verb, objectId, actorId]),
      expected,
    );
    for (const { verb, tenantId } of byWorkers)
      assert.equal(tenantId, ["enrol", "registerWorker"].includes(verb) ? null : acme.tenantId, verb);
    assert.doesNotMatch(JSON.stringify(rows), /of a staged source|AGE-SECRET-KEY/);
    // Joining is no command: who joins has no token yet to speak with.
    const commands = ["enrol", ...Object.keys(privateSchema.getMutationType()?.getFields() ?? {})];
    assert.deepEqual(commands.sort(), [...new Set(expected.map(([verb]) => verb)), ...Object.keys(unaudited)].sort());
  });
});
