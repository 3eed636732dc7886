// `xvault jobs log`: what happened to a job, and with --follow what happens to it.
import type { ApiClient } from "../../api/connect.ts";
import { type JobStep, listJobEvents } from "../../api/jobs.ts";
import { everyNode } from "../../api/paging.ts";
import { CommandError } from "../failure.ts";
import { printable } from "../figures.ts";
import { openSession } from "../session.ts";
import type { Terminal } from "../terminal.ts";

type Line = NonNullable<JobStep["event"]>;

export async function log(
  terminal: Terminal,
  jobId: string,
  { follow, json }: { readonly follow?: boolean; readonly json?: boolean },
): Promise<void> {
  const api = await openSession(terminal);
  for await (const line of follow ? followed(api, jobId, terminal) : written(api, jobId, terminal))
    terminal.stdout.write(`${json ? JSON.stringify(line) : lineText(line)}\n`);
}

function written(api: ApiClient, jobId: string, { signal }: Terminal): AsyncIterable<Line> {
  return everyNode(async (after) => {
    const { job } = await api.query(listJobEvents, { jobId, after }, { signal });
    if (!job) throw new CommandError(`There is no job of yours with the id ${jobId}.`);
    return job.events;
  });
}

async function* followed(api: ApiClient, jobId: string, { signal }: Terminal): AsyncGenerator<Line> {
  for await (const { event } of api.watchJob(jobId, { after: "0", signal })) if (event) yield event;
}

/** `2026-03-01T12:00:00.000Z  state  status=RUNNING attempt=1` */
function lineText({ at, kind, facts }: Line): string {
  const told = Object.entries(typeof facts === "object" && facts !== null ? facts : { facts });
  const texts = told.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return printable(`${at}  ${kind}  ${texts.join(" ")}`);
}
