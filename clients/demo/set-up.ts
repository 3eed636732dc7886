// Sets up a customer by the public API alone: who they are, what opens their server, where it is, and when it is due.
import { type ApiClient, connectApi } from "../api/connect.ts";
import { createCredential } from "../api/credentials.ts";
import { accepted } from "../api/refusal.ts";
import { createSchedule } from "../api/schedules.ts";
import { signIn } from "../api/sessions.ts";
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
  const answer = await connectApi({ url }).query(signIn, { input: owner }, { signal: stage.signal });
  const { accessToken: token, user } = accepted(answer.signIn);
  tick(stage, `signed in as ${user.email}`);
  return connectApi({ url, token });
}

async function addSource(
  stage: Stage,
  api: ApiClient,
  { host, port, username, password }: SampleHost,
): Promise<string> {
  const { signal } = stage;
  const made = await api.query(createTenant, { input: { name: "Demo customer" } }, { signal });
  const { tenant } = accepted(made.createTenant);
  tick(stage, `tenant ${tenant.id}, with a key of its own`);

  const secret = { tenantId: tenant.id, name: "Password of the sample host", secret: { password } };
  const { credential } = accepted((await api.query(createCredential, { input: secret }, { signal })).createCredential);
  tick(stage, `credential ${credential.id}, which no API ever shows again`);

  const config = { host, port, username, path: "/" };
  const place = { tenantId: tenant.id, name: "sample", type: "SFTP", credentialId: credential.id, config } as const;
  const { source } = accepted((await api.query(createSource, { input: place }, { signal })).createSource);
  tick(stage, `source ${source.id}: sftp://${username}@${host}:${port}/`);

  const due = { sourceId: source.id, cron: dailyAtNight, timezone: "UTC" };
  const { schedule } = accepted((await api.query(createSchedule, { input: due }, { signal })).createSchedule);
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
  const { job } = accepted((await api.query(testSource, { input: { sourceId } }, { signal })).testSource);
  await followJob(api, { ...stage, jobId: job.id, title: "Test of the source" });
  const { source } = await api.query(getSource, { sourceId }, { signal });
  if (source?.hostKey !== expected) throw new CommandError("The test has pinned another host key than the host's own.");
  tick(stage, `tested: host key ${expected} is pinned, and it is the host's own`);
  return expected;
}
