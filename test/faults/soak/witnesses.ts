// Whoever watches the jobs of the soak: from their beginning, over WebSockets and Server-Sent Events in turn, past every death of a hub.
import type { Witness } from "../../../server/operator/checks/check.ts";
import type { Step } from "../../stage/watch.ts";
import { throughSse, throughWebSocket, watchThrough } from "../kit/watch-through.ts";

export interface Witnesses {
  watch(jobId: string): void;
  /** What each of them was told, once every job has ended or `withinMs` have passed. */
  heard(withinMs: number): Promise<Witness[]>;
  /** What was wrong with the order in which they were told, in sentences. */
  readonly complaints: readonly string[];
}

export function callWitnesses(graphqlUrl: string, token: string): Witnesses {
  const ending = new AbortController();
  const watching: Promise<Witness>[] = [];
  const complaints: string[] = [];

  async function bear(jobId: string): Promise<Witness> {
    const through = watching.length % 2 === 0 ? throughWebSocket : throughSse;
    const steps = await watchThrough(through(graphqlUrl, token, jobId), ending.signal);
    const wrong = outOfOrder(steps);
    if (wrong !== null) complaints.push(`${jobId}: ${wrong}`);
    const states = steps.flatMap(({ event }) => (event?.kind === "state" ? [String(event.facts.status)] : []));
    return { jobId, states };
  }

  return {
    complaints,
    watch(jobId) {
      watching.push(bear(jobId));
    },
    async heard(withinMs) {
      const late = setTimeout(() => ending.abort(), withinMs);
      const witnesses = await Promise.all(watching);
      clearTimeout(late);
      return witnesses;
    },
  };
}

/** Every event of a job is told once, from its first on. */
function outOfOrder(steps: readonly Step[]): string | null {
  const seqs = steps.flatMap(({ event }) => (event ? [event.seq] : []));
  return seqs.every((seq, index) => seq === index + 1) ? null : `told of the events ${seqs.join(", ")}`;
}
