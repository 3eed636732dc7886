// Counts in Redis what must not be done too often, so that all hubs count together; each counts for itself while Redis is away.
import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { prompt, Redis, type RedisAccess } from "../../clients/hub/redis.ts";
import type { Rates } from "../../domain/hub.ts";
import { countInProcess } from "./process-rates.ts";

/** An answer that takes longer is not waited for … */
const patienceMs = 100;
/** … and for this long Redis is not asked again. */
const respiteMs = 5_000;

// KEYS[1]: the counter. ARGV[1]: milliseconds that a window lasts. Returns how many were taken in the present window.
const takeOne = `
  local taken = redis.call('INCR', KEYS[1])
  if taken == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return taken`;

/** Never throws for want of Redis. Disposing parts with Redis. */
export function countTogether(access: RedisAccess): Rates & AsyncDisposable {
  const redis = new Redis(access, prompt);
  const alone = countInProcess();
  let askAgainAt = 0;

  async function askRedis(key: string, seconds: number): Promise<number | null> {
    if (redis.status !== "ready" || performance.now() < askAgainAt) return null;
    const answer = redis.eval(takeOne, 1, counterOf(key), Math.ceil(seconds * 1000)).then(Number, () => null);
    const taken = await Promise.race([answer, pause(patienceMs, null, { ref: false })]);
    if (taken === null) askAgainAt = performance.now() + respiteMs;
    return taken;
  }

  return {
    async take(key, limit) {
      // Counted here in any case: an outage does not begin with a clean sheet.
      const [left, taken] = await Promise.all([alone.take(key, limit), askRedis(key, limit.seconds)]);
      return taken === null ? left : taken <= limit.count;
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

/** Nobody's address or id stands in Redis. */
function counterOf(key: string): string {
  return `xvault:rate:${createHash("sha256").update(key).digest("base64url")}`;
}
