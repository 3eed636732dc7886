// One directory in the making: written under a hidden name, made durable, and renamed as a whole.
import { lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { faultPoint } from "#fault-point";
import { StorageError } from "../errors.ts";
import { DurableFile } from "./durable-file.ts";
import { checkFileName, fileReader, translated } from "./local-file.ts";
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
  const { target, staging, replacing } = place;
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { mode: 0o700 });
  const opening = new Set<Promise<DurableFile>>();
  let state: "open" | "replacing" | "committed" | "aborted" = "open";

  const upload = async (name: string): Promise<Upload> => {
    checkFileName(name);
    if (state !== "open") throw new StorageError("STORAGE_UNAVAILABLE", "The draft is closed.");
    const pending = open(join(staging, name), "wx", 0o600).then((handle) => new DurableFile(handle));
    opening.add(pending);
    const file = await pending;
    return {
      send: (part) => translated(() => file.write(part)),
      finish: () =>
        translated(async () => {
          await file.finish();
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
        faultPoint("backup.staging-synced");
        await rename(staging, target);
        try {
          faultPoint("backup.renamed");
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
        if (state === "open") {
          await syncDirectory(staging);
          if (await exists(replacing)) await finishReplacing(place);
          if (!(await exists(target))) throw new StorageError("NOT_STORED", "There is nothing stored to be replaced.");
          await rename(staging, replacing);
          state = "replacing";
        } else if (state !== "replacing") throw new StorageError("STORAGE_UNAVAILABLE", "The draft is closed.");
        try {
          await syncDirectory(dirname(target));
          await finishReplacing(place);
          state = "committed";
        } catch (error) {
          // As long as the old one stands the draft is taken back; later it takes its place, by whoever comes to finish it.
          if ((await exists(replacing)) && (await exists(target))) {
            await rename(replacing, staging);
            state = "open";
          }
          throw error;
        }
      }),
    abort: () =>
      translated(async () => {
        if (state === "committed" || state === "replacing") return;
        state = "aborted";
        for (const pending of opening) await pending.then((file) => file.close()).catch(() => {});
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
  // Where it is gone it has become the target, which nothing may move out of the way any more.
  if (await exists(replacing)) {
    if (await exists(target)) {
      await rm(removed, { recursive: true, force: true });
      await rename(target, removed);
    }
    await rename(replacing, target);
  }
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
