// Lets somebody watch for as long as they may: asked before every update and again and again, so that nobody stays by being idle.
import type { Actor } from "../../domain/actor.ts";
import type { PublicContext } from "./context.ts";

/** With answers of `currentActor` that are two seconds old at most, a stream ends within five after a part was lost. */
const checkMs = 1_500;

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

  async function mayGoOn(update?: T): Promise<boolean> {
    const actor = await context.currentActor();
    return actor !== null && may(actor, update);
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
      try {
        return (await mayGoOn(result.value)) && !ended.signal.aborted ? result : end();
      } catch (error) {
        end();
        throw error;
      }
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
