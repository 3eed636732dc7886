// A customer, made step by step through the public API: tenant, credential, source.
import { type Ask, client, renewingClient, signIn } from "./client.ts";
import type { StagedHub } from "./hub.ts";

export interface StagedTenant {
  readonly ask: Ask;
  readonly token: string;
  readonly tenantId: string;
  createCredential(secret: object): Promise<string>;
  createSource(type: string, config: object, credentialId: string): Promise<string>;
  createSftpSource(config: object, credentialId: string): Promise<string>;
}

/** Signs in as the hub's owner and makes a tenant. `renews`: its `ask` outlives the token. */
export async function stageTenant(
  hub: Pick<StagedHub, "graphqlUrl" | "owner">,
  name = "Acme",
  { renews = false } = {},
): Promise<StagedTenant> {
  const token = await signIn(hub.graphqlUrl, hub.owner);
  const ask = renews ? renewingClient(hub.graphqlUrl, hub.owner) : client(hub.graphqlUrl, token);
  const made = await ask(
    `mutation ($name: String!) { createTenant(input: { name: $name }) { ... on CreateTenantPayload { tenant { id } } } }`,
    { name },
  );
  const tenantId: string = made.data.createTenant.tenant.id;
  async function createSource(type: string, config: object, credentialId: string): Promise<string> {
    const { data } = await ask(
      `mutation ($input: CreateSourceInput!) {
        createSource(input: $input) { ... on CreateSourcePayload { source { id } } ... on Failure { message } }
      }`,
      { input: { tenantId, type, name: "staged", config, credentialId } },
    );
    if (!data.createSource.source) throw new Error(data.createSource.message);
    return data.createSource.source.id;
  }
  return {
    ask,
    token,
    tenantId,
    async createCredential(secret) {
      const { data } = await ask(
        `mutation ($input: CreateCredentialInput!) {
          createCredential(input: $input) { ... on CreateCredentialPayload { credential { id } } ... on Failure { message } }
        }`,
        { input: { tenantId, name: "staged", secret } },
      );
      if (!data.createCredential.credential) throw new Error(data.createCredential.message);
      return data.createCredential.credential.id;
    },
    createSource,
    createSftpSource: (config, credentialId) => createSource("SFTP", config, credentialId),
  };
}

/** Deletions of this hub are due at once: nobody waits a week in a test. */
export async function deleteAtOnce(hub: Pick<StagedHub, "db">): Promise<void> {
  const key = "snapshot_deletion_grace_hours";
  await hub.db.systemSetting.upsert({ where: { key }, create: { key, value: 0 }, update: { value: 0 } });
}

/** Asks every 50 ms until the job has ended; throws after `withinMs`. */
export async function jobEnd(ask: Ask, jobId: string, withinMs = 60_000) {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const { data } = await ask(
      `query ($id: ID!) { job(id: $id) {
        id status attempt errorCode errorMessage warningCount findings snapshot { id status fileCount plainBytes localPath partial }
        restore { id status sizeBytes }
      } }`,
      { id: jobId },
    );
    if (["COMPLETED", "FAILED", "CANCELED"].includes(data.job.status)) return data.job;
    if (performance.now() > deadline) throw new Error(`job ${jobId} is still ${data.job.status} after ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Runs a mutation that answers `{ job { id } }` and returns that id; throws with the refusal's sentence. */
export async function startJob(
  ask: Ask,
  mutation: "testSource" | "startBackup" | "deleteSnapshot",
  id: string,
): Promise<string> {
  const argument = mutation === "deleteSnapshot" ? "snapshotId" : "sourceId";
  const payload = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}Payload`;
  const { data, errors } = await ask(
    `mutation ($id: ID!) { ${mutation}(input: { ${argument}: $id }) { ... on ${payload} { job { id } } ... on Failure { message code } } }`,
    { id },
  );
  const answer = data?.[mutation];
  if (!answer?.job) throw new Error(answer?.message ?? errors?.[0]?.message);
  return answer.job.id;
}
