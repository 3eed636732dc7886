// Looks after the prepared downloads: what expired is wiped, what the hub has not heard is told again, what nobody asks for is forgotten.
import type { Logger } from "pino";
import type { HubClient } from "../clients/hub/hub-client.ts";
import { HubError } from "../clients/hub/hub-error.ts";
import type { HubClock } from "./hub-clock.ts";
import type { EndReason, PreparedDownloads, PreparedRecord } from "./prepared.ts";

export interface UpkeepTerms {
  readonly hub: HubClient;
  readonly downloads: PreparedDownloads;
  readonly clock: HubClock;
  readonly log: Logger;
  /** Hears of every link that ended. */
  readonly onEnded?: (reason: EndReason) => void;
}

/** For how long a link that ended says so, instead of being unknown. */
const tombstoneMs = 7 * 24 * 3_600_000;
/** As many as the hub answers for in one call. */
const batch = 1000;

export class Upkeep implements AsyncDisposable {
  readonly #terms: UpkeepTerms;
  readonly #endings = new Set<Promise<void>>();

  constructor(terms: UpkeepTerms) {
    this.#terms = terms;
  }

  /** Ends every link whose time is over. Needs no hub. */
  async expire(): Promise<void> {
    const { downloads, clock } = this.#terms;
    const now = clock.now();
    for (const { record } of downloads.all()) {
      if (record.ended && now.getTime() - Date.parse(record.ended.at) > tombstoneMs)
        await downloads.forget(record.restoreId);
      else if (!record.ended && record.expiresAt && new Date(record.expiresAt) <= now)
        await this.#end(record, "expired");
    }
  }

  /** A download has arrived whole: ends its link at once. `tellHub` repeats what the hub could not be told. */
  fetched(restoreId: string): Promise<void> {
    const ending = this.#fetched(restoreId).finally(() => this.#endings.delete(ending));
    this.#endings.add(ending);
    return ending;
  }

  /** What was left open while the hub was away, or when an earlier process ended. Throws `HubError`. */
  async tellHub(signal: AbortSignal): Promise<void> {
    for (const { record } of this.#terms.downloads.all()) {
      signal.throwIfAborted();
      if (record.ended?.reason === "fetched" && !record.ended.reported) await this.#report(record.restoreId);
      if (!record.ended && record.expiresAt === null) await this.#complete(record);
    }
  }

  /** Withdraws what the hub does not want served any more. Throws `HubError`. */
  async reconcile(signal: AbortSignal): Promise<void> {
    const { hub, downloads } = this.#terms;
    const live = downloads.all().filter(({ record }) => !record.ended && record.expiresAt !== null);
    for (let at = 0; at < live.length; at += batch) {
      const part = live.slice(at, at + batch).map(({ record }) => record);
      const { serve } = await hub.reconcileRestores({ restoreIds: part.map(({ restoreId }) => restoreId) }, { signal });
      for (const record of part) if (!serve.includes(record.restoreId)) await this.#end(record, "withdrawn");
    }
  }

  /** Waits for links that are just ending: what is not on disk would come to life again with the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#endings);
  }

  async #fetched(restoreId: string): Promise<void> {
    const { downloads, log } = this.#terms;
    const found = downloads.get(restoreId);
    if (!found || found.record.ended) return;
    await this.#end(found.record, "fetched");
    await this.#report(restoreId).catch((error) => log.warn({ err: error, restoreId }, "fetch not yet reported"));
  }

  async #complete(record: PreparedRecord): Promise<void> {
    const { hub, downloads } = this.#terms;
    const { restoreId, jobId, leaseEpoch, size } = record;
    // Another attempt, or the one that is just ending, may have replaced the record meanwhile.
    const isSame = () => downloads.get(restoreId)?.record === record;
    try {
      const { expiresAt } = await hub.completeRestore({ jobId, leaseEpoch, sizeBytes: size });
      if (isSame()) await downloads.confirm(restoreId, new Date(expiresAt));
    } catch (error) {
      if (!(error instanceof HubError) || error.retryable) throw error;
      if (isSame()) await downloads.forget(restoreId);
    }
  }

  async #report(restoreId: string): Promise<void> {
    const { hub, downloads } = this.#terms;
    const ended = downloads.get(restoreId)?.record.ended;
    if (!ended) return;
    await hub.recordFetch({ restoreId }).catch((error) => {
      if (!(error instanceof HubError) || error.retryable) throw error;
    });
    await downloads.end(restoreId, { ...ended, at: new Date(ended.at), reported: true });
  }

  async #end({ restoreId }: PreparedRecord, reason: EndReason): Promise<void> {
    const { downloads, clock, log, onEnded } = this.#terms;
    await downloads.end(restoreId, { at: clock.now(), reason, reported: false });
    onEnded?.(reason);
    log.info({ restoreId, reason }, "download wiped");
  }
}
