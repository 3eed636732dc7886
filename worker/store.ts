// Keeps a worker's store its own: nobody else's, no unfinished drafts, and never a directory that only looks like it.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import * as z from "zod";
import { localStorage, type Storage } from "#artifact/node";
import { faultPoint } from "#fault-point";

/** Says whose store a directory is. The restore service looks for it as well. */
const markerName = ".xvault-store.json";
const markerSchema = z.object({ workerId: z.string() });

/** The store at `base`, which is made where it is new. Throws where it is another worker's. */
export async function openStore(base: string, workerId: string): Promise<Storage> {
  await mkdir(base, { recursive: true, mode: 0o700 });
  const owner = await ownerOf(base);
  if (owner === "junk")
    throw new Error(`WORKER_STORAGE_BASE: the file ${markerName} in it does not say whose store it is.`);
  if (owner && owner.workerId !== workerId)
    throw new Error(`WORKER_STORAGE_BASE: it is the store of the worker ${owner.workerId}, and this is ${workerId}.`);
  return localStorage(base);
}

export interface MarkTerms {
  readonly base: string;
  readonly workerId: string;
  /** Snapshots that ought to be there, by the hub. */
  readonly expected: number;
  /** The operator knows that they are gone. */
  readonly acceptEmpty: boolean;
}

/**
 * Marks the directory as this worker's store, where it is not yet. Throws where it is new although snapshots ought to be in it: then
 * its disk is not mounted, or lost.
 */
export async function markStore({ base, workerId, expected, acceptEmpty }: MarkTerms): Promise<void> {
  if ((await ownerOf(base)) !== null) return;
  if (expected > 0 && !acceptEmpty)
    throw new Error(
      `WORKER_STORAGE_BASE: ${base} is empty, and ${expected} snapshots of this worker ought to be in it: mount its disk. If that disk is lost, start once with WORKER_ACCEPT_EMPTY_STORE=true, and they are marked as missing.`,
    );
  await writeFile(join(base, markerName), `${JSON.stringify({ workerId })}\n`, { mode: 0o644, flush: true });
}

/** Whether the directory is this worker's store at this moment: not where its disk went away. */
export async function isStoreHere(base: string, workerId: string): Promise<boolean> {
  const owner = await ownerOf(base).catch(() => "junk" as const);
  return owner !== null && owner !== "junk" && owner.workerId === workerId;
}

/** Null: nobody marked it yet. */
async function ownerOf(base: string): Promise<z.infer<typeof markerSchema> | "junk" | null> {
  try {
    return markerSchema.parse(JSON.parse(await readFile(join(base, markerName), "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    if (error instanceof SyntaxError || error instanceof z.ZodError) return "junk";
    throw error;
  }
}

/** To be called before anything is stored: removes what earlier starts left unfinished. */
export async function sweepStore(storage: Storage, log: Logger): Promise<void> {
  const swept = await storage.sweep();
  if (swept > 0) log.info({ swept }, "removed unfinished snapshots of an earlier start");
  faultPoint("store.swept");
}
