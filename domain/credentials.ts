// Secrets that open sources: written and replaced by customers, opened only for the worker that holds a lease.
import * as z from "zod";
import type { Credential, Prisma } from "../prisma/client/client.ts";
import { type Actor, authorize, visibleRow } from "./actor.ts";
import { audit } from "./audit.ts";
import { CredentialInUseError, NotFoundError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { nameInput, parseInput } from "./input.ts";
import type { Verb } from "./rules/permissions.ts";
import { refuseSuspended } from "./tenants.ts";

const signIn = {
  password: z
    .string()
    .min(1, "A password is not empty.")
    .max(4096, "A password has at most 4096 characters.")
    .optional(),
  privateKey: z
    .string()
    .max(65_536, "A private key has at most 65536 characters.")
    .regex(/^-----BEGIN [A-Z ]*PRIVATE KEY-----/, "A private key begins with -----BEGIN … PRIVATE KEY-----.")
    .optional(),
  passphrase: z.string().min(1).max(4096).optional(),
};

const opensSomething = (secret: SignIn) => secret.password !== undefined || secret.privateKey !== undefined;
const hasKeyToItsPassphrase = (secret: SignIn) => secret.passphrase === undefined || secret.privateKey !== undefined;
const passphraseFault = "A passphrase belongs to a private key.";
const nested = z
  .object(signIn)
  .refine(opensSomething, "Give a password or a private key.")
  .refine(hasKeyToItsPassphrase, passphraseFault)
  .optional();

const secretInput = z
  .object({ ...signIn, ssh: nested, jump: nested })
  // A database may trust whoever comes from its own server.
  .refine((secret) => opensSomething(secret) || secret.ssh !== undefined, "Give a password or a private key.")
  .refine(hasKeyToItsPassphrase, passphraseFault);

const createCredentialInput = z.object({ name: nameInput, secret: secretInput });

/** What signs in to one server. */
export interface SignIn {
  readonly password?: string | undefined;
  /** One private key, or several behind one another. */
  readonly privateKey?: string | undefined;
  readonly passphrase?: string | undefined;
}

/** What opens a source. */
export interface CredentialSecret extends SignIn {
  /** For the SSH server that a database is reached through. */
  readonly ssh?: SignIn | undefined;
  /** For the jump host in front of an SSH server. */
  readonly jump?: SignIn | undefined;
}

export async function createCredential(
  hub: Hub,
  actor: Actor,
  { tenantId, ...input }: { tenantId: string; name: string; secret: CredentialSecret },
): Promise<Credential> {
  authorize(actor, tenantId, "createCredential");
  const { name, secret } = parseInput(createCredentialInput, input);
  return transact(hub, async (tx) => {
    await refuseSuspended(tx, tenantId);
    const id = newId("credential", await now(tx));
    const credential = await tx.credential.create({
      data: { id, tenantId, name, ...sealSecret(hub, tenantId, id, secret) },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "createCredential",
      objectId: id,
      after: { name, fields: credential.fields },
    });
    return credential;
  });
}

const updateCredentialInput = z.object({ name: nameInput.optional(), secret: secretInput.optional() });

/** Changes what is given. A secret is replaced as a whole: the old one cannot be read or merged. */
export async function updateCredential(
  hub: Hub,
  actor: Actor,
  {
    credentialId,
    ...input
  }: { credentialId: string; name?: string | null | undefined; secret?: CredentialSecret | null | undefined },
): Promise<Credential> {
  const { tenantId } = await requireCredential(hub, actor, credentialId, "updateCredential");
  const { name, secret } = parseInput(updateCredentialInput, {
    name: input.name ?? undefined,
    secret: input.secret ?? undefined,
  });
  return transact(hub, async (tx) => {
    const before = await lockCredential(tx, credentialId);
    const credential = await tx.credential.update({
      where: { id: credentialId },
      data: {
        ...(name !== undefined && { name }),
        ...(secret !== undefined && sealSecret(hub, tenantId, credentialId, secret)),
      },
    });
    await audit(tx, actor, {
      tenantId,
      verb: "updateCredential",
      objectId: credentialId,
      before: { name: before.name, fields: before.fields },
      after: { name: credential.name, fields: credential.fields, secretReplaced: secret !== undefined },
    });
    return credential;
  });
}

/** Forgets a secret for good. One that a source uses stays. */
export async function deleteCredential(
  hub: Hub,
  actor: Actor,
  { credentialId }: { credentialId: string },
): Promise<string> {
  const { tenantId } = await requireCredential(hub, actor, credentialId, "deleteCredential");
  return transact(hub, async (tx) => {
    const { id, name, fields } = await lockCredential(tx, credentialId);
    if ((await tx.source.count({ where: { tenantId, credentialId: id } })) > 0) throw new CredentialInUseError();
    await tx.credential.deleteMany({ where: { id } });
    await audit(tx, actor, { tenantId, verb: "deleteCredential", objectId: id, before: { name, fields } });
    return id;
  });
}

async function requireCredential(hub: Hub, actor: Actor, id: string, verb: Verb): Promise<Credential> {
  const credential = await findCredential(hub, actor, id);
  if (!credential) throw new NotFoundError();
  authorize(actor, credential.tenantId, verb);
  return credential;
}

/** Until the transaction ends no source begins to use it. Throws `NotFoundError` where it was deleted meanwhile. */
async function lockCredential(tx: Transaction, id: string): Promise<Credential> {
  await tx.$queryRaw`SELECT id FROM credentials WHERE id = ${id} FOR UPDATE`;
  const credential = await tx.credential.findUnique({ where: { id } });
  if (!credential) throw new NotFoundError();
  return credential;
}

export function findCredential(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.CredentialDefaultArgs = {},
): Promise<Credential | null> {
  return hub.db.credential.findFirst({ ...query, where: visibleRow(actor, id) });
}

/** The secret in clear, for sealing it to a worker. Never answered to a customer. */
export async function openCredential(
  hub: Hub,
  tx: Transaction,
  tenantId: string,
  id: string,
): Promise<CredentialSecret> {
  const row = await tx.credential.findUnique({ where: { tenantId_id: { tenantId, id } } });
  if (!row) throw new NotFoundError();
  return secretInput.parse(JSON.parse(hub.vault.open({ tenantId, rowId: id, kind: "credential" }, row.ciphertext)));
}

function sealSecret(hub: Hub, tenantId: string, rowId: string, secret: CredentialSecret) {
  return {
    fields: fieldsOf(secret),
    ciphertext: hub.vault.seal({ tenantId, rowId, kind: "credential" }, JSON.stringify(secret)),
    kekId: hub.vault.kekId,
  };
}

/** `password`, `jump.privateKey`: what a secret consists of, by the names of its parts. */
function fieldsOf(secret: object, prefix = ""): string[] {
  return Object.entries(secret)
    .filter(([, value]) => value !== undefined)
    .flatMap(([name, value]) =>
      typeof value === "object" ? fieldsOf(value, `${prefix}${name}.`) : [`${prefix}${name}`],
    )
    .sort();
}
