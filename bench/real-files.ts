// Real files to measure with: a piece of this machine's /usr, copied.
import { execFile } from "node:child_process";
import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Copies files of /usr into `target` until they have `sizeMB`; answers how many there are. */
export async function copyRealFiles(
  target: string,
  sizeMB: number,
  listFile: string,
): Promise<{ files: number; bytes: number }> {
  const chosen: string[] = [];
  let bytes = 0;
  walk: for (const base of ["share", "lib", "bin"])
    for (const file of await readdir(join("/usr", base), { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const path = join(file.parentPath, file.name);
      const { size } = await stat(path);
      if (size > sizeMB * 100_000) continue;
      chosen.push(path);
      bytes += size;
      if (bytes >= sizeMB * 1e6) break walk;
    }
  await writeFile(listFile, chosen.join("\0"));
  await run("bash", ["-c", 'tar -C / -c --null -T "$1" 2>/dev/null | tar -x -C "$2"', "bash", listFile, target]);
  return { files: chosen.length, bytes };
}
