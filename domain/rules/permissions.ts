// Which role may do what in a tenant. Each verb needs one role; every higher role may do it too.

const ranks = { VIEWER: 0, MEMBER: 1, ADMIN: 2, OWNER: 3 } as const;

type RoleName = keyof typeof ranks;

const needed = {
  read: "VIEWER",
  testSource: "MEMBER",
  testSourceDraft: "ADMIN",
  startBackup: "MEMBER",
  startRestore: "MEMBER",
  cancelJob: "MEMBER",
  createCredential: "ADMIN",
  updateCredential: "ADMIN",
  deleteCredential: "ADMIN",
  createSource: "ADMIN",
  updateSource: "ADMIN",
  acceptHostKey: "ADMIN",
  disableSource: "ADMIN",
  enableSource: "ADMIN",
  deleteSource: "ADMIN",
  createSchedule: "ADMIN",
  updateSchedule: "ADMIN",
  pauseSchedule: "ADMIN",
  resumeSchedule: "ADMIN",
  deleteSchedule: "ADMIN",
  deleteSnapshot: "ADMIN",
  readInvitations: "ADMIN",
  inviteMember: "ADMIN",
  revokeInvitation: "ADMIN",
  updateMember: "ADMIN",
  removeMember: "ADMIN",
  leaveTenant: "VIEWER",
  readApiKeys: "ADMIN",
  createApiKey: "ADMIN",
  revokeApiKey: "ADMIN",
  readAudit: "ADMIN",
  updateTenant: "OWNER",
  deleteTenant: "OWNER",
  undeleteTenant: "OWNER",
  undeleteSnapshot: "ADMIN",
  pinSnapshot: "MEMBER",
  unpinSnapshot: "ADMIN",
  verifySnapshot: "MEMBER",
  runRetention: "ADMIN",
  retryJob: "MEMBER",
  revokeRestore: "MEMBER",
  rotateTenantKey: "OWNER",
  disableTenantKey: "OWNER",
  setTenantRecipients: "OWNER",
} as const satisfies Record<string, RoleName>;

export type Verb = keyof typeof needed;

/**
 * What no API key may do, whatever its role: people, keys, the tenant itself and who can open its backups. A stolen key must
 * not be able to outlive its own revocation.
 */
const forPeopleAlone: ReadonlySet<Verb> = new Set<Verb>([
  "readInvitations",
  "inviteMember",
  "revokeInvitation",
  "updateMember",
  "removeMember",
  "leaveTenant",
  "readApiKeys",
  "createApiKey",
  "revokeApiKey",
  "updateTenant",
  "deleteTenant",
  "undeleteTenant",
  "rotateTenantKey",
  "disableTenantKey",
  "setTenantRecipients",
]);

/** What is about a tenant as a whole, and not for a key that is good for some of its sources. */
const ofWholeTenant: ReadonlySet<Verb> = new Set<Verb>([
  "readAudit",
  "createSource",
  "testSourceDraft",
  "createCredential",
  "updateCredential",
  "deleteCredential",
]);

export function may(role: RoleName, verb: Verb): boolean {
  return ranks[role] >= ranks[needed[verb]];
}

/** What an API key may do: less than a person of its role, and less again where it is good for some sources only. */
export function mayWithKey(role: RoleName, verb: Verb, { someSources }: { someSources: boolean }): boolean {
  if (forPeopleAlone.has(verb) || (someSources && ofWholeTenant.has(verb))) return false;
  return may(role, verb);
}

/** Whether the first role may do what the second may not. */
export function isAbove(role: RoleName, other: RoleName): boolean {
  return ranks[role] > ranks[other];
}
