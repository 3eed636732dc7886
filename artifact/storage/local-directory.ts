// Keeps one artifact in one directory of a local file system, wherever that is and whatever it is called.
import { constants } from "node:fs";
import { mkdir, open, realpath, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StorageError } from "../errors.ts";
import { beginDraft, type DraftPlace, finishReplacing } from "./local-draft.ts";
import { checkFileName, fileReader, translated } from "./local-file.ts";
import type { Storage } from "./storage.ts";

/**
 * A storage with room for one artifact, for people who hold one in their hands: the directory's name inside the storage, which every
 * operation takes, says nothing here. Drafts lie beside `path`, hidden; what a killed process leaves of them is theirs to remove, but
 * for a replacement, which `sweep` brings to its end.
 */
export function localDirectory(path: string): Storage {
  const target = resolve(path);
  const openFile = async (name: string) => {
    checkFileName(name);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    return fileReader(await translated(() => open(join(target, name), flags), "NOT_STORED"));
  };
  return {
    begin: (_directory, attempt) =>
      translated(async () => {
        await mkdir(dirname(target), { recursive: true });
        return beginDraft(placeOf(await behindLinks(target), attempt));
      }),
    async stat(_directory, name) {
      checkFileName(name);
      try {
        return { size: (await translated(() => stat(join(target, name)), "NOT_STORED")).size };
      } catch (error) {
        if (error instanceof StorageError && error.code === "NOT_STORED") return null;
        throw error;
      }
    },
    open: (_directory, name) => openFile(name),
    async *list() {},
    remove: () => translated(() => rm(target, { recursive: true, force: true })),
    sweep: () =>
      translated(async () => {
        const above = await realpath(dirname(target)).catch(() => null);
        if (above !== null) await finishReplacing(placeOf(await behindLinks(target), ""));
        return 0;
      }),
    freeBytes: () =>
      translated(async () => {
        const { bavail, bsize } = await statfs(dirname(target));
        return bavail * bsize;
      }),
  };
}

/** What is replaced is the artifact, and never a link to it. */
async function behindLinks(target: string): Promise<string> {
  try {
    return await realpath(target);
  } catch {
    return join(await realpath(dirname(target)), basename(target));
  }
}

function placeOf(target: string, attempt: string): DraftPlace {
  const beside = (what: string) => join(dirname(target), `.${what}-${basename(target)}`);
  return { target, staging: beside(`staging.${attempt}`), replacing: beside("replacing"), removed: beside("removed") };
}
