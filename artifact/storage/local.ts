// Keeps artifacts in directories of a local file system.
import { constants, type Dirent } from "node:fs";
import { lstat, mkdir, open, readdir, realpath, rename, rm, statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { faultPoint } from "#fault-point";
import { StorageError } from "../errors.ts";
import { idPattern } from "../snapshot-directory.ts";
import { beginDraft, type DraftPlace, finishReplacing, syncDirectory } from "./local-draft.ts";
import { checkFileName, fileReader, translated } from "./local-file.ts";
import type { Storage } from "./storage.ts";

const stagingPrefix = ".staging-";
const replacingPrefix = ".replacing-";
const removedPrefix = ".removed-";

/**
 * `base` is made where it does not exist. Drafts lie beside the directory they will become, under a name that no id can have, so that
 * committing is one rename. Links below the base are never followed.
 */
export function localStorage(base: string): Storage {
  const root = resolve(base);

  /** A directory that exists, exactly where its name says. */
  const locate = async (ids: readonly string[]) => {
    const path = join(await realpath(root), ...ids);
    if ((await realpath(path)) === path) return path;
    throw new StorageError("STORAGE_UNAVAILABLE", "A directory of the storage is a link that leads elsewhere.");
  };
  const locateFile = async (directory: string, name: string) => {
    checkFileName(name);
    return join(await locate(partsOf(directory)), name);
  };

  return {
    async begin(directory, attempt) {
      if (!idPattern.test(attempt)) throw new RangeError("not an id of an attempt");
      const ids = partsOf(directory);
      return translated(async () => {
        await makeDirectories(root, ids.slice(0, -1));
        const target = join(await locate(ids.slice(0, -1)), ids.at(-1) ?? "");
        return beginDraft(placeOf(target, attempt));
      });
    },
    async stat(directory, name) {
      try {
        const { size } = await translated(async () => lstat(await locateFile(directory, name)), "NOT_STORED");
        return { size };
      } catch (error) {
        if (error instanceof StorageError && error.code === "NOT_STORED") return null;
        throw error;
      }
    },
    async open(directory, name) {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
      return fileReader(await translated(async () => open(await locateFile(directory, name), flags), "NOT_STORED"));
    },
    async *list() {
      for await (const { path, entries } of directoriesBelow(root))
        if (path !== root && entries.length > 0 && entries.every((entry) => entry.isFile()))
          yield path.slice(root.length + 1);
    },
    async remove(directory) {
      await translated(async () => {
        const ids = partsOf(directory);
        const above = await locate(ids.slice(0, -1)).catch(ignoreMissing);
        if (above === undefined) return;
        const target = join(above, ids.at(-1) ?? "");
        const { removed, replacing } = placeOf(target, "");
        await rm(removed, { recursive: true, force: true });
        // One rename takes a whole directory out of sight: a removal that was interrupted leaves no half of it. What would take its
        // place goes first, or it might come back as that.
        for (const path of [replacing, target]) {
          await rename(path, removed).catch(ignoreMissing);
          if (path === target) faultPoint("deletion.out-of-sight");
          await rm(removed, { recursive: true, force: true });
        }
        await syncDirectory(above);
      });
    },
    async sweep(live = new Set()) {
      const kept = new Set<string>();
      for (const draft of live) {
        const [directory = "", attempt = ""] = draft.split(":");
        const { staging, replacing } = placeOf(join(root, ...partsOf(directory)), attempt);
        kept.add(staging).add(replacing);
      }
      let swept = 0;
      // First of all, for until then what is being replaced may be nowhere else.
      for await (const { path, entries } of directoriesBelow(root))
        for (const { name } of entries)
          if (name.startsWith(replacingPrefix) && !kept.has(join(path, name)))
            await translated(() => finishReplacing(placeOf(join(path, name.slice(replacingPrefix.length)), "")));
      for await (const { path, entries } of directoriesBelow(root))
        for (const entry of entries) {
          const stale = join(path, entry.name);
          const draft = entry.name.startsWith(stagingPrefix) && !kept.has(stale);
          if (!draft && !entry.name.startsWith(removedPrefix)) continue;
          await translated(() => rm(stale, { recursive: true, force: true }));
          if (draft) swept += 1;
        }
      return swept;
    },
    async freeBytes() {
      return translated(async () => {
        await mkdir(root, { recursive: true, mode: 0o700 });
        const { bavail, bsize } = await statfs(root);
        return bavail * bsize;
      });
    },
  };
}

function partsOf(directory: string): string[] {
  const ids = directory.split("/");
  if (!ids.every((part) => idPattern.test(part))) throw new RangeError("not a directory of ids");
  return ids;
}

/** A point is in no id, so none of these names is another's. */
function placeOf(target: string, attempt: string): DraftPlace {
  const beside = (prefix: string, suffix = "") => join(dirname(target), `${prefix}${basename(target)}${suffix}`);
  return {
    target,
    staging: beside(stagingPrefix, `.${attempt}`),
    replacing: beside(replacingPrefix),
    removed: beside(removedPrefix),
  };
}

/** Makes one level after another, each durable in the one above it, whoever made it and did not come to that. */
async function makeDirectories(root: string, ids: readonly string[]): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  let path = await realpath(root);
  for (const id of ids) {
    await mkdir(join(path, id), { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await syncDirectory(path);
    path = join(path, id);
  }
}

/** Every directory of ids with what it holds; its drafts are named but not entered. */
async function* directoriesBelow(path: string): AsyncGenerator<{ path: string; entries: Dirent[] }> {
  const entries = await translated(() => readdir(path, { withFileTypes: true }).catch(ignoreMissing));
  if (!entries) return;
  yield { path, entries };
  for (const entry of entries)
    if (entry.isDirectory() && idPattern.test(entry.name)) yield* directoriesBelow(join(path, entry.name));
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT") return undefined;
  throw error;
}
