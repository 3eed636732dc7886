// What is promised where a worker stands still until its lease is lost, and then goes on (F3): it is too late, and it knows.
import { describe, it } from "node:test";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { loseLeaseAt } from "./kit/stopped-workers.ts";

describe("a worker that stood still for longer than its lease", {
  skip: missingOpenSsh ?? false,
  concurrency: 2,
}, () => {
  for (const point of ["backup.first-entry", "backup.staging-synced"] as const)
    it(`publishes nothing and completes nothing after ${point}`, () => loseLeaseAt(point));
});
