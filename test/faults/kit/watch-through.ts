// Watches a job to its end, whatever cuts the watching off: each time again from the last cursor, as clients do.
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import type { Step } from "../../stage/watch.ts";

/** Opens a subscription for what comes after a cursor. */
export type Watch = (after: string, signal: AbortSignal) => AsyncIterable<Step>;

const ends = ["COMPLETED", "FAILED", "CANCELED"];
const query = `subscription ($jobId: ID!, $after: String) {
  jobProgressed(jobId: $jobId, after: $after) { cursor job { status } event { seq kind facts } }
}`;

/** Every event until the end of the job, or until the signal. */
export async function watchThrough(watch: Watch, signal: AbortSignal): Promise<Step[]> {
  const steps: Step[] = [];
  while (!ends.includes(String(steps.at(-1)?.event?.facts.status)) && !signal.aborted) {
    try {
      for await (const step of watch(steps.at(-1)?.cursor ?? "0", signal)) steps.push(step);
    } catch {
      await pause(100);
    }
  }
  return steps;
}

/** Over a WebSocket. */
export function throughWebSocket(url: string, token: string, jobId: string): Watch {
  return async function* (after, signal) {
    const client = createClient({
      url: url.replace(/^http/, "ws"),
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${token}` },
      retryAttempts: 0,
      keepAlive: 5_000,
    });
    const letGo = () => client.terminate();
    signal.addEventListener("abort", letGo);
    try {
      const answers = client.iterate<{ jobProgressed: Step }>({ query, variables: { jobId, after } });
      for await (const { data, errors } of answers) {
        if (errors) throw new Error(errors[0]?.message);
        // An update without an event says where the job stands, which was told before.
        if (data?.jobProgressed.event) yield data.jobProgressed;
      }
    } finally {
      signal.removeEventListener("abort", letGo);
      await client.dispose();
    }
  };
}

/** Over Server-Sent Events. */
export function throughSse(url: string, token: string, jobId: string): Watch {
  return async function* (after, signal) {
    const response = await fetch(url, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream", "content-type": "application/json" },
      body: JSON.stringify({ query, variables: { jobId, after } }),
      signal,
    });
    if (!response.body) return;
    let text = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const messages = (text + chunk).split("\n\n");
      text = messages.pop() ?? "";
      for (const message of messages) {
        const sent = /^event: next\ndata: (.*)$/m.exec(message)?.[1];
        if (sent === undefined) continue;
        const { data, errors } = JSON.parse(sent);
        if (errors) throw new Error(errors[0].message);
        if (data.jobProgressed.event) yield data.jobProgressed;
      }
    }
  };
}
