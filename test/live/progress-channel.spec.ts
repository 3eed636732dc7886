import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import {
  connectProgress,
  formatJobMessage,
  type JobProgress,
  jobChannel,
  parseJobMessage,
} from "../../clients/hub/progress-channel.ts";
import { stageRedis } from "../stage/redis.ts";
import { silent, until } from "./watched.ts";

const progress: JobProgress = {
  leaseEpoch: 1,
  phase: "PULLING",
  filesDone: 1,
  filesTotal: null,
  bytesDone: 2 ** 52,
  bytesTotal: null,
  storedBytes: 3,
};

describe("the channel of progress", () => {
  it("carries the end of a path of any length, in any script, within its limit", async () => {
    await using redis = await stageRedis();
    await using stack = new AsyncDisposableStack();
    const hub = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
    const heard: string[] = [];
    hub.on("message", (_, text) => heard.push(text));
    const paths = ["a".repeat(5_000), "\u0001".repeat(5_000), "\u{1F600}".repeat(3_000), "名".repeat(4_000), "short"];
    await hub.subscribe(...paths.map((_, n) => jobChannel(`job_${n}`)));
    const channel = stack.use(connectProgress({ redisUrl: redis.url, log: silent }));
    await until(() => {
      for (const [n, currentPath] of paths.entries()) channel.publish(`job_${n}`, { ...progress, currentPath });
      return heard.length >= paths.length;
    });
    for (const text of heard) {
      const message = parseJobMessage(text);
      assert.equal(message?.kind, "progress");
      assert.ok(paths.some((path) => path.endsWith(message.progress.currentPath ?? "-")));
    }
  });

  it("queues nothing while Redis is away, and speaks again when it is back", async () => {
    await using redis = await stageRedis();
    await using channel = connectProgress({ redisUrl: redis.url, log: silent });
    await redis.stop();
    for (let filesDone = 0; filesDone < 2_000; filesDone++) channel.publish("job_1", { ...progress, filesDone });
    await pause(300);
    await redis.start();
    await using stack = new AsyncDisposableStack();
    const hub = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
    const heard: number[] = [];
    hub.on("message", (_, text) => {
      const message = parseJobMessage(text);
      if (message?.kind === "progress") heard.push(message.progress.filesDone);
    });
    await hub.subscribe(jobChannel("job_1"));
    await pause(500);
    assert.deepEqual(heard, []);
    await until(() => {
      channel.publish("job_1", { ...progress, filesDone: 3_000 });
      return heard.length > 0;
    });
    assert.deepEqual(new Set(heard), new Set([3_000]));
  });

  it("sends what waits when it is closed, and closes in good time without Redis", async () => {
    await using redis = await stageRedis();
    await using stack = new AsyncDisposableStack();
    const hub = stack.adopt(new Redis(redis.url), (client) => client.disconnect());
    hub.on("error", () => {});
    let last: number | undefined;
    hub.on("message", (_, text) => {
      const message = parseJobMessage(text);
      if (message?.kind === "progress") last = message.progress.filesDone;
    });
    await hub.subscribe(jobChannel("job_1"));
    const channel = connectProgress({ redisUrl: redis.url, log: silent });
    await until(() => {
      channel.publish("job_1", { ...progress, filesDone: 1 });
      return last === 1;
    });
    channel.publish("job_1", { ...progress, filesDone: 2 });
    channel.publish("job_1", { ...progress, filesDone: 3 });
    await channel[Symbol.asyncDispose]();
    await until(() => last === 3);

    await redis.stop();
    const lonely = connectProgress({ redisUrl: redis.url, log: silent });
    lonely.publish("job_1", progress);
    const began = performance.now();
    await lonely[Symbol.asyncDispose]();
    assert.ok(performance.now() - began < 1_500);
  });

  it("refuses what another version, or nobody, would send", () => {
    const whole = formatJobMessage({ v: 1, kind: "progress", progress });
    assert.deepEqual(parseJobMessage(whole), { v: 1, kind: "progress", progress });
    for (const wrong of [
      whole.replace('"v":1', '"v":2'),
      whole.replace('"leaseEpoch":1', '"leaseEpoch":1.5'),
      whole.replace('"filesDone":1', '"filesDone":"1"'),
      whole.replace('"filesTotal":null,', ""),
      whole.replace('"PULLING"', JSON.stringify("x".repeat(33))),
      whole + " ".repeat(4_096),
      "not json",
    ]) {
      assert.equal(parseJobMessage(wrong), null, wrong.slice(0, 80));
    }
  });
});
