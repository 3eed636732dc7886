// Copies of one tenant with everything it has, so that each thing tried on it finds it untouched.
import type { Database } from "../../prisma/connect.ts";

export interface World {
  /** The id in this copy of what has the given id in the tenant that was copied; people and workers stay who they are. */
  id(original: string): string;
}

/** In the order in which rows may be made that point at one another. */
const tables = [
  "tenants",
  "memberships",
  "api_keys",
  "invitations",
  "tenant_keys",
  "credentials",
  "sources",
  "schedules",
  "jobs",
  "snapshots",
  "restores",
  "job_events",
  "audit_events",
];

/** Each is unique in the whole table, and the copy gets one of its own. */
const unique: Record<string, readonly string[]> = {
  api_keys: ["token_hash", "prefix"],
  invitations: ["token_hash"],
  restores: ["token_hash"],
};

const ids = /\b((?!usr|wrk)[a-z]{3}_[0-9a-f]{24})[0-9a-f]{8}\b/g;

/** `number` tells the copies apart. */
export async function copyWorld(db: Database, tenantId: string, number: number): Promise<World> {
  const ending = number.toString(16).padStart(8, "0");
  const id = (original: string) => original.replaceAll(ids, `$1${ending}`);
  await db.$transaction(async (tx) => {
    // A snapshot's job and a job's snapshot point at each other.
    await tx.$executeRaw`SET CONSTRAINTS ALL DEFERRED`;
    await tx.$executeRaw`SET LOCAL session_replication_role = replica`;
    for (const table of tables) {
      const owner = table === "tenants" ? "id" : "tenant_id";
      const own = (unique[table] ?? []).map((column) => `'${column}', md5(random()::text)`).join(", ");
      await tx.$executeRawUnsafe(
        `INSERT INTO ${table} SELECT (jsonb_populate_record(t, regexp_replace(to_jsonb(t)::text,
            '\\m((?!usr|wrk)[a-z]{3}_[0-9a-f]{24})[0-9a-f]{8}\\M', '\\1${ending}', 'g')::jsonb || jsonb_build_object(${own}))).*
           FROM ${table} t WHERE ${owner} = $1`,
        tenantId,
      );
    }
  });
  return { id };
}
