// F29: what is promised where clocks are wrong, and where they jump: leases hold, jobs are done in time, and times are the database's.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { available } from "../stage/available.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { jobEnd, startJob } from "../stage/tenant.ts";
import { smallFiles } from "../stage/tree.ts";
import { stageFaultySite } from "./kit/backed-up-site.ts";
import { stageClock } from "./kit/clock.ts";
import { stageEarth, stageHubProcess } from "./kit/hub-process.ts";

const minuteMs = 60_000;
const skip = available("faketime") ?? missingOpenSsh ?? false;

describe("a hub and a worker whose clocks are wrong", { skip }, () => {
  const wrong = [
    { hub: "+10m", worker: "-2h", jumps: { hub: "-10m", worker: "+2h" } },
    { hub: "-10m", worker: "+2h", jumps: { hub: "+10m", worker: "-2h" } },
  ];
  for (const { hub: hubBy, worker: workerBy, jumps } of wrong)
    it(`do a backup at the first attempt, by ${hubBy} and ${workerBy}, and with a jump in the middle`, async () => {
      await using earth = await stageEarth();
      await using hubClock = await stageClock(hubBy);
      await using workerClock = await stageClock(workerBy);
      await using hub = await stageHubProcess(earth, { env: { ...hubClock.env, HUB_LEASE_SECONDS: "10" } });
      await using site = await stageFaultySite(hub, smallFiles(50), { workerEnv: workerClock.env });
      const { acme, worker, sourceId } = site;

      /** The hub's and the worker's clock are as wrong as they were told to be: otherwise nothing is proven here. */
      const loggedMs = (lines: readonly string[]) => (JSON.parse(lines.at(-1) ?? "{}") as { time: number }).time;
      for (const [lines, by] of [
        [hub.lines, hubBy],
        [worker.lines, workerBy],
      ] as const) {
        const isAhead = by.startsWith("+");
        const offMs = loggedMs(lines) - Date.now();
        assert.ok(isAhead ? offMs > 9 * minuteMs : offMs < -9 * minuteMs, `the clock is off by ${offMs} ms only`);
      }

      for (const during of [async () => undefined, jump]) {
        worker.child.kill("SIGSTOP");
        const [{ now } = { now: new Date(0) }] = await earth.db.$queryRaw<{ now: Date }[]>`SELECT now() AS now`;
        const jobId = await startJob(acme.ask, "startBackup", sourceId);
        worker.child.kill("SIGCONT");
        while ((await earth.db.job.findUniqueOrThrow({ where: { id: jobId } })).status === "QUEUED") await pause(5);
        await during();
        const done = await jobEnd(acme.ask, jobId);
        assert.deepEqual([done.status, done.attempt], ["COMPLETED", 1], done.errorMessage);
        const job = await earth.db.job.findUniqueOrThrow({ where: { id: jobId }, include: { snapshot: true } });
        const path = join(worker.storageBase, job.snapshot?.localPath ?? "", "manifest.json");
        const manifest = JSON.parse(await readFile(path, "utf8")) as { createdAt: string };
        const events = await earth.db.jobEvent.findMany({ where: { jobId } });
        const times = [job.createdAt, job.notBefore, job.startedAt, job.endedAt, job.snapshot?.createdAt];
        for (const at of [...times, new Date(manifest.createdAt), ...events.map((event) => event.at)])
          assert.ok(
            at && Math.abs(at.getTime() - now.getTime()) < minuteMs,
            `${at?.toISOString()} at ${now.toISOString()}`,
          );
      }

      async function jump(): Promise<void> {
        await hubClock.jump(jumps.hub);
        await workerClock.jump(jumps.worker);
      }
    });
});
