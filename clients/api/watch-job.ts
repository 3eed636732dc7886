// Watches one job to its end. Connections come and go; each next one goes on where the last one broke off.
import { ApiError } from "./api-error.ts";
import { type FeedAccess, type JobStep, readJobFeed } from "./job-feed.ts";
import { isFinal } from "./jobs.ts";
import { pause } from "./pause.ts";

export interface WatchOptions {
  /** Cursor of the last step seen, to go on from there. */
  readonly after?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For how long to try again while the hub is away, in milliseconds; 10 minutes where it is not set. */
  readonly patienceMs?: number;
}

const firstPauseMs = 250;
const longestPauseMs = 5_000;

export async function* watchJob(
  access: FeedAccess,
  jobId: string,
  { after, signal, patienceMs = 600_000 }: WatchOptions = {},
): AsyncGenerator<JobStep, void, undefined> {
  let last: JobStep | undefined;
  let heardAt = performance.now();
  for (let attempt = 0; ; attempt++) {
    let lost: ApiError | undefined;
    try {
      for await (const step of readJobFeed(access, { jobId, after: last?.cursor ?? after, signal })) {
        heardAt = performance.now();
        if (last && repeats(step, last)) continue;
        attempt = 0;
        last = step;
        yield step;
      }
    } catch (error) {
      if (!(error instanceof ApiError && error.retryable)) throw error;
      lost = error;
    }
    // Lines of the log may follow a step in the final state: the hub says when that was all.
    if (last && isFinal(last.job.status) && !lost) return;
    const pauseMs = Math.random() * Math.min(firstPauseMs * 2 ** attempt, longestPauseMs);
    if (performance.now() + pauseMs - heardAt > patienceMs) throw lost ?? endedEarly(access);
    await pause(pauseMs, signal);
  }
}

/** Asked to go on from the newest event, the hub begins with the present state, which is no news any more. */
function repeats(step: JobStep, last: JobStep): boolean {
  return step.cursor === last.cursor && !step.event && !step.progress;
}

function endedEarly({ endpoint }: FeedAccess): ApiError {
  return new ApiError("UNREACHABLE", `The hub at ${endpoint.origin} ends the live feed before the job has ended.`);
}
