// Secrets that open sources: written and replaced, never read.

import { createCredential, updateCredential } from "../../domain/credentials.ts";
import { InvalidInputError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import { CredentialKind as kinds } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { Node } from "./node.ts";

const CredentialKind = builder.enumType("CredentialKind", {
  description: "What a credential opens.",
  values: {
    SOURCE: { value: kinds.SOURCE, description: "A source." },
    STORAGE: { value: kinds.STORAGE, description: "A storage." },
  },
});

export const Credential = builder.prismaObject("Credential", {
  description: "A secret that opens a source. It can be replaced and used, and nobody can read it back.",
  interfaces: [Node],
  fields: (t) => ({
    id: t.exposeID("id", { description: "`crd_…`" }),
    name: t.exposeString("name", { description: "What it is called." }),
    kind: t.expose("kind", { type: CredentialKind, description: "What it opens." }),
    fields: t.exposeStringList("fields", { description: "What it consists of, such as `password`; never the values." }),
    createdAt: t.expose("createdAt", { type: "DateTime", description: "When it was made." }),
    updatedAt: t.expose("updatedAt", { type: "DateTime", description: "When it was last replaced." }),
  }),
});

export const CredentialConnection = builder.connectionObject(
  { type: Credential, name: "CredentialConnection", description: "A page of credentials: 20 by default, 100 at most." },
  { name: "CredentialEdge", description: "A credential on its page." },
);

const CredentialSecretInput = builder.inputType("CredentialSecretInput", {
  description: "A password, or a private key with its passphrase where it has one.",
  fields: (t) => ({
    password: t.string({ description: "The password." }),
    privateKey: t.string({ description: "A private key in PEM or OpenSSH form." }),
    passphrase: t.string({ description: "The passphrase of the private key." }),
  }),
});

builder.relayMutationField(
  "createCredential",
  {
    description: "A new credential.",
    inputFields: (t) => ({
      tenantId: t.id({ required: true, description: "Whose it is." }),
      name: t.string({ required: true, description: "What it is called." }),
      secret: t.field({ type: CredentialSecretInput, required: true, description: "What it consists of." }),
    }),
  },
  {
    description: "Keeps a secret, encrypted. It never comes back out of the API.",
    errors: { types: [NotFoundError, InvalidInputError, TenantSuspendedError] },
    resolve: async (_, { input }, { hub, actor }) => ({
      credential: await createCredential(hub, actor(), { ...input, secret: given(input.secret) }),
    }),
  },
  {
    description: "The credential that was made.",
    outputFields: (t) => ({
      credential: t.expose("credential", { type: Credential, description: "It, without its secret." }),
    }),
  },
);

builder.relayMutationField(
  "updateCredential",
  {
    description: "Another secret for a credential.",
    inputFields: (t) => ({
      credentialId: t.id({ required: true, description: "Which." }),
      secret: t.field({ type: CredentialSecretInput, required: true, description: "What it consists of from now on." }),
    }),
  },
  {
    description: "Replaces the secret as a whole.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({
      credential: await updateCredential(hub, actor(), { ...input, secret: given(input.secret) }),
    }),
  },
  {
    description: "The credential that was changed.",
    outputFields: (t) => ({
      credential: t.expose("credential", { type: Credential, description: "It, without its secret." }),
    }),
  },
);

/** Leaves out what was sent as null. */
function given(secret: Record<string, string | null | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(secret).flatMap(([key, value]) => (value == null ? [] : [[key, value]])));
}
