// A worker that checks what it keeps: slowly, beside its backups and not in their way, and gone within seconds when it is told to.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { stageKeptSite } from "../faults/kit/kept-site.ts";
import { stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd } from "../stage/tenant.ts";
import { seededBytes, tree } from "../stage/tree.ts";

describe("a check that takes its time", { skip: missingOpenSsh ?? false }, () => {
  it("holds up no backup, gives itself back when the worker stops, and costs no attempt", async () => {
    // A minute at a MiB a second.
    await using site = await stageKeptSite(tree({ "big.bin": seededBytes(60 * 2 ** 20, "slow check") }));
    const { hub, worker, acme } = site;
    const snapshotId = await site.backUp();
    const key = "scrub_rate_mb_per_second";
    await hub.db.systemSetting.create({ data: { key, value: 1 } });
    const checking = site.verify(snapshotId);
    checking.catch(() => undefined);
    const check = () => hub.db.job.findFirst({ where: { type: "VERIFY" } });
    const deadline = performance.now() + 30_000;
    while ((await check())?.status !== "RUNNING" && performance.now() < deadline) await pause(20);
    assert.equal((await check())?.status, "RUNNING");

    await site.backUp();
    assert.equal((await check())?.status, "RUNNING", "a backup came and went meanwhile");
    const begunMs = performance.now();
    await worker.end("SIGTERM");
    assert.equal(worker.child.exitCode, 0);
    assert.ok(performance.now() - begunMs < 15_000);
    const given = await check();
    assert.deepEqual([given?.status, (given?.maxAttempts ?? 0) - (given?.attempt ?? 0)], ["QUEUED", 3]);

    await hub.db.systemSetting.update({ where: { key }, data: { value: 0 } });
    await using again = await stageWorker(hub, { storageBase: worker.storageBase, identity: worker.identity });
    assert.equal((await jobEnd(acme.ask, given?.id ?? "")).status, "COMPLETED", again.lines.slice(-3).join("\n"));
  });
});
