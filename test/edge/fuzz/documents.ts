// Makes up operations from the real schema: some valid, most nearly so, with arguments and variables that are not.
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isLeafType,
  isListType,
  isObjectType,
  isUnionType,
} from "graphql";
import { type inputs, mutation } from "../../public/everything-of.ts";
import type { Random } from "./random.ts";
import { mangle, oddValue } from "./values.ts";

export interface Fuzzed {
  readonly query: string;
  /** JSON, or what looks like it. */
  readonly variables: string;
}

export interface Ground {
  readonly schema: GraphQLSchema;
  /** Ids that exist, of ours and of a neighbour, and others that do not. */
  readonly ids: readonly string[];
  readonly inputs: ReturnType<typeof inputs>;
}

export function fuzzOperation(random: Random, ground: Ground): Fuzzed {
  if (random.chance(0.25)) return fuzzMutation(random, ground);
  const kind = random.pick(["query", "query", "query", "subscription", "mutation"] as const);
  const root = ground.schema.getRootType(kind as Parameters<GraphQLSchema["getRootType"]>[0]);
  const set = root ? selection(random, ground, root, random.below(6) + 1) : "{ __typename }";
  const fragments = random.chance(0.1) ? ` fragment F on ${root?.name} ${set}` : "";
  const query = `${kind} Fuzzed${fragments ? " { ...F }" : ` ${set}`}${fragments}`;
  return {
    query: random.chance(0.3) ? mangle(random, query) : query,
    variables: random.chance(0.2) ? oddValue(random) : "{}",
  };
}

/** A verb with an input that is right but for some of its values. */
function fuzzMutation(random: Random, { inputs: known }: Ground): Fuzzed {
  const name = random.pick(Object.keys(known));
  const fields = Object.entries(known[name] ?? {}).map(([field, value]) => {
    const text = random.chance(0.4) ? oddValue(random) : JSON.stringify(value);
    return `${JSON.stringify(random.chance(0.05) ? "__proto__" : field)}:${spoil(random, text)}`;
  });
  if (random.chance(0.1))
    fields.push(`${JSON.stringify(random.pick(["__proto__", "extra", "constructor"]))}:${oddValue(random)}`);
  return { query: mutation(name), variables: `{"input":{${fields.join(",")}}}` };
}

function spoil(random: Random, text: string): string {
  return random.chance(0.05) ? text.replace(/\w/, "\\\\u0000") : text;
}

function selection(random: Random, ground: Ground, type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (isLeafType(named)) return "";
  if (isUnionType(named) || (isInterfaceType(named) && random.chance(0.5))) {
    const possible = random.pick(ground.schema.getPossibleTypes(named));
    return `{ __typename ... on ${possible.name} ${selection(random, ground, possible, depth)} }`;
  }
  if (!isObjectType(named) && !isInterfaceType(named)) return "";
  const fields = Object.values(named.getFields()).filter((field) => depth > 1 || isLeafType(getNamedType(field.type)));
  const chosen = Array.from({ length: random.below(4) + 1 }, () => random.pick(fields)).filter(Boolean);
  const parts = [...new Set(chosen)].map((field) => fieldText(random, ground, field, depth));
  if (random.chance(0.1)) parts.push("__typename");
  return `{ ${parts.join(" ") || "__typename"} }`;
}

function fieldText(random: Random, ground: Ground, field: GraphQLField<unknown, unknown>, depth: number): string {
  const args = field.args
    .filter((arg) => String(arg.type).endsWith("!") || random.chance(0.4))
    .map((arg) => `${arg.name}: ${argumentText(random, ground, arg)}`);
  const alias = random.chance(0.05) ? "other: " : "";
  const directive = random.chance(0.05)
    ? random.pick([" @include(if: true)", " @skip(if: null)", " @defer", " @x"])
    : "";
  const text = args.length > 0 ? `(${args.join(", ")})` : "";
  return `${alias}${field.name}${text}${directive} ${selection(random, ground, field.type, depth - 1)}`;
}

function argumentText(random: Random, ground: Ground, { type, name }: GraphQLArgument): string {
  if (random.chance(0.15)) return literal(oddValue(random));
  if (name === "first" || name === "last") return String(random.pick([0, 1, 2, 5, 20, 100, -1, 101, 2_147_483_647]));
  if (name === "after" || name === "before")
    return JSON.stringify(random.pick(["R1BDOlM6am9i", "R1BDOko6WzFd", "x", "", "R1BDOlg6MQ==", "R1BDOko6e30="]));
  return inputText(random, ground, type, 3);
}

function inputText(random: Random, ground: Ground, type: GraphQLInputType, depth: number): string {
  const bare = getNullableType(type);
  if (random.chance(0.05) || depth === 0) return "null";
  if (isListType(bare)) return `[${inputText(random, ground, bare.ofType, depth - 1)}]`;
  if (isEnumType(bare)) return random.chance(0.1) ? "NO_SUCH" : random.pick(bare.getValues()).name;
  if (isInputObjectType(bare)) {
    const fields = Object.values(bare.getFields()).filter(
      ({ type }) => String(type).endsWith("!") || random.chance(0.5),
    );
    return `{ ${fields.map((field) => `${field.name}: ${inputText(random, ground, field.type, depth - 1)}`).join(", ")} }`;
  }
  switch (String(bare)) {
    case "ID":
      return JSON.stringify(random.pick(ground.ids));
    case "Int":
      return String(random.pick([0, 1, -1, 3, 60, 2_147_483_647, -2_147_483_648]));
    case "Boolean":
      return random.pick(["true", "false"]);
    case "DateTime":
      return random.pick([`"2026-11-22T00:00:00Z"`, `"2026-02-30T25:00:00Z"`, `"x"`, `"-271821-04-20T00:00:00Z"`]);
    default:
      return literal(oddValue(random));
  }
}

/** JSON as GraphQL writes it: names of fields stand bare. */
function literal(json: string): string {
  return json.replace(/"(\w+)":/g, "$1:").replace(/"":/g, "");
}
