// Which rows a subscriber is still to be told of, each once however often it changed, and how far it has come without them.
import type { Cursor } from "./cursor.ts";

export class PendingRows {
  readonly #limit: number;
  /** The batch that each row came with; in the order in which they are told. */
  readonly #batchOf = new Map<string, number>();
  /** Where the subscriber has come once all of a batch, and of those before it, is told. */
  #marks: { readonly batch: number; readonly cursor: Cursor | null }[] = [];
  #batch = 0;
  /** Everything up to here is told; null: not even the present state. */
  settled: Cursor | null;

  constructor(settled: Cursor | null, limit: number) {
    this.settled = settled;
    this.#limit = limit;
  }

  get size(): number {
    return this.#batchOf.size;
  }

  /**
   * Adds what changed up to `cursor`; null where that is not all of it. A row that waits already keeps its place: it is read when its turn
   * comes. False where there would be too many: nothing is kept then, and the subscriber goes on from `settled`.
   */
  add(ids: readonly string[], cursor: Cursor | null): boolean {
    this.#batch++;
    let isNews = false;
    for (const id of ids) {
      if (this.#batchOf.has(id)) continue;
      this.#batchOf.set(id, this.#batch);
      isNews = true;
    }
    if (this.#batchOf.size > this.#limit) {
      this.clear();
      return false;
    }
    if (cursor === null) return true;
    const last = this.#marks.at(-1);
    if (this.#batchOf.size === 0) this.settled = cursor;
    // Nothing new: those who wait already say it all.
    else if (last && !isNews) this.#marks[this.#marks.length - 1] = { batch: last.batch, cursor };
    else this.#marks.push({ batch: this.#batch, cursor });
    return true;
  }

  /** The next row, which waits no more. */
  take(): string | undefined {
    const [id] = this.#batchOf.keys().take(1);
    if (id === undefined) return undefined;
    this.#batchOf.delete(id);
    const [head = Number.POSITIVE_INFINITY] = this.#batchOf.values().take(1);
    let told = 0;
    for (const { batch, cursor } of this.#marks) {
      if (batch >= head) break;
      this.settled = cursor;
      told++;
    }
    if (told > 0) this.#marks.splice(0, told);
    return id;
  }

  clear(): void {
    this.#batchOf.clear();
    this.#marks = [];
  }
}
