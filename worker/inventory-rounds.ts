// Takes the inventory of the store when the worker starts and whenever the hub asks for it, one at a time.
import type { Logger } from "pino";
import { type InventoryTerms, takeInventory, type UnfinishedInventory } from "./inventory.ts";

export interface InventoryRounds extends AsyncDisposable {
  /** The hub asked for it; while one is being taken, that one counts. */
  ask(): void;
}

export type RoundsTerms = Omit<InventoryTerms, "atStart" | "signal">;

/**
 * Resolves when nothing is left in the store that would be done again or removed; what takes longer goes on beside the jobs. Throws as
 * `takeInventory` does. Disposal gives up what is under way.
 */
export async function startInventoryRounds(terms: RoundsTerms): Promise<InventoryRounds> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const first = await takeInventory({ ...terms, signal, atStart: true });
  let underWay: Promise<void> | null = null;
  const run = (begin: () => Promise<UnfinishedInventory>) => {
    underWay ??= complete(begin, terms.log, signal).finally(() => {
      underWay = null;
    });
  };
  run(() => Promise.resolve(first));
  return {
    ask: () => run(() => takeInventory({ ...terms, signal, atStart: false })),
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error("the worker goes down"));
      await underWay;
    },
  };
}

/** What fails is asked for again with the next sign of life. */
async function complete(begin: () => Promise<UnfinishedInventory>, log: Logger, signal: AbortSignal): Promise<void> {
  try {
    await (await begin()).finish();
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "the store could not be compared with the hub");
  }
}
