// How lists are asked for everywhere: a filter, an order, a page of it, and how many there are in all. Knows no noun.
import type { EnumRef, FieldRef, InputObjectRef, SchemaTypes } from "@pothos/core";
import { getModel, queryFromInfo } from "@pothos/plugin-prisma";
import { selectedFieldNames } from "@pothos/selection-mapper";
import type { GraphQLResolveInfo } from "graphql";
import { loadRelated } from "../../domain/related.ts";
import { batched } from "./batch.ts";
import { builder } from "./builder.ts";
import type { PublicContext } from "./context.ts";
import type { OrderField } from "./cursor.ts";
import { type PageArguments, type PageQuery, pageCost, planPage, showPage } from "./page.ts";

type Types = typeof builder extends PothosSchemaTypes.SchemaBuilder<infer Of extends SchemaTypes> ? Of : never;
type ModelName = keyof Types["PrismaTypes"] & string;
type WhereOf<Model extends ModelName> = Types["PrismaTypes"][Model]["Where"];

/** The fields to order by; the last one is unique within the list. An index begins with them, behind the tenant's id. */
type OrderedBy = readonly (readonly [field: string, direction: "asc" | "desc"])[];

/** The orders of a list. The first is the one that holds where none is asked for. */
export interface Orders {
  readonly type: EnumRef<Types, string> | null;
  readonly first: string;
  readonly by: Readonly<Record<string, OrderedBy>>;
}

/** How the rows of a model are listed, wherever they are listed. */
export interface Listing<Model extends ModelName = ModelName> {
  readonly model: Model;
  /** The type that shows them, where it is not called as the model is. */
  readonly type?: string;
  readonly connection: object;
  readonly orders: Orders;
  readonly filter: object | null;
  /** The filter for Prisma, from the filter of the document, which may be empty. */
  readonly where: (filter: never) => WhereOf<Model>;
}

/** The orders of a noun's lists, as the enum `<Noun>Order`. The first one is the default. */
export function ordersOf(
  noun: string,
  orders: Readonly<Record<string, { readonly by: OrderedBy; readonly description: string }>>,
): Orders {
  const entries = Object.entries(orders);
  const type = builder.enumType(`${noun}Order`, {
    description: "In which order a list goes.",
    values: Object.fromEntries(entries.map(([name, { description }]) => [name, { value: name, description }])),
  }) as unknown as EnumRef<Types, string>;
  return { type, first: entries[0]?.[0] ?? "", by: Object.fromEntries(entries.map(([name, { by }]) => [name, by])) };
}

/** The one order of a list that leaves no choice. */
export function onlyOrder(...by: OrderedBy): Orders {
  return { type: null, first: "", by: { "": by } };
}

/** For every noun whose ids sort by time: all but the log of a job, and people. */
export const byAge = {
  NEWEST_FIRST: { by: [["id", "desc"]], description: "The newest first." },
  OLDEST_FIRST: { by: [["id", "asc"]], description: "The oldest first." },
} as const;

/** For nouns with a name and an index on it. */
export const byName = {
  NAME: {
    by: [
      ["name", "asc"],
      ["id", "asc"],
    ],
    description: "By name.",
  },
} as const;

/** Describes how the rows of `model` are listed. `where` gets the empty filter too: what it says then is what the list is of. */
export function listing<Model extends ModelName, Filter extends object = object>(options: {
  readonly model: Model;
  readonly type?: string;
  /** The `…Connection`, as made by `builder.connectionObject`. */
  readonly connection: object;
  readonly orders: Orders;
  readonly filter?: InputObjectRef<Types, Filter>;
  readonly where?: (filter: Partial<Filter>) => WhereOf<Model>;
}): Listing<Model> {
  return { filter: null, where: () => ({}) as WhereOf<Model>, ...options };
}

type ListArguments = PageArguments & { readonly where?: object | null; readonly orderBy?: string | null };
type Row = Record<string, unknown> & { _count?: Record<string, number> };
type NestedSelection = (
  query: object,
  include: { getType(): string; paths: readonly (readonly { name: string }[])[] },
) => object;

/** Where the rows of a connection are asked for in a document. */
const nodePaths = [[{ name: "nodes" }], [{ name: "edges" }, { name: "node" }]];

/**
 * A field that lists what is behind a relation: one statement a level, of however many parents. `t` builds the fields of a
 * `prismaObject`, and `relation` is a relation of its model to the model of the list.
 */
export function relatedList(
  t: object,
  relation: string,
  list: Listing,
  { description }: { description: string },
): FieldRef<Types, unknown, "PrismaObject"> {
  const countOf = (parent: Row) => parent._count?.[relation];
  const selectOf = (counted: object, rows: object, asked: ReadonlySet<string>) => ({
    ...([...asked].some((name) => name !== "totalCount" && name !== "__typename") && { [relation]: rows }),
    ...(asked.has("totalCount") && {
      _count: { select: { [relation]: Object.keys(counted).length > 0 ? { where: counted } : true } },
    }),
  });
  const show = (parent: Row, args: ListArguments) => {
    const { order, by } = orderOf(list, args);
    return showPage(args, (parent[relation] ?? []) as Row[], order, by, countOf(parent));
  };
  return connect(t, list, {
    description,
    extensions: {
      pothosPrismaSelect: (
        args: ListArguments,
        _: PublicContext,
        nested: NestedSelection,
        asked: () => ReadonlySet<string>,
      ) => {
        const { page, select, counted } = plan(list, args);
        const rows = nested({ ...page, select }, { getType: () => list.model, paths: nodePaths });
        return { select: selectOf(counted, rows, asked()) };
      },
      pothosPrismaLoaded: (parent: Row) => parent[relation] !== undefined || countOf(parent) !== undefined,
      // For a row that came without them: from a mutation, or because another alias of the field asked for other ones.
      pothosPrismaFallbackPlan: () => ({ typeName: list.model, paths: nodePaths }),
      pothosPrismaFallback: async (
        selected: object,
        parent: Row & { id: string },
        args: ListArguments,
        context: PublicContext,
        info: GraphQLResolveInfo,
      ) => {
        const { page, counted } = plan(list, args);
        const select = selectOf(counted, { ...page, ...selected }, selectedFieldNames(context, info));
        const model = info.parentType.extensions.pothosPrismaModel as ModelName;
        const found = await batched(parent.id, context, info, (ids) => loadRelated(context.hub, model, ids, select));
        return show((found ?? {}) as Row, args);
      },
    },
    resolve: show,
  });
}

interface Found<Model extends ModelName, Parent> {
  readonly description: string;
  readonly rows: (
    query: PageQuery & { where: WhereOf<Model> },
    context: PublicContext,
    parent: Parent,
  ) => Promise<object[]>;
  readonly count: (where: WhereOf<Model>, context: PublicContext, parent: Parent) => Promise<number>;
}

/** A field of the root that lists what `rows` finds; `count` says how many there are of it in all. */
export function rootList<Model extends ModelName>(
  t: object,
  list: Listing<Model>,
  found: Found<Model, unknown>,
): FieldRef<Types, unknown, "Query"> {
  return foundList(t, list, found);
}

/** A field of a node that lists what `rows` finds for it: for lists that have a gate of their own. A statement for each parent. */
export function gatedList<Model extends ModelName>(
  t: object,
  list: Listing<Model>,
  found: Found<Model, { readonly id: string }>,
): FieldRef<Types, unknown, "PrismaObject"> {
  return foundList(t, list, found);
}

function foundList<Model extends ModelName, Parent, Kind extends "PrismaObject" | "Query">(
  t: object,
  list: Listing<Model>,
  { description, rows, count }: Found<Model, Parent>,
): FieldRef<Types, unknown, Kind> {
  return connect(t, list, {
    description,
    resolve: async (parent: Parent, args: ListArguments, context: PublicContext, info: GraphQLResolveInfo) => {
      const { page, select, counted, order, by } = plan(list, args);
      const selected = queryFromInfo({
        context,
        info,
        typeName: list.type ?? list.model,
        select: select as never,
        paths: [["nodes"], ["edges", "node"]],
      });
      const found = await rows({ ...page, ...(selected as object) }, context, parent);
      const isWhole = args.after == null && args.before == null && found.length < page.take;
      const total = isWhole ? found.length : () => count(counted, context, parent);
      return showPage(args, found as Row[], order, by, total);
    },
  });
}

function connect<Kind extends "PrismaObject" | "Query">(t: object, list: Listing, field: object) {
  const { orders, filter, connection } = list;
  const fields = t as {
    arg(options: object): unknown;
    connection(options: object, connection: object): FieldRef<Types, unknown, Kind>;
  };
  const args = {
    ...(filter && { where: fields.arg({ type: filter, description: "Which of them; all where nothing is said." }) }),
    ...(orders.type && {
      orderBy: fields.arg({ type: orders.type, defaultValue: orders.first, description: "In which order." }),
    }),
  };
  return fields.connection({ ...field, args, complexity: pageCost }, connection);
}

function plan(list: Listing, args: ListArguments) {
  const { order, by } = orderOf(list, args);
  // What the database cannot even hold is in none of its rows. An empty OR would be that too, but not within an AND.
  const none = Object.fromEntries(by.map(({ name }) => [name, { in: [] }]));
  const counted = isFit(args.where) ? (list.where((args.where ?? {}) as never) as object) : none;
  const page = planPage(args, counted, order, by);
  // A cursor is made of what a row is ordered by, asked for or not.
  const select = Object.fromEntries(by.map(({ name }) => [name, true]));
  return { order, by, counted, page, select };
}

const ordersKnown = new WeakMap<Orders, Map<string, readonly OrderField[]>>();

function orderOf({ orders, model }: Listing, { orderBy }: ListArguments): { order: string; by: readonly OrderField[] } {
  const order = orderBy ?? orders.first;
  const known = ordersKnown.get(orders) ?? new Map<string, readonly OrderField[]>();
  ordersKnown.set(orders, known);
  const by =
    known.get(order) ??
    (orders.by[order] ?? []).map(([name, direction]) => ({ name, direction, kind: kindOf(model, name) }));
  known.set(order, by);
  return { order, by };
}

function kindOf(model: string, name: string): OrderField["kind"] {
  const type = getModel(model, builder).fields.find((field) => field.name === name)?.type;
  if (type === "String" || type === "Int" || type === "BigInt" || type === "DateTime") return type;
  throw new Error(`${model} cannot be ordered by ${name}, which is ${type}`);
}

function isFit(value: unknown): boolean {
  if (typeof value === "string") return !/[\0\p{Cs}]/u.test(value);
  if (typeof value !== "object" || value === null || value instanceof Date) return true;
  return Object.values(value).every(isFit);
}

/** The filter for a text that holds `part`, in capital letters or small ones; what is a wildcard elsewhere is none here. */
export function containing(part: string): { contains: string; mode: "insensitive" } {
  return { contains: part.replaceAll(/[\\%_]/g, "\\$&"), mode: "insensitive" };
}
