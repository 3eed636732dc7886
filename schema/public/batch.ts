// What the rows of a level need is asked for once for all of them, and not once for each.
import DataLoader from "dataloader";
import type { GraphQLResolveInfo } from "graphql";
import type { PublicContext } from "./context.ts";

const loaders = new WeakMap<PublicContext, Map<string, DataLoader<string, unknown>>>();

/**
 * What `load` finds for the row with this id, asked for together with the rows that stand beside it in the answer. Nothing is
 * remembered: a subscription asks again with every event. `load` answers with a value for each id that it has one for.
 */
export function batched<Value>(
  id: string,
  context: PublicContext,
  info: GraphQLResolveInfo,
  load: (ids: string[]) => Promise<ReadonlyMap<string, Value>>,
): Promise<Value | undefined> {
  const ofRequest = loaders.get(context) ?? new Map<string, DataLoader<string, unknown>>();
  loaders.set(context, ofRequest);
  const level = levelOf(info);
  const loader = ofRequest.get(level) ?? forgetful<string, unknown>(load);
  ofRequest.set(level, loader);
  return loader.load(id) as Promise<Value | undefined>;
}

/** The field by its place in the document: the same for every row of a list. */
function levelOf({ path }: GraphQLResolveInfo): string {
  const names: string[] = [];
  for (let step: typeof path | undefined = path; step; step = step.prev)
    if (typeof step.key === "string") names.push(step.key);
  return names.join("<");
}

/** `read` is called once for all the keys that are asked for at one moment of one operation; what it leaves out is undefined. */
export function gathered<Key, Value>(
  read: (context: PublicContext, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): (context: PublicContext, key: Key) => Promise<Value | undefined> {
  const known = new WeakMap<PublicContext, DataLoader<Key, Value | undefined>>();
  return (context, key) => {
    const loader = known.get(context) ?? forgetful<Key, Value>((keys) => read(context, keys));
    known.set(context, loader);
    return loader.load(key);
  };
}

/** Asks for each key once, and for all that are asked for at one moment together. */
function forgetful<Key, Value>(
  load: (keys: Key[]) => Promise<ReadonlyMap<Key, Value>>,
): DataLoader<Key, Value | undefined> {
  return new DataLoader(
    async (keys) => {
      const found = await load([...new Set(keys)]);
      return keys.map((each) => found.get(each));
    },
    { cache: false },
  );
}
