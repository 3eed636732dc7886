import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import { openTempPlace } from "../../worker/temp-place.ts";

const log = pino({ level: "silent" });

describe("the temporary place of a worker", () => {
  const stack = new AsyncDisposableStack();
  let base: string;

  before(async () => {
    base = await mkdtemp(join(tmpdir(), "xvault-temp-place-"));
    stack.defer(() => rm(base, { recursive: true, force: true }));
  });
  after(() => stack.disposeAsync());

  const open = (workerId: string) => openTempPlace({ base, workerId, log });
  const under = async () => (await readdir(base, { recursive: true })).toSorted();

  /** Runs a process that has a place with something in it, until it is killed. */
  async function stageProcess(workerId: string) {
    const module = join(import.meta.dirname, "../../worker/temp-place.ts");
    const script = `
      const { openTempPlace } = await import(${JSON.stringify(module)});
      const { mkdirSync } = await import("node:fs");
      const log = { info() {}, warn() {} };
      const { directory } = await openTempPlace({ base: ${JSON.stringify(base)}, workerId: ${JSON.stringify(workerId)}, log });
      mkdirSync(directory + "/tunnel-1");
      console.log(directory);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [printed] = await once(child.stdout, "data", { signal: AbortSignal.timeout(30_000) });
    const end = async (signal: NodeJS.Signals) => {
      const exited = once(child, "exit");
      child.kill(signal);
      await exited;
    };
    return { child, directory: String(printed).trim(), end };
  }

  it("is its own, closed to others, and gone with everything in it when it ends", async () => {
    {
      await using place = await open("wrk_a");
      assert.equal((await stat(place.directory)).mode & 0o777, 0o700);
      assert.equal((await stat(join(place.directory, ".."))).mode & 0o777, 0o700);
      await mkdir(join(place.directory, "authority-1"));
      await writeFile(join(place.directory, "authority-1", "authority.pem"), "");
      await using other = await open("wrk_b");
      assert.notEqual(join(other.directory, ".."), join(place.directory, ".."));
    }
    assert.equal((await under()).length, 2, (await under()).join());
  });

  it("is emptied of what a killed process of the same worker left, while one that lives or is stopped keeps its own", async () => {
    const killed = await stageProcess("wrk_c");
    const foreign = await stageProcess("wrk_d");
    const living = await stageProcess("wrk_c");
    try {
      await killed.end("SIGKILL");
      await foreign.end("SIGKILL");
      living.child.kill("SIGSTOP");
      await using _place = await open("wrk_c");
      await assert.rejects(stat(killed.directory), { code: "ENOENT" });
      await assert.rejects(stat(`${killed.directory}.alive`), { code: "ENOENT" });
      assert.deepEqual(await readdir(living.directory), ["tunnel-1"], "of a process that is stopped");
      assert.deepEqual(
        await readdir(foreign.directory),
        ["tunnel-1"],
        "of another worker, which may be on another machine",
      );
    } finally {
      await living.end("SIGKILL");
    }
  });
});
