// Makes what a display shows of jobs out of work that is done here: as a job would have it whose work this is.
import type { ShownStep } from "./job-view.ts";
import type { ProgressDisplay } from "./progress-display.ts";

const tellingIntervalMs = 100;

export interface Work {
  readonly phase: string;
  readonly bytesDone: number;
  /** Null while it is not known. */
  readonly bytesTotal: number | null;
  /** Not given where no files are counted. */
  readonly filesDone?: number;
  readonly filesTotal?: number | null;
  readonly storedBytes?: number;
}

/** Tells the display ten times a second at most. */
export function workTeller(display: ProgressDisplay): (work: Work) => void {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return (work) => {
    if (performance.now() - toldAtMs < tellingIntervalMs) return;
    toldAtMs = performance.now();
    display.show(stepOf(work));
  };
}

function stepOf({ phase, bytesDone, bytesTotal, filesDone = 0, filesTotal = 0, storedBytes = 0 }: Work): ShownStep {
  const bytes = { bytesDone: String(bytesDone), bytesTotal: bytesTotal === null ? null : String(bytesTotal) };
  const counts = { ...bytes, filesDone, filesTotal, storedBytes: String(storedBytes) };
  const job = { status: "RUNNING", attempt: 1, waitingFor: null, nextAttemptAt: null } as const;
  return { job, event: null, progress: { phase, ...counts, currentPath: null } };
}
