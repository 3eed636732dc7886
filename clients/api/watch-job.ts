// Watches one job to its end.
import type { Access } from "./access.ts";
import { isFinal, type JobStep, jobProgressed } from "./jobs.ts";
import { subscribe, type WatchOptions } from "./subscribe.ts";

export function watchJob(
  access: Access,
  jobId: string,
  options: WatchOptions = {},
): AsyncGenerator<JobStep, void, undefined> {
  return subscribe(
    access,
    jobProgressed,
    { jobId },
    {
      ...options,
      // Lines of the log may follow a step in the final state: the hub says when that was all.
      isLast: ({ job }) => isFinal(job.status),
      // Asked to go on from the newest event, the hub begins with the present state, which is no news any more.
      isRepeat: ({ cursor, event, progress }, last) => cursor === last.cursor && !event && !progress,
      // Of progress only the newest counts.
      supersedes: ({ progress }, waiting) => progress !== null && waiting.progress !== null,
    },
  );
}
