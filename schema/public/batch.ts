// Gathers what the fields of one moment ask for into one question: a list of a hundred costs one statement, not a hundred.
import type { PublicContext } from "./context.ts";

/**
 * A lookup by key. Whatever one operation asks for before the event loop turns is loaded together; `load` answers with a map, in which
 * a key may be absent. An answer is not kept: the next turn asks again.
 */
export function gathered<Key, Value>(
  load: (context: PublicContext, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): (context: PublicContext, key: Key) => Promise<Value | undefined> {
  const waiting = new WeakMap<PublicContext, { keys: Set<Key>; answer: Promise<ReadonlyMap<Key, Value>> }>();
  return async (context, key) => {
    let batch = waiting.get(context);
    if (!batch) {
      const keys = new Set<Key>();
      const answer = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        waiting.delete(context);
        return load(context, [...keys]);
      });
      batch = { keys, answer };
      waiting.set(context, batch);
    }
    batch.keys.add(key);
    return (await batch.answer).get(key);
  };
}
