// Reads rows for all who ask at the same time in one go: one reading at a time, so that a busy feed costs one connection.
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

export interface RowLoaderOptions<Row> {
  readonly readRows: (ids: readonly string[]) => Promise<Row[]>;
  /** Told of every failure; the reading is tried again. */
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

const rowsAtOnce = 500;
const againMs = 1_000;

export class RowLoader<Row extends { readonly id: string }> {
  readonly #options: RowLoaderOptions<Row>;
  #wanted = new Set<string>();
  #next: Promise<Map<string, Row>> | null = null;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(options: RowLoaderOptions<Row>) {
    this.#options = options;
  }

  /** These rows as they are now or later, never earlier; among them those of others. Waits for as long as Postgres is away. */
  load(ids: readonly string[]): Promise<ReadonlyMap<string, Row>> {
    for (const id of ids) this.#wanted.add(id);
    this.#next ??= this.#readNext();
    return this.#next;
  }

  async #readNext(): Promise<Map<string, Row>> {
    await this.#reading;
    // Whoever is woken by the same change asks in the same turn.
    await nextTurn();
    const ids = [...this.#wanted];
    this.#wanted = new Set();
    const reading = this.#readAll(ids);
    this.#reading = reading;
    this.#next = null;
    return reading;
  }

  async #readAll(ids: readonly string[]): Promise<Map<string, Row>> {
    const rows = new Map<string, Row>();
    for (let from = 0; from < ids.length; ) {
      try {
        for (const row of await this.#options.readRows(ids.slice(from, from + rowsAtOnce))) rows.set(row.id, row);
        from += rowsAtOnce;
      } catch (error) {
        const { signal, onFailure } = this.#options;
        if (signal.aborted) return rows;
        onFailure(error);
        await pause(againMs, undefined, { signal }).catch(() => undefined);
      }
    }
    return rows;
  }
}
