// One row of everything that a tenant can have, and an input for every mutation that names them.
import { backUp, type PlayedWorker, testedSource } from "../private/played-worker.ts";
import type { StagedHub } from "../stage/hub.ts";
import type { StagedTenant } from "../stage/tenant.ts";
import { type Person, stagePerson } from "./people.ts";

/** Ids by the noun they name. */
export interface Ids {
  readonly tenant: string;
  readonly user: string;
  /** A user with the role VIEWER. */
  readonly member: string;
  readonly apiKey: string;
  readonly invitation: string;
  readonly tenantKey: string;
  readonly credential: string;
  readonly source: string;
  readonly schedule: string;
  readonly job: string;
  readonly snapshot: string;
  readonly restore: string;
  readonly worker: string;
}

export async function stageEverything(
  hub: StagedHub,
  { tenant, owner, worker }: { tenant: StagedTenant; owner: Person; worker: PlayedWorker },
): Promise<Ids> {
  const { db } = hub.running.hub;
  const { tenantId } = tenant;
  const source = await testedSource(tenant, worker);
  const snapshot = await backUp(tenant, worker, source);
  const member = await stagePerson(hub, { tenantId, role: "VIEWER" });
  const { data } = await tenant.ask(
    `mutation ($tenant: ID!, $source: ID!, $snapshot: ID!) {
      createApiKey(input: { tenantId: $tenant, name: "Staged", role: VIEWER }) { ... on CreateApiKeyPayload { apiKey { id } } }
      inviteMember(input: { tenantId: $tenant, email: "invited@example.com", role: VIEWER }) {
        ... on InviteMemberPayload { invitation { id } }
      }
      createSchedule(input: { sourceId: $source, cron: "30 2 * * *" }) { ... on CreateSchedulePayload { schedule { id } } }
      startRestore(input: { snapshotId: $snapshot, form: ZIP }) { ... on StartRestorePayload { restore { id } } }
    }`,
    { tenant: tenantId, source, snapshot },
  );
  return {
    tenant: tenantId,
    user: owner.userId,
    member: member.userId,
    apiKey: data.createApiKey.apiKey.id,
    invitation: data.inviteMember.invitation.id,
    tenantKey: (await db.tenantKey.findFirstOrThrow({ where: { tenantId } })).id,
    credential: (await db.credential.findFirstOrThrow({ where: { tenantId } })).id,
    source,
    schedule: data.createSchedule.schedule.id,
    job: (await db.job.findFirstOrThrow({ where: { tenantId, type: "BACKUP" } })).id,
    snapshot,
    restore: data.startRestore.restore.id,
    worker: worker.id,
  };
}

/** An id of the same prefix that nothing has. */
export function unknown(id: string): string {
  return `${id.slice(0, 4)}${"0".repeat(32)}`;
}

/** Mutations for operators of the platform alone: whoever is none is refused, whatever is named. */
export const forOperators = [
  ...[
    "createPasswordReset",
    "createTenant",
    "resumeTenant",
    "setTenantQuotas",
    "suspendTenant",
    "resetSetting",
    "updateSetting",
  ],
  ...["drainWorker", "enrolWorker", "resumeWorker", "retireWorker", "startInventory", "updateWorker"],
];
/** Its private half was thrown away. */
const recipient = "age1fugjftjcnmlwulxquaukdwa54xtjpvj5d65upz9y0r8ws7yraefslst8ec";

/** For every mutation an input that names all it can name. */
export function inputs(ids: Ids): Record<string, Record<string, unknown>> {
  const { tenant: tenantId, credential: credentialId, source: sourceId, snapshot: snapshotId, job: jobId } = ids;
  const [token, newPassword] = ["a token of nothing at all", "a new password"];
  const { worker: workerId, schedule: scheduleId, tenantKey: keyId, restore: restoreId } = ids;
  const config = { host: "files.example.com", port: 22, username: "backup", path: "/srv" };
  return {
    acceptHostKey: { sourceId },
    acceptInvitation: { token, name: "New", password: newPassword },
    cancelJob: { jobId },
    changePassword: { currentPassword: "wrong password of somebody", newPassword },
    createApiKey: { tenantId, name: "New", role: "VIEWER", sourceIds: [sourceId] },
    createCredential: { tenantId, name: "New", secret: { password: "x" } },
    createPasswordReset: { email: "nobody@example.com" },
    createSchedule: { sourceId, intervalMinutes: 60 },
    createSource: { tenantId, type: "SFTP", name: "New", config, credentialId },
    createTenant: { name: "New" },
    deleteCredential: { credentialId },
    deleteSchedule: { scheduleId },
    deleteSnapshot: { snapshotId },
    deleteTenant: { tenantId, confirmName: "Acme" },
    drainWorker: { workerId },
    startInventory: { workerId },
    deleteSource: { sourceId },
    disableSource: { sourceId },
    enableSource: { sourceId },
    disableTenantKey: { keyId },
    enrolWorker: { name: "New", role: "BACKUP" },
    inviteMember: { tenantId, email: "new@example.com", role: "VIEWER" },
    refreshSession: { refreshToken: token },
    removeMember: { tenantId, userId: ids.member },
    resetPassword: { token, newPassword },
    revokeApiKey: { apiKeyId: ids.apiKey },
    revokeInvitation: { invitationId: ids.invitation },
    resetSetting: { key: "DOWNLOAD_EXPIRATION_HOURS" },
    resumeTenant: { tenantId },
    resumeWorker: { workerId },
    retireWorker: { workerId, force: true },
    setTenantQuotas: { tenantId, plan: "large", maxSources: 1000 },
    pauseSchedule: { scheduleId },
    resumeSchedule: { scheduleId },
    pinSnapshot: { snapshotId, reason: "To be kept." },
    retryJob: { jobId },
    revokeRestore: { restoreId },
    rotateTenantKey: { tenantId },
    runRetention: { sourceId, tenantId },
    setTenantRecipients: { tenantId, recipients: [recipient] },
    signIn: { email: "nobody@example.com", password: "wrong password of somebody" },
    signOut: { refreshToken: token },
    signOutEverywhere: { userId: ids.member },
    startBackup: { sourceId },
    startRestore: { snapshotId, form: "ZIP" },
    suspendTenant: { tenantId, reason: "unpaid" },
    testSource: { sourceId },
    testSourceDraft: { tenantId, type: "SFTP", config, credentialId },
    undeleteSnapshot: { snapshotId },
    unpinSnapshot: { snapshotId },
    verifySnapshot: { snapshotId },
    updateCredential: { credentialId, secret: { password: "y" } },
    updateMember: { tenantId, userId: ids.member, role: "VIEWER" },
    updateSchedule: { scheduleId, timezone: "Europe/Berlin" },
    updateViewer: { name: "Renamed" },
    undeleteTenant: { tenantId },
    updateSetting: { key: "DOWNLOAD_EXPIRATION_HOURS", value: 2 },
    updateSource: { sourceId, name: "Renamed", credentialId },
    updateTenant: { tenantId, name: "Acme" },
    updateWorker: { workerId, name: "Renamed" },
  };
}

/** The document of a mutation by its name, taking `$input`. */
export function mutation(name: string): string {
  const input = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  return `mutation ($input: ${input}!) { ${name}(input: $input) { __typename ... on Failure { code message } } }`;
}
