// What the hub does without being asked: due schedules, silent workers, expired links, retention. Every hub may run it at the same time.
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { runDueChecks } from "../domain/checks.ts";
import { runDueSchedules } from "../domain/due-schedules.ts";
import type { Hub } from "../domain/hub.ts";
import { sweepLeases } from "../domain/leases.ts";
import { sweepOverdue } from "../domain/overdue.ts";
import { expireRestores } from "../domain/restores.ts";
import { runDueRetention } from "../domain/retention.ts";
import { purgeTenants } from "../domain/tenant-purge.ts";
import { noteWaits } from "../domain/waiting.ts";
import { deferLateRuns } from "../domain/waiting-backups.ts";
import { markOfflineWorkers } from "../domain/workers.ts";

const duties = {
  runDueSchedules,
  deferLateRuns,
  sweepLeases,
  sweepOverdue,
  expireRestores,
  markOfflineWorkers,
  noteWaits,
  purgeTenants,
} as const;

/** What takes its time and is in no hurry. Begins when a hub that has just started has had time for everything else. */
const slowDuties = { runDueRetention } as const;
const slowStartSeconds = 30;

const checkDuties = { runDueChecks } as const;
const checksEverySeconds = 60;

export interface UpkeepTerms {
  readonly log: Logger;
  readonly everySeconds: number;
  readonly retentionEverySeconds: number;
  /** Hears of every round of a duty. */
  readonly onRound?: (duty: string, seconds: number, isDone: boolean) => void;
}

/** Goes its rounds until disposed of. A duty that fails is logged and tried again on the next round. */
export function startUpkeep(
  hub: Hub,
  { log, everySeconds, retentionEverySeconds, onRound }: UpkeepTerms,
): AsyncDisposable {
  const stopped = new AbortController();
  const { signal } = stopped;
  const wait = (seconds: number) => pause(seconds * 1000, undefined, { signal }).catch(() => undefined);
  const goRounds = async (round: Record<string, (hub: Hub) => Promise<number>>, seconds: number) => {
    while (!signal.aborted) {
      for (const [name, duty] of Object.entries(round)) {
        const beganAt = performance.now();
        const tell = (isDone: boolean) => onRound?.(name, (performance.now() - beganAt) / 1000, isDone);
        try {
          const count = await duty(hub);
          tell(true);
          if (count > 0) log.info({ duty: name, count }, "upkeep");
        } catch (error) {
          tell(false);
          log.warn({ duty: name, err: error }, "upkeep failed");
        }
      }
      await wait(seconds);
    }
  };
  const rounds = [
    goRounds(duties, everySeconds),
    wait(slowStartSeconds).then(() => goRounds(slowDuties, retentionEverySeconds)),
    wait(slowStartSeconds).then(() => goRounds(checkDuties, checksEverySeconds)),
  ];
  return {
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await Promise.all(rounds);
    },
  };
}
