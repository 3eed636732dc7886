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

/** What may be looked at and left out again: no walk goes on for ever. */
const mostLeftOut = 10_000_000;

/** Paths are relative to the root of the source, in their printable form; of a directory, `kind` is `directory`. For one reading. */
export class Selection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Parts of the tree that hold everything that may be included, as paths; null where that may lie anywhere. */
  readonly places: readonly string[] | null;
  readonly #excluded: Globs | null;
  readonly #included: Globs | null;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #looked = 0;
  #entries = 0;
  #bytes = 0;

  constructor({ include, exclude, maxEntries, maxBytes = Infinity }: SelectionSettings) {
    this.include = include;
    this.exclude = exclude;
    this.places = placesOf(include);
    this.#excluded = exclude.length === 0 ? null : new Globs(exclude);
    this.#included = include.length === 0 ? null : new Globs(include);
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** Whether nothing is left out by its name. */
  get isEverything(): boolean {
    return this.#excluded === null && this.#included === null;
  }

  /** Whether an entry belongs to the backup. A directory that does not may still have something in it that does: see `mayHold`. */
  has(path: string, kind: string): boolean {
    if (this.isEverything) return true;
    const name = kind === "directory" ? `${path}/` : path;
    if (this.#excluded?.match(name)) return false;
    return this.#included === null || this.#included.match(name);
  }

  /** Whether a directory has to be looked into. Nothing below an excluded directory comes back, as with git. */
  mayHold(path: string): boolean {
    if (this.#excluded?.match(`${path}/`)) return false;
    return this.places === null || this.places.some((place) => isWithin(path, place) || isWithin(place, path));
  }

  /** Counts entries that are looked at, taken or not. Throws `SourceError` QUOTA_EXCEEDED. */
  look(entries: number): void {
    this.#looked += entries;
    if (this.#looked > this.#maxEntries + mostLeftOut) throw this.#tooManyEntries();
  }

  /** Counts an entry that is taken. Throws `SourceError` QUOTA_EXCEEDED past a limit; `bytes` is what its source announces. */
  count(bytes: number): void {
    this.#entries += 1;
    this.#bytes += bytes;
    if (this.#entries > this.#maxEntries) throw this.#tooManyEntries();
    if (this.#bytes > this.#maxBytes)
      throw new SourceError(
        "QUOTA_EXCEEDED",
        `There are more than ${this.#maxBytes.toLocaleString("en")} bytes, the limit of this source: exclude some files or raise the limit.`,
      );
  }

  #tooManyEntries(): SourceError {
    return new SourceError(
      "QUOTA_EXCEEDED",
      `There are more than ${this.#maxEntries.toLocaleString("en")} files and directories: exclude some, or back up parts of them as sources of their own.`,
    );
  }
}

/** `ignore` keeps every path it was ever asked about: from time to time it has to begin anew. */
const mostRemembered = 65_536;

class Globs {
  readonly #globs: readonly string[];
  #matcher: Ignore;
  #asked = 0;

  constructor(globs: readonly string[]) {
    this.#globs = globs;
    this.#matcher = this.#begin();
  }

  match(name: string): boolean {
    if (++this.#asked % mostRemembered === 0) this.#matcher = this.#begin();
    return this.#matcher.ignores(name);
  }

  #begin(): Ignore {
    // Names differ by case on the servers that are backed up.
    return ignore({ ignorecase: false, allowRelativePaths: true }).add(this.#globs);
  }
}

/** Of globs that are bound to the root, the parts before the first part with a wildcard. */
function placesOf(include: readonly string[]): string[] | null {
  const places = include.filter((each) => each.trim() !== "" && !each.startsWith("#")).map(placeOf);
  if (places.length === 0) return null;
  const all = places.filter((place) => place !== null);
  if (all.length < places.length) return null;
  return all.filter((place) => !all.some((other) => other !== place && isWithin(place, other)));
}

function placeOf(each: string): string | null {
  // Without a slash before its last character it may match anywhere.
  if (!/^[^!\\]*\/[^/]/.test(each) || each.trimEnd() !== each) return null;
  const plain = /^\/?([^*?[\]\\\p{Cc}]+?)(?:\/?$|\/[^/]*[*?[])/u.exec(each)?.[1];
  return plain === undefined || /(^|\/)(\.{0,2})(\/|$)/.test(plain) ? null : plain;
}

function isWithin(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
