// Rows F1, F2, F3 and F34, all of it: every fault point of the data plane × killed, stopped until the lease is over, and aborted;
// backups of an empty tree, of a few files and of a large one; restores in each form.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { seededBytes, smallFiles, type Tree, tree } from "../stage/tree.ts";
import { type FaultGround, over, stageGround } from "./kit/ground.ts";
import { pointsOf, type Strike, startPoints, strike } from "./kit/kills.ts";

const contents: Record<string, Tree> = {
  "an empty tree": tree({}),
  "a few files": smallFiles(40),
  "a large file": tree({ "photo.raw": seededBytes(12_000_000, "kills"), "note.txt": "one" }),
};
const actions = ["kill", "stop", "abort"] as const;
const forms = ["ZIP", "TAR", "SEALED"] as const;
/** Of artifacts that are handed out as they are stored no key is asked for, and an empty tree has no first entry. */
const isPassed = ({ at, form }: Strike, content: string) =>
  !(at === "restore.keys-opened" && form === "SEALED") && !(at === "backup.first-entry" && content === "an empty tree");

let runs = 0;

describe("a process of the data plane", { skip: missingOpenSsh ?? false }, () => {
  for (const [name, content] of Object.entries(contents))
    describe(`with ${name}`, () => {
      const stack = new AsyncDisposableStack();
      let ground: FaultGround;
      before(async () => {
        ground = stack.use(await stageGround(content));
        await using _ = await ground.start("worker");
        await ground.completed(await ground.backUp());
      });
      after(() => stack.disposeAsync());

      for (const action of actions) {
        it(`does each backup once, ${action === "stop" ? "stopped" : `ended by ${action}`} at any of its points`, async () => {
          for (const at of pointsOf.backup) await strikeOnce({ errand: "backup", at, action }, name);
        });
        it(`prepares each download, ${action === "stop" ? "stopped" : `ended by ${action}`} at any of its points`, async () => {
          const form = forms[Object.keys(contents).indexOf(name)] ?? "TAR";
          for (const at of pointsOf.restore) await strikeOnce({ errand: "restore", at, action, form }, name);
        });
        it(`does each deletion once, ${action === "stop" ? "stopped" : `ended by ${action}`} at any of its points`, async () => {
          for (const at of pointsOf.deletion) await strikeOnce({ errand: "deletion", at, action }, name);
        });
        it(`starts the second time, ${action === "stop" ? "stopped" : `ended by ${action}`} at any point of its start`, async () => {
          for (const at of startPoints) {
            const fault = { at, action, onceFile: join(ground.directory, `once-${performance.now()}`) };
            const starting = ground.start("worker", { fault, env: { WORKER_CONCURRENCY: "1" } });
            if (action !== "stop") await assert.rejects(starting);
            else await goesOn(starting, fault.onceFile);
            await using _ = await ground.start("worker", { fault });
            await ground.completed(await ground.backUp());
            runs++;
          }
          await ground.clean("after starts that were cut short");
        });
      }

      async function strikeOnce(each: Strike, content: string): Promise<void> {
        if (!isPassed(each, content)) return;
        await strike(ground, each);
        runs++;
      }
    });
  after(() => process.stdout.write(`${runs} runs, one strike each\n`));
});

/** Lets a process that was stopped in its start go on, and ends it. */
async function goesOn(starting: ReturnType<FaultGround["start"]>, onceFile: string): Promise<void> {
  const children = () => readFile(`/proc/${process.pid}/task/${process.pid}/children`, "utf8");
  const waiting = starting.then((started) => ({ started }));
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; ) {
    const struck = await readFile(onceFile).catch(() => null);
    if (struck !== null) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (const pid of (await children()).trim().split(" ")) process.kill(Number(pid), "SIGCONT");
  const { started } = await waiting;
  await started[Symbol.asyncDispose]();
  await over(started);
}
