// Keeps a session in a file that nobody else can read, for any number of programs at once. For Node.
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { holdFile } from "./hold-file.ts";
import { PrivateFileError, writePrivateFile } from "./private-file.ts";
import { parseKeptSession, type SessionStore } from "./session-store.ts";

/** Its directory is made where there is none. What it throws is a `PrivateFileError`. */
export function sessionFile(path: string): SessionStore {
  return {
    load: async () => parseKeptSession(await readFile(path, "utf8").catch(() => "")),
    async save(kept) {
      if (kept) await writePrivateFile(path, `${JSON.stringify(kept, null, 2)}\n`);
      else await rm(path, { force: true });
    },
    async exclusively(work) {
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      } catch (cause) {
        throw new PrivateFileError(path, { cause });
      }
      await using _held = await holdFile(path);
      return await work();
    },
  };
}
