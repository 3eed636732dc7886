// Writes a file that its owner alone can read. For Node.
import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** A file that has to be written cannot be; `cause` says why. */
export class PrivateFileError extends Error {
  override readonly name = "PrivateFileError";
  readonly path: string;

  constructor(path: string, options: ErrorOptions) {
    super(`${path} cannot be written`, options);
    this.path = path;
  }
}

/** In one step: a reader finds the old text or the new one, also after a power cut. Throws `PrivateFileError`. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(partial, text, { mode: 0o600, flag: "wx", flush: true });
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    throw new PrivateFileError(path, { cause });
  }
}
