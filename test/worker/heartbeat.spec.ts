import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import { pino } from "pino";
import { startHeartbeat } from "../../worker/heartbeat.ts";

/** A hub in a process of its own, because the test's own event loop is to be blocked. Prints the input of every heartbeat. */
const hubScript = `
  const { createServer } = require("node:http");
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk)).on("end", () => {
      console.log(JSON.stringify(JSON.parse(body).variables.input));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ data: { heartbeat: { serverTime: new Date().toISOString() } } }));
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

async function stageHub() {
  const child = spawn(process.execPath, ["-e", hubScript], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  const [port] = (await once(lines, "line")) as [string];
  const beats: { draining: boolean; freeBytes: number | null }[] = [];
  lines.on("line", (line) => beats.push(JSON.parse(line)));
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    beats,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !condition(); await pause(20))
    assert.ok(performance.now() < deadline, "it never happened");
}

describe("the heartbeat", () => {
  it("goes on while the event loop is blocked", async () => {
    await using hub = await stageHub();
    const terms = { baseUrl: hub.baseUrl, token: "the token", heartbeatSeconds: 0.1 };
    await using _heartbeat = startHeartbeat(terms, pino({ level: "silent" }));
    await until(() => hub.beats.length > 0);
    const before = hub.beats.length;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
    // Written while nobody could read: one look at the pipe brings all of them.
    await pause(50);
    assert.ok(hub.beats.length - before >= 5, `${hub.beats.length - before} beats in 2 s`);
  });

  it("tells of a drain at once", async () => {
    await using hub = await stageHub();
    const terms = { baseUrl: hub.baseUrl, token: "the token", heartbeatSeconds: 3_600 };
    await using heartbeat = startHeartbeat(terms, pino({ level: "silent" }));
    await until(() => hub.beats.length > 0);
    heartbeat.tell({ draining: true, freeBytes: 5 });
    await until(() => hub.beats.length > 1);
    assert.deepEqual(hub.beats[1], { draining: true, freeBytes: 5 });
  });
});
