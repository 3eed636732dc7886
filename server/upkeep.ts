// What the hub does without being asked: due schedules, silent workers, expired links. Every hub may run it at the same time.
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { runDueSchedules } from "../domain/due-schedules.ts";
import type { Hub } from "../domain/hub.ts";
import { sweepLeases } from "../domain/leases.ts";
import { expireRestores } from "../domain/restores.ts";
import { purgeTenants } from "../domain/tenant-purge.ts";
import { markOfflineWorkers } from "../domain/workers.ts";

const duties = { runDueSchedules, sweepLeases, expireRestores, markOfflineWorkers, purgeTenants } as const;

/** Goes its round every `everySeconds` until disposed of. A duty that fails is logged and tried again on the next round. */
export function startUpkeep(hub: Hub, { log, everySeconds }: { log: Logger; everySeconds: number }): AsyncDisposable {
  const stopped = new AbortController();
  const rounds = (async () => {
    while (!stopped.signal.aborted) {
      for (const [name, duty] of Object.entries(duties)) {
        try {
          const count = await duty(hub);
          if (count > 0) log.info({ duty: name, count }, "upkeep");
        } catch (error) {
          log.warn({ duty: name, err: error }, "upkeep failed");
        }
      }
      await pause(everySeconds * 1000, undefined, { signal: stopped.signal }).catch(() => undefined);
    }
  })();
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await rounds;
    },
  };
}
