// Lets one program at a time at a file, by marks beside it. For Node, on one machine or a shared disk.
import { randomUUID } from "node:crypto";
import { readdir, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pause } from "./pause.ts";
import { PrivateFileError } from "./private-file.ts";

/** A mark this old is of a program that died: longer than anybody holds a file. */
const staleMs = 20_000;
const longestWaitMs = 60_000;
const longestPauseMs = 50;

/**
 * Waits until nobody else holds the file, a minute at most, and holds it until it is disposed of. Throws `PrivateFileError`.
 *
 * Everybody makes a mark of their own and looks afterwards whether there is another: of two who come at once at least one sees the
 * other, and steps back. Since no mark is ever anybody else's, one left behind by the dead can be removed without harm.
 */
export async function holdFile(path: string): Promise<AsyncDisposable> {
  const mark = `${path}.${randomUUID()}.held`;
  const since = performance.now();
  for (;;) {
    if (!(await isHeld(path))) {
      await makeMark(path, mark);
      if (!(await isHeld(path, mark))) return { [Symbol.asyncDispose]: () => rm(mark, { force: true }) };
      await rm(mark, { force: true });
    }
    if (performance.now() - since > longestWaitMs)
      throw new PrivateFileError(path, { cause: new Error("another program holds it") });
    // By chance, so that two who stepped back do not come back at once.
    await pause(1 + Math.random() * longestPauseMs, undefined);
  }
}

async function makeMark(path: string, mark: string): Promise<void> {
  try {
    await writeFile(mark, "", { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new PrivateFileError(path, { cause });
  }
}

async function isHeld(path: string, own?: string): Promise<boolean> {
  const directory = dirname(path);
  const names = await readdir(directory).catch(() => []);
  const marks = names.filter((name) => name.startsWith(`${basename(path)}.`) && name.endsWith(".held"));
  for (const name of marks) {
    const mark = join(directory, name);
    if (mark === own) continue;
    const made = await stat(mark).catch(() => null);
    if (!made) continue;
    if (Date.now() - made.mtimeMs < staleMs) return true;
    await rm(mark, { force: true });
  }
  return false;
}
