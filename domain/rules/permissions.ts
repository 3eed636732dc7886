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
  createSchedule: "ADMIN",
  updateSchedule: "ADMIN",
  deleteSnapshot: "ADMIN",
} as const satisfies Record<string, RoleName>;

export type Verb = keyof typeof needed;

export function may(role: RoleName, verb: Verb): boolean {
  return ranks[role] >= ranks[needed[verb]];
}
