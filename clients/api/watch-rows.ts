// Watches all jobs, snapshots or workers: what is there to begin with, then each one that changes, as it is by then.
import type { TadaDocumentNode } from "gql.tada";
import type { Access } from "./access.ts";
import { type CursorEvent, subscribe, type WatchOptions } from "./subscribe.ts";

/** Whose jobs or snapshots to watch: one of the two. */
export type WatchedPart = { readonly tenantId: string } | { readonly sourceId: string };

/** `rowOf`: what an event is about; null for the one that says that all which was there before is told. It comes once. */
export async function* watchRows<Event extends CursorEvent, Variables>(
  access: Access,
  document: TadaDocumentNode<Readonly<Record<string, Event>>, Variables>,
  variables: Omit<Variables, "after">,
  { rowOf, ...options }: WatchOptions & { readonly rowOf: (event: Event) => { readonly id: string } | null },
): AsyncGenerator<Event, void, undefined> {
  let isAllTold = false;
  // Before that, nothing is left out: it would be told too late.
  const supersedes = (event: Event, waiting: Event) => isAllTold && rowOf(event)?.id === rowOf(waiting)?.id;
  for await (const event of subscribe(access, document, variables, { ...options, supersedes })) {
    if (rowOf(event) === null) {
      if (isAllTold) continue;
      isAllTold = true;
    }
    yield event;
  }
}
