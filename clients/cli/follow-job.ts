// Watches a job to its end and shows it meanwhile.
import type { ApiClient } from "../api/connect.ts";
import type { JobFacts } from "../api/jobs.ts";
import { CommandError, exitCodes } from "./failure.ts";
import { openProgressDisplay } from "./progress-display.ts";
import type { Output } from "./terminal.ts";

export interface FollowOptions {
  readonly jobId: string;
  /** What the job is about, such as `Backup of web-1`. */
  readonly title: string;
  readonly output: Output;
  readonly color: boolean;
  readonly redraws: boolean;
  readonly signal: AbortSignal;
}

/** The completed job. Throws `CommandError` where it ended otherwise, and where the signal ended the watching: the job goes on. */
export async function followJob(api: ApiClient, options: FollowOptions): Promise<JobFacts> {
  const { jobId, title, output, signal } = options;
  let job: JobFacts | undefined;
  try {
    using display = openProgressDisplay(output, options);
    for await (const step of api.watchJob(jobId, { signal })) {
      display.show(step);
      job = step.job;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandError(`No longer watched; ${jobId} goes on by itself.`, { exitCode: exitCodes.interrupted });
  }
  if (job?.status === "COMPLETED") return job;
  if (job?.status === "CANCELED") throw new CommandError(`${title} was canceled.`);
  const code = job?.errorCode ? ` (${job.errorCode})` : "";
  throw new CommandError(`${title} failed: ${job?.errorMessage ?? "no reason was given."}${code}`);
}
