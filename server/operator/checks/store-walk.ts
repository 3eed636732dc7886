// What lies in a worker's store, told apart by its name: committed snapshots, and what is on its way in or out.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Store } from "./check.ts";

export interface Stored {
  readonly kind: "committed" | "staging" | "replacing" | "removed" | "foreign";
  readonly snapshotId: string;
  /** Of a draft: the lease under which it is written. */
  readonly leaseEpoch: number | null;
  readonly path: string;
  /** Seconds since something in it last changed, by this machine's clock. */
  readonly ageSeconds: number;
}

const idPattern = /^[A-Za-z0-9_-]{1,64}$/;
const named = /^\.(staging|replacing|removed)-([A-Za-z0-9_-]{1,64})(?:\.(\d+))?$/;

export async function* storedIn({ base }: Store): AsyncGenerator<Stored> {
  for (const tenant of await namesIn(join(base, "tenants")))
    for (const source of await namesIn(join(base, "tenants", tenant, "sources"))) {
      const directory = join(base, "tenants", tenant, "sources", source, "snapshots");
      for (const name of await namesIn(directory)) {
        const path = join(directory, name);
        const ageSeconds = await ageOf(path);
        if (ageSeconds !== null) yield { ...told(name), path, ageSeconds };
      }
    }
}

function told(name: string): Pick<Stored, "kind" | "snapshotId" | "leaseEpoch"> {
  if (idPattern.test(name)) return { kind: "committed", snapshotId: name, leaseEpoch: null };
  const [, kind, snapshotId, epoch] = named.exec(name) ?? [];
  if (!kind || !snapshotId) return { kind: "foreign", snapshotId: "", leaseEpoch: null };
  return { kind: kind as "staging", snapshotId, leaseEpoch: epoch === undefined ? null : Number(epoch) };
}

export async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  });
}

/** Null where it has gone meanwhile. Of a directory: since the newest change of it or of what lies in it. */
export async function ageOf(path: string): Promise<number | null> {
  try {
    const times = [(await stat(path)).mtimeMs];
    for (const name of await namesIn(path)) times.push((await stat(join(path, name))).mtimeMs);
    return (Date.now() - Math.max(...times)) / 1000;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
