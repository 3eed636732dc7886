// Rows F1, F2 and F34: a worker or a restore service that dies at any point leaves a job that the next one ends well, once, with nothing
// left over. Here some of the points, killed; all of them, also stopped and aborted, are in kills.sweep.ts.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { FaultPoint } from "../../artifact/fault-point.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { seededBytes, tree } from "../stage/tree.ts";
import { type FaultGround, over, stageGround } from "./kit/ground.ts";
import { type Errand, idle, isUnderWay, pointsOf, startPoints } from "./kit/kills.ts";

const content = tree({ "site/index.html": "hello", "site/photo": seededBytes(3_000_000, "kills") });

/** One process for each: it ends what the one before it left, and dies at its own point. */
const deaths: readonly { errand: Errand; at: FaultPoint }[] = [
  { errand: "backup", at: "job.claimed" },
  { errand: "backup", at: "backup.first-entry" },
  { errand: "backup", at: "backup.catalogue-stored" },
  { errand: "backup", at: "backup.renamed" },
  { errand: "backup", at: "backup.completed" },
  { errand: "deletion", at: "deletion.out-of-sight" },
  { errand: "deletion", at: "deletion.removed" },
  { errand: "restore", at: "restore.written" },
  { errand: "restore", at: "restore.published" },
];

describe("a process of the data plane that is killed", { skip: missingOpenSsh ?? false }, () => {
  const stack = new AsyncDisposableStack();
  let ground: FaultGround;
  before(async () => {
    ground = stack.use(await stageGround(content));
  });
  after(() => stack.disposeAsync());

  it("leaves one snapshot for each backup, none for a deletion, and nothing else, wherever that happens", async () => {
    let left: { jobId: string; errand: Errand } | null = null;
    let expected = 0;
    const passed = new Set<string>();
    const traceFile = join(ground.directory, "trace");
    for (const death of [...deaths, null]) {
      const errand: Errand = death?.errand ?? "restore";
      const kind = errand === "restore" ? "restore" : "worker";
      // The job that was left is carried past the point first, where it is of the same kind.
      const nth = left?.errand === errand ? 2 : 1;
      // What is left for the other kind of process, that one ends first.
      if (left && (left.errand === "restore") !== (errand === "restore")) {
        await using _ = await ground.start(left.errand === "restore" ? "restore" : "worker", { traceFile });
        await ground.completed(left.jobId);
        left = null;
      }
      await using process = await ground.start(kind, {
        traceFile,
        ...(death && { fault: { at: death.at, action: "kill", nth: left ? nth : 1 } }),
      });
      if (left) await ground.completed(left.jobId);
      left = null;
      await idle(ground);
      assert.equal((await ground.goodSnapshots()).length, expected, `before the death at ${death?.at}`);
      await ground.clean(`before the death at ${death?.at}`);
      if (!death) break;
      const [oldest = ""] = await ground.goodSnapshots();
      const jobId =
        errand === "backup"
          ? await ground.backUp()
          : await (errand === "restore" ? ground.restore(oldest) : ground.remove(oldest));
      await over(process);
      assert.equal(process.child.signalCode, "SIGKILL", death.at);
      expected += { backup: 1, deletion: -1, restore: 0 }[errand];
      if (await isUnderWay(ground, jobId)) {
        await ground.loseLease(jobId);
        left = { jobId, errand };
      }
    }
    for (const point of (await readFile(traceFile, "utf8")).split("\n")) passed.add(point);
    const named = [...Object.values(pointsOf).flat(), ...startPoints];
    assert.deepEqual(
      named.filter((point) => !passed.has(point)),
      [],
      "no point is a dead name",
    );
  });
});
