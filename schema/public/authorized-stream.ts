// Lets somebody watch for as long as they may: asked before every update and again and again, so that nobody stays by being idle.
import { setTimeout as pause } from "node:timers/promises";
import type { Actor } from "../../domain/actor.ts";
import type { PublicContext } from "./context.ts";

/** With answers of `currentActor` that are two seconds old at most, a stream ends within five after a part was lost. */
const checkMs = 1_500;
/** Until it is asked again, where nobody could be asked. */
const askAgainMs = 1_000;

export interface AuthorizedStream<T> {
  /** Whether they may be told this update; without one, whether they may go on watching. */
  readonly may: (actor: Actor, update?: T) => boolean;
  /** Ends at once when `signal` says so. */
  readonly watch: (signal: AbortSignal) => AsyncIterableIterator<T>;
}

/** The stream, ended without another word once its watcher may not see it any more. Holds nothing before the first `next()`. */
export function watchAuthorized<T>(
  context: PublicContext,
  { may, watch }: AuthorizedStream<T>,
): AsyncIterableIterator<T> {
  const ended = new AbortController();
  const updates = watch(ended.signal);
  const done = { done: true, value: undefined } as const;
  let timer: NodeJS.Timeout | undefined;

  function end(): typeof done {
    clearInterval(timer);
    ended.abort();
    return done;
  }

  async function mayGoOn(): Promise<boolean> {
    const actor = await context.currentActor();
    return actor !== null && may(actor);
  }

  /** Waits for an answer: a database that is away for a moment is no reason to end what somebody watches. */
  async function mayBeTold(update: T): Promise<boolean> {
    while (!ended.signal.aborted) {
      const actor = await context.currentActor().catch(() => undefined);
      if (actor !== undefined) return actor !== null && may(actor, update) && !ended.signal.aborted;
      await pause(askAgainMs, undefined, { signal: ended.signal }).catch(() => undefined);
    }
    return false;
  }

  return {
    async next() {
      if (ended.signal.aborted) return done;
      timer ??= setInterval(() => {
        // While nobody can be asked, nothing is told either: the next update waits for an answer of its own.
        mayGoOn().then(
          (goesOn) => goesOn || end(),
          () => undefined,
        );
      }, checkMs);
      const result = await updates.next();
      if (result.done) return end();
      return (await mayBeTold(result.value)) ? result : end();
    },
    // Ends a `next()` that is still waiting: the feed's own iterator lets go of it.
    async return() {
      end();
      await updates.return?.();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
