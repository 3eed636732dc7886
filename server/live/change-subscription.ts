// One subscriber's way through the changes of a noun: pulled, never pushed, so that a slow one holds some ids and a cursor.
import { type Cursor, formatCursor } from "./cursor.ts";
import { PendingRows } from "./pending-rows.ts";
import { type Change, type Page, Walk } from "./walk.ts";
import type { PresentRequest, Scope } from "./watched-nouns.ts";

export interface RowUpdate<Row> {
  /** Where to go on after this one. */
  readonly cursor: string;
  /** As it is now. Null once: all that was there before is told. */
  readonly row: Row | null;
}

/** What a subscriber waits for: the rows that are there to begin with, or what changed since a cursor. */
export type Wanted =
  | ({ readonly kind: "present" } & PresentRequest)
  | { readonly kind: "changes"; readonly scope: Scope; readonly walk: Walk };

export interface ChangeSource<Row> {
  /** From now on the subscriber hears what changes in its scope, until `leave`. */
  enter(subscriber: ChangeSubscription<Row>): void;
  leave(subscriber: ChangeSubscription<Row>): void;
  /** Asks for a page; it comes by `receivePage`, after the scope's own reading. */
  want(subscriber: ChangeSubscription<Row>): void;
  load(ids: readonly string[]): Promise<ReadonlyMap<string, Row>>;
}

interface WatchChangesOptions {
  /** Goes on from there; null: from the present state. */
  readonly after: Cursor | null;
  /** The sources whose rows are told; null: all. */
  readonly sourceIds: readonly string[] | null;
  readonly signal: AbortSignal;
}

/** Beyond this a slow subscriber's rows are forgotten and found again from its cursor. */
const mostPending = 1_000;
const rowsAtOnce = 16;
/** Stands among the rows for “all that was there before is told”. */
const marker = "";

type Answer<Row> = IteratorResult<RowUpdate<Row>, undefined>;
const done = { done: true, value: undefined } as const;

/** Holds nothing before the first `next()` and nothing after its end. */
export class ChangeSubscription<Row> implements AsyncIterableIterator<RowUpdate<Row>, undefined> {
  readonly scope: Scope;
  readonly #source: ChangeSource<Row>;
  readonly #sourceIds: readonly string[] | null;
  readonly #signal: AbortSignal;
  readonly #asked: PromiseWithResolvers<Answer<Row>>[] = [];
  readonly #onAbort = () => this.end();
  readonly #pending: PendingRows;
  #ready: RowUpdate<Row>[] = [];
  /** What is read before it goes along with all others; null: it does. */
  #behind: Wanted | null;
  /** The snapshot of the first page of a present state that takes several. */
  #began: Cursor | null = null;
  #isWaiting = false;
  /** All that was there before is told, and so is that. */
  #isMarked = false;
  #hasEntered = false;
  #serving = false;
  #ended = false;

  constructor(source: ChangeSource<Row>, scope: Scope, { after, sourceIds, signal }: WatchChangesOptions) {
    this.#source = source;
    this.scope = scope;
    this.#sourceIds = sourceIds;
    this.#signal = signal;
    this.#pending = new PendingRows(after, mostPending);
    this.#behind = this.#fromSettled();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Answer<Row>> {
    if (this.#ended || this.#signal.aborted) return this.return();
    if (!this.#hasEntered) {
      this.#hasEntered = true;
      this.#signal.addEventListener("abort", this.#onAbort, { once: true });
      this.#source.enter(this);
    }
    const asked = Promise.withResolvers<Answer<Row>>();
    this.#asked.push(asked);
    void this.#serve();
    return asked.promise;
  }

  async return(): Promise<Answer<Row>> {
    this.end();
    return done;
  }

  async throw(error: unknown): Promise<Answer<Row>> {
    this.end();
    throw error;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal.removeEventListener("abort", this.#onAbort);
    if (this.#hasEntered) this.#source.leave(this);
    this.#pending.clear();
    this.#ready = [];
    for (const { resolve } of this.#asked.splice(0)) resolve(done);
  }

  /** What it has asked the source for. */
  get wanted(): Wanted | null {
    return this.#isWaiting ? this.#behind : null;
  }

  /** Hears of what changed in its scope up to `cursor`; null where that is not all of it. */
  hear(changes: readonly Change[], cursor: Cursor | null): void {
    if (this.#behind || this.#ended) return;
    if (!this.#pending.add(this.#own(changes), cursor)) this.#behind = this.#fromSettled();
    void this.#serve();
  }

  receivePage(page: Page): void {
    const wanted = this.#behind;
    if (this.#ended || !this.#isWaiting || !wanted) return;
    this.#isWaiting = false;
    if (wanted.kind === "present") this.#receivePresent(wanted, page);
    else this.#receiveChanges(wanted.walk, page);
    void this.#serve();
  }

  /** Its cursor is of another life of the database: it begins anew. */
  beginAnew(): void {
    this.#isWaiting = false;
    this.#began = null;
    this.#pending.clear();
    this.#pending.settled = null;
    this.#behind = this.#fromSettled();
    void this.#serve();
  }

  #receivePresent(request: PresentRequest, { changes, snapshot, isFull }: Page): void {
    const last = changes.at(-1)?.id;
    if (isFull && last !== undefined) {
      this.#pending.add(this.#own(changes), null);
      // What changed since the first page is found afterwards, from its snapshot on.
      this.#began ??= snapshot;
      this.#behind = { kind: "present", ...request, past: last };
    } else if (this.#began) {
      this.#pending.add(this.#own(changes), this.#began);
      this.#behind = { kind: "changes", scope: this.scope, walk: new Walk(this.#began) };
      this.#began = null;
    } else this.#goAlong(changes, snapshot);
  }

  #receiveChanges(walk: Walk, page: Page): void {
    const { cursor, isDone } = walk.apply(page);
    if (isDone) this.#goAlong(page.changes, cursor);
    else this.#pending.add(this.#own(page.changes), cursor);
  }

  /** All is read: from now on it hears what everybody hears. */
  #goAlong(changes: readonly Change[], cursor: Cursor | null): void {
    this.#behind = null;
    const ids = this.#own(changes);
    this.#pending.add(this.#isMarked ? ids : [...ids, marker], cursor);
  }

  #own(changes: readonly Change[]): string[] {
    const sources = this.#sourceIds;
    const own = sources ? changes.filter(({ sourceId }) => sourceId !== null && sources.includes(sourceId)) : changes;
    return own.map(({ id }) => id);
  }

  #fromSettled(): Wanted {
    const { settled } = this.#pending;
    const { scope } = this;
    if (settled !== null) return { kind: "changes", scope, walk: new Walk(settled) };
    return { kind: "present", scope, sourceIds: this.#sourceIds, past: "" };
  }

  /** Answers as many calls of `next()` as it can; whoever has news calls it again. */
  async #serve(): Promise<void> {
    if (this.#serving) return;
    this.#serving = true;
    while (this.#asked.length > 0 && !this.#ended) {
      const update = this.#ready.shift();
      if (update) this.#asked.shift()?.resolve({ done: false, value: update });
      else if (this.#pending.size > 0) await this.#loadSome();
      else {
        if (this.#behind && !this.#isWaiting) {
          this.#isWaiting = true;
          this.#source.want(this);
        }
        break;
      }
    }
    this.#serving = false;
  }

  async #loadSome(): Promise<void> {
    const taken: { id: string; cursor: string }[] = [];
    for (let id = this.#pending.take(); id !== undefined; id = this.#pending.take()) {
      this.#isMarked ||= id === marker;
      taken.push({ id, cursor: formatCursor(this.#pending.settled) });
      if (taken.length === rowsAtOnce) break;
    }
    const rows = await this.#source.load(taken.map(({ id }) => id).filter((id) => id !== marker));
    for (const { id, cursor } of taken) {
      const row = rows.get(id) ?? null;
      if (row || id === marker) this.#ready.push({ cursor, row });
    }
  }
}
