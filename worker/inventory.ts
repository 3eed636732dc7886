// Compares the store with what the hub knows, in pages: removes what belongs to nobody, tells what is missing, and has the hub take up
// again what it has forgotten. Nothing is concluded from a directory that is not the store.
import { basename } from "node:path";
import type { Logger } from "pino";
import { ArtifactError, fileNames, readManifest, type Storage, StorageError, verify } from "#artifact/node";
import { faultPoint } from "#fault-point";
import type { HubClient } from "../clients/hub/hub-client.ts";
import { adoptableSnapshot, idsOf } from "./adoptable.ts";
import { isStoreHere } from "./store.ts";

const pageSize = 500;
/**
 * A crash leaves a snapshot that was never reported for each job it met. More than a few at once look like a hub whose database
 * has been set back, and then the bytes are all that is left of those snapshots.
 */
const mostRemoved = 16;
const patience = { retryForMs: 60_000 };

export interface InventoryTerms {
  readonly storage: Storage;
  /** The store's directory. */
  readonly base: string;
  readonly workerId: string;
  readonly hub: HubClient;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** The process has just started, and has nothing under way. */
  readonly atStart: boolean;
}

interface Tally {
  present: number;
  adopted: number;
  removed: number;
  missing: number;
  returned: number;
  readonly left: { snapshotId: string; reason: string }[];
}

/** What takes long, for every byte of it is read. */
export interface UnfinishedInventory {
  /** Verifies, has adopted, and tells the hub what all of it came to. */
  finish(): Promise<void>;
}

/** Throws `HubError`, `StorageError`, or the reason of the signal: then nothing that was found out is lost, and it can be begun anew. */
export async function takeInventory(terms: InventoryTerms): Promise<UnfinishedInventory> {
  const { storage, hub, log, signal, atStart } = terms;
  await requireStore(terms);
  const tally: Tally = { present: 0, adopted: 0, removed: 0, missing: 0, returned: 0, left: [] };
  const directories = new Map<string, string>();
  for await (const directory of storage.list()) directories.set(basename(directory), directory);
  tally.present = directories.size;

  const doomed: string[] = [];
  const adoptable: string[] = [];
  const returned: { directory: string; snapshotId: string; manifestSha256: string }[] = [];
  const ids = [...directories.keys()].sort();
  for (let at = 0, after: string | null = null; at === 0 || at < ids.length; at += pageSize) {
    const page = ids.slice(at, at + pageSize);
    const upTo = at + pageSize < ids.length ? (page.at(-1) ?? null) : null;
    const options = { ...patience, signal };
    const found = await hub.compareStore({ snapshotIds: page, after, upTo, atStart }, options);
    after = upTo;
    tally.missing += await tellMissing(terms, found.missing);
    doomed.push(...found.remove.flatMap((id) => directories.get(id) ?? []));
    for (const each of found.returned) {
      const directory = directories.get(each.snapshotId);
      if (directory) returned.push({ directory, ...each });
    }
    for (const id of found.unknown) {
      const directory = directories.get(id) ?? "";
      const { verdict, urgent, reason } = await weigh(terms, directory);
      if (verdict === "REMOVE") doomed.push(directory);
      else if (verdict === "LEAVE") tally.left.push({ snapshotId: id.slice(0, 64), reason: reason ?? "" });
      else if (urgent) await adopt(terms, directory, tally);
      else adoptable.push(directory);
    }
  }
  await removeDoomed(terms, doomed, tally);
  faultPoint("store.reconciled");

  return {
    async finish() {
      for (const directory of adoptable) await adopt(terms, directory, tally);
      for (const each of returned) await tellReturned(terms, each, tally);
      const { present, ...counts } = tally;
      // So many rows are shown; the log has them all.
      await hub.reportInventory({ present, ...counts, left: tally.left.slice(0, 100) }, { ...patience, signal });
      const { left, ...changes } = counts;
      if (left.length > 0) log.warn({ left }, "left alone what nobody knows");
      log[Object.values(changes).some((count) => count > 0) ? "warn" : "debug"](
        { present, ...changes },
        "inventory taken",
      );
    },
  };
}

/** A disk that is not mounted looks like a store that lost everything. */
async function requireStore({ base, workerId }: InventoryTerms): Promise<void> {
  if (!(await isStoreHere(base, workerId)))
    throw new StorageError(
      "STORAGE_UNAVAILABLE",
      `${base} is not the store of this worker at the moment: is its disk mounted? Nothing is marked as missing.`,
    );
}

/** Looked for once more: what was committed after the list was made is there by now, and its row with it. */
async function tellMissing(
  terms: InventoryTerms,
  expected: readonly { snapshotId: string; directory: string }[],
): Promise<number> {
  const { storage, hub, signal } = terms;
  const gone: string[] = [];
  for (const { snapshotId, directory } of expected) {
    const files = [fileNames.artifact, fileNames.manifest, fileNames.meta];
    const sizes = await Promise.all(files.map((name) => storage.stat(directory, name)));
    if (sizes.every((size) => size === null)) gone.push(snapshotId);
  }
  let missing = 0;
  for (let at = 0; at < gone.length; at += pageSize) {
    await requireStore(terms);
    const snapshotIds = gone.slice(at, at + pageSize);
    missing += (await hub.reportMissing({ snapshotIds }, { ...patience, signal })).snapshotIds.length;
  }
  return missing;
}

async function weigh({ storage, hub, signal, atStart }: InventoryTerms, directory: string) {
  const ids = idsOf(directory);
  if (!ids) return { verdict: "LEAVE" as const, urgent: false, reason: "it lies where no snapshot belongs" };
  const options = { ...patience, signal };
  try {
    const { manifest } = await readManifest({ storage, directory, signal });
    const { jobId, workerId } = manifest.ids;
    return await hub.weighArtifact({ ...ids, jobId, workerId, atStart }, options);
  } catch (error) {
    if (isDamage(error)) return hub.weighArtifact({ ...ids, atStart }, options);
    if (error instanceof ArtifactError || error instanceof StorageError)
      return { verdict: "LEAVE" as const, urgent: false, reason: `it cannot be read (${error.code})` };
    throw error;
  }
}

function isDamage(error: unknown): boolean {
  if (error instanceof ArtifactError) return error.code === "ARTIFACT_CORRUPT";
  return error instanceof StorageError && error.code === "NOT_STORED";
}

async function adopt(terms: InventoryTerms, directory: string, tally: Tally): Promise<void> {
  const { storage, hub, log, signal, atStart } = terms;
  const snapshotId = basename(directory);
  try {
    const verified = await verify({ storage, directory, signal });
    const snapshot = await adoptableSnapshot(storage, directory, verified);
    const { verdict, reason } = await hub.adoptSnapshot({ atStart, snapshot }, { ...patience, signal });
    if (verdict !== "ADOPT") tally.left.push({ snapshotId, reason: reason ?? "" });
    else {
      tally.adopted += 1;
      log.warn({ snapshotId }, "the hub takes up a snapshot that it did not know");
    }
  } catch (error) {
    if (!(error instanceof ArtifactError || error instanceof StorageError)) throw error;
    tally.left.push({ snapshotId, reason: `its bytes cannot be verified (${error.code})` });
  }
}

async function tellReturned(
  { storage, hub, log, signal }: InventoryTerms,
  { directory, snapshotId, manifestSha256 }: { directory: string; snapshotId: string; manifestSha256: string },
  tally: Tally,
): Promise<void> {
  try {
    await verify({ storage, directory, manifestSha256, signal });
    const { returned } = await hub.reportReturned({ snapshotId, manifestSha256 }, { ...patience, signal });
    if (!returned) return;
    tally.returned += 1;
    log.warn({ snapshotId }, "a snapshot that was missing is there again");
  } catch (error) {
    if (!(error instanceof ArtifactError || error instanceof StorageError)) throw error;
    tally.left.push({ snapshotId, reason: `it is there again, and cannot be verified (${error.code})` });
  }
}

async function removeDoomed({ storage, log }: InventoryTerms, doomed: readonly string[], tally: Tally): Promise<void> {
  if (doomed.length > mostRemoved) {
    log.error({ disowned: doomed.length }, "the hub disowns too many snapshots to be believed: nothing is removed");
    for (const directory of doomed)
      tally.left.push({ snapshotId: basename(directory), reason: "too many at once would be removed" });
    return;
  }
  for (const directory of doomed) {
    await storage.remove(directory);
    tally.removed += 1;
    log.warn({ directory }, "removed a snapshot that belongs to nobody");
  }
}
