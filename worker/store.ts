// Keeps a worker's store its own and in step with the hub: nobody else's, no unfinished drafts, nothing that is disowned.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Logger } from "pino";
import * as z from "zod";
import { localStorage, type Storage } from "#artifact/node";
import { faultPoint } from "#fault-point";
import type { HubClient } from "../clients/hub/hub-client.ts";

/** The restore service looks for it to learn whose store a directory is. */
const markerName = ".xvault-store.json";
const markerSchema = z.object({ workerId: z.string() });
const pageSize = 500;
/**
 * A crash leaves a snapshot that was never reported for each job it met. More than a few at once look like a hub whose database
 * has been set back, and then the bytes are all that is left of those snapshots.
 */
const mostDisowned = 16;

/** The store at `base`, made and marked where it is new. Throws where it is another worker's. */
export async function openStore(base: string, workerId: string): Promise<Storage> {
  await mkdir(base, { recursive: true, mode: 0o700 });
  const marker = join(base, markerName);
  try {
    await writeFile(marker, `${JSON.stringify({ workerId })}\n`, { flag: "wx", mode: 0o644, flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const owner = await ownerIn(marker);
    if (owner === null)
      throw new Error(`WORKER_STORAGE_BASE: the file ${markerName} in it does not say whose store it is.`);
    if (owner !== workerId)
      throw new Error(`WORKER_STORAGE_BASE: it is the store of the worker ${owner}, and this is ${workerId}.`);
  }
  return localStorage(base);
}

/** Whether the store at `base` is there and says that it is this worker's. */
export async function ownsStore(base: string, workerId: string): Promise<boolean> {
  return (await ownerIn(join(base, markerName))) === workerId;
}

async function ownerIn(marker: string): Promise<string | null> {
  try {
    return markerSchema.parse(JSON.parse(await readFile(marker, "utf8"))).workerId;
  } catch {
    return null;
  }
}

/** To be called before anything is stored: removes what earlier starts left unfinished, and what the hub has no row for. */
export async function cleanStore(storage: Storage, hub: HubClient, log: Logger): Promise<void> {
  const swept = await storage.sweep();
  if (swept > 0) log.info({ swept }, "removed unfinished snapshots of an earlier start");
  faultPoint("store.swept");
  await removeDisowned(storage, hub, log);
  faultPoint("store.reconciled");
}

async function removeDisowned(storage: Storage, hub: HubClient, log: Logger): Promise<void> {
  const disowned: string[] = [];
  let page: string[] = [];
  const ask = async () => {
    const directories = new Map(page.map((directory) => [basename(directory), directory]));
    const { remove } = await hub.reconcileStore({ snapshotIds: [...directories.keys()] }, { retryForMs: 60_000 });
    disowned.push(...remove.flatMap((snapshotId) => directories.get(snapshotId) ?? []));
    page = [];
  };
  for await (const directory of storage.list()) if (page.push(directory) === pageSize) await ask();
  if (page.length > 0) await ask();

  if (disowned.length > mostDisowned) {
    log.error({ disowned: disowned.length }, "the hub disowns too many snapshots to be believed: nothing is removed");
    return;
  }
  for (const directory of disowned) {
    await storage.remove(directory);
    log.warn({ directory }, "removed a snapshot that was never reported");
  }
}
