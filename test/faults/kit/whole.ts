// What a subscriber has to have seen of a job, whatever happened meanwhile.
import assert from "node:assert/strict";
import type { Step } from "../../stage/watch.ts";

/** Every event once and in order, from its first on, and the end last and once. */
export function assertWholeSteps(steps: readonly Step[], status = "COMPLETED"): void {
  const seqs = steps.flatMap(({ event }) => (event ? [event.seq] : []));
  assert.deepEqual(
    seqs,
    seqs.map((_, index) => (seqs[0] ?? 0) + index),
  );
  const ends = steps.filter(({ event }) => event?.kind === "state" && event.facts.status === status);
  assert.equal(ends.length, 1, `the end was told ${ends.length} times`);
  assert.equal(steps.at(-1), ends[0]);
  assert.equal(steps.at(-1)?.job.status, status);
}
