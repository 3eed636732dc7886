import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { openProgressDisplay } from "../../clients/cli/progress-display.ts";
import type { Output } from "../../clients/cli/terminal.ts";
import { jobFacts, noProgress } from "./scripted-job.ts";

const options = { title: "Backup of web-1", color: false, redraws: true };
const step = { cursor: "1", job: jobFacts("RUNNING"), event: null, progress: null };
const told = { ...step, progress: { ...noProgress, filesDone: 3, currentPath: "a/b" } };

interface Recorder extends Output {
  readonly written: string[];
}

function recorder(isTTY: boolean): Recorder {
  const written: string[] = [];
  return { isTTY, columns: 60, written, write: (text) => written.push(text) > 0 };
}

/** What stands on a terminal after all that was written. */
function screenAfter(written: readonly string[]): string {
  const [start = "", ...sequences] = written.join("").split("\x1b[");
  let screen = `$ xvault${start}`;
  for (const sequence of sequences) {
    const [command = "", up] = /^(?:(\d+)A|J|\?7[lh])/.exec(sequence) ?? assert.fail(`unknown: ${sequence}`);
    if (up)
      screen = `${screen
        .split("\n")
        .slice(0, -Number(up) - 1)
        .join("\n")}\n`;
    screen += sequence.slice(command.length).replaceAll("\r", "");
  }
  return screen;
}

describe("a display on a terminal", () => {
  it("draws over what it drew, ten times a second at most", async () => {
    const output = recorder(true);
    output.write("\n");
    {
      using display = openProgressDisplay(output, options);
      for (let count = 0; count < 50; count++) {
        display.show(told);
        await pause(10);
      }
      assert.ok(output.written.length <= 2 + 500 / 100 + 3, `${output.written.length} drawings`);
      const screen = screenAfter(output.written).split("\n");
      assert.deepEqual([screen.length, screen[0], screen[4]], [6, "$ xvault", "a/b"]);
    }
  });

  it("leaves nothing behind", async () => {
    const output = recorder(true);
    output.write("\n");
    {
      using display = openProgressDisplay(output, options);
      display.show(told);
      await pause(250);
    }
    assert.equal(screenAfter(output.written), "$ xvault\n");
    assert.ok(output.written.join("").endsWith("\x1b[J"));
    assert.equal(output.written.join("").split("\x1b[?7l").length, output.written.join("").split("\x1b[?7h").length);
  });
});

describe("a display off a terminal", () => {
  it("writes a line for every stage and no line for every step", () => {
    const output = recorder(false);
    using display = openProgressDisplay(output, options);
    display.show({ ...step, job: jobFacts("QUEUED", 0) });
    for (let count = 0; count < 100; count++) display.show(told);
    display.show({ ...step, job: jobFacts("FINALIZING") });
    display.show({ ...step, job: jobFacts("COMPLETED") });
    assert.deepEqual(output.written, [
      "Backup of web-1: waiting for a worker\n",
      "Backup of web-1: pulling\n",
      "Backup of web-1: finalizing\n",
      "Backup of web-1: completed\n",
    ]);
  });

  it("is also what a terminal gets that cannot draw over", () => {
    const output = recorder(true);
    using display = openProgressDisplay(output, { ...options, redraws: false });
    display.show(told);
    assert.deepEqual(output.written.map(stripVTControlCharacters), ["Backup of web-1: pulling\n"]);
  });
});
