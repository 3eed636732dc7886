// Bee-Queue's own loader of its Lua scripts: it has no public door, and without it a restarted Redis is never rung again.
declare module "bee-queue/lib/lua/index.js" {
  import type { Redis } from "ioredis";

  export function buildCache(client: Redis): Promise<unknown>;
}
