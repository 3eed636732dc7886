// Gathers what all the nodes of a page ask for into one reading. Keeps nothing: whoever asks later reads anew.
import DataLoader from "dataloader";
import type { PublicContext } from "./context.ts";

/** `read` is called once for all the ids that are asked for at one moment of one operation; what it leaves out is undefined. */
export function gathered<Value>(
  read: (context: PublicContext, ids: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (context: PublicContext, id: string) => Promise<Value | undefined> {
  const loaders = new WeakMap<PublicContext, DataLoader<string, Value | undefined>>();
  return (context, id) => {
    const known = loaders.get(context);
    if (known) return known.load(id);
    const loader = new DataLoader<string, Value | undefined>(
      async (ids) => {
        const found = await read(context, ids);
        return ids.map((each) => found.get(each));
      },
      { cache: false },
    );
    loaders.set(context, loader);
    return loader.load(id);
  };
}
