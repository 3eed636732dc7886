// Secrets that open sources: written and replaced, never read.
import { isAuthorized } from "../../domain/actor.ts";
import {
  type CredentialSecret,
  createCredential,
  deleteCredential,
  type SignIn,
  updateCredential,
} from "../../domain/credentials.ts";
import { CredentialInUseError, InvalidInputError, NotFoundError, TenantSuspendedError } from "../../domain/errors.ts";
import { CredentialKind as kinds } from "../../prisma/client/client.ts";
import { builder } from "./builder.ts";
import { byAge, byName, containing, listing, ordersOf } from "./listing.ts";
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
    updatedAt: t.expose("updatedAt", { type: "DateTime", description: "When it was last changed or replaced." }),
    viewerCanUpdate: t.boolean({
      description: "Whether you may replace it.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "updateCredential"),
    }),
    viewerCanDelete: t.boolean({
      description: "Whether you may forget it, once no source uses it.",
      resolve: ({ tenantId }, _, { actor }) => isAuthorized(actor(), tenantId, "deleteCredential"),
    }),
  }),
});

const CredentialConnection = builder.connectionObject(
  { type: Credential, name: "CredentialConnection", description: "A page of credentials: 20 by default, 100 at most." },
  { name: "CredentialEdge", description: "A credential on its page." },
);

const CredentialFilterInput = builder.inputType("CredentialFilterInput", {
  description: "Which credentials: those that everything said here is true of.",
  fields: (t) => ({
    kinds: t.field({ type: [CredentialKind], description: "Opening one of these." }),
    nameContains: t.string({ description: "With this in its name, in capital letters or small ones." }),
  }),
});

export const credentialList = listing({
  model: "Credential",
  connection: CredentialConnection,
  filter: CredentialFilterInput,
  orders: ordersOf("Credential", { ...byAge, ...byName }),
  where: ({ kinds, nameContains }) => ({
    ...(kinds && { kind: { in: kinds } }),
    ...(nameContains && { name: containing(nameContains) }),
  }),
});

const SignInSecretInput = builder.inputType("SignInSecretInput", {
  description: "What signs in to one server: a password, or private keys with their passphrase where they have one.",
  fields: (t) => ({
    password: t.string({ description: "The password." }),
    privateKey: t.string({ description: "A private key in PEM or OpenSSH form; several may follow one another." }),
    passphrase: t.string({ description: "The passphrase of the private keys." }),
  }),
});

const CredentialSecretInput = builder.inputType("CredentialSecretInput", {
  description: "What signs in to the source itself, and to the servers that it is reached through.",
  fields: (t) => ({
    password: t.string({ description: "The password." }),
    privateKey: t.string({ description: "A private key in PEM or OpenSSH form; several may follow one another." }),
    passphrase: t.string({ description: "The passphrase of the private keys." }),
    ssh: t.field({ type: SignInSecretInput, description: "For the SSH server that a database is reached through." }),
    jump: t.field({ type: SignInSecretInput, description: "For the jump host in front of an SSH server." }),
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
    description: "Changes to a credential; what is left out stays.",
    inputFields: (t) => ({
      credentialId: t.id({ required: true, description: "Which." }),
      name: t.string({ description: "What it is called from now on." }),
      secret: t.field({ type: CredentialSecretInput, description: "What it consists of from now on, as a whole." }),
    }),
  },
  {
    description: "Changes a credential. A secret is replaced as a whole.",
    errors: { types: [NotFoundError, InvalidInputError] },
    resolve: async (_, { input }, { hub, actor }) => ({
      credential: await updateCredential(hub, actor(), { ...input, secret: input.secret && given(input.secret) }),
    }),
  },
  {
    description: "The credential that was changed.",
    outputFields: (t) => ({
      credential: t.expose("credential", { type: Credential, description: "It, without its secret." }),
    }),
  },
);

builder.relayMutationField(
  "deleteCredential",
  {
    description: "A credential that is not needed any more.",
    inputFields: (t) => ({ credentialId: t.id({ required: true, description: "Which." }) }),
  },
  {
    description: "Forgets a secret for good. One that a source uses stays.",
    errors: { types: [NotFoundError, CredentialInUseError] },
    resolve: async (_, { input }, { hub, actor }) => ({ credentialId: await deleteCredential(hub, actor(), input) }),
  },
  {
    description: "What was forgotten.",
    outputFields: (t) => ({ credentialId: t.exposeID("credentialId", { description: "Its id." }) }),
  },
);

type SignInInput = { readonly [Part in keyof SignIn]?: string | null | undefined };
type SecretInput = SignInInput & { readonly [Server in "ssh" | "jump"]?: SignInInput | null | undefined };

/** Leaves out what was sent as null. */
function given({ ssh, jump, ...signIn }: SecretInput): CredentialSecret {
  return { ...present(signIn), ...(ssh && { ssh: present(ssh) }), ...(jump && { jump: present(jump) }) };
}

function present(signIn: SignInInput): SignIn {
  return Object.fromEntries(Object.entries(signIn).filter(([, value]) => value != null));
}
