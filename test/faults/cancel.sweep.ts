// As cancel.spec.ts: every point of a backup, and twenty times each, with the request now ahead of the worker and now behind it (F40).
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FaultPoint } from "../../artifact/fault-point.ts";
import { randomOf } from "../edge/fuzz/random.ts";
import { stageWorker } from "../stage/data-plane.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { cancelAt } from "./kit/canceled-backups.ts";
import { obedient } from "./kit/orders.ts";
import { stageSshSite } from "./kit/ssh-site.ts";

const points: FaultPoint[] = [
  "job.claimed",
  "backup.secrets-opened",
  "backup.connected",
  "backup.first-entry",
  "backup.draft-begun",
  "backup.pulled",
  "backup.artifact-stored",
  "backup.catalogue-stored",
  "backup.read-back",
  "backup.documents-stored",
  "backup.staging-synced",
  "backup.renamed",
  "backup.committed",
  "backup.completed",
  "job.performed",
];
const races = Number(process.env.XVAULT_RACES ?? 20);
const seed = Number(process.env.XVAULT_SEED ?? Math.floor(performance.timeOrigin) % 1_000_000);

describe(`a backup canceled at a random moment around a point (seed ${seed})`, {
  skip: missingOpenSsh ?? false,
}, () => {
  for (const [index, point] of points.entries())
    it(`ends once, ${races} times out of ${races}, around ${point}`, async () => {
      await using site = await stageSshSite();
      await using worker = await obedient((options) => stageWorker(site.hub, options));
      const sourceId = await site.addSource();
      const random = randomOf(seed + index);
      const ends: Record<string, number> = {};
      for (let race = 0; race < races; race++) {
        const aheadMs = random.below(600) - 300;
        const { status } = await cancelAt(site, { worker, sourceId, point, aheadMs });
        ends[status] = (ends[status] ?? 0) + 1;
      }
      process.stdout.write(`${point}: ${JSON.stringify(ends)}\n`);
      assert.equal(
        Object.values(ends).reduce((sum, count) => sum + count),
        races,
      );
    });
});
