// Counts what must not be done too often, in this process alone: what is left when Redis is away.
import type { Rates } from "../../domain/hub.ts";

/** More keys than this are forgotten, the oldest first. */
const maxKeys = 100_000;

export function countInProcess(): Rates {
  const windows = new Map<string, { endsAt: number; taken: number }>();
  return {
    async take(key, { count, seconds }) {
      const now = performance.now();
      let window = windows.get(key);
      if (!window || window.endsAt <= now) {
        window = { endsAt: now + seconds * 1000, taken: 0 };
        windows.delete(key);
        windows.set(key, window);
        const oldest = windows.size > maxKeys ? windows.keys().next().value : undefined;
        if (oldest !== undefined) windows.delete(oldest);
      }
      window.taken++;
      return window.taken <= count;
    },
  };
}
