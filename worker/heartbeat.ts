// Tells the hub that this worker lives, from a thread of its own: a busy event loop is no dead worker.
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";

export interface HeartbeatThreadData {
  readonly baseUrl: string;
  readonly token: string;
  readonly heartbeatSeconds: number;
}

/** What the next beat says. */
export interface HeartbeatState {
  readonly draining: boolean;
  readonly freeBytes: number | null;
}

/** What the thread reports where it changes: `heard`, or why not. */
export type HeartbeatNews = string;

export interface Heartbeat extends AsyncDisposable {
  /** A change of `draining` is told at once, everything else with the next beat. */
  tell(state: HeartbeatState): void;
}

export function startHeartbeat(terms: HeartbeatThreadData, log: Logger): Heartbeat {
  const script = new URL("./heartbeat-thread.ts", import.meta.url);
  const thread = new Worker(script, { workerData: terms, env: {}, execArgv: [] });
  thread.on("message", (news: HeartbeatNews) => {
    if (news === "heard") log.info("the hub is back");
    else log.warn({ reason: news }, "the hub does not hear this worker");
  });
  thread.on("error", (error) => log.error({ err: error }, "the heartbeat failed"));
  return {
    tell: (state) => thread.postMessage(state),
    async [Symbol.asyncDispose]() {
      await thread.terminate();
    },
  };
}
