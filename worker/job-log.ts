// Sends what a customer's own commands say to the job's log: in few and bounded calls, and never in the way of the backup.
import { setTimeout as pause } from "node:timers/promises";
import type { LogLine } from "./sources/source.ts";

interface Batch {
  readonly kind: string;
  readonly step: string;
  readonly lines: string[];
}

const linesPerCall = 100;
const mostWaiting = 1000;
/** Lines that come together leave together. */
const gatherMs = 200;
const lastCallMs = 5_000;

/** Disposing flushes. */
export class JobLog implements AsyncDisposable {
  readonly #send: (batch: Batch) => Promise<unknown>;
  readonly #waiting: LogLine[] = [];
  #sending: Promise<void> | null = null;

  constructor(send: (batch: Batch) => Promise<unknown>) {
    this.#send = send;
  }

  readonly add = (line: LogLine): void => {
    if (this.#waiting.length >= mostWaiting) return;
    this.#waiting.push(line);
    this.#sending ??= this.#drain().finally(() => {
      this.#sending = null;
    });
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.flush();
  }

  /** Waits until everything said so far was sent, five seconds at most. */
  async flush(): Promise<void> {
    await Promise.race([this.#sending, pause(lastCallMs, undefined, { ref: false })]);
  }

  async #drain(): Promise<void> {
    await pause(gatherMs);
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      const { kind, step } = first;
      const end = this.#waiting.findIndex((line) => line.kind !== kind || line.step !== step);
      const count = Math.min(end === -1 ? this.#waiting.length : end, linesPerCall);
      const lines = this.#waiting.splice(0, count).map(({ text }) => text);
      // The log is a help and no part of the backup: what cannot be noted now is lost.
      await this.#send({ kind, step, lines }).catch(() => undefined);
    }
  }
}
