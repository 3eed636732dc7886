// One directory in the making: written under a hidden name, made durable, and renamed as a whole.
import { type FileHandle, lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StorageError } from "../errors.ts";
import { checkFileName, fileReader, translated, writeFully } from "./local-file.ts";
import type { Draft, Upload } from "./storage.ts";

export interface DraftPlace {
  /** The directory that the draft becomes. */
  readonly target: string;
  /** Beside it: where the draft is written. */
  readonly staging: string;
}

/** An earlier draft of the same attempt is thrown away. */
export async function beginDraft({ target, staging }: DraftPlace): Promise<Draft> {
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
    return {
      send: (part) => translated(() => writeFully(handle, part)),
      finish: () =>
        translated(async () => {
          await handle.sync();
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
        await refuseExisting(target);
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

async function refuseExisting(target: string): Promise<void> {
  const existing = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (existing) throw new StorageError("STORAGE_UNAVAILABLE", "There is a stored directory of that name already.");
}
