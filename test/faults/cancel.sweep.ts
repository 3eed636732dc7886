// As cancel.spec.ts: every point of a backup, a restore and a deletion, and twenty times each, with the request now ahead of the process
// and now behind it (F40).
import { after, describe, it } from "node:test";
import type { FaultPoint } from "../../artifact/fault-point.ts";
import { randomOf } from "../edge/fuzz/random.ts";
import { stageRestore, stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { deleteAtOnce, jobEnd, startJob } from "../stage/tenant.ts";
import { cancelAt } from "./kit/canceled-backups.ts";
import { cancelDeletionAt, cancelRestoreAt } from "./kit/canceled-jobs.ts";
import { type Errand, pointsOf } from "./kit/kills.ts";
import { obedient } from "./kit/orders.ts";
import { type SshSite, stageSshSite } from "./kit/ssh-site.ts";

const races = Number(process.env.XVAULT_RACES ?? 20);
const seed = Number(process.env.XVAULT_SEED ?? Math.floor(performance.timeOrigin) % 1_000_000);

/** Calls `race` so often, and answers how many jobs ended how. */
async function repeated(offset: number, race: (aheadMs: number) => Promise<string>): Promise<Record<string, number>> {
  const random = randomOf(seed + offset);
  const ends: Record<string, number> = {};
  for (let count = 0; count < races; count++) {
    const status = await race(random.below(600) - 300);
    ends[status] = (ends[status] ?? 0) + 1;
  }
  return ends;
}

async function backUp({ acme }: SshSite, sourceId: string): Promise<string> {
  return (await jobEnd(acme.ask, await startJob(acme.ask, "startBackup", sourceId))).snapshot.id;
}

const around: Record<Errand, (point: FaultPoint, offset: number) => Promise<Record<string, number>>> = {
  async backup(point, offset) {
    await using site = await stageSshSite();
    await using worker = await obedient((options) => stageWorker(site.hub, options));
    const sourceId = await site.addSource();
    return await repeated(
      offset,
      async (aheadMs) => (await cancelAt(site, { worker, sourceId, point, aheadMs })).status,
    );
  },
  async restore(point, offset) {
    await using site = await stageSshSite();
    await using worker = await stageWorker(site.hub);
    const { storageBase } = worker;
    const snapshotId = await backUp(site, await site.addSource());
    await using process = await obedient((options) => stageRestore(site.hub, { ...options, storageBase }));
    return await repeated(offset, (aheadMs) => cancelRestoreAt(site, { process, point, aheadMs }, snapshotId));
  },
  async deletion(point, offset) {
    await using site = await stageSshSite();
    await deleteAtOnce(site.hub);
    await using process = await obedient((options) => stageWorker(site.hub, options));
    const sourceId = await site.addSource();
    return await repeated(offset, async (aheadMs) =>
      cancelDeletionAt(site, { process, point, aheadMs }, await backUp(site, sourceId)),
    );
  },
};

let points = 0;
for (const [errand, race] of Object.entries(around) as [Errand, (typeof around)[Errand]][])
  describe(`a ${errand} canceled at a random moment around a point (seed ${seed})`, {
    skip: missingOpenSsh ?? false,
    concurrency: 2,
  }, () => {
    for (const [index, point] of pointsOf[errand].entries())
      it(`ends once, ${races} times out of ${races}, around ${point}`, async () => {
        const ends = await race(point, index);
        process.stdout.write(`${errand}, ${point}: ${JSON.stringify(ends)}; ${++points} points\n`);
      });
    after(() => process.stdout.write(`${points} points so far, ${races} races each\n`));
  });
