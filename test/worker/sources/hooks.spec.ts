import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Warning } from "#artifact/node";
import type { LogLine } from "../../../worker/sources/source.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { stageRogueHost } from "../../stage/rogue-host.ts";
import { seededBytes, tree } from "../../stage/tree.ts";
import { collect, type Differences } from "./reading.ts";
import { connect, serve } from "./ssh-files.ts";

const skip = missingOpenSsh ?? false;

async function run(sshd: StagedOpenSsh, hooks: object, other: Differences = {}) {
  const logged: LogLine[] = [];
  await using source = await connect(sshd, { log: (line) => logged.push(line), settings: { hooks }, ...other });
  const { described, warnings } = await collect(source);
  return { described, warnings, logged };
}

function lines(logged: readonly LogLine[]): string[] {
  return logged.map(({ step, text }) => `${step}: ${text}`);
}

describe("the commands around a backup", { skip }, () => {
  it("run before the first file and after the last, in the user's own shell", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    const { described, logged, warnings } = await run(sshd, {
      before: { command: `cd ${sshd.data} && echo made > made; echo "in $0 as $(id -u)"; echo aside >&2` },
      after: { command: `rm ${sshd.data}/made && echo cleaned` },
    });
    assert.deepEqual(Object.keys(described), ["made", "one"]);
    assert.deepEqual([existsSync(join(sshd.data, "made")), warnings], [false, []]);
    assert.deepEqual(lines(logged).sort(), ["after: cleaned", "before: aside", `before: in sh as ${sshd.owner.uid}`]);
  });

  it("fail the backup where they fail, and `after` is run all the same", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    const after = { command: `echo ran >> ${sshd.data}/after` };
    const before = { command: "echo secret-words; exit 7" };
    await assert.rejects(run(sshd, { before, after }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "DUMP_FAILED");
      assert.match(error.message, /command before the backup failed with exit code 7/);
      assert.doesNotMatch(error.message, /secret-words/);
      return true;
    });
    assert.equal(readFileSync(join(sshd.data, "after"), "utf8"), "ran\n");
    await assert.rejects(run(sshd, { after: { command: "kill -9 $$" } }), {
      code: "DUMP_FAILED",
      message: /was killed/,
    });
  });

  it("are warnings where the settings say so", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    const failing = { command: "exit 7" };
    const { described, warnings } = await run(sshd, { before: failing, after: failing, onFailure: "warn" });
    assert.deepEqual(Object.keys(described), ["one"]);
    assert.deepEqual(
      warnings.map(({ code, message }) => `${code} ${message.slice(0, 30)}`),
      ["HOOK_FAILED The command before the backup ", "HOOK_FAILED The command after the backup f"],
    );
  });

  it("fail in the same way where the server runs no commands", async () => {
    await using rogue = await stageRogueHost({ names: [{ name: "file" }] });
    const warned: string[] = [];
    const hooks = { before: { command: "true" } };
    await using failing = await connect(rogue, { path: "/", settings: { hooks } });
    await assert.rejects(collect(failing), { code: "SOURCE_DISCONNECTED", message: /runs no commands/ });
    await using warning = await connect(rogue, { path: "/", settings: { hooks: { ...hooks, onFailure: "warn" } } });
    for await (const { path } of warning.entries(({ code }) => warned.push(code))) warned.push(String(path));
    assert.deepEqual(warned, ["HOOK_FAILED", "file"]);
  });

  it("are TIMEOUT where they take longer than they may", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    const startedAt = performance.now();
    await assert.rejects(run(sshd, { before: { command: "sleep 60", timeoutSeconds: 1 } }), { code: "TIMEOUT" });
    const { warnings } = await run(sshd, { after: { command: "yes", timeoutSeconds: 1 }, onFailure: "warn" });
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["HOOK_FAILED"],
    );
    assert.ok(performance.now() - startedAt < 20_000);
  });

  it("have a bounded number of printable lines in the log", async () => {
    await using sshd = await serve(tree({ one: "1" }));
    const command = "seq 1 100000; head -c 5000000 /dev/zero | tr '\\0' x";
    const { logged } = await run(sshd, {
      before: { command },
      after: { command: "printf 'a\\033[31mb\\001\\377c\\r\\n%05000d' 1" },
    });
    const before = logged.filter(({ step }) => step === "before");
    assert.deepEqual([before.length, before[199]?.text, before[200]?.text], [201, "200", "… and 99,801 more lines."]);
    const after = logged.filter(({ step }) => step === "after").map(({ text }) => text);
    assert.deepEqual([after[0], after[1]?.length], ["ab \ufffdc", 1001]);
  });

  it("run `after` on a connection of its own where the first is lost", async () => {
    await using sshd = await serve(tree({ big: seededBytes(16 * 1024 * 1024, "big") }));
    const hooks = { before: { command: "true" }, after: { command: `echo ran >> ${sshd.home}/after; echo late` } };
    const logged: LogLine[] = [];
    const stop = new AbortController();
    for (const end of [() => sshd.dropConnections(), async () => stop.abort(new Error("canceled"))]) {
      const source = await connect(sshd, {
        signal: stop.signal,
        log: (line) => logged.push(line),
        settings: { hooks },
      });
      try {
        await assert.rejects(async () => {
          for await (const { content } of source.entries(() => undefined)) {
            await end();
            for await (const _ of content ?? []);
          }
        });
      } finally {
        await source[Symbol.asyncDispose]();
      }
    }
    assert.equal(readFileSync(join(sshd.home, "after"), "utf8"), "ran\nran\n");
    assert.deepEqual(lines(logged), ["after: late", "after: late"]);
  });

  it("do not run for a test of the source, nor `after` where nothing was begun", async () => {
    await using sshd = await stageOpenSsh();
    const command = `echo ran >> ${sshd.home}/ran`;
    const warnings: Warning[] = [];
    {
      await using source = await connect(sshd, { settings: { hooks: { before: { command }, after: { command } } } });
      await source.identify();
      source.entries((warning) => warnings.push(warning));
    }
    assert.ok(!existsSync(join(sshd.home, "ran")));
  });
});
