// As stopped.spec.ts, at every point at which a worker could take what it has for worth reporting (F3).
import { describe, it } from "node:test";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { loseLeaseAt } from "./kit/stopped-workers.ts";

const points = [
  "job.claimed",
  "backup.connected",
  "backup.pulled",
  "backup.documents-stored",
  "backup.renamed",
  "backup.committed",
] as const;

describe("a worker that stood still for longer than its lease", { skip: missingOpenSsh ?? false }, () => {
  for (const point of points) it(`publishes nothing and completes nothing after ${point}`, () => loseLeaseAt(point));
});
