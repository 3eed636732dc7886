// Says whether the hub lives, and whether it can work.
import type { ServerResponse } from "node:http";
import type { Database } from "../../prisma/connect.ts";

export interface Readiness {
  readonly status: "ready" | "degraded" | "unavailable";
  readonly postgres: boolean;
  readonly redis: boolean;
}

const deadlineMs = 2_000;

/** Without Redis the hub is degraded (live progress and doorbells are late), without Postgres it is unavailable. */
export async function readiness(db: Database, redisReady: () => boolean): Promise<Readiness> {
  const postgres = await Promise.race([
    db.$queryRaw`SELECT 1`.then(
      () => true,
      () => false,
    ),
    new Promise<boolean>((resolve) => setTimeout(resolve, deadlineMs, false).unref()),
  ]);
  const redis = redisReady();
  return { status: postgres ? (redis ? "ready" : "degraded") : "unavailable", postgres, redis };
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
}
