import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { captured } from "../../../worker/sources/dump/captured.ts";
import { farPlace } from "../../../worker/sources/dump/far-place.ts";
import { findTool } from "../../../worker/sources/dump/find-tool.ts";
import { nearPlace } from "../../../worker/sources/dump/near-place.ts";
import type { Place, ToolCommand } from "../../../worker/sources/dump/place.ts";
import { connectSsh } from "../../../worker/sources/ssh/connection.ts";
import { missingOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { loopback } from "./reading.ts";

const silenceMs = 20_000;
const secret = "pw-In-A-File-1";

interface StagedPlace extends AsyncDisposable {
  readonly place: Place;
  /** Where secrets lie on their way. */
  readonly tempBase: string;
  readonly stop: AbortController;
}

async function stageNear(): Promise<StagedPlace> {
  const tempBase = await mkdtemp(join(tmpdir(), "xvault-near-"));
  const stop = new AbortController();
  return {
    place: nearPlace({ tempBase, signal: stop.signal }),
    tempBase,
    stop,
    [Symbol.asyncDispose]: () => rm(tempBase, { recursive: true, force: true }),
  };
}

async function stageFar(): Promise<StagedPlace> {
  await using opened = new AsyncDisposableStack();
  const { host, port, username, password, hostKey } = opened.use(await stageOpenSsh());
  const stop = new AbortController();
  const target = { host, port, username, signIn: { password }, pinnedHostKey: hostKey };
  const route = { target, jump: null, allowedNetworks: loopback, signal: stop.signal, stallMs: 30_000 };
  const connection = opened.use(await connectSsh(route));
  const kept = opened.move();
  return {
    place: farPlace(connection),
    tempBase: "/dev/shm",
    stop,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

const sh = (script: string, ...words: string[]) => ({ program: "sh", args: ["-c", script, "sh", ...words] });

for (const [name, stage, skip] of [
  ["this machine", stageNear, false],
  ["an SSH server", stageFar, missingOpenSsh ?? false],
] as const)
  describe(`a program on ${name}`, { skip }, () => {
    it("gets every word and setting literally", async () => {
      const odd = [
        "x; id",
        "$(id)",
        "`id`",
        "two\nlines",
        "-oProxyCommand=id",
        "*",
        "it's",
        '"',
        "a\\nb\\\\",
        "",
        "ü 文",
      ];
      await using staged = await stage();
      const said = await captured(staged.place, {
        ...sh(`printf '%s\\0' "$@" "$PGDATABASE"`, ...odd),
        env: { PGDATABASE: "host=evil $(id)\n'" },
        silenceMs,
      });
      assert.deepEqual(said.text.split("\0"), [...odd, "host=evil $(id)\n'", ""]);
      await assert.rejects(async () => staged.place.run(sh("a\0b")), { code: "PATH_NOT_FOUND" });
    });

    it("has nothing of our environment", async () => {
      await using staged = await stage();
      const { text } = await captured(staged.place, { program: "env", args: [], env: { PGPORT: "1" }, silenceMs });
      const names = text.split("\n").flatMap((line) => line.split("=", 1)[0] || []);
      // stdbuf tells the program of its buffer in this way.
      const ours = names.filter((name) => name !== "LD_PRELOAD" && name !== "_STDBUF_O");
      assert.deepEqual(ours.sort(), ["HOME", "LC_ALL", "PATH", "PGPORT"]);
    });

    it("reads its secret from a file without a name that nobody else can read", async () => {
      await using staged = await stage();
      const before = await readdir(staged.tempBase);
      const { text } = await captured(staged.place, {
        ...sh(`cat "$FILE" "$FILE"; stat -L -c '%F %a %h' "$FILE"; tr '\\0' '\\n' </proc/$$/environ; echo "$@"`),
        secretFile: { text: `${secret}\n`, pass: (path) => ({ env: { FILE: path } }) },
        silenceMs,
      });
      assert.equal(text.split(`${secret}\n`).length, 3, "twice, as a program does that connects twice");
      assert.match(text, /^regular file 600 0$/m);
      assert.deepEqual(await readdir(staged.tempBase), before);
      const asArgument: ToolCommand = {
        ...{ program: "cat", args: ["-"] },
        secretFile: { text: secret, pass: (path) => ({ args: [path] }) },
      };
      assert.equal((await captured(staged.place, { ...asArgument, silenceMs })).text, secret);
    });

    it("tells how it ended and what it complained of", async () => {
      await using staged = await stage();
      const run = (script: string) => captured(staged.place, { ...sh(script), silenceMs });
      assert.deepEqual(await run("echo out; echo bad >&2; exit 3"), {
        ...{ text: "out\n", complaints: "bad\n", code: 3, signal: null },
      });
      const killed = await run("echo half; kill -9 $$");
      assert.deepEqual({ ...killed }, { text: "half\n", complaints: "", code: null, signal: "SIGKILL" });
      const loud = await run("head -c 3000000 /dev/zero | tr '\\0' x >&2; echo end >&2");
      assert.equal(loud.complaints.length, 65_536);
      assert.ok(loud.complaints.endsWith("xend\n"));
      const nothing = await captured(staged.place, { program: "no-such-program", args: [], silenceMs });
      assert.equal(nothing.code, 127);
    });

    it("is SOURCE_STALLED when it falls silent, but not while its output waits to be read", async () => {
      await using staged = await stage();
      const silent = captured(staged.place, { ...sh("echo one; sleep 60"), silenceMs: 400 });
      await assert.rejects(silent, { name: "SourceError", code: "SOURCE_STALLED" });
      await using slow = await staged.place.run({ ...sh("head -c 4000000 /dev/zero"), silenceMs: 400 });
      let length = 0;
      for await (const chunk of slow.output) {
        if (length === 0) await pause(1_000);
        length += chunk.length;
      }
      assert.equal(length, 4_000_000);
    });

    it("ends when nobody wants it any more", async () => {
      await using staged = await stage();
      const running = await staged.place.run(sh("echo $$; while sleep 0.05; do echo more; done"));
      const pid = await firstLine(running.output);
      assert.ok(await isAlive(pid));
      await running[Symbol.asyncDispose]();
      await gone(pid);
    });

    it("ends with the job, for its reason", async () => {
      await using staged = await stage();
      const reason = new Error("the lease is lost");
      await using running = await staged.place.run(sh("while sleep 0.05; do echo more; done"));
      const reading = async () => {
        for await (const _ of running.output) staged.stop.abort(reason);
      };
      await assert.rejects(reading(), reason);
      await assert.rejects(running.ended, reason);
      await assert.rejects(async () => staged.place.run(sh("true")), reason);
    });

    it("answers as one is not read to its end", async () => {
      await using staged = await stage();
      await assert.rejects(captured(staged.place, { ...sh("yes"), silenceMs }, 10_000), { code: "DUMP_FAILED" });
    });

    it("is found with its version", async () => {
      await using staged = await stage();
      const found = await findTool(staged.place, ["no-such-program", "false", "sh", "psql", "ls"]);
      assert.ok(found?.program === "psql" || found?.program === "ls");
      assert.match(found.version, /^\d+\.\d+/);
      assert.equal(await findTool(staged.place, ["no-such-program"]), null);
    });
  });

describe("a program on this machine", () => {
  it("does not outlive a worker that is killed", async () => {
    const script = `
      import { nearPlace } from ${JSON.stringify(import.meta.resolve("../../../worker/sources/dump/near-place.ts"))};
      const place = nearPlace({ tempBase: ${JSON.stringify(tmpdir())}, signal: new AbortController().signal });
      const running = await place.run({ program: "sh", args: ["-c", "echo $$; exec sleep 600"] });
      for await (const chunk of running.output) process.stdout.write(chunk);`;
    const worker = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const pid = await firstLine(worker.stdout);
      assert.ok(await isAlive(pid));
      const exit = once(worker, "exit");
      worker.kill("SIGKILL");
      await exit;
      await gone(pid);
    } finally {
      worker.kill("SIGKILL");
    }
  });
});

async function firstLine(output: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  const iterator = output[Symbol.asyncIterator]();
  while (!text.includes("\n")) {
    const { value, done } = await iterator.next();
    if (done) break;
    text += Buffer.from(value).toString();
  }
  return text.split("\n", 1)[0] ?? "";
}

async function isAlive(pid: string): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "gone) Z");
  return !/\) [ZX]/.test(status);
}

async function gone(pid: string): Promise<void> {
  for (let waited = 0; await isAlive(pid); waited += 20) {
    assert.ok(waited < 5_000, `process ${pid} is still there`);
    await pause(20);
  }
}
