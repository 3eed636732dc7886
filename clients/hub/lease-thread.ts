// The thread behind lease.ts: sends the renewals of one lease, and says when it is lost or its job canceled.
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { LeaseNews, LeaseThreadData } from "./lease.ts";

const document =
  "mutation RenewLease($input: LeaseInput!) { renewLease(input: $input) { leaseSeconds cancelRequested } }";

interface Renewal {
  readonly leaseSeconds: number;
  readonly cancelRequested: boolean;
}

interface Answer {
  readonly data?: { readonly renewLease?: Renewal | null } | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

/** Null: not acknowledged, for whatever reason; the next try decides. */
async function renew(terms: LeaseThreadData, signal: AbortSignal): Promise<Renewal | "LEASE_LOST" | null> {
  try {
    const response = await fetch(new URL("/internal/graphql", terms.baseUrl), {
      method: "POST",
      headers: { authorization: `Bearer ${terms.token}`, "content-type": "application/json" },
      body: JSON.stringify({
        query: document,
        variables: { input: { jobId: terms.jobId, leaseEpoch: terms.leaseEpoch } },
      }),
      redirect: "error",
      signal,
    });
    const answer = (await response.json()) as Answer;
    if (answer.errors?.some((error) => error.extensions?.code === "LEASE_LOST")) return "LEASE_LOST";
    return answer.data?.renewLease ?? null;
  } catch {
    return null;
  }
}

const nowMs = () => Number(process.hrtime.bigint() / 1_000_000n);

async function keep(terms: LeaseThreadData, tell: (news: LeaseNews) => void): Promise<void> {
  const beatMs = terms.heartbeatSeconds * 1000;
  const expiry = (since: number, seconds: number) => since + (seconds * 1000 * 2) / 3;
  let deadlineMs = expiry(terms.heldSinceMs, terms.leaseSeconds);
  let pauseMs = beatMs;
  let canceled = false;

  for (;;) {
    await sleep(Math.max(0, Math.min(pauseMs, deadlineMs - nowMs())));
    // Counted from the sending, not from the answer: the hub may have granted the new lease at any moment in between.
    const sentMs = nowMs();
    if (sentMs >= deadlineMs) return tell("lost");
    const renewal = await renew(terms, AbortSignal.timeout(Math.ceil(Math.min(beatMs, deadlineMs - sentMs))));
    if (renewal === "LEASE_LOST") return tell("lost");
    if (renewal !== null) deadlineMs = expiry(sentMs, renewal.leaseSeconds);
    pauseMs = renewal === null ? beatMs / 5 : beatMs;
    if (renewal?.cancelRequested && !canceled) {
      canceled = true;
      tell("canceled");
    }
  }
}

await keep(workerData as LeaseThreadData, (news) => parentPort?.postMessage(news));
