// One page of a list: what to ask the database for, and what to answer with. Knows neither nouns nor relations.
import { GraphQLError } from "graphql";
import { formatCursor, type OrderField, type Position, parseCursor } from "./cursor.ts";

export interface PageArguments {
  readonly first?: number | null;
  readonly last?: number | null;
  readonly after?: string | null;
  readonly before?: string | null;
}

/** A page, as Prisma is asked for it: one row more than it shows, and from its end on where it goes backwards. */
export interface PageQuery {
  readonly where: object;
  readonly orderBy: Record<string, "asc" | "desc">[];
  readonly take: number;
}

export interface Page {
  readonly nodes: readonly object[];
  readonly edges: readonly { readonly cursor: string; readonly node: object }[];
  readonly pageInfo: {
    readonly startCursor: string | null;
    readonly endCursor: string | null;
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
  };
  readonly totalCount?: number | (() => Promise<number>) | undefined;
}

const defaultSize = 20;
const maxSize = 100;

/** What a page costs: one for itself, and its content once for every node it may carry. No page is for nothing. */
export function pageCost({ first, last }: PageArguments): { field: number; multiplier: number } {
  const asked = [first, last].filter((count) => typeof count === "number");
  return { field: 1, multiplier: asked.length > 0 ? Math.max(1, ...asked) : defaultSize };
}

/** Throws BAD_USER_INPUT for sizes out of bounds and for what is no cursor of this order. */
export function planPage(args: PageArguments, where: object, order: string, by: readonly OrderField[]): PageQuery {
  const backwards = isBackwards(args);
  const positions: Position[] = [];
  if (args.after != null) positions.push(parseCursor("after", args.after, order, by));
  if (args.before != null) positions.push(parseCursor("before", args.before, order, by));
  return {
    where: positions.length === 0 ? where : { AND: [where, ...positions] },
    orderBy: by.map(({ name, direction }) => ({ [name]: backwards === (direction === "asc") ? "desc" : "asc" })),
    take: sizeOf(args) + 1,
  };
}

/** The page made of what `planPage` asked for. */
export function showPage(
  args: PageArguments,
  found: readonly Record<string, unknown>[],
  order: string,
  by: readonly OrderField[],
  totalCount: Page["totalCount"],
): Page {
  const backwards = isBackwards(args);
  const size = sizeOf(args);
  const shown = found.slice(0, size);
  if (backwards) shown.reverse();
  const edges = shown.map((node) => ({ cursor: formatCursor(order, by, node), node }));
  const more = found.length > size;
  return {
    nodes: shown,
    edges,
    pageInfo: {
      startCursor: edges.at(0)?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
      hasNextPage: backwards ? args.before != null : more,
      hasPreviousPage: backwards ? more : args.after != null,
    },
    totalCount,
  };
}

function isBackwards({ first, last, before, after }: PageArguments): boolean {
  return last != null || (before != null && after == null && first == null);
}

function sizeOf({ first, last }: PageArguments): number {
  if (first != null && last != null) throw new GraphQLError("Ask for `first` or for `last`, not for both.");
  for (const [name, size] of Object.entries({ first, last }))
    if (size != null && (size < 0 || size > maxSize))
      throw new GraphQLError(`\`${name}\` is a number from 0 to ${maxSize}.`);
  return first ?? last ?? defaultSize;
}
