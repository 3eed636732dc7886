// The builder of the public surface: what it is made of and what every field pays.
import SchemaBuilder from "@pothos/core";
import ComplexityPlugin from "@pothos/plugin-complexity";
import ErrorsPlugin from "@pothos/plugin-errors";
import PrismaPlugin from "@pothos/plugin-prisma";
import RelayPlugin from "@pothos/plugin-relay";
import type PrismaTypes from "../../prisma/pothos.ts";
import { getDatamodel } from "../../prisma/pothos.ts";
import { byteCount, dateTime, json } from "../scalars.ts";
import type { PublicContext } from "./context.ts";
import { loadedColumns } from "./loaded-columns.ts";

/** How long a page is, its connection has counted. */
const countedByPage = { field: 1, multiplier: 1 };

export const builder = new SchemaBuilder<{
  Context: PublicContext;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    ByteCount: { Input: bigint; Output: bigint | number };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
  };
}>({
  // The first is the outermost: a loaded column is never asked of the one that loads.
  plugins: [loadedColumns, ErrorsPlugin, ComplexityPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  prisma: {
    client: ({ hub }) => hub.db,
    dmmf: getDatamodel(),
    exposeDescriptions: false,
    filterConnectionTotalCount: true,
    defaultConnectionSize: 20,
    maxConnectionSize: 100,
    onUnusedQuery: null,
  },
  relay: {
    clientMutationId: "omit",
    cursorType: "String",
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    mutationInputArgOptions: { description: "All that it takes." },
    firstArgOptions: { description: "How many from the beginning on, or after `after`: 20 by default, 100 at most." },
    lastArgOptions: { description: "How many up to the end, or before `before`: 100 at most." },
    afterArgOptions: { description: "A cursor: the page begins behind it." },
    beforeArgOptions: { description: "A cursor: the page ends in front of it." },
    nodesOnConnection: { description: "The page, without cursors.", complexity: countedByPage },
    edgesFieldOptions: { description: "The page, with cursors.", complexity: countedByPage },
    pageInfoFieldOptions: { description: "Where the page stands among the others." },
    nodeFieldOptions: { description: "What stands here." },
    cursorFieldOptions: { description: "Hand it to `after` or `before`." },
    nodeTypeOptions: { description: "Anything with an id of its own." },
    idFieldOptions: { description: "Its id: a prefix that names its kind, and what is opaque." },
    pageInfoTypeOptions: { description: "Where a page stands among the others." },
    hasNextPageFieldOptions: { description: "Whether there is more behind it." },
    hasPreviousPageFieldOptions: { description: "Whether there is more in front of it." },
    startCursorFieldOptions: { description: "The cursor of its first; null for an empty page." },
    endCursorFieldOptions: { description: "The cursor of its last; null for an empty page." },
  },
  errors: {
    directResult: true,
    defaultTypes: [],
    defaultUnionOptions: {
      description: "What came of it: the payload, or a refusal that can be acted on.",
      name: ({ fieldName }) => `${capitalized(fieldName)}Result`,
    },
  },
  // Summed up over the whole operation, and limited, before anything is executed: not here, field by field, while it is.
  complexity: { defaultComplexity: 1, defaultListMultiplier: 10, disabled: true },
});

builder.addScalarType("ByteCount", byteCount);
builder.addScalarType("DateTime", dateTime);
builder.addScalarType("JSON", json);

builder.queryType({ description: "Everything that the signed-in may look at." });
builder.mutationType({
  description: "Everything that changes something. A refusal that can be acted on is an answer, not an error.",
});
builder.subscriptionType({ description: "What happens, while it happens." });

// Every connection says how many there are in all; the resolvers of plugin-prisma count only when asked.
builder.globalConnectionField("totalCount", (t) =>
  t.int({
    description: "How many there are in all.",
    resolve: (connection) => {
      const { totalCount } = connection as { totalCount?: number | (() => number | Promise<number>) };
      return typeof totalCount === "function" ? totalCount() : (totalCount ?? 0);
    },
  }),
);

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
