// The age keys that a tenant's artifacts are sealed to, and which of them still open something.
import { createHash } from "node:crypto";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import type { Prisma, TenantKey } from "../prisma/client/client.ts";
import { type Actor, visibleRow } from "./actor.ts";
import { CustomerKeyRequiredError, InvalidInputError, KeyUnavailableError } from "./errors.ts";
import { type Hub, now, type Transaction } from "./hub.ts";
import { newId } from "./ids.ts";

/** Makes the tenant's first key, or the next one, in platform custody. */
export async function createTenantKey(hub: Hub, tx: Transaction, tenantId: string): Promise<TenantKey> {
  const identity = await generateX25519Identity();
  const publicKey = await identityToRecipient(identity);
  const id = newId("tenantKey", await now(tx));
  return tx.tenantKey.create({
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

export function findTenantKey(
  hub: Hub,
  actor: Actor,
  id: string,
  query: Prisma.TenantKeyDefaultArgs = {},
): Promise<TenantKey | null> {
  return hub.db.tenantKey.findFirst({ ...query, where: visibleRow(actor, id) });
}

type KeyFacts = Pick<TenantKey, "id" | "tenantId" | "fingerprint" | "custody">;

/** How many snapshots the platform opens with each of these keys and with no other. A customer's key is none that it opens with. */
export async function countOpenedBy(db: Transaction, keys: readonly KeyFacts[]): Promise<Map<string, number>> {
  const held = keys.filter(({ custody }) => custody === "PLATFORM");
  if (held.length === 0) return new Map();
  const counts = await db.snapshot.groupBy({
    by: ["keyFingerprint"],
    where: {
      tenantId: { in: held.map(({ tenantId }) => tenantId) },
      keyFingerprint: { in: held.map((key) => key.fingerprint) },
      status: { in: ["COMPLETED", "MISSING"] },
    },
    _count: true,
  });
  const byFingerprint = new Map(counts.map(({ keyFingerprint, _count }) => [keyFingerprint, _count]));
  return new Map(held.map((key) => [key.id, byFingerprint.get(key.fingerprint) ?? 0]));
}

/** Fingerprints of the keys of these tenants that the platform can open snapshots with. */
export async function findHeldFingerprints(hub: Hub, tenantIds: readonly string[]): Promise<Set<string>> {
  const keys = await hub.db.tenantKey.findMany({
    where: { tenantId: { in: [...tenantIds] }, custody: "PLATFORM", status: { not: "DISABLED" } },
    select: { fingerprint: true },
  });
  return new Set(keys.map((key) => key.fingerprint));
}

/** What new artifacts are sealed to. */
export function activeKeys(tx: Transaction, tenantId: string): Promise<TenantKey[]> {
  return tx.tenantKey.findMany({ where: { tenantId, status: "ACTIVE" }, orderBy: { id: "asc" } });
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

/** The private key behind a fingerprint. Throws as `refuseUnopenable` does. */
export async function openTenantKey(
  hub: Hub,
  tx: Transaction,
  tenantId: string,
  keyFingerprint: string,
): Promise<string> {
  const key = await tx.tenantKey.findUnique({
    where: { tenantId_fingerprint: { tenantId, fingerprint: keyFingerprint } },
  });
  if (!key?.sealedPrivateKey) throw new CustomerKeyRequiredError();
  if (key.status === "DISABLED") throw new KeyUnavailableError(key.id);
  const identity = openSealed(hub, key, key.sealedPrivateKey);
  // Another key would open nothing, and be told as damage of the snapshot.
  if (identity === null || (await identityToRecipient(identity).catch(() => "")) !== key.publicKey)
    throw new KeyUnavailableError(key.id, "unreadable");
  return identity;
}

function openSealed(hub: Hub, { id, tenantId }: KeyFacts, sealed: Uint8Array): string | null {
  try {
    return hub.vault.open({ tenantId, rowId: id, kind: "tenant-key" }, sealed);
  } catch {
    return null;
  }
}

/** Throws `CustomerKeyRequiredError` where the customer alone holds this key, and `KeyUnavailableError` where it was disabled. */
export async function refuseUnopenable(tx: Transaction, tenantId: string, keyFingerprint: string): Promise<void> {
  const key = await tx.tenantKey.findFirst({ where: { tenantId, fingerprint: keyFingerprint } });
  if (key?.custody !== "PLATFORM") throw new CustomerKeyRequiredError();
  if (key.status === "DISABLED") throw new KeyUnavailableError(key.id);
}

/** How manifests name a recipient. */
export function fingerprint(recipient: string): string {
  return `sha256:${createHash("sha256").update(recipient).digest("hex")}`;
}
