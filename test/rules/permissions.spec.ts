// Which role may do what in a tenant: every verb, every role.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { may, type Verb } from "../../domain/rules/permissions.ts";

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
  createSchedule: "ADMIN",
  updateSchedule: "ADMIN",
  deleteSnapshot: "ADMIN",
};

for (const role of roles)
  describe(`a ${role.toLowerCase()}`, () => {
    for (const [verb, needed] of Object.entries(least) as [Verb, (typeof roles)[number]][]) {
      const allowed = roles.indexOf(role) >= roles.indexOf(needed);
      it(`may ${allowed ? "" : "not "}${verb}`, () => assert.equal(may(role, verb), allowed));
    }
  });
