// The thread behind heartbeat.ts: beats at the hub whatever the rest of the process is busy with. Imports next to nothing, because a
// thread has its own copy of every module.
import { setTimeout as pause } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import type { HeartbeatNews, HeartbeatState, HeartbeatThreadData } from "./heartbeat.ts";

const document = "mutation Heartbeat($input: HeartbeatInput!) { heartbeat(input: $input) { serverTime } }";
const timeoutMs = 10_000;

interface Answer {
  readonly data?: { readonly heartbeat?: unknown } | null;
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

async function send({ baseUrl, token }: HeartbeatThreadData, input: HeartbeatState): Promise<HeartbeatNews> {
  try {
    const response = await fetch(new URL("/internal/graphql", baseUrl), {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ query: document, variables: { input } }),
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
    });
    const { data, errors } = (await response.json()) as Answer;
    return data?.heartbeat ? "heard" : (errors?.[0]?.extensions?.code ?? `status ${response.status}`);
  } catch {
    return "unreachable";
  }
}

async function beat(terms: HeartbeatThreadData): Promise<never> {
  let state: HeartbeatState = { draining: false, freeBytes: null };
  let told: HeartbeatNews = "heard";
  let early = new AbortController();
  parentPort?.on("message", (changed: HeartbeatState) => {
    if (changed.draining !== state.draining) early.abort();
    state = changed;
  });
  for (;;) {
    early = new AbortController();
    const news = await send(terms, state);
    if (news !== told) parentPort?.postMessage(news);
    told = news;
    await pause(terms.heartbeatSeconds * 1000, undefined, { signal: early.signal }).catch(() => undefined);
  }
}

await beat(workerData as HeartbeatThreadData);
