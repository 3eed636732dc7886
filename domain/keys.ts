// The age keys that a tenant's artifacts are sealed to.
import { createHash } from "node:crypto";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { CustomerKeyRequiredError, InvalidInputError } from "./errors.ts";
import { type Hub, now, type Transaction } from "./hub.ts";
import { newId } from "./ids.ts";

/** Makes the tenant's first key, or the next one, in platform custody. */
export async function createTenantKey(hub: Hub, tx: Transaction, tenantId: string): Promise<void> {
  const identity = await generateX25519Identity();
  const publicKey = await identityToRecipient(identity);
  const id = newId("tenantKey", await now(tx));
  await tx.tenantKey.create({
    data: {
      id,
      tenantId,
      publicKey,
      fingerprint: fingerprint(publicKey),
      sealedPrivateKey: hub.vault.seal({ tenantId, rowId: id, kind: "tenant-key" }, identity),
      kekId: hub.vault.kekId,
    },
  });
}

/** The recipients that a new artifact of this tenant is sealed to. */
export async function activeRecipients(tx: Transaction, tenantId: string): Promise<string[]> {
  const keys = await tx.tenantKey.findMany({ where: { tenantId, status: "ACTIVE" }, orderBy: { id: "asc" } });
  return keys.map((key) => key.publicKey);
}

/**
 * The fingerprint of the tenant's key among those that an artifact is sealed to, before others one that the platform holds.
 * Throws `InvalidInputError` where it is sealed to none: the tenant could never open it.
 */
export async function findSealingKey(
  tx: Transaction,
  tenantId: string,
  recipients: readonly { fingerprint: string }[],
): Promise<string> {
  const key = await tx.tenantKey.findFirst({
    where: { tenantId, fingerprint: { in: recipients.map((recipient) => recipient.fingerprint) } },
    orderBy: [{ custody: "asc" }, { id: "desc" }],
  });
  if (!key)
    throw new InvalidInputError([{ path: "manifest.recipients", message: "None of them is a key of this tenant." }]);
  return key.fingerprint;
}

/** The private key behind a fingerprint. Throws `CustomerKeyRequiredError` where the platform does not hold it. */
export async function openTenantKey(
  hub: Hub,
  tx: Transaction,
  tenantId: string,
  keyFingerprint: string,
): Promise<string> {
  const key = await tx.tenantKey.findUnique({
    where: { tenantId_fingerprint: { tenantId, fingerprint: keyFingerprint } },
  });
  if (!key?.sealedPrivateKey || key.status === "DISABLED") throw new CustomerKeyRequiredError();
  return hub.vault.open({ tenantId, rowId: key.id, kind: "tenant-key" }, key.sealedPrivateKey);
}

/** Throws `CustomerKeyRequiredError` where the platform cannot open what is sealed to this key. */
export async function refuseCustomerKey(tx: Transaction, tenantId: string, keyFingerprint: string): Promise<void> {
  const held = await tx.tenantKey.count({
    where: { tenantId, fingerprint: keyFingerprint, custody: "PLATFORM", status: { not: "DISABLED" } },
  });
  if (held === 0) throw new CustomerKeyRequiredError();
}

/** How manifests name a recipient. */
export function fingerprint(recipient: string): string {
  return `sha256:${createHash("sha256").update(recipient).digest("hex")}`;
}
