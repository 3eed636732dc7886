// Knows how each type of job is done here.
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { backUp } from "./backup.ts";
import { deleteSnapshot } from "./delete-snapshot.ts";
import { JobRefusedError } from "./failure.ts";
import { testSource } from "./test-source.ts";
import { verifySnapshot } from "./verify-snapshot.ts";
import type { Workshop } from "./workshop.ts";

type Perform = (workshop: Workshop, job: ClaimedJob, signal: AbortSignal) => Promise<void>;

const performers = {
  BACKUP: backUp,
  TEST_SOURCE: testSource,
  DELETE_SNAPSHOT: deleteSnapshot,
  VERIFY: verifySnapshot,
} as const satisfies Partial<Record<ClaimedJob["type"], Perform>>;

export const servedJobTypes = Object.keys(performers) as (keyof typeof performers)[];

/** Throws what went wrong, `JobRefusedError` for a type of job that nobody here can do. */
export async function performJob(workshop: Workshop, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  const perform = (performers as Partial<Record<ClaimedJob["type"], Perform>>)[job.type];
  if (!perform) throw new JobRefusedError(`no way to do a job of type ${job.type}`);
  await perform(workshop, job, signal);
}
