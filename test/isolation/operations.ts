// One operation for every field of the public surface that somebody could ask for: with the least that it takes, and told apart by answer.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  isLeafType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from "graphql";
import { mutation } from "../public/everything-of.ts";

export interface Operation {
  /** `Query.source`, `Tenant.jobs`. */
  readonly field: string;
  readonly kind: "query" | "mutation" | "subscription";
  readonly name: string;
  readonly document: string;
  /** Where the answer stands in `data`. */
  readonly path: readonly string[];
  readonly arguments: readonly string[];
}

/** How somebody comes to an object of a type whose fields take arguments: by the noun's id, or by a query that takes this one. */
export type Ways = Readonly<Record<string, string | { readonly query: string; readonly id: string }>>;

/** What changes something comes last. */
export function operationsOf(schema: GraphQLSchema, ways: Ways): Operation[] {
  const operations = Object.values(schema.getTypeMap()).flatMap((type) =>
    isObjectType(type) && !type.name.startsWith("__")
      ? Object.values(type.getFields()).flatMap((field) => operationOf(schema, type, field, ways) ?? [])
      : [],
  );
  const isChange = ({ kind }: Operation) => Number(kind === "mutation");
  return operations.toSorted((one, other) => isChange(one) - isChange(other));
}

function operationOf(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  ways: Ways,
): Operation | null {
  const { name } = field;
  const operation = { field: `${type.name}.${name}`, name, arguments: field.args.map((each) => each.name) };
  if (type === schema.getMutationType())
    return { ...operation, kind: "mutation", document: mutation(name), path: [name] };
  const selection = `${name}${argumentsOf(field)}${selectionOf(field)}`;
  const variables = variablesOf(field.args);
  if (type === schema.getSubscriptionType())
    return { ...operation, kind: "subscription", document: `subscription ${variables} { ${selection} }`, path: [name] };
  if (type === schema.getQueryType())
    return { ...operation, kind: "query", document: `query ${variables} { ${selection} }`, path: [name] };
  if (field.args.length === 0) return null;
  const way = ways[type.name];
  if (way === undefined) throw new Error(`nobody has said how to come to a ${type.name}: its ${name} takes arguments`);
  if (typeof way === "object")
    return {
      ...operation,
      kind: "query",
      document: `query ${variablesOf(field.args, `$${way.id}: ID!`)} { ${way.query}(${way.id}: $${way.id}) { ${selection} } }`,
      path: [way.query, name],
      arguments: [...operation.arguments, way.id],
    };
  const all = variablesOf(field.args, "$node: ID!");
  return {
    ...operation,
    kind: "query",
    document: `query ${all} { node(id: $node) { ... on ${type.name} { ${selection} } } }`,
    path: ["node", name],
  };
}

/** What has to be given, and whose it is all about: everything else has a meaning when it is left out. */
const required = (args: readonly GraphQLArgument[]) =>
  args.filter((each) => each.name === "tenantId" || (isNonNullType(each.type) && each.defaultValue === undefined));

function variablesOf(args: readonly GraphQLArgument[], ...more: string[]): string {
  const all = [...more, ...required(args).map((each) => `$${each.name}: ${each.type}`)];
  return all.length > 0 ? `(${all.join(", ")})` : "";
}

function argumentsOf({ args }: GraphQLField<unknown, unknown>): string {
  const given = required(args).map((each) => `${each.name}: $${each.name}`);
  return given.length > 0 ? `(${given.join(", ")})` : "";
}

function selectionOf({ type }: GraphQLField<unknown, unknown>): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return "";
  if (isUnionType(named)) return " { __typename ... on Failure { code } }";
  return isObjectType(named) && named.name.endsWith("Connection") ? " { __typename totalCount }" : " { __typename }";
}
