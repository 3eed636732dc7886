// How often somebody may ask: counted by all hubs together, and by each alone while Redis is away.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { countTogether } from "../../server/limits/shared-rates.ts";
import { silent, until } from "../live/watched.ts";
import { sendOperation, stagePerson } from "../public/people.ts";
import { client } from "../stage/client.ts";
import { stageHub } from "../stage/hub.ts";
import { stageRedis } from "../stage/redis.ts";

const few = { count: 5, seconds: 60 };

async function takes(rates: { take(key: string, limit: typeof few): Promise<boolean> }, key: string, times: number) {
  let taken = 0;
  for (let n = 0; n < times; n++) if (await rates.take(key, few)) taken++;
  return taken;
}

describe("a rate", () => {
  it("is shared by two hubs, and ends with its window", async () => {
    await using redis = await stageRedis();
    await using one = countTogether({ redisUrl: redis.url, log: silent });
    await using other = countTogether({ redisUrl: redis.url, log: silent });
    await until(async () => (await one.take(`${Math.random()}`, few)) && (await isShared(redis.url)));
    await pause(200);
    assert.equal(await takes(one, "somebody", 3), 3);
    assert.equal(await takes(other, "somebody", 4), 2);
    assert.equal(await takes(one, "somebody else", 4), 4);
    const brief = { count: 1, seconds: 0.3 };
    assert.equal(await one.take("brief", brief), true);
    assert.equal(await other.take("brief", brief), false);
    await pause(350);
    assert.equal(await other.take("brief", brief), true);
  });

  it("leaves no key in Redis that names anybody, and none that stays", async () => {
    await using redis = await stageRedis();
    await using rates = countTogether({ redisUrl: redis.url, log: silent });
    await until(async () => (await rates.take("signIn:owner@example.com", few)) && (await isShared(redis.url)));
    const client = new Redis(redis.url);
    const keys = await client.keys("*");
    assert.ok(keys.length >= 1);
    for (const key of keys) {
      assert.match(key, /^xvault:rate:[\w-]{43}$/);
      assert.ok((await client.pttl(key)) > 0);
    }
    client.disconnect();
  });

  it("holds in each process alone once Redis is gone, and goes on from what that process has counted", async () => {
    await using redis = await stageRedis();
    await using rates = countTogether({ redisUrl: redis.url, log: silent });
    await until(async () => (await rates.take("warm", { count: 1e6, seconds: 60 })) && (await isShared(redis.url)));
    assert.equal(await takes(rates, "somebody", 3), 3);
    await redis.stop();
    assert.equal(await takes(rates, "somebody", 10), 2);
    assert.equal(await takes(rates, "new", 10), 5);
    await redis.start();
    await until(
      async () => (await rates.take("warm", { count: 1e6, seconds: 60 })) && (await isShared(redis.url)),
      15_000,
    );
  });

  it("waits for a Redis that hangs a tenth of a second once, and then not at all for a while", async () => {
    await using redis = await stageRedis();
    await using rates = countTogether({ redisUrl: redis.url, log: silent });
    await until(async () => (await rates.take("warm", { count: 1e6, seconds: 60 })) && (await isShared(redis.url)));
    const operator = new Redis(redis.url);
    await operator.call("CLIENT", "PAUSE", "3000", "ALL");
    const began = performance.now();
    assert.equal(await takes(rates, "somebody", 50), 5);
    const took = performance.now() - began;
    assert.ok(took < 400, `${took} ms`);
    operator.disconnect();
  });
});

describe("an operation too many", () => {
  it("is answered 429 with when to come back, without a number of what is allowed", async () => {
    await using hub = await stageHub({ edge: { operationsPerMinute: 6, anonymousOperationsPerMinute: 4 } });
    const person = await stagePerson(hub);
    const ask = () => sendOperation(hub.graphqlUrl, { query: "{ viewer { id } }", token: person.token });
    for (let n = 0; n < 6; n++) assert.equal((await ask()).status, 200);
    const { status, headers, text } = await ask();
    assert.deepEqual([status, headers.get("retry-after")], [429, "60"]);
    const [error] = JSON.parse(text).errors;
    assert.deepEqual(error, {
      message: "Too many requests in a short time: wait a minute.",
      extensions: { code: "RATE_LIMITED" },
    });
    const limits = [...headers.keys()].filter((name) => /ratelimit/i.test(name));
    assert.deepEqual(limits, []);
    const anonymous = client(hub.graphqlUrl);
    const codes = [];
    // One was the sign-in of the person.
    for (let n = 0; n < 5; n++) codes.push((await anonymous("{ __typename }")).errors?.[0]?.extensions?.code);
    assert.deepEqual(codes, [undefined, undefined, undefined, "RATE_LIMITED", "RATE_LIMITED"]);
  });

  it("is one of an address where nobody is signed in: who claims another one is not believed without proxies", async () => {
    await using hub = await stageHub({ edge: { anonymousOperationsPerMinute: 3 } });
    await using behind = await stageHub({ edge: { anonymousOperationsPerMinute: 3, proxies: 1 } });
    const ask = async (url: string, forwarded: string) => {
      const headers = { "content-type": "application/json", "x-forwarded-for": forwarded };
      const response = await fetch(url, { method: "POST", headers, body: `{"query":"{ __typename }"}` });
      await response.text();
      return response.status;
    };
    const codes = [];
    for (let n = 0; n < 4; n++) codes.push(await ask(hub.graphqlUrl, `203.0.113.${n}`));
    assert.deepEqual(codes, [200, 200, 200, 429]);
    for (let n = 0; n < 4; n++) assert.equal(await ask(behind.graphqlUrl, `203.0.113.${n}`), 200);
    for (let n = 0; n < 3; n++) assert.equal(await ask(behind.graphqlUrl, `10.0.0.${n}, 2001:db8::${n}`), 200);
    // The same network of an IPv6 address, and whatever is claimed before it.
    assert.equal(await ask(behind.graphqlUrl, "10.0.0.9, 2001:db8::ffff:1"), 429);
    assert.equal(await ask(behind.graphqlUrl, "2001:db8:0:1::1"), 200);
  });
});

/** Whether anything has been counted there yet. */
async function isShared(url: string): Promise<boolean> {
  const redis = new Redis(url, { retryStrategy: () => null });
  try {
    return (await redis.dbsize()) > 0;
  } catch {
    return false;
  } finally {
    redis.disconnect();
  }
}
