// Rows F1, F2, F3 and F34, all of it: every fault point of the data plane × killed, stopped until the lease is over, and aborted;
// backups of an empty tree, of a few files and of a large one; restores in each form.
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { FaultPoint } from "../../artifact/fault-point.ts";
import { missingOpenSsh } from "../stage/peers/openssh.ts";
import { seededBytes, smallFiles, type Tree, tree } from "../stage/tree.ts";
import { type FaultGround, over, stageGround } from "./kit/ground.ts";
import { type Errand, pointsOf, Succession, startPoints } from "./kit/kills.ts";
import { untilStopped } from "./kit/orders.ts";

const contents: Record<string, Tree> = {
  "an empty tree": tree({}),
  "a few files": smallFiles(40),
  "a large file": tree({ "photo.raw": seededBytes(12_000_000, "kills"), "note.txt": "one" }),
};
const actions = ["kill", "stop", "abort"] as const;
const forms = ["ZIP", "TAR", "SEALED"] as const;
/** Of artifacts that are handed out as they are stored no key is asked for, and an empty tree has no first entry. */
const isPassed = (at: FaultPoint, content: string, form: (typeof forms)[number]) =>
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
        const how = action === "stop" ? "stopped" : `ended by ${action}`;
        it(`does each backup once, ${how} at any of its points`, () => strikeAll("backup", action));
        it(`prepares each download, ${how} at any of its points`, () => strikeAll("restore", action));
        it(`does each deletion once, ${how} at any of its points`, () => strikeAll("deletion", action));
        it(`starts the second time, ${how} at any point of its start`, async () => {
          for (const at of startPoints) {
            const fault = { at, action, onceFile: join(ground.directory, `once-${performance.now()}`) };
            // It has said hello before it looks at its store.
            const struck = await ground.start("worker", { fault });
            if (action === "stop") {
              await untilStopped(struck);
              struck.child.kill("SIGCONT");
              await struck[Symbol.asyncDispose]();
            } else await over(struck);
            await using _ = await ground.start("worker", { fault });
            await ground.completed(await ground.backUp());
            runs++;
          }
          await ground.clean("after starts that were cut short");
        });
      }

      async function strikeAll(errand: Errand, action: (typeof actions)[number]): Promise<void> {
        await using processes = new Succession(ground, errand === "restore" ? "restore" : "worker");
        const form = forms[Object.keys(contents).indexOf(name)] ?? "TAR";
        const began = performance.now();
        const points = pointsOf[errand].filter((at) => isPassed(at, name, form));
        for (const at of points) await processes.strike({ errand, at, action, form });
        runs += points.length;
        const seconds = Math.round((performance.now() - began) / 1000);
        process.stdout.write(`${name}, ${errand}, ${action}: ${points.length} runs in ${seconds} s; ${runs} so far\n`);
      }
    });
  after(() => process.stdout.write(`${runs} runs, one strike each\n`));
});
