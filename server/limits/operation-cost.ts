// Says what an operation may cost at most, before it is executed: every page counts for as many nodes as it may carry.
import { complexityFromQuery } from "@pothos/plugin-complexity";
import { type DocumentNode, GraphQLError, type GraphQLSchema, getOperationAST, Kind } from "graphql";
import { tooLarge } from "./document-limits.ts";

/** Fields that may be answered, over the whole operation. */
const maxCost = 5_000;

const extensions = { code: "BAD_USER_INPUT", http: { spec: true, status: 400 } };

export interface Operation {
  readonly schema: GraphQLSchema;
  /** Validated, and within the limits of its shape. */
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

/**
 * Null for an operation that may be executed, or what to answer instead. Arguments that cannot be read are refused as well: what
 * they would cost is not known, and execution would only refuse the one field they belong to.
 */
export function refuseCostly({ schema, document, operationName, variableValues }: Operation): GraphQLError | null {
  const operation = getOperationAST(document, operationName);
  if (!operation) return null;
  const fragments = document.definitions.filter(({ kind }) => kind === Kind.FRAGMENT_DEFINITION);
  try {
    const { complexity } = complexityFromQuery(
      { kind: Kind.DOCUMENT, definitions: [operation, ...fragments] },
      { schema, variables: { ...variableValues } },
    );
    return complexity <= maxCost ? null : tooLarge();
  } catch (error) {
    if (error instanceof GraphQLError)
      return new GraphQLError(error.message, { nodes: error.nodes ?? null, extensions });
    throw error;
  }
}
