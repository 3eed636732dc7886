// `xvault jobs`: what was and is being done, newest first.
import type { ResultOf } from "gql.tada";
import type { ApiClient } from "../../api/connect.ts";
import { isFinal, listJobs } from "../../api/jobs.ts";
import { everyNode } from "../../api/paging.ts";
import { durationText, momentText, nextAttemptText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { everyTenant } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";

export interface JobsOptions {
  /** The id of one source; all where none is given. */
  readonly source?: string;
  readonly open?: boolean;
  readonly json?: boolean;
}

type ListedJob = NonNullable<ResultOf<typeof listJobs>["tenant"]>["jobs"]["nodes"][number];

export async function jobs(terminal: Terminal, { json, ...which }: JobsOptions): Promise<void> {
  const { stdout, signal } = terminal;
  const found = everyJob(await openSession(terminal), which, signal);
  if (json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "WHAT", "SOURCE", "ASKED FOR", "STATUS", "TOOK"],
    rows: rowsOf(found),
    empty: which.open ? "Nothing is being done." : "Nothing was done yet.",
  });
}

async function* everyJob(
  api: ApiClient,
  { source, open }: Omit<JobsOptions, "json">,
  signal: AbortSignal,
): AsyncGenerator<ListedJob> {
  const where = {
    ...(source !== undefined && { sourceId: source }),
    ...(open && { statuses: ["QUEUED" as const, "RUNNING" as const, "FINALIZING" as const] }),
  };
  for await (const { id: tenantId } of everyTenant(api, signal))
    yield* everyNode(async (after) => (await api.query(listJobs, { tenantId, after, where }, { signal })).tenant?.jobs);
}

async function* rowsOf(found: AsyncIterable<ListedJob>) {
  for await (const { id, type, source, createdAt, startedAt, endedAt, ...standing } of found)
    yield [
      id,
      type.toLowerCase().replaceAll("_", " "),
      source?.name ?? "",
      momentText(createdAt),
      `${standing.status.toLowerCase()}${note(reasonOf(standing))}`,
      startedAt && endedAt ? durationText(Date.parse(endedAt) - Date.parse(startedAt)) : "",
    ];
}

/** Why it failed or waits; null where there is nothing to say. */
function reasonOf({
  status,
  errorCode,
  waitingFor,
  nextAttemptAt,
}: Pick<ListedJob, "status" | "errorCode" | "waitingFor" | "nextAttemptAt">): string | null {
  if (isFinal(status)) return errorCode;
  return waitingFor?.message ?? (nextAttemptAt && nextAttemptText(Date.parse(nextAttemptAt) - Date.now()));
}

function note(text: string | null): string {
  return text === null ? "" : ` (${text.replace(/\.$/, "")})`;
}
