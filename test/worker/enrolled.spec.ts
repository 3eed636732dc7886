// Workers and restore services as real processes that join with an enrolment token, and come back without one.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { enrolWorker } from "../../domain/enrolments.ts";
import { stageRestore, stageWorker } from "../stage/data-plane.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";

/** Leave to join, in place of the account that a staged process is given otherwise. */
async function leave(hub: StagedHub, role: "BACKUP" | "RESTORE") {
  const { token } = await enrolWorker(hub.running.hub, { kind: "system" }, { name: "newcomer", role });
  return { token, env: { WORKER_ID: "", WORKER_TOKEN_FILE: "", WORKER_ENROLMENT_TOKEN: token } };
}

describe("a process with an enrolment token", () => {
  it("joins as a worker, keeps its account below its store, and comes back as the same", async () => {
    await using hub = await stageHub();
    const { token, env } = await leave(hub, "BACKUP");
    await using first = await stageWorker(hub, { env });
    const file = join(first.storageBase, ".xvault-account.json");
    const account = JSON.parse(await readFile(file, "utf8"));
    assert.equal(first.workerId, account.workerId);
    await first.end("SIGTERM");
    await using second = await stageWorker(hub, { env, storageBase: first.storageBase });
    assert.equal(second.workerId, account.workerId);
    assert.equal(await hub.running.hub.db.worker.count(), 1);
    for (const secret of [token, account.token])
      for (const line of [...first.lines, ...second.lines, ...hub.lines]) assert.ok(!line.includes(secret));
  });

  it("joins as a restore service, and writes nothing into a store", async () => {
    await using hub = await stageHub();
    await using worker = await stageWorker(hub);
    const { env } = await leave(hub, "RESTORE");
    await using service = await stageRestore(hub, { env, storageBase: worker.storageBase });
    const account = JSON.parse(await readFile(join(service.tempBase, ".xvault-account.json"), "utf8"));
    assert.equal(service.workerId, account.workerId);
  });

  it("that was used before says what to do, and ends", async () => {
    await using hub = await stageHub();
    const { env } = await leave(hub, "BACKUP");
    await using first = await stageWorker(hub, { env });
    await first.end("SIGTERM");
    await assert.rejects(stageWorker(hub, { env }), /The worker cannot start\.\n.*enrol the worker again/s);
  });
});
