// Watches a job as two stock clients would: by graphql-ws over a WebSocket, and by Server-Sent Events over HTTP.
import { createClient } from "graphql-ws";

export interface Step {
  readonly cursor: string;
  readonly job: { readonly status: string };
  readonly event: { readonly seq: number; readonly kind: string; readonly facts: Record<string, unknown> } | null;
  readonly progress: { readonly phase: string; readonly filesDone: number; readonly bytesDone: string } | null;
}

const document = `subscription ($jobId: ID!, $after: String) {
  jobProgressed(jobId: $jobId, after: $after) {
    cursor job { status } event { seq kind facts } progress { phase filesDone bytesDone }
  }
}`;

/** Every step from the job's first event to its last; rejects where the subscription is refused. */
export async function watchOverWebSocket(url: string, token: string, jobId: string): Promise<Step[]> {
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  const steps: Step[] = [];
  try {
    for await (const { data, errors } of client.iterate<{ jobProgressed: Step }>({
      query: document,
      variables: { jobId, after: "0" },
    })) {
      if (errors) throw new Error(errors[0]?.message);
      if (data) steps.push(data.jobProgressed);
    }
  } finally {
    await client.dispose();
  }
  return steps;
}

/** The same over Server-Sent Events. */
export async function watchOverSse(url: string, token: string, jobId: string): Promise<Step[]> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      accept: "text/event-stream",
      "content-type": "application/json",
    },
    body: JSON.stringify({ query: document, variables: { jobId, after: "0" } }),
  });
  const steps: Step[] = [];
  for (const message of (await response.text()).split("\n\n")) {
    const data = /^event: next\ndata: (.*)$/m.exec(message)?.[1];
    if (data === undefined) continue;
    const { data: answer, errors } = JSON.parse(data);
    if (errors) throw new Error(errors[0].message);
    steps.push(answer.jobProgressed);
  }
  return steps;
}
