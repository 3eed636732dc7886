// Decides which entries of a snapshot were asked for: a selected path stands for itself and for everything beneath it.
import type { Entry, EntryPath } from "#artifact/node";
import { PreparationError } from "./failure.ts";

/** What the decision needs of an entry. */
export type Candidate = Pick<Entry, "path" | "kind" | "linkTarget">;

export class Selection {
  /** By key, as the customer wrote them; null: everything. */
  readonly #selected: ReadonlyMap<string, string> | null;
  readonly #unseen: Set<string>;
  /** Files outside the selection that selected hard links are names of: without them, the links would lead nowhere. */
  readonly #along = new Set<string>();
  #complete = true;

  /** Paths relative to the snapshot's root, `/`-separated; none: everything. */
  constructor(paths: readonly string[]) {
    const selected = new Map(paths.map((path) => [keyOf(path.replace(/^(?:\.?\/+)+|\/+$/g, "")), path]));
    this.#selected = selected.size === 0 || selected.has("") || selected.has(".") ? null : selected;
    this.#unseen = new Set(this.#selected?.keys());
  }

  get isEverything(): boolean {
    return this.#selected === null;
  }

  takes({ path, kind, linkTarget }: Candidate): boolean {
    if (this.#selected === null) return true;
    const key = keyOf(path);
    if (!this.#isSelected(key) && !this.#along.has(key)) return false;
    if (kind !== "hardlink" || linkTarget === undefined) return true;
    const target = keyOf(linkTarget);
    if (this.#isSelected(target) || this.#along.has(target)) return true;
    this.#along.add(target);
    this.#complete = false;
    return true;
  }

  /**
   * Ends one run over all entries. That a file has to come along shows only after it has passed: false means that another run is
   * needed. Throws `PATH_NOT_FOUND` where a path stood for nothing.
   */
  endRun(): boolean {
    const [unseen] = this.#unseen;
    if (unseen !== undefined)
      throw new PreparationError("PATH_NOT_FOUND", `The snapshot holds nothing at "${this.#selected?.get(unseen)}".`);
    const complete = this.#complete;
    this.#complete = true;
    return complete;
  }

  #isSelected(key: string): boolean {
    let found = false;
    for (let end = key.indexOf("/"); ; end = key.indexOf("/", end + 1)) {
      const ancestor = end === -1 ? key : key.slice(0, end);
      if (this.#selected?.has(ancestor)) {
        this.#unseen.delete(ancestor);
        found = true;
      }
      if (end === -1) return found;
    }
  }
}

/** The taken ones, in order; the others are passed over unread. */
export async function* pickEntries(entries: AsyncIterable<Entry>, selection: Selection): AsyncGenerator<Entry> {
  for await (const entry of entries) if (selection.takes(entry)) yield entry;
}

/** One character per byte, so that names that are no UTF-8 compare like all others. */
function keyOf(path: EntryPath): string {
  return Buffer.from(typeof path === "string" ? Buffer.from(path) : path).toString("latin1");
}
