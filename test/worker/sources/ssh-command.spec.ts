import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connectSsh, type SshConnection } from "../../../worker/sources/ssh/connection.ts";
import { processesOf, until } from "../../faults/kit/ssh-site.ts";
import { stageFaultProxy } from "../../stage/fault-proxy.ts";
import { missingOpenSsh, type StagedOpenSsh, stageOpenSsh } from "../../stage/peers/openssh.ts";
import { loopback } from "./reading.ts";

const skip = missingOpenSsh ?? false;

type Reached = Pick<StagedOpenSsh, "host" | "port" | "username" | "password" | "hostKey">;

function connect({ host, port, username, password, hostKey }: Reached, stallMs = 20_000): Promise<SshConnection> {
  const target = { host, port, username, signIn: { password }, pinnedHostKey: hostKey };
  return connectSsh({ target, jump: null, allowedNetworks: loopback, signal: AbortSignal.timeout(60_000), stallMs });
}

async function outputOf(connection: SshConnection, commandLine: string): Promise<string> {
  const { output } = await connection.run(commandLine);
  let text = "";
  for await (const chunk of output) text += Buffer.from(chunk);
  return text;
}

describe("a command on an SSH server", { skip }, () => {
  it("tells its output, its complaints and how it ended", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    const command = await connection.run("cat; echo bad >&2; exit 3", { input: "good" });
    let text = "";
    for await (const chunk of command.output) text += Buffer.from(chunk);
    assert.equal(text, "good");
    assert.deepEqual(await command.ended, { code: 3, signal: null, complaints: "bad\n" });
  });

  it("tells how it ended where all its answers come at once", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    const clock = new Int32Array(new SharedArrayBuffer(4));
    // Whatever arrives meanwhile is read in one piece.
    const busy = setInterval(() => Atomics.wait(clock, 0, 0, 100), 0);
    try {
      for (const [commandLine, end] of [
        ["echo out; echo bad >&2; exit 3", { code: 3, signal: null }],
        ["kill -9 $$", { code: null, signal: "SIGKILL" }],
      ] as const) {
        const { output, ended } = await connection.run(commandLine);
        for await (const _ of output);
        const { complaints, ...how } = await ended;
        assert.deepEqual([how, complaints], [end, end.code === null ? "" : "bad\n"]);
      }
    } finally {
      clearInterval(busy);
    }
  });

  it("is not ahead of a slow reader by more than a few MiB", async () => {
    await using sshd = await stageOpenSsh();
    await using proxy = await stageFaultProxy(sshd);
    await using connection = await connect({ ...sshd, port: proxy.port });
    await using command = await connection.run("head -c 100000000 /dev/zero");
    let bytes = 0;
    for await (const chunk of command.output) {
      if (bytes === 0) {
        await pause(500);
        assert.ok(proxy.bytes() < 8 * 1024 * 1024, `${proxy.bytes()} bytes came`);
      }
      bytes += chunk.length;
    }
    assert.equal(bytes, 100_000_000);
  });

  it("is SOURCE_STALLED where it says nothing for too long", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    const { output } = await connection.run("echo first; sleep 60", { silenceMs: 300 });
    const read = async () => {
      for await (const _ of output);
    };
    await assert.rejects(read(), { name: "SourceError", code: "SOURCE_STALLED" });
    assert.equal(await outputOf(connection, "echo still here"), "still here\n");
  });

  it("may take longer to its first byte than between two, whatever a script says of itself ahead of that", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    const patience = { silenceMs: 500, firstByteMs: 20_000 };
    const { output } = await connection.run("echo begin; sleep 2; head -c 1000 /dev/zero; sleep 60", patience);
    let bytes = 0;
    const since = performance.now();
    await assert.rejects(
      async () => {
        for await (const { length } of output) bytes += length;
      },
      { code: "SOURCE_STALLED" },
    );
    assert.equal(bytes, 1006);
    assert.ok(performance.now() - since < 15_000, "the second silence had the patience of the first");
  });

  it("is ended on the server where the job is to stop, though it writes nothing", async () => {
    await using sshd = await stageOpenSsh();
    const stop = new AbortController();
    const { host, port, username, password, hostKey } = sshd;
    const target = { host, port, username, signIn: { password }, pinnedHostKey: hostKey };
    const route = { target, jump: null, allowedNetworks: loopback, signal: stop.signal, stallMs: 20_000 };
    const connection = await connectSsh(route);
    const command = await connection.run("sleep 7776; echo survived");
    await until("it runs", () => processesOf(sshd).includes("sleep 7776"));
    stop.abort(new Error("canceled"));
    await assert.rejects(command.ended, /canceled/);
    await connection[Symbol.asyncDispose]();
    await until("it is gone", () => processesOf(sshd).length === 0);
  });

  it("is SOURCE_DISCONNECTED where the connection breaks, whatever else runs or ran on it", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    await outputOf(connection, "echo one");
    const silent = await connection.run("sleep 60", { silenceMs: 200 });
    const quiet = await connection.run("sleep 60");
    const unread = await connection.run("cat /dev/zero");
    await assert.rejects(
      async () => {
        for await (const _ of silent.output);
      },
      { code: "SOURCE_STALLED" },
    );
    const endless = await connection.run("cat /dev/zero");
    let chunks = 0;
    const read = async (output: AsyncIterable<Uint8Array>) => {
      for await (const _ of output) if (chunks++ === 50) await sshd.dropConnections();
    };
    const disconnected = { name: "SourceError", code: "SOURCE_DISCONNECTED" };
    await Promise.all([
      assert.rejects(read(endless.output), disconnected),
      assert.rejects(read(quiet.output), disconnected),
      assert.rejects(unread.ended, disconnected),
    ]);
    await assert.rejects(read(unread.output), disconnected);
    await assert.rejects(connection.run("echo too late"), disconnected);
  });

  it("is ended with all that it started when nobody waits for it any more", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    {
      await using command = await connection.run("echo up; sleep 600 | sleep 600");
      await command.output.next();
    }
    const running = () => outputOf(connection, 'pgrep -u "$(id -u)" -x sleep || echo none');
    let left = await running();
    for (let time = 0; left !== "none\n" && time < 100; time++) {
      await pause(50);
      left = await running();
    }
    assert.equal(left, "none\n");
  });

  it("is let go of when its reader leaves", async () => {
    await using sshd = await stageOpenSsh();
    await using connection = await connect(sshd);
    for (let time = 0; time < 12; time++) {
      const { output } = await connection.run("cat /dev/zero");
      for await (const _ of output) break;
    }
    assert.equal(await outputOf(connection, "echo room"), "room\n");
  });
});
