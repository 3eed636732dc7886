// A few sign-ins to one FTP server at a time: each waits several round trips for every file, so that they take turns.
import { setTimeout as pause } from "node:timers/promises";
import { SourceError } from "../source-error.ts";
import { connectionLost } from "../ssh/failure.ts";
import { FtpRefusal, isPassing, mayBeAboutNumbers, tooBusy } from "./failure.ts";
import type { FtpSession } from "./session.ts";

/** Enough to hide the waiting, and few enough for the limits that hosters set. */
const mostSessions = 4;
/** Before something is tried once more after its connection broke. */
const pausesMs = [0, 1_000, 5_000];

export interface SessionsOptions {
  /** As the customer wrote it. */
  readonly host: string;
  readonly open: () => Promise<FtpSession>;
  readonly signal: AbortSignal;
}

/** Disposing closes them all. */
export class FtpSessions implements AsyncDisposable {
  readonly #options: SessionsOptions;
  readonly #open = new Set<FtpSession>();
  readonly #idle: FtpSession[] = [];
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  /** On their way, not signed in yet. */
  #coming = 0;
  #most = mostSessions;
  #closed = false;

  /** `first` shows that the sign-in is right: whatever is refused after it is about their number. */
  constructor(first: FtpSession, options: SessionsOptions) {
    this.#options = options;
    this.#open.add(first);
    this.#idle.push(first);
    options.signal.addEventListener("abort", this.#wakeAll, { once: true });
  }

  /** Does `work` with a session of its own, and once more from its beginning where the connection breaks. */
  async run<T>(work: (session: FtpSession) => Promise<T>): Promise<T> {
    return this.retrying(async () => {
      const session = await this.acquire();
      try {
        return await work(session);
      } finally {
        this.release(session);
      }
    });
  }

  /** `work` again, a few times and after a while, as long as nothing but a connection stood in its way. */
  async retrying<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    for (const pauseMs of pausesMs) {
      try {
        return await work();
      } catch (error) {
        if (!isPassing(error) || this.#closed) throw error;
      }
      await pause(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
    try {
      return await work();
    } catch (error) {
      throw error instanceof FtpRefusal && isPassing(error) ? connectionLost(this.#options.host, error) : error;
    }
  }

  /** To be given back with `release`, whole or broken. */
  async acquire(): Promise<FtpSession> {
    for (;;) {
      this.#options.signal.throwIfAborted();
      if (this.#closed) throw new SourceError("SOURCE_DISCONNECTED", "The source was closed.");
      this.#forgetBroken();
      const idle = this.#idle.pop();
      if (idle) return idle;
      if (this.#open.size + this.#coming < this.#most) {
        const session = await this.#signIn();
        if (session) return session;
        continue;
      }
      const turn = Promise.withResolvers<void>();
      this.#waiting.push(turn);
      await turn.promise;
    }
  }

  release(session: FtpSession): void {
    if (session.over.aborted) this.#open.delete(session);
    else this.#idle.push(session);
    this.#wake(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#options.signal.removeEventListener("abort", this.#wakeAll);
    this.#wakeAll();
    await Promise.all([...this.#open].map((session) => session[Symbol.asyncDispose]()));
  }

  /** Null where the server wants no more of us at a time than there are. */
  async #signIn(): Promise<FtpSession | null> {
    this.#coming += 1;
    try {
      const session = await this.#options.open();
      this.#open.add(session);
      if (!this.#closed) return session;
      await session[Symbol.asyncDispose]();
      return null;
    } catch (error) {
      // The next one tries for itself: with nothing open, no release would ever wake it.
      this.#wake(1);
      if (!mayBeAboutNumbers(error)) throw error;
      this.#forgetBroken();
      if (this.#open.size === 0) throw tooBusy(this.#options.host, error);
      this.#most = this.#open.size;
      return null;
    } finally {
      this.#coming -= 1;
    }
  }

  #forgetBroken(): void {
    for (const session of this.#open) if (session.over.aborted) this.#open.delete(session);
    for (const [index, session] of [...this.#idle.entries()].reverse())
      if (session.over.aborted) this.#idle.splice(index, 1);
  }

  readonly #wakeAll = (): void => this.#wake(Infinity);

  #wake(count: number): void {
    for (const turn of this.#waiting.splice(0, count)) turn.resolve();
  }
}
