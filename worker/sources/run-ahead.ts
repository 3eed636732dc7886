// Starts the work on coming items while the present one is in use: in order, and within bounds.

export interface RunAheadOptions<Item, Result> {
  /** Begins the work. What rejects is thrown when the item's turn has come. */
  readonly start: (item: Item) => Promise<Result>;
  /** What a started item holds, in any unit, until its result has been used. */
  readonly cost: (item: Item) => number;
  readonly maxItems: number;
  /** A single item may cost more; then it is on its way alone. */
  readonly maxCost: number;
}

/** The results in the order of the items. Ends the items' iterator when its own reader ends early. */
export async function* runAhead<Item, Result>(
  items: AsyncIterable<Item>,
  { start, cost, maxItems, maxCost }: RunAheadOptions<Item, Result>,
): AsyncGenerator<Result> {
  const started: { readonly result: Promise<Result>; readonly cost: number }[] = [];
  let held = 0;
  let over = false;
  let change = Promise.withResolvers<void>();
  const changed = () => {
    change.resolve();
    change = Promise.withResolvers();
  };

  async function fill(): Promise<void> {
    for await (const item of items) {
      const price = cost(item);
      while (!over && started.length > 0 && (started.length >= maxItems || held + price > maxCost))
        await change.promise;
      if (over) return;
      const result = start(item);
      result.catch(() => undefined);
      held += price;
      started.push({ result, cost: price });
      changed();
    }
  }

  const filling = fill().finally(() => {
    over = true;
    changed();
  });
  filling.catch(() => undefined);
  try {
    for (;;) {
      const front = started[0];
      if (front) {
        yield await front.result;
        started.shift();
        held -= front.cost;
        changed();
      } else if (over) break;
      else await change.promise;
    }
    await filling;
  } finally {
    over = true;
    changed();
  }
}
