// Walks through a connection of any length, page by page.

export interface Page<Node> {
  readonly nodes: readonly Node[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** Every node, in order. `readPage` gets the cursor to go on from; null is a connection that is not there. */
export async function* everyNode<Node>(
  readPage: (after: string | null) => Promise<Page<Node> | null | undefined>,
): AsyncGenerator<Node, void, undefined> {
  let after: string | null = null;
  for (;;) {
    const page = await readPage(after);
    if (!page) return;
    yield* page.nodes;
    if (!page.pageInfo.hasNextPage) return;
    after = page.pageInfo.endCursor;
  }
}
