// Says whether a document is too large to be looked at any further, from its shape alone: no schema, no variables, no execution.
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  OperationTypeNode,
  parse,
  type SelectionSetNode,
  type Source,
  visit,
} from "graphql";

/** A page of a page of a page of a page has 13 levels, what tools ask of a schema 15. */
const maxDepth = 16;
/** Fields once every fragment stands where it is spread; what tools ask of a schema has 230. */
const maxFields = 400;
const maxTokens = 1_000;
const maxAliases = 15;
const maxDirectives = 50;
/** Each of them is a query of its own to the database. */
const maxRootFields = 30;
/** Each of them is a change of its own, or a password to be checked. */
const maxRootMutations = 15;
/** How often one selection may name the same field. */
const maxRepeats = 10;

/** Everything that is too large gets this answer, whichever limit it is: what they are is not told. */
export function tooLarge(): GraphQLError {
  return new GraphQLError("This query is too large.", {
    extensions: { code: "QUERY_TOO_COMPLEX", http: { spec: true, status: 400 } },
  });
}

/** Parses no further than the limit of tokens. Throws a `GraphQLError`. */
export function parseWithinLimits(source: string | Source): DocumentNode {
  try {
    return parse(source, { maxTokens });
  } catch (error) {
    if (error instanceof GraphQLError && error.message.includes("Parsing aborted")) throw tooLarge();
    throw error;
  }
}

/** Whether the document is beyond any of the limits. Takes time in proportion to its tokens, whatever its fragments do. */
export function isTooLarge(document: DocumentNode): boolean {
  return hasTooManyMarks(document) || hasTooMuchToSelect(document);
}

function hasTooManyMarks(document: DocumentNode): boolean {
  let aliases = 0;
  let directives = 0;
  let repeats = 0;
  visit(document, {
    Field: ({ alias }) => {
      if (alias) aliases++;
    },
    Directive: () => {
      directives++;
    },
    SelectionSet: (set) => {
      repeats = Math.max(repeats, mostRepeated(set));
    },
  });
  return aliases > maxAliases || directives > maxDirectives || repeats > maxRepeats;
}

function mostRepeated({ selections }: SelectionSetNode): number {
  const times = new Map<string, number>();
  for (const selection of selections) {
    const name = selection.kind === Kind.INLINE_FRAGMENT ? "" : `${selection.kind} ${selection.name.value}`;
    const aliased = selection.kind === Kind.FIELD && selection.alias ? selection.alias.value : "";
    times.set(`${name} ${aliased}`, (times.get(`${name} ${aliased}`) ?? 0) + 1);
  }
  return Math.max(0, ...times.values());
}

interface Extent {
  readonly depth: number;
  readonly fields: number;
  /** Fields of the selection itself, not of what lies below. */
  readonly roots: number;
}

function hasTooMuchToSelect(document: DocumentNode): boolean {
  const measure = measurer(document);
  return document.definitions.some((definition) => {
    if (definition.kind !== Kind.OPERATION_DEFINITION) return false;
    const { depth, fields, roots } = measure(definition.selectionSet);
    const rootsAllowed = definition.operation === OperationTypeNode.MUTATION ? maxRootMutations : maxRootFields;
    return depth > maxDepth || fields > maxFields || roots > rootsAllowed;
  });
}

/** Measures each fragment once. One that spreads itself counts as nothing there: the validation refuses it by name. */
function measurer(document: DocumentNode): (set: SelectionSetNode) => Extent {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  const measured = new Map<string, Extent>();
  const nothing: Extent = { depth: 0, fields: 0, roots: 0 };
  function measureFragment(name: string): Extent {
    const fragment = fragments.get(name);
    if (!fragment) return nothing;
    let extent = measured.get(name);
    if (!extent) {
      measured.set(name, nothing);
      extent = measure(fragment.selectionSet);
      measured.set(name, extent);
    }
    return extent;
  }
  function measure({ selections }: SelectionSetNode): Extent {
    let [depth, fields, roots] = [0, 0, 0];
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const below = selection.selectionSet ? measure(selection.selectionSet) : nothing;
        depth = Math.max(depth, below.depth + 1);
        fields += below.fields + 1;
        roots++;
      } else {
        const spread =
          selection.kind === Kind.FRAGMENT_SPREAD
            ? measureFragment(selection.name.value)
            : measure(selection.selectionSet);
        depth = Math.max(depth, spread.depth);
        fields += spread.fields;
        roots += spread.roots;
      }
    }
    return { depth, fields, roots };
  }
  return measure;
}
