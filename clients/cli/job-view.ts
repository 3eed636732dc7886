// What there is to show of a job, gathered step by step. Knows no terminal and no clock.
import * as z from "zod";
import type { JobStatus, JobStep } from "../api/jobs.ts";

export interface JobView {
  /** What is being done, such as `Backup of web-1`. */
  readonly title: string;
  readonly startedMs: number;
  /** What is to be added to milliseconds since 1970 to have them on the view's clock. */
  readonly clockOffsetMs: number;
  readonly status: JobStatus;
  readonly attempt: number;
  /** Why nobody begins with it, in a sentence. */
  readonly waitingFor: string | null;
  /** When its next attempt may begin, on the view's clock; null where none is to come, or one is under way. */
  readonly nextAttemptMs: number | null;
  /** Phases of the present attempt, oldest first; the last is under way. */
  readonly phases: readonly string[];
  readonly progress: Progress | null;
  /** Of the present phase, the newest last: what the rate is reckoned from. */
  readonly samples: readonly Sample[];
}

export interface Progress {
  readonly filesDone: number;
  readonly filesTotal: number | null;
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
  readonly storedBytes: number;
  readonly currentPath: string | null;
}

/** What a display needs to know of a step. */
export interface ShownStep {
  readonly job: Pick<JobStep["job"], "status" | "attempt" | "waitingFor" | "nextAttemptAt">;
  readonly event: Pick<NonNullable<JobStep["event"]>, "facts"> | null;
  readonly progress: JobStep["progress"];
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** The rate is that of the last few seconds: what a minute ago was is no help. */
const windowMs = 5_000;
const shortestSpanMs = 1_000;

/** What an event may say of a job. */
const told = z.object({
  status: z.enum(["QUEUED", "RUNNING", "FINALIZING", "COMPLETED", "FAILED", "CANCELED"]).optional().catch(undefined),
  phase: z.string().optional().catch(undefined),
});

/** `nowMs` is the time on the view's clock, `epochMs` that since 1970. */
export function newJobView(title: string, nowMs: number, epochMs: number): JobView {
  return {
    title,
    startedMs: nowMs,
    clockOffsetMs: nowMs - epochMs,
    status: "QUEUED",
    attempt: 0,
    waitingFor: null,
    nextAttemptMs: null,
    phases: [],
    progress: null,
    samples: [],
  };
}

/** The view after a step that came at `nowMs`, on any clock that only goes forward. */
export function advance(view: JobView, { job, event, progress }: ShownStep, nowMs: number): JobView {
  const { status: toldStatus, phase: toldPhase } = told.safeParse(event?.facts).data ?? {};
  // The job is as it is now, which may be well past the event that is told.
  const status = event ? (toldStatus ?? view.status) : job.status;
  const afresh = status === "QUEUED" || job.attempt !== view.attempt;
  const before = afresh ? { ...view, phases: [], progress: null, samples: [] } : view;
  const phase = progress?.phase ?? toldPhase ?? (status === "FINALIZING" ? status : undefined);
  const entered = phase !== undefined && status !== "QUEUED" && !before.phases.includes(phase);
  const counts = progress ? progressOf(progress) : before.progress;
  const samples = entered ? [] : before.samples.filter(({ atMs }) => nowMs - atMs <= windowMs);
  return {
    ...before,
    status,
    attempt: job.attempt,
    waitingFor: status === "QUEUED" ? (job.waitingFor?.message ?? null) : null,
    nextAttemptMs: status === "QUEUED" && job.nextAttemptAt ? Date.parse(job.nextAttemptAt) + view.clockOffsetMs : null,
    phases: entered ? [...before.phases, phase] : before.phases,
    progress: counts,
    samples: progress && counts ? [...samples, { atMs: nowMs, bytes: counts.bytesDone }] : samples,
  };
}

/** Bytes a second of late; null while there is too little to tell. */
export function rateOf({ samples }: JobView, nowMs: number): number | null {
  const recent = samples.filter(({ atMs }) => nowMs - atMs <= windowMs);
  const [first, last] = [recent[0], recent.at(-1)];
  if (!first || !last || nowMs - first.atMs < shortestSpanMs) return null;
  return Math.max(0, last.bytes - first.bytes) / ((nowMs - first.atMs) / 1000);
}

/** How much is done, from 0 to 1; null while the whole is not known. */
export function shareOf(progress: Progress | null): number | null {
  if (!progress) return null;
  const { bytesDone, bytesTotal, filesDone, filesTotal } = progress;
  if (bytesTotal) return Math.min(1, bytesDone / bytesTotal);
  return bytesTotal === 0 && filesTotal ? Math.min(1, filesDone / filesTotal) : null;
}

function progressOf(progress: NonNullable<JobStep["progress"]>): Progress {
  const { filesDone, filesTotal, currentPath } = progress;
  const bytesTotal = progress.bytesTotal === null ? null : Number(progress.bytesTotal);
  const counts = { bytesDone: Number(progress.bytesDone), bytesTotal, storedBytes: Number(progress.storedBytes) };
  return { ...counts, filesDone, filesTotal, currentPath };
}
