// Decides which paths of a source belong to a backup: globs as in a .gitignore, to leave out and to keep, and limits.
import ignore, { type Ignore } from "ignore";
import * as z from "zod";
import { SourceError } from "./source-error.ts";

const glob = z.string().min(1).max(1024);

/** Part of the settings of every source that has files. */
export const selectionSettings = {
  /** Only what matches one of these, and everything below it. Everything where there is none. */
  include: z.array(glob).max(1000).default([]),
  /** Never what matches the last fitting one of these, unless that one begins with `!`. Wins over `include`. */
  exclude: z.array(glob).max(1000).default([]),
  /** A source of more entries or bytes than these fails with QUOTA_EXCEEDED. */
  maxEntries: z.int().min(1).default(10_000_000),
  maxBytes: z.int().min(1).optional(),
};

type SelectionSettings = z.infer<z.ZodObject<typeof selectionSettings>>;

/** Paths are relative to the root of the source; of a directory, `kind` is `directory`. */
export class Selection {
  readonly #excluded: Ignore | null;
  readonly #included: Ignore | null;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #entries = 0;
  #bytes = 0;

  constructor({ include, exclude, maxEntries, maxBytes = Infinity }: SelectionSettings) {
    // Names differ by case on the servers that are backed up.
    const of = (globs: readonly string[]) =>
      globs.length === 0 ? null : ignore({ ignorecase: false, allowRelativePaths: true }).add(globs);
    this.#excluded = of(exclude);
    this.#included = of(include);
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** Whether an entry belongs to the backup. A directory that does not may still have something in it that does: see `mayHold`. */
  has(path: string, kind: string): boolean {
    const name = kind === "directory" ? `${path}/` : path;
    if (this.#excluded?.ignores(name)) return false;
    return this.#included === null || this.#included.ignores(name);
  }

  /** Whether a directory has to be looked into. Nothing below an excluded directory comes back, as with git. */
  mayHold(path: string): boolean {
    return !this.#excluded?.ignores(`${path}/`);
  }

  /** Counts an entry that is taken. Throws `SourceError` QUOTA_EXCEEDED past a limit; `bytes` is what its source announces. */
  count(bytes: number): void {
    this.#entries += 1;
    this.#bytes += bytes;
    if (this.#entries > this.#maxEntries)
      throw new SourceError(
        "QUOTA_EXCEEDED",
        `There are more than ${this.#maxEntries.toLocaleString("en")} files and directories: exclude some, or back up parts of them as sources of their own.`,
      );
    if (this.#bytes > this.#maxBytes)
      throw new SourceError(
        "QUOTA_EXCEEDED",
        `There are more than ${this.#maxBytes.toLocaleString("en")} bytes, the limit of this source: exclude some files or raise the limit.`,
      );
  }
}
