// Renews one lease until it is dropped, and says when it is lost or its job canceled.
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "./ask.ts";
import type { HubAccess, LeaseNews, LeaseTerms } from "./messages.ts";

const document =
  "mutation RenewLease($input: LeaseInput!) { renewLease(input: $input) { leaseSeconds cancelRequested } }";

/** A cancellation is heard with the next renewal: within this, however much longer a lease would hold. */
const longestPauseMs = 5_000;

/** Ends a pause before its time. */
export class Hurry {
  #pause = new AbortController();

  now(): void {
    this.#pause.abort();
  }

  /** Resolves after `ms`, at the call of `now`, or when it is `dropped`. */
  async pause(ms: number, dropped: AbortSignal): Promise<void> {
    await pause(ms, undefined, { signal: AbortSignal.any([dropped, this.#pause.signal]) }).catch(() => undefined);
    this.#pause = new AbortController();
  }
}

interface Renewal {
  readonly leaseSeconds: number;
  readonly cancelRequested: boolean;
}

export interface RenewalTerms extends LeaseTerms {
  readonly access: HubAccess;
  readonly heldSinceMs: number;
  readonly report: (news: LeaseNews) => void;
  readonly hurry: Hurry;
  /** Ends it without a word. */
  readonly dropped: AbortSignal;
}

export const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n);

/** A lease of which two thirds passed without an acknowledged renewal counts as lost. */
export async function keepRenewed(terms: RenewalTerms): Promise<void> {
  const { report, dropped } = terms;
  const beatMs = Math.min(terms.heartbeatSeconds * 1000, longestPauseMs);
  const expiry = (since: number, seconds: number) => since + (seconds * 1000 * 2) / 3;
  let deadlineMs = expiry(terms.heldSinceMs, terms.leaseSeconds);
  let pauseMs = beatMs;
  let canceled = false;

  for (;;) {
    const waitMs = Math.max(0, Math.min(pauseMs, deadlineMs - nowMs()));
    await terms.hurry.pause(waitMs, dropped);
    // Counted from the sending, not from the answer: the hub may have granted the new lease at any moment in between.
    const sentMs = nowMs();
    if (dropped.aborted) return;
    if (sentMs >= deadlineMs) return report("lost");
    const renewal = await renew(terms, Math.ceil(Math.min(beatMs, deadlineMs - sentMs)));
    if (dropped.aborted) return;
    if (renewal === "LEASE_LOST") return report("lost");
    if (renewal !== null) deadlineMs = expiry(sentMs, renewal.leaseSeconds);
    pauseMs = renewal === null ? beatMs / 5 : beatMs;
    if (renewal?.cancelRequested && !canceled) {
      canceled = true;
      report("canceled");
    }
  }
}

/** Null: not acknowledged, for whatever reason; the next try decides. */
async function renew(terms: RenewalTerms, timeoutMs: number): Promise<Renewal | "LEASE_LOST" | null> {
  const { access, jobId, leaseEpoch, dropped } = terms;
  const signal = AbortSignal.any([dropped, AbortSignal.timeout(timeoutMs)]);
  const answer = await ask<{ renewLease?: Renewal | null }>(access, document, { jobId, leaseEpoch }, signal);
  if (answer?.errors?.some((error) => error.extensions?.code === "LEASE_LOST")) return "LEASE_LOST";
  return answer?.data?.renewLease ?? null;
}
