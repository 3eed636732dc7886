// The live feed of a whole noun: whatever happens to any row of a tenant, told to any number of subscribers from one reading.
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { Database } from "../../prisma/connect.ts";
import { ChangeSubscription, type RowUpdate, type Wanted } from "./change-subscription.ts";
import { isAheadOf, parseCursor } from "./cursor.ts";
import { RowLoader } from "./row-loader.ts";
import { type Page, Walk } from "./walk.ts";
import type { Scope, WatchedNoun } from "./watched-nouns.ts";

export interface WatchOptions {
  /** The cursor of the last update seen: it goes on from there. What is no cursor counts as none. */
  readonly after?: string;
  /** The sources whose rows are told; null: all. */
  readonly sourceIds: readonly string[] | null;
  readonly signal: AbortSignal;
}

export interface ChangeFeedOptions<Row> {
  readonly db: Database;
  readonly log: Logger;
  readonly noun: WatchedNoun<Row>;
  /** The first subscriber of a scope came, or the last one left. */
  readonly onWatched: (scope: Scope, isWatched: boolean) => void;
}

interface WatchedScope<Row> {
  readonly walk: Walk;
  readonly subscribers: Set<ChangeSubscription<Row>>;
}

const scopesAtOnce = 200;
const requestsAtOnce = 50;
const readAgainMs = 1_000;
/** Changes that come faster than they are read are read together: after each reading it rests for half as long, and at most this. */
const mostRestMs = 10;

export class ChangeFeed<Row extends { readonly id: string }> implements AsyncDisposable {
  readonly #options: ChangeFeedOptions<Row>;
  readonly #scopes = new Map<Scope, WatchedScope<Row>>();
  readonly #dirty = new Set<Scope>();
  readonly #waiting = new Set<ChangeSubscription<Row>>();
  readonly #loader: RowLoader<Row>;
  readonly #stop = new AbortController();
  #reading = false;
  #reader: Promise<void> | undefined;
  #failing = false;

  constructor(options: ChangeFeedOptions<Row>) {
    this.#options = options;
    this.#loader = new RowLoader({
      readRows: (ids) => options.noun.readRows(options.db, ids),
      onFailure: (error) => this.#failed(error),
      signal: this.#stop.signal,
    });
  }

  get watchers(): number {
    return this.#scopes.values().reduce((sum, { subscribers }) => sum + subscribers.size, 0);
  }

  /**
   * First what is there, or with `after` what changed since; once all of that is told, an update without a row; then every row that
   * changes, as it is by then. Never ends by itself. Whoever may see the rows is for the caller to say.
   */
  watch(scope: Scope, { after, sourceIds, signal }: WatchOptions): AsyncIterableIterator<RowUpdate<Row>, undefined> {
    return new ChangeSubscription(
      {
        enter: (subscriber) => this.#enter(subscriber),
        leave: (subscriber) => this.#leave(subscriber),
        want: (subscriber) => {
          this.#waiting.add(subscriber);
          this.#run();
        },
        load: (ids) => this.#loader.load(ids),
      },
      scope,
      { after: after === undefined ? null : (parseCursor(after) ?? null), sourceIds, signal },
    );
  }

  isCursor(text: string): boolean {
    return parseCursor(text) !== undefined;
  }

  /** Something may have changed there. */
  read(scope: Scope): void {
    if (!this.#scopes.has(scope)) return;
    this.#dirty.add(scope);
    this.#run();
  }

  readAll(): void {
    for (const scope of this.#scopes.keys()) this.read(scope);
  }

  /** Ends every subscription. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { subscribers } of [...this.#scopes.values()])
      for (const subscriber of [...subscribers]) subscriber.end();
    await this.#reader;
  }

  #enter(subscriber: ChangeSubscription<Row>): void {
    const { scope } = subscriber;
    const watched = this.#scopes.get(scope);
    if (watched) watched.subscribers.add(subscriber);
    else {
      this.#scopes.set(scope, { walk: new Walk(null), subscribers: new Set([subscriber]) });
      this.#options.onWatched(scope, true);
      this.read(scope);
    }
  }

  #leave(subscriber: ChangeSubscription<Row>): void {
    const { scope } = subscriber;
    this.#waiting.delete(subscriber);
    const watched = this.#scopes.get(scope);
    if (!watched?.subscribers.delete(subscriber) || watched.subscribers.size > 0) return;
    this.#scopes.delete(scope);
    this.#dirty.delete(scope);
    this.#options.onWatched(scope, false);
  }

  #run(): void {
    if (this.#reading || this.#stop.signal.aborted) return;
    this.#reading = true;
    this.#reader = this.#readOn();
  }

  async #readOn(): Promise<void> {
    while ((this.#dirty.size > 0 || this.#waiting.size > 0) && !this.#stop.signal.aborted) {
      const began = performance.now();
      let rest = readAgainMs;
      try {
        await this.#readScopes();
        await this.#readPages();
        this.#failing = false;
        rest = Math.min((performance.now() - began) / 2, mostRestMs);
      } catch (error) {
        this.#failed(error);
      }
      await pause(rest, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
    this.#reading = false;
  }

  /** What changed, once for all who watch it. Where it rejects, it is all still to be read. */
  async #readScopes(): Promise<void> {
    const batch = this.#dirty
      .values()
      .take(scopesAtOnce)
      .flatMap((scope) => {
        const watched = this.#scopes.get(scope);
        return watched ? [{ scope, ...watched }] : [];
      })
      .toArray();
    if (batch.length === 0) return;
    for (const { scope } of batch) this.#dirty.delete(scope);
    const { noun, db } = this.#options;
    const pages = await noun
      .readChanges(
        db,
        batch.map(({ scope, walk: { since, past } }) => ({ scope, since, past })),
      )
      .catch((error: unknown) => {
        for (const { scope } of batch) if (this.#scopes.has(scope)) this.#dirty.add(scope);
        throw error;
      });
    for (const [index, { scope, walk, subscribers }] of batch.entries()) {
      const page = pages[index];
      if (!page) continue;
      const isAnotherLife = walk.since !== null && isAheadOf(walk.since, page.snapshot);
      const { cursor, isDone } = walk.apply(page);
      if (!isDone && this.#scopes.has(scope)) this.#dirty.add(scope);
      for (const subscriber of [...subscribers]) {
        if (isAnotherLife) subscriber.beginAnew();
        else subscriber.hear(page.changes, cursor);
      }
    }
  }

  /** What single subscribers wait for; those who wait for the same share it. Only after their scope has a cursor of its own. */
  async #readPages(): Promise<void> {
    const askers = new Map<string, { wanted: Wanted; subscribers: ChangeSubscription<Row>[] }>();
    for (const subscriber of this.#waiting) {
      const { wanted, scope } = subscriber;
      const known = this.#scopes.get(scope)?.walk.since ?? null;
      if (!wanted || known === null) continue;
      const key = JSON.stringify(wanted);
      const same = askers.get(key);
      if (same) same.subscribers.push(subscriber);
      else if (askers.size < requestsAtOnce) askers.set(key, { wanted, subscribers: [subscriber] });
    }
    const { noun, db } = this.#options;
    const all = [...askers.values()];
    const present = all.flatMap(({ wanted, subscribers }) =>
      wanted.kind === "present" ? [{ ...wanted, subscribers }] : [],
    );
    const changed = all.flatMap(({ wanted, subscribers }) =>
      wanted.kind === "changes" ? [{ ...wanted, subscribers }] : [],
    );
    if (present.length > 0) this.#handOut(present, await noun.readPresent(db, present));
    if (changed.length === 0) return;
    const walks = changed.map(({ scope, walk: { since, past } }) => ({ scope, since, past }));
    this.#handOut(changed, await noun.readChanges(db, walks));
  }

  #handOut(
    requests: readonly (Wanted & { subscribers: readonly ChangeSubscription<Row>[] })[],
    pages: readonly Page[],
  ): void {
    for (const [index, wanted] of requests.entries()) {
      const page = pages[index];
      if (!page) continue;
      const isAnotherLife =
        wanted.kind === "changes" && wanted.walk.since !== null && isAheadOf(wanted.walk.since, page.snapshot);
      for (const subscriber of wanted.subscribers) {
        this.#waiting.delete(subscriber);
        if (isAnotherLife) subscriber.beginAnew();
        else subscriber.receivePage(page);
      }
    }
  }

  /** Told once; it is tried again until it works. */
  #failed(error: unknown): void {
    if (!this.#failing)
      this.#options.log.warn({ err: error, noun: this.#options.noun.name }, "live feed cannot read from postgres");
    this.#failing = true;
  }
}
