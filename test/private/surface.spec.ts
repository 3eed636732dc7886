// The private surface: for processes of the data plane that speak its language, and with no word in common with the public one.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type GraphQLNamedType, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from "graphql";
import { protocolVersion } from "../../clients/hub/hub-client.ts";
import { privateSchema } from "../../schema/private/schema.ts";
import { publicSchema } from "../../schema/public/schema.ts";
import { type Person, sendOperation, stagePerson } from "../public/people.ts";
import { client } from "../stage/client.ts";
import { type StagedHub, stageHub } from "../stage/hub.ts";
import { type PlayedWorker, playWorker } from "./played-worker.ts";

describe("the private surface", () => {
  const stack = new AsyncDisposableStack();
  let hub: StagedHub;
  let endpoint: string;
  let worker: PlayedWorker;
  let person: Person;

  before(async () => {
    hub = stack.use(await stageHub());
    endpoint = `${hub.privateUrl}/internal/graphql`;
    worker = await playWorker(hub);
    person = await stagePerson(hub);
  });
  after(() => stack.disposeAsync());

  const hello = (protocol: number, token?: string) =>
    client(endpoint, token)(
      `query ($protocol: Int!) { hello(protocol: $protocol) { protocol oldestProtocol newestProtocol } }`,
      {
        protocol,
      },
    );

  it("greets those who speak its protocol", async () => {
    const { data } = await hello(protocolVersion, worker.token);
    assert.deepEqual(data.hello, { protocol: protocolVersion, oldestProtocol: 1, newestProtocol: protocolVersion });
  });

  for (const protocol of [0, protocolVersion + 1, -1, 2_147_483_647])
    it(`refuses protocol ${protocol} and names both sides' versions`, async () => {
      const { errors } = await hello(protocol, worker.token);
      assert.equal(errors?.[0]?.extensions?.code, "UPGRADE_REQUIRED");
      assert.equal(
        errors[0].message,
        `protocol ${protocol} is not spoken here; this hub speaks 1 to ${protocolVersion}`,
      );
      await assert.rejects(
        worker.api.registerWorker({
          protocol,
          role: "BACKUP",
          publicKey: worker.publicKey,
          capabilities: { version: "0", jobTypes: [], sourceTypes: [], tools: {}, readsStoresOf: [] },
        }),
        { code: "UPGRADE_REQUIRED" },
      );
    });

  it("signs nobody on under another role than their token's, or with a key that is none", async () => {
    const registration = {
      protocol: protocolVersion,
      role: "BACKUP" as const,
      publicKey: worker.publicKey,
      capabilities: { version: "0", jobTypes: [], sourceTypes: [], tools: {}, readsStoresOf: [] },
    };
    await assert.rejects(worker.api.registerWorker({ ...registration, role: "RESTORE" }), { code: "BAD_INPUT" });
    await assert.rejects(worker.api.registerWorker({ ...registration, publicKey: "age1" }), { code: "BAD_INPUT" });
  });

  it("is closed to people, to strangers and to workers that were removed", async () => {
    const removed = await hub.enrol("BACKUP");
    await hub.running.hub.db.worker.delete({ where: { id: removed.id } });
    const tokens = [undefined, person.token, "", `xvw_${"A".repeat(43)}`, `${worker.token}x`, removed.token];
    for (const token of tokens) {
      const { data, errors } = await hello(protocolVersion, token);
      assert.equal(data?.hello, undefined);
      assert.deepEqual(
        errors?.map(({ message, extensions }) => [message, extensions?.code]),
        [["Sign in first.", "UNAUTHENTICATED"]],
      );
    }
  });

  it("gives workers nothing on the public one", async () => {
    const { text } = await sendOperation(hub.graphqlUrl, { query: "{ tenants { totalCount } }", token: worker.token });
    assert.deepEqual(JSON.parse(text).errors[0].extensions, { code: "UNAUTHENTICATED" });
  });

  it("answers at one address of one port alone", async () => {
    const query = "{ __typename }";
    for (const url of [
      `${hub.privateUrl}/graphql`,
      `${hub.privateUrl}/internal/graphql/x`,
      `${hub.privateUrl}/graphiql`,
    ])
      assert.equal((await sendOperation(url, { query, token: worker.token })).status, 404, url);
    const elsewhere = hub.graphqlUrl.replace(/\/graphql$/, "/internal/graphql");
    assert.notEqual((await sendOperation(elsewhere, { query, token: worker.token })).status, 200);
  });
});

/** The words that both surfaces use: enums of the same states, scalars, and what GraphQL itself needs. */
const shared = [
  ...["Boolean", "ByteCount", "DateTime", "Float", "ID", "Int", "JSON", "JobType", "Mutation", "Query"],
  ...["RestoreForm", "SourceType", "String", "VerifyDepth", "WorkerRole"],
];

/** Names of secrets, and of what leads to them. */
const unspeakable =
  /cipher|sealed|kek|private_?key|passw|passphrase|secret|token|hash|salt|identit|lease|epoch|recipient|signature/i;

/** Where one of these names may stand all the same: what comes in, and what is shown once. */
const spoken = [
  "AcceptInvitationInput.password",
  "AcceptInvitationInput.token",
  "ChangePasswordInput",
  "ChangePasswordInput.currentPassword",
  "ChangePasswordInput.newPassword",
  "ChangePasswordPayload",
  "ChangePasswordPayload.accessToken",
  "ChangePasswordPayload.expiresAt",
  "ChangePasswordPayload.refreshToken",
  "ChangePasswordPayload.refreshTokenExpiresAt",
  "ChangePasswordPayload.user",
  "ChangePasswordResult",
  "CreateApiKeyPayload.token",
  "CreateCredentialInput.secret",
  "CreatePasswordResetInput",
  "CreatePasswordResetInput.email",
  "CreatePasswordResetPayload",
  "CreatePasswordResetPayload.expiresAt",
  "CreatePasswordResetPayload.token",
  "CreatePasswordResetResult",
  "CredentialSecretInput",
  "CredentialSecretInput.jump",
  "CredentialSecretInput.passphrase",
  "CredentialSecretInput.password",
  "CredentialSecretInput.privateKey",
  "CredentialSecretInput.ssh",
  "EnrolWorkerPayload.token",
  "InvalidTokenError",
  "InvalidTokenError.code",
  "InvalidTokenError.message",
  "InviteMemberPayload.token",
  "Mutation.changePassword",
  "Mutation.createPasswordReset",
  "Mutation.resetPassword",
  "Mutation.setTenantRecipients",
  "RefreshSessionInput.refreshToken",
  "RefreshSessionPayload.accessToken",
  "RefreshSessionPayload.refreshToken",
  "RefreshSessionPayload.refreshTokenExpiresAt",
  "ResetPasswordInput",
  "ResetPasswordInput.newPassword",
  "ResetPasswordInput.token",
  "ResetPasswordPayload",
  "ResetPasswordPayload.email",
  "ResetPasswordResult",
  "RestoreForm.SEALED",
  "Session.accessToken",
  "Session.refreshToken",
  "Session.refreshTokenExpiresAt",
  "SetTenantRecipientsInput",
  "SetTenantRecipientsInput.recipients",
  "SetTenantRecipientsInput.tenantId",
  "SetTenantRecipientsPayload",
  "SetTenantRecipientsPayload.consequence",
  "SetTenantRecipientsPayload.keys",
  "SetTenantRecipientsPayload.platformCanRestore",
  "SetTenantRecipientsResult",
  "SignInInput.password",
  "SignInPayload.accessToken",
  "SignInPayload.refreshToken",
  "SignInPayload.refreshTokenExpiresAt",
  "SignInSecretInput",
  "SignInSecretInput.passphrase",
  "SignInSecretInput.password",
  "SignInSecretInput.privateKey",
  "SignOutInput.refreshToken",
  "Snapshot.sealedTo",
  "UpdateCredentialInput.secret",
  "WrongPasswordError",
  "WrongPasswordError.code",
  "WrongPasswordError.message",
];

describe("the public surface", () => {
  const typesOf = (schema: typeof publicSchema) =>
    Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith("__"));

  it("has no type of the private one, nor the other way round", () => {
    const theirs = new Set(typesOf(privateSchema).map(({ name }) => name));
    const both = typesOf(publicSchema).flatMap(({ name }) => (theirs.has(name) ? [name] : []));
    assert.deepEqual(both.sort(), shared);
  });

  it("has no name in it under which a secret could come out", () => {
    const names = typesOf(publicSchema).flatMap(namesIn);
    assert.deepEqual(names.filter((name) => unspeakable.test(name)).sort(), spoken);
    const hidden = [
      "ciphertext",
      "sealedPrivateKey",
      "tokenHash",
      "passwordHash",
      "kekId",
      "localStorageBase",
      "manifest",
    ];
    for (const name of names) assert.ok(!hidden.includes(name.split(".")[1] ?? ""), name);
  });
});

/** The type's name, and `Type.field` for what is in it. */
function namesIn(type: GraphQLNamedType): string[] {
  const fields = isObjectType(type) || isInterfaceType(type) || isInputObjectType(type) ? type.getFields() : {};
  const values = isEnumType(type) ? type.getValues() : [];
  return [
    type.name,
    ...Object.keys(fields).map((name) => `${type.name}.${name}`),
    ...values.map(({ name }) => `${type.name}.${name}`),
  ];
}
