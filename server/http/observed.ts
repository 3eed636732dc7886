// Watches what is executed on a surface: how long it took, under which name, and, for whoever reads the log closely, a line of it.
import { type DocumentNode, getOperationAST } from "graphql";
import type { Plugin } from "graphql-yoga";

export type Executed = (operation: string, seconds: number) => void;

/** `name` says as what an operation counts: a word of a closed list. Subscriptions are not timed: they end when their caller goes. */
export function observeOperations(
  name: (document: DocumentNode, operation: string) => string,
  executed: Executed,
): Plugin {
  return {
    onExecute({ args }) {
      const beganAt = performance.now();
      const operation = getOperationAST(args.document, args.operationName)?.operation ?? "query";
      return {
        onExecuteDone: () => executed(name(args.document, operation), (performance.now() - beganAt) / 1000),
      };
    },
  };
}

/** The first field of the first operation, where the schema has such a one: commands are sent one at a time. */
export function commandIn(document: DocumentNode): string | null {
  for (const definition of document.definitions) {
    const [first] = definition.kind === "OperationDefinition" ? definition.selectionSet.selections : [];
    if (first?.kind === "Field") return first.name.value;
  }
  return null;
}
