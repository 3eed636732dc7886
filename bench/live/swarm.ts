// Those who watch, all of them in a process of its own: one subscription for each job, half over WebSocket and half over SSE; or,
// for comparison, bare Redis subscribers of the same channels.
import { request } from "node:http";
import { createClient } from "graphql-ws";
import { Redis } from "ioredis";
import { WebSocket } from "ws";
import { parseJobMessage } from "../../clients/hub/progress-channel.ts";

export type SwarmOrder =
  | {
      readonly kind: "hub";
      readonly url: string;
      /** One for each ten subscriptions. */
      readonly tokens: readonly string[];
      readonly jobIds: readonly string[];
      /** This one is watched by one more, who stops reading at once. */
      readonly stalledJobId: string | null;
    }
  | { readonly kind: "redis"; readonly redisUrl: string; readonly channels: readonly string[] };

/** `[key, at]`: a message, by its place among the watched and its number, and when it came on the clock that all processes share. */
export type Arrival = readonly [string, number];

export type SwarmMessage = { readonly ready: true } | { readonly arrivals: Arrival[]; readonly ended: number };

interface Step {
  readonly job: { readonly status: string };
  readonly event: { readonly seq: number } | null;
  readonly progress: { readonly filesDone: number } | null;
}

const query = `subscription ($jobId: ID!) {
  jobProgressed(jobId: $jobId) { cursor job { id status } event { seq kind facts } progress { filesDone bytesDone currentPath } }
}`;

const arrivals: Arrival[] = [];
let waiting = 0;
let ended = 0;

/** Milliseconds on the machine's own clock. */
function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function noteStep(place: number, { event, progress }: Step): void {
  const at = now();
  if (progress) arrivals.push([`${place} progress ${progress.filesDone}`, at]);
  else if (event) arrivals.push([`${place} event ${event.seq}`, at]);
}

function opened(): void {
  waiting--;
  if (waiting === 0) process.send?.({ ready: true } satisfies SwarmMessage);
}

function watchOverSocket(url: string, token: string, jobId: string, place: number): void {
  const client = createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  let isOpen = false;
  client.subscribe<{ jobProgressed: Step }>(
    { query, variables: { jobId } },
    {
      next({ data, errors }) {
        if (!data) throw new Error(errors?.[0]?.message);
        noteStep(place, data.jobProgressed);
        if (!isOpen) opened();
        isOpen = true;
      },
      error(error) {
        throw error instanceof Error ? error : new Error(JSON.stringify(error));
      },
      complete: () => {
        ended++;
        void client.dispose();
      },
    },
  );
}

function watchOverSse(url: string, token: string, jobId: string, place: number): void {
  const asked = request(url, {
    method: "POST",
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "text/event-stream",
      "content-type": "application/json",
    },
  });
  asked.on("response", (response) => {
    let rest = "";
    let isOpen = false;
    response.setEncoding("utf8").on("data", (chunk: string) => {
      const messages = (rest + chunk).split("\n\n");
      rest = messages.pop() ?? "";
      for (const message of messages) {
        const data = /^event: next\ndata: (.*)$/m.exec(message)?.[1];
        if (data === undefined) continue;
        noteStep(place, JSON.parse(data).data.jobProgressed);
        if (!isOpen) opened();
        isOpen = true;
      }
    });
    response.on("end", () => ended++);
  });
  asked.end(JSON.stringify({ query, variables: { jobId } }));
}

/** Subscribes, and never reads again. */
function stall(url: string, token: string, jobId: string): void {
  const socket = new WebSocket(url.replace(/^http/, "ws"), "graphql-transport-ws");
  const say = (message: object) => socket.send(JSON.stringify(message));
  socket.on("open", () => say({ type: "connection_init", payload: { authorization: `Bearer ${token}` } }));
  socket.on("message", (text) => {
    if (String(text).includes("connection_ack"))
      say({ id: "1", type: "subscribe", payload: { query, variables: { jobId } } });
    else {
      socket.pause();
      opened();
    }
  });
}

async function listenAtRedis(redisUrl: string, channel: string, place: number): Promise<void> {
  const client = new Redis(redisUrl);
  client.on("message", (_, text) => {
    const message = parseJobMessage(text);
    if (message?.kind === "progress") arrivals.push([`${place} progress ${message.progress.filesDone}`, now()]);
  });
  await client.subscribe(channel);
  opened();
}

process.on("message", async (message: SwarmOrder | "report") => {
  if (message === "report") {
    process.send?.({ arrivals: arrivals.splice(0), ended } satisfies SwarmMessage);
    return;
  }
  if (message.kind === "redis") {
    waiting = message.channels.length;
    await Promise.all(message.channels.map((channel, place) => listenAtRedis(message.redisUrl, channel, place)));
    return;
  }
  const { url, tokens, jobIds, stalledJobId } = message;
  waiting = jobIds.length + (stalledJobId ? 1 : 0);
  const token = (place: number) => tokens[Math.floor(place / 10)] ?? "";
  if (stalledJobId) stall(url, token(0), stalledJobId);
  for (const [place, jobId] of jobIds.entries()) {
    (place % 2 ? watchOverSse : watchOverSocket)(url, token(place), jobId, place);
    // Some at a time, as they come in life.
    if (place % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
process.once("disconnect", () => process.exit());
