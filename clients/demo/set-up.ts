// Sets up a customer by the public API alone: who they are, what opens their server, where it is, and when it is due.
import { type ApiClient, connectApi } from "../api/connect.ts";
import { createCredential } from "../api/credentials.ts";
import { createSchedule } from "../api/schedules.ts";
import { beginSession } from "../api/session.ts";
import { createSource, getSource, testSource } from "../api/sources.ts";
import { createTenant } from "../api/tenants.ts";
import { CommandError } from "../cli/failure.ts";
import { momentText } from "../cli/figures.ts";
import { followJob } from "../cli/follow-job.ts";
import type { SampleHost } from "./sample-host.ts";
import type { StackFacts } from "./stack.ts";
import { type Stage, tick } from "./stage.ts";

export interface Customer {
  readonly api: ApiClient;
  readonly sourceId: string;
  /** As pinned at the test. */
  readonly hostKey: string;
}

const dailyAtNight = "30 3 * * *";

export async function setUp(stage: Stage, { graphqlUrl, owner }: StackFacts, host: SampleHost): Promise<Customer> {
  const api = await signInAs(stage, graphqlUrl, owner);
  const sourceId = await addSource(stage, api, host);
  return { api, sourceId, hostKey: await test(stage, api, { sourceId, expected: host.fingerprint }) };
}

async function signInAs(stage: Stage, url: string, owner: StackFacts["owner"]): Promise<ApiClient> {
  const session = await beginSession({ url, ...owner }, { signal: stage.signal });
  tick(stage, `signed in as ${session.email}`);
  return connectApi({ url, session });
}

async function addSource(
  stage: Stage,
  api: ApiClient,
  { host, port, username, password }: SampleHost,
): Promise<string> {
  const { signal } = stage;
  const { tenant } = await api.mutate(createTenant, { name: "Demo customer" }, { signal });
  tick(stage, `tenant ${tenant.id}, with a key of its own`);

  const secret = { tenantId: tenant.id, name: "Password of the sample host", secret: { password } };
  const { credential } = await api.mutate(createCredential, secret, { signal });
  tick(stage, `credential ${credential.id}, which no API ever shows again`);

  const config = { host, port, username, path: "/" };
  const place = { tenantId: tenant.id, name: "sample", type: "SFTP", credentialId: credential.id, config } as const;
  const { source } = await api.mutate(createSource, place, { signal });
  tick(stage, `source ${source.id}: sftp://${username}@${host}:${port}/`);

  const due = { sourceId: source.id, cron: dailyAtNight, timezone: "UTC" };
  const { schedule } = await api.mutate(createSchedule, due, { signal });
  const next = schedule.nextRunAt === null ? "" : `, next at ${momentText(schedule.nextRunAt)}`;
  tick(stage, `schedule ${schedule.id}: every day${next}`);
  return source.id;
}

/** The host key that the test pinned, which has to be the one that the host itself tells. */
async function test(
  stage: Stage,
  api: ApiClient,
  { sourceId, expected }: { sourceId: string; expected: string },
): Promise<string> {
  const { signal } = stage;
  const { job } = await api.mutate(testSource, { sourceId }, { signal });
  await followJob(api, { ...stage, jobId: job.id, title: "Test of the source" });
  const { source } = await api.query(getSource, { sourceId }, { signal });
  if (source?.hostKey !== expected) throw new CommandError("The test has pinned another host key than the host's own.");
  tick(stage, `tested: host key ${expected} is pinned, and it is the host's own`);
  return expected;
}
