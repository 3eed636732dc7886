// What every line of a log says of the work that it belongs to: ids alone, carried along wherever the work waits.
import { AsyncLocalStorage } from "node:async_hooks";

export interface LogFacts {
  /** Of one request, and the same in the logs of both sides. */
  readonly requestId?: string;
  readonly workerId?: string;
  readonly jobId?: string;
  readonly leaseEpoch?: number;
  /** Of job. */
  readonly type?: string;
}

const facts = new AsyncLocalStorage<LogFacts>();

/** Whatever is logged in `work`, and in what it sets going, says this as well. */
export function withLogFacts<T>(more: LogFacts, work: () => T): T {
  return facts.run({ ...facts.getStore(), ...more }, work);
}

/** For `mixin` of pino, which changes what it is given. */
export function logFacts(): LogFacts {
  return { ...facts.getStore() };
}

/** An id that somebody else gave a request, where it may stand in a log. */
export function requestIdIn(header: string | string[] | undefined): string | null {
  return typeof header === "string" && /^[\w.-]{8,64}$/.test(header) ? header : null;
}
