// `xvault schedules`: when sources are due, and what was skipped.
import type { ResultOf } from "gql.tada";
import type { ApiClient } from "../../api/connect.ts";
import { everyNode } from "../../api/paging.ts";
import { listTenantSchedules } from "../../api/schedules.ts";
import { countText, momentText } from "../figures.ts";
import { printJson, printTable } from "../listing.ts";
import { openSession } from "../session.ts";
import { everyTenant } from "../tenants.ts";
import type { Terminal } from "../terminal.ts";
import { timetableText } from "./timetable.ts";

export interface SchedulesOptions {
  /** The id of one source; all where none is given. */
  readonly source?: string;
  readonly json?: boolean;
}

type ListedSchedule = NonNullable<ResultOf<typeof listTenantSchedules>["tenant"]>["schedules"]["nodes"][number];

export async function schedules(terminal: Terminal, { source, json }: SchedulesOptions): Promise<void> {
  const { stdout, signal } = terminal;
  const found = everySchedule(await openSession(terminal), source, signal);
  if (json) return printJson(stdout, found);
  await printTable(stdout, {
    columns: ["ID", "SOURCE", "WHEN", "NEXT", "SKIPPED"],
    rows: rowsOf(found),
    empty: "There are no schedules yet.",
  });
}

async function* everySchedule(
  api: ApiClient,
  sourceId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ListedSchedule> {
  const where = sourceId === undefined ? {} : { sourceId };
  for await (const { id: tenantId } of everyTenant(api, signal))
    yield* everyNode(
      async (after) => (await api.query(listTenantSchedules, { tenantId, after, where }, { signal })).tenant?.schedules,
    );
}

async function* rowsOf(found: AsyncIterable<ListedSchedule>) {
  for await (const schedule of found) {
    const { id, source, nextRunAt, skippedRuns, lastSkippedAt, lastSkipReason } = schedule;
    const last = lastSkippedAt && lastSkipReason && `, ${reasons[lastSkipReason]} ${momentText(lastSkippedAt)}`;
    yield [
      id,
      source.name,
      timetableText(schedule),
      nextRunAt ? momentText(nextRunAt) : "paused",
      skippedRuns === 0 ? "none" : `${countText(skippedRuns)}${last ?? ""}`,
    ];
  }
}

const reasons = { BACKUP_UNDER_WAY: "backup under way", MISSED: "missed" } as const;
