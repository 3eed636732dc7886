// Slows a storage's readers down to a rate, all of them together: for reading that nobody waits for.
import { setTimeout as pause } from "node:timers/promises";
import type { Storage } from "./storage.ts";

/** What is read is paid for by the next reading, which waits as long as it takes at `bytesPerSecond`. */
export function paced(storage: Pick<Storage, "open" | "stat">, bytesPerSecond: number): Pick<Storage, "open" | "stat"> {
  let paidAtMs = 0;
  const pay = async (bytes: number, signal?: AbortSignal) => {
    const nowMs = performance.now();
    const waitMs = paidAtMs - nowMs;
    paidAtMs = Math.max(paidAtMs, nowMs) + (bytes / bytesPerSecond) * 1000;
    if (waitMs > 0)
      await pause(waitMs, undefined, { signal }).catch(() => {
        throw signal?.reason;
      });
  };
  return {
    stat: (directory, name) => storage.stat(directory, name),
    async open(directory, name) {
      const reader = await storage.open(directory, name);
      return {
        size: reader.size,
        async read(position, length, signal, into) {
          await pay(length, signal);
          return reader.read(position, length, signal, into);
        },
        close: () => reader.close(),
      };
    },
  };
}
