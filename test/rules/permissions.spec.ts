// Which role may do what in a tenant: every verb, every role.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAbove, may, mayWithKey, type Verb } from "../../domain/rules/permissions.ts";

const roles = ["VIEWER", "MEMBER", "ADMIN", "OWNER"] as const;

/** The least role that may. A verb that is added has to be written down here too: the compiler asks for it. */
const least: Record<Verb, (typeof roles)[number]> = {
  read: "VIEWER",
  testSource: "MEMBER",
  testSourceDraft: "ADMIN",
  startBackup: "MEMBER",
  startRestore: "MEMBER",
  cancelJob: "MEMBER",
  createCredential: "ADMIN",
  updateCredential: "ADMIN",
  createSource: "ADMIN",
  deleteCredential: "ADMIN",
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
};

/** What keys may do where their role allows it: everywhere, with what belongs to their sources, or never. A decision for each verb. */
const withKeys: Record<Verb, "yes" | "whole tenant" | "never"> = {
  read: "yes",
  testSource: "yes",
  testSourceDraft: "whole tenant",
  startBackup: "yes",
  startRestore: "yes",
  cancelJob: "yes",
  createCredential: "whole tenant",
  updateCredential: "whole tenant",
  createSource: "whole tenant",
  deleteCredential: "whole tenant",
  updateSource: "yes",
  acceptHostKey: "yes",
  disableSource: "yes",
  enableSource: "yes",
  deleteSource: "yes",
  createSchedule: "yes",
  updateSchedule: "yes",
  pauseSchedule: "yes",
  resumeSchedule: "yes",
  deleteSchedule: "yes",
  deleteSnapshot: "yes",
  readInvitations: "never",
  inviteMember: "never",
  revokeInvitation: "never",
  updateMember: "never",
  removeMember: "never",
  leaveTenant: "never",
  readApiKeys: "never",
  createApiKey: "never",
  revokeApiKey: "never",
  readAudit: "whole tenant",
  updateTenant: "never",
  deleteTenant: "never",
  undeleteTenant: "never",
  undeleteSnapshot: "yes",
  pinSnapshot: "yes",
  unpinSnapshot: "yes",
  verifySnapshot: "yes",
  runRetention: "yes",
  retryJob: "yes",
  revokeRestore: "yes",
  rotateTenantKey: "never",
  disableTenantKey: "never",
  setTenantRecipients: "never",
};

for (const role of roles)
  describe(`a ${role.toLowerCase()}`, () => {
    for (const [verb, needed] of Object.entries(least) as [Verb, (typeof roles)[number]][]) {
      const allowed = roles.indexOf(role) >= roles.indexOf(needed);
      it(`may ${allowed ? "" : "not "}${verb}`, () => assert.equal(may(role, verb), allowed));
    }
  });

for (const role of roles)
  describe(`a key with the role ${role.toLowerCase()}`, () => {
    for (const [verb, keys] of Object.entries(withKeys) as [Verb, (typeof withKeys)[Verb]][]) {
      const allowed = keys !== "never" && may(role, verb);
      it(`may ${allowed ? "" : "not "}${verb}`, () =>
        assert.equal(mayWithKey(role, verb, { someSources: false }), allowed));
      it(`may ${allowed && keys === "yes" ? "" : "not "}${verb} where it is good for some sources`, () =>
        assert.equal(mayWithKey(role, verb, { someSources: true }), allowed && keys === "yes"));
    }
  });

describe("a role", () => {
  it("is above those before it, and not above itself", () => {
    for (const [rank, role] of roles.entries())
      for (const [other, than] of roles.entries()) assert.equal(isAbove(role, than), rank > other, `${role}, ${than}`);
  });
});
