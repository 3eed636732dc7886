// F34 in full: a restore service that is killed at every point of its way.
import { describe } from "node:test";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { describeKilledRestores } from "./kit/killed-restores.ts";

describe("a restore whose service is killed", { skip: missingOpenSsh ?? false }, () => {
  describeKilledRestores([
    ...(["job.claimed", "restore.draft-begun", "restore.keys-opened", "restore.written", "restore.renamed"] as const),
    ...(["restore.published", "restore.completed", "restore.confirmed", "job.performed"] as const),
  ]);
});
