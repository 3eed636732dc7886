// Bounds how many of something one owner, and all together, may hold at the same time.

export interface Places {
  /** Takes a place for the owner and answers what gives it back (once, however often it is called); null where none is left. */
  take(owner: string): (() => void) | null;
  /** How many are taken in all. */
  readonly taken: number;
}

export function createPlaces({ each, all }: { readonly each: number; readonly all: number }): Places {
  const held = new Map<string, number>();
  let taken = 0;
  return {
    get taken() {
      return taken;
    },
    take(owner) {
      const mine = held.get(owner) ?? 0;
      if (mine >= each || taken >= all) return null;
      held.set(owner, mine + 1);
      taken++;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        taken--;
        const left = (held.get(owner) ?? 1) - 1;
        if (left > 0) held.set(owner, left);
        else held.delete(owner);
      };
    },
  };
}
