// Processes that are kept running: what happens when they die, hang, or lose their parent.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Child, nodeChild } from "../../server/one-machine/children.ts";

const temporary = await mkdtemp(join(tmpdir(), "xvault-children-"));
after(() => rm(temporary, { recursive: true }));

async function script(name: string, code: string): Promise<URL> {
  const file = join(temporary, name);
  await writeFile(file, code);
  return pathToFileURL(file);
}

/** Collects lines, and waits until there are as many as asked for. */
function collect() {
  const lines: string[] = [];
  return {
    lines,
    onLine: (line: string) => void lines.push(line),
    async until(count: number): Promise<string[]> {
      const deadline = performance.now() + 20_000;
      while (lines.length < count) {
        assert.ok(performance.now() < deadline, `only ${lines.length} of ${count} lines: ${lines.join(" | ")}`);
        await sleep(20);
      }
      return lines;
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("a child", () => {
  it("is started again whenever it ends, later each time, and its end is told", async () => {
    const url = await script("ends.ts", `console.log(process.pid); console.error("why"); process.exit(3);`);
    const said = collect();
    const deaths: string[] = [];
    await using child = nodeChild(
      url,
      {},
      {
        name: "ends",
        onLine: said.onLine,
        onDeath: (message) => deaths.push(message),
        restartDelayMs: 10,
      },
    );
    assert.ok(child.pid);
    const pids = (await said.until(6)).filter((line) => line !== "why");
    assert.equal(new Set(pids).size, pids.length);
    assert.match(deaths[0] ?? "", /^ends ended and starts again in 10 ms \(exit code 3\)\.\n.*why/s);
    assert.match(deaths[1] ?? "", /in 20 ms/);
  });

  it("is given the time it needs to end when it is asked to", async () => {
    const url = await script(
      "drains.ts",
      `process.on("SIGTERM", () => setTimeout(() => { console.log("drained"); process.exit(); }, 200));
       setInterval(() => {}, 1000); console.log("up");`,
    );
    const said = collect();
    const child = nodeChild(url, {}, { name: "drains", onLine: said.onLine });
    await said.until(1);
    await child.stop();
    await child.stop();
    assert.deepEqual(said.lines, ["up", "drained"]);
  });

  it("is killed when it does not end", async () => {
    const url = await script(
      "deaf.ts",
      `process.on("SIGTERM", () => {}); setInterval(() => {}, 1000); console.log("up");`,
    );
    const said = collect();
    const child = nodeChild(url, {}, { name: "deaf", onLine: said.onLine, graceMs: 100 });
    await said.until(1);
    const pid = child.pid ?? 0;
    await child.stop();
    assert.equal(isRunning(pid), false);
  });

  it("gets the environment it is given and nothing else", async () => {
    const url = await script(
      "env.ts",
      `console.log(Object.keys(process.env).sort().join()); setInterval(() => {}, 1000);`,
    );
    const said = collect();
    await using _child = nodeChild(url, { GIVEN: "1" }, { name: "env", onLine: said.onLine });
    assert.deepEqual(await said.until(1), ["GIVEN"]);
  });

  it("is heard in bounded lines, however long it goes on without an end", async () => {
    const url = await script("long.ts", `process.stdout.write("x".repeat(200_000)); setInterval(() => {}, 1000);`);
    const said = collect();
    await using _child = nodeChild(url, {}, { name: "long", onLine: said.onLine });
    await said.until(1);
    assert.ok(said.lines.every((line) => line.length <= 16 * 1024));
  });

  it("that cannot be run at all says so", async () => {
    const child = new Child({
      name: "nothing",
      start: () => spawn(join(temporary, "no-such-command")),
      onLine: () => {},
    });
    await assert.rejects(
      child.ready(async () => false, 5_000),
      /nothing ended while it was starting\.\n.*ENOENT/s,
    );
  });

  it("ends with its parent, even by kill -9", async () => {
    const grandchild = await script("grandchild.ts", "console.log(process.pid); setInterval(() => {}, 1000);");
    const children = JSON.stringify(new URL("../../server/one-machine/children.ts", import.meta.url).href);
    const parent = spawn(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `import { nodeChild } from ${children};
         nodeChild(new URL(${JSON.stringify(grandchild.href)}), {}, { name: "grandchild", onLine: (line) => console.log(line) });`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const died = once(parent, "exit").then(() => assert.fail("the parent did not come up"));
    const [line] = await Promise.race([once(createInterface(parent.stdout), "line"), died]);
    const pid = Number(line);
    assert.ok(isRunning(pid));
    parent.kill("SIGKILL");
    const deadline = performance.now() + 20_000;
    while (isRunning(pid) && performance.now() < deadline) await sleep(20);
    assert.equal(isRunning(pid), false);
  });
});
