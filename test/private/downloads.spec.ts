// A prepared download goes out once; who says so has to be a restore service.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stageHub } from "../stage/hub.ts";
import { stageTenant } from "../stage/tenant.ts";
import { backUp, leaseOf, playWorker, testedSource } from "./played-worker.ts";

describe("a download that went out", () => {
  it("is counted for a restore service, where it was ready", async () => {
    await using hub = await stageHub({ leaseSeconds: 60 });
    const worker = await playWorker(hub);
    const service = await playWorker(hub, { role: "RESTORE", readsStoresOf: [worker.id] });
    const acme = await stageTenant(hub);
    const id = await backUp(acme, worker, await testedSource(acme, worker));
    const { data } = await acme.ask(
      `mutation ($id: ID!) {
        startRestore(input: { snapshotId: $id, form: ZIP }) { ... on StartRestorePayload { restore { id } } }
      }`,
      { id },
    );
    const restoreId: string = data.startRestore.restore.id;
    const refused = { code: "NOT_FOUND" };
    await assert.rejects(service.api.recordFetch({ restoreId }), refused, "it is still being prepared");
    assert.deepEqual(await service.api.reconcileRestores({ restoreIds: [restoreId] }), { serve: [] });
    await service.api.completeRestore({ ...leaseOf(await service.take("RESTORE")), sizeBytes: 1 });
    assert.deepEqual(await service.api.reconcileRestores({ restoreIds: [restoreId, "rst_x"] }), { serve: [restoreId] });
    await assert.rejects(worker.api.recordFetch({ restoreId }), refused, "workers hand nothing out");
    await assert.rejects(service.api.recordFetch({ restoreId: "rst_00000000000000000000000000000000" }), refused);
    assert.deepEqual(await service.api.recordFetch({ restoreId }), { timesFetched: 1 });
    assert.deepEqual(await service.api.reconcileRestores({ restoreIds: [restoreId] }), { serve: [] });
    assert.deepEqual(await service.api.recordFetch({ restoreId }), { timesFetched: 2 });
    const found = await acme.ask(`query ($id: ID!) { restore(id: $id) { status timesFetched } }`, { id: restoreId });
    assert.deepEqual(found.data.restore, { status: "EXPIRED", timesFetched: 2 });
  });
});
