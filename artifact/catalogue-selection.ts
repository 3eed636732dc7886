// Tells which entries of a catalogue are asked for: those of certain names, and everything below them.
import type { EntryPath } from "./entry.ts";
import { isRoot, nameKey, pathBytes } from "./entry-path.ts";

export class CatalogueSelection {
  readonly #names: ReadonlySet<EntryPath>;
  /** The same names by their bytes, for entries whose own name is no text. */
  readonly #keys: ReadonlySet<string>;
  readonly #everything: boolean;
  /** Lengths of the names in their two forms: most prefixes of most paths need not be cut out to be looked up. */
  readonly #lengths: ReadonlySet<number>;

  /** The root directory, `.`, selects everything. */
  constructor(paths: Iterable<EntryPath>) {
    this.#names = new Set(paths);
    const bytes = [...this.#names].map(pathBytes);
    this.#keys = new Set(bytes.map(nameKey));
    this.#everything = bytes.some(isRoot);
    this.#lengths = new Set([...this.#names, ...bytes].map(({ length }) => length));
  }

  has(path: EntryPath): boolean {
    if (this.#everything) return true;
    return typeof path === "string" ? this.#holds(this.#names, path) : this.#holds(this.#keys, nameKey(path));
  }

  #holds(names: ReadonlySet<EntryPath>, name: string): boolean {
    for (let end = name.indexOf("/"); end !== -1; end = name.indexOf("/", end + 1))
      if (this.#lengths.has(end) && names.has(name.slice(0, end))) return true;
    return this.#lengths.has(name.length) && names.has(name);
  }
}
