import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { pino } from "pino";
import { patient, prompt, Redis } from "../../clients/hub/redis.ts";
import { stageRedis } from "../stage/redis.ts";
import { until } from "./bells.ts";

describe("a connection to Redis", () => {
  function listeningLog(): { log: pino.Logger; lines: string[] } {
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk, _, done) {
        lines.push(String(chunk));
        done();
      },
    });
    return { log: pino({ level: "trace" }, sink), lines };
  }

  it("tells an outage once and its end once", async () => {
    await using redis = await stageRedis();
    const { log, lines } = listeningLog();
    await using client = new Redis({ redisUrl: redis.url, log }, prompt);
    await until(() => client.status === "ready");
    await redis.stop();
    await until(() => lines.length > 0);
    await assert.rejects(client.ping());
    await redis.start();
    await until(() => client.status === "ready");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).msg),
      ["redis is away", "redis is back"],
    );
  });

  it("never tells the log a password, right or wrong", async () => {
    await using redis = await stageRedis();
    const { log, lines } = listeningLog();
    const password = new URL(redis.url).password;
    for (const redisUrl of [redis.url, redis.url.replace(password, "hunter2")]) {
      await using client = new Redis({ redisUrl, log }, patient);
      const told = lines.length;
      await until(() => client.status === "ready" || lines.length > told);
      if (client.status === "ready")
        await client.call("nonsense", password).catch((error) => client.emit("error", error));
    }
    assert.ok(lines.some((line) => line.includes("WRONGPASS")));
    assert.ok(lines.some((line) => line.includes("nonsense")));
    assert.ok(!lines.some((line) => line.includes(password) || line.includes("hunter2")));
  });

  it("gives up a command after two seconds where Redis hangs, and the connection after five", async () => {
    await using redis = await stageRedis();
    const { log } = listeningLog();
    await using operator = new Redis({ redisUrl: redis.url, log }, prompt);
    await using client = new Redis({ redisUrl: redis.url, log }, prompt);
    await until(() => client.status === "ready" && operator.status === "ready");
    await operator.client("PAUSE", 60_000, "ALL");
    const began = performance.now();
    await assert.rejects(client.ping(), /timed out/);
    assert.ok(performance.now() - began < 3_000);
    await until(() => client.status !== "ready", 6_000);
  });
});
