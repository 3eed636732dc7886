// A way through everything that changed since a cursor, page by page: a page that is full has another one behind it.
import type { Cursor } from "./cursor.ts";

/** A row that changed, and the source it is about. */
export interface Change {
  readonly id: string;
  readonly sourceId: string | null;
  /** The transaction that changed it, as text. */
  readonly changedIn: string;
}

export interface Page {
  readonly changes: readonly Change[];
  /** What the database had committed when the page was read. */
  readonly snapshot: Cursor;
  readonly isFull: boolean;
}

export class Walk {
  /** Everything up to here is read; null: nothing was read yet. */
  since: Cursor | null;
  /** The last row of the page before; null at the beginning. */
  past: Pick<Change, "id" | "changedIn"> | null = null;
  #begun: Cursor | null = null;

  constructor(since: Cursor | null) {
    this.since = since;
  }

  /**
   * Takes in a page. Answers with the cursor that is reached with it, null within a way of several pages, and whether there may be more
   * already: what changed while the pages were read.
   */
  apply({ changes, snapshot, isFull }: Page): { readonly cursor: Cursor | null; readonly isDone: boolean } {
    const begun = this.#begun ?? snapshot;
    const last = changes.at(-1);
    if (isFull && last) {
      this.#begun = begun;
      this.past = last;
      return { cursor: null, isDone: false };
    }
    const isDone = this.past === null;
    this.since = begun;
    this.past = null;
    this.#begun = null;
    return { cursor: begun, isDone };
  }
}
