// `xvault snapshots`: what is kept, newest first.
import type { ApiClient } from "../../api/connect.ts";
import { everyNode } from "../../api/paging.ts";
import { listSnapshots, listTenantSnapshots, type SnapshotFacts } from "../../api/snapshots.ts";
import { CommandError } from "../failure.ts";
import { bytesText, countText, momentText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { everyTenant } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export interface SnapshotsOptions {
  /** The id of one source; all sources where none is given. */
  readonly source?: string;
  readonly json?: boolean;
}

export async function snapshots(terminal: Terminal, { source, json }: SnapshotsOptions): Promise<void> {
  const { stdout, signal } = terminal;
  const api = await openSession(terminal);
  const found = source === undefined ? everySnapshot(api, signal) : snapshotsOf(api, source, signal);
  if (json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "SOURCE", "MADE", "STATUS", "FILES", "SIZE", "STORED"],
    rows: rowsOf(found),
    empty: "There are no snapshots yet.",
  });
}

async function* everySnapshot(api: ApiClient, signal: AbortSignal): AsyncGenerator<SnapshotFacts> {
  for await (const { id: tenantId } of everyTenant(api, signal))
    yield* everyNode(
      async (after) => (await api.query(listTenantSnapshots, { tenantId, after }, { signal })).tenant?.snapshots,
    );
}

function snapshotsOf(api: ApiClient, sourceId: string, signal: AbortSignal): AsyncGenerator<SnapshotFacts> {
  return everyNode(async (after) => {
    const { source } = await api.query(listSnapshots, { sourceId, after }, { signal });
    if (!source) throw new CommandError(`There is no source of yours with the id ${sourceId}.`);
    return source.snapshots;
  });
}

async function* rowsOf(found: AsyncIterable<SnapshotFacts>) {
  for await (const { id, job, createdAt, status, partial, pinned, deletionDueAt, ...sizes } of found) {
    const facts = [status.toLowerCase(), partial && "with warnings", pinned && "pinned"];
    const leaving = status !== "DELETED" && deletionDueAt !== null && `goes ${momentText(deletionDueAt)}`;
    yield [
      id,
      job.source?.name ?? "",
      momentText(createdAt),
      [...facts, leaving].filter(Boolean).join(", "),
      countText(sizes.fileCount),
      bytesText(Number(sizes.plainBytes)),
      bytesText(Number(sizes.storedBytes)),
    ];
  }
}
