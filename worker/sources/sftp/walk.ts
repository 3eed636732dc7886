// Walks a remote tree: parents before children, no link followed, and several listings on their way at once.
import type { FileEntryWithStats } from "ssh2";
import type { Warning } from "#artifact/node";
import type { Selection } from "../selection.ts";
import { admit, type Found, isPlainDirectory, type Place, placeOf, warnOfRefusal } from "./admission.ts";
import { Listing } from "./listing.ts";
import type { SftpSession } from "./session.ts";

export interface WalkOptions {
  readonly warn: (warning: Warning) => void;
  /** What lies deeper is left out, with a warning. @default 256 */
  readonly maxDepth?: number;
  /** What is taken, and how much it may be: past that the walk ends with QUOTA_EXCEEDED. */
  readonly selection: Selection;
}

/** Listings begun before their turn, per directory and altogether. Each holds a handle of the server's and some names. */
const listingsAhead = 8;
const allListingsAhead = 64;

interface Level {
  readonly place: Place;
  readonly listing: Listing;
  batch: readonly FileEntryWithStats[];
  /** Index in the batch: what comes next, and what was last looked at for directories to begin. */
  next: number;
  scanned: number;
  readonly begun: Map<FileEntryWithStats, Listing>;
}

/** Everything below the directory `root`, itself left out. A root that cannot be listed is told to `warn` like any directory. */
export async function* walk(
  session: SftpSession,
  root: string,
  { warn, maxDepth = 256, selection }: WalkOptions,
): AsyncGenerator<Found> {
  const levels: Level[] = [];
  let ahead = 0;

  function enter(place: Place, listing = new Listing(session, place.remotePath)): void {
    levels.push({ place, listing, batch: [], next: 0, scanned: 0, begun: new Map() });
  }

  function beginAhead({ place, batch, begun, ...level }: Level): number {
    let at = Math.max(level.scanned, level.next);
    for (; at < batch.length && begun.size < listingsAhead && ahead < allListingsAhead; at++) {
      const entry = batch[at];
      if (!entry || !isPlainDirectory(entry)) continue;
      const { path, remotePath } = placeOf(place, entry.filename);
      if (!selection.mayHold(path)) continue;
      begun.set(entry, new Listing(session, remotePath));
      ahead++;
    }
    return at;
  }

  function takeBegun(level: Level, entry: FileEntryWithStats): Listing | undefined {
    const listing = level.begun.get(entry);
    if (level.begun.delete(entry)) ahead--;
    return listing;
  }

  enter({ path: "", remotePath: root });
  try {
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      const entry = level.batch[level.next++];
      if (!entry) {
        const batch = await nextBatch(level, warn);
        if (!batch) {
          levels.pop();
          continue;
        }
        // Empty answers count as well: a server could send them for ever.
        selection.look(Math.max(1, batch.length));
        Object.assign(level, { batch, next: 0, scanned: 0 });
        if (levels.length < maxDepth) level.scanned = beginAhead(level);
        continue;
      }
      const found = await admit(session, level.place, entry, warn);
      if (!found) continue;
      if (selection.has(found.path, found.kind)) {
        selection.count(found.size);
        yield found;
      }
      if (found.kind !== "directory" || !selection.mayHold(found.path)) continue;
      if (levels.length < maxDepth) {
        enter(found, takeBegun(level, entry));
        level.scanned = beginAhead(level);
      } else warn({ code: "NAME_REFUSED", path: found.path, message: "Its content was left out: it lies too deep." });
    }
  } finally {
    for (const { listing, begun } of levels) for (const each of [listing, ...begun.values()]) each.close();
  }
}

async function nextBatch({ listing, place }: Level, warn: WalkOptions["warn"]) {
  try {
    return await listing.next();
  } catch (error) {
    listing.close();
    warnOfRefusal(error, place.path, warn);
    return null;
  }
}
