// One directory in the making: written under a hidden name, made durable, and renamed as a whole.
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StorageError } from "../errors.ts";
import { checkFileName, fileReader, translated, writeFully } from "./local-file.ts";
import type { Draft, Upload } from "./storage.ts";

/** All in one directory. */
export interface DraftPlace {
  /** The directory that the draft becomes. */
  readonly target: string;
  /** Where the draft is written. */
  readonly staging: string;
  /** Where a draft waits, complete and durable, to take the place of the target. */
  readonly replacing: string;
  /** Where a directory is on its way out. */
  readonly removed: string;
}

/** An earlier draft of the same attempt is thrown away. */
export async function beginDraft(place: DraftPlace): Promise<Draft> {
  const { target, staging } = place;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { mode: 0o700 });
  const opening = new Set<Promise<FileHandle>>();
  let state: "open" | "committed" | "aborted" = "open";

  const upload = async (name: string): Promise<Upload> => {
    checkFileName(name);
    if (state !== "open") throw new StorageError("STORAGE_UNAVAILABLE", "The draft is closed.");
    const pending = open(join(staging, name), "wx", 0o600);
    opening.add(pending);
    const handle = await pending;
    let written = 0;
    let synced: "no" | "failed" | "yes" = "no";
    return {
      send: (part) =>
        translated(async () => {
          await writeFully(handle, part, written);
          written += part.length;
        }),
      finish: () =>
        translated(async () => {
          // The system forgets what it could not write: another fsync would succeed and mean nothing.
          if (synced === "failed") throw new StorageError("NOT_STORED", "The file was lost on its way to the disk.");
          if (synced === "no") {
            synced = "failed";
            await handle.sync();
            synced = "yes";
          }
          await handle.close();
          opening.delete(pending);
        }),
    };
  };

  return {
    create: (name) => translated(() => upload(name)),
    open: async (name) => {
      checkFileName(name);
      return fileReader(await translated(() => open(join(staging, name), "r"), "NOT_STORED"));
    },
    commit: () =>
      translated(async () => {
        if (state !== "open") throw new StorageError("STORAGE_UNAVAILABLE", "The draft is closed.");
        await syncDirectory(staging);
        if (await exists(target))
          throw new StorageError("STORAGE_UNAVAILABLE", "There is a stored directory of that name already.");
        await rename(staging, target);
        try {
          await syncDirectory(dirname(target));
        } catch (error) {
          // Not durable is not committed: nobody may find it.
          await rename(target, staging);
          throw error;
        }
        state = "committed";
      }),
    replace: () =>
      translated(async () => {
        if (state !== "open") throw new StorageError("STORAGE_UNAVAILABLE", "The draft is closed.");
        await syncDirectory(staging);
        if (!(await exists(target))) throw new StorageError("NOT_STORED", "There is nothing stored to be replaced.");
        await rename(staging, place.replacing);
        // From here on it will take the target's place, by whoever comes to finish it.
        state = "committed";
        await syncDirectory(dirname(target));
        await finishReplacing(place);
      }),
    abort: () =>
      translated(async () => {
        if (state === "committed") return;
        state = "aborted";
        for (const pending of opening) await pending.then((handle) => handle.close()).catch(() => {});
        opening.clear();
        await rm(staging, { recursive: true, force: true, maxRetries: 3 });
      }),
  };
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Brings a replacement to its end from wherever it was interrupted; may be called again and again. */
export async function finishReplacing({ target, replacing, removed }: Omit<DraftPlace, "staging">): Promise<void> {
  if (await exists(target)) {
    await rm(removed, { recursive: true, force: true });
    await rename(target, removed);
  }
  await rename(replacing, target);
  await syncDirectory(dirname(target));
  await rm(removed, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  const existing = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  return existing !== null;
}
