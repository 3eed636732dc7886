// Who holds a tenant's keys: changed by its owner alone, and said plainly where the platform can restore less for it.
import type { TenantKey } from "../prisma/client/client.ts";
import { type Actor, authorize } from "./actor.ts";
import { audit } from "./audit.ts";
import { InvalidInputError, LastKeyError, NotFoundError } from "./errors.ts";
import { type Hub, now, type Transaction, transact } from "./hub.ts";
import { newId } from "./ids.ts";
import { activeKeys, countOpenedBy, createTenantKey, findTenantKey, fingerprint } from "./keys.ts";
import { parseRecipients } from "./recipients.ts";
import { refuseSuspended } from "./tenants.ts";

/** Makes a new key that the platform holds; artifacts are sealed to it alone from now on. Earlier keys still open what they opened. */
export async function rotateTenantKey(hub: Hub, actor: Actor, { tenantId }: { tenantId: string }): Promise<TenantKey> {
  authorize(actor, tenantId, "rotateTenantKey");
  return transact(hub, async (tx) => {
    await lockTenant(tx, tenantId);
    const retired = await retireKeys(tx, tenantId, []);
    const key = await createTenantKey(hub, tx, tenantId);
    await audit(tx, actor, {
      tenantId,
      verb: "rotateTenantKey",
      objectId: key.id,
      before: { active: retired },
      after: { fingerprint: key.fingerprint },
    });
    return key;
  });
}

/**
 * Hands the keys over to the customer: artifacts are sealed to these age recipients alone from now on, and the platform opens none of
 * them. Earlier keys of the platform still open what was sealed to them. Throws `InvalidInputError`, which repeats nothing that was
 * given: it may have been a private key.
 */
export async function setTenantRecipients(
  hub: Hub,
  actor: Actor,
  { tenantId, recipients }: { tenantId: string; recipients: readonly string[] },
): Promise<TenantKey[]> {
  authorize(actor, tenantId, "setTenantRecipients");
  const given = await parseRecipients(recipients);
  return transact(hub, async (tx) => {
    await lockTenant(tx, tenantId);
    const known = await tx.tenantKey.findMany({
      where: { tenantId, fingerprint: { in: given.map(({ publicKey }) => fingerprint(publicKey)) } },
    });
    const ours = given.findIndex(({ publicKey }) =>
      known.some((key) => key.custody === "PLATFORM" && key.publicKey === publicKey),
    );
    if (ours >= 0)
      throw new InvalidInputError([
        {
          path: `recipients.${ours}`,
          message: "The private half of this one is held by the platform: give one of your own.",
        },
      ]);
    const again = known.map(({ id }) => id);
    const retired = await retireKeys(tx, tenantId, again);
    await tx.tenantKey.updateMany({
      where: { tenantId, id: { in: again } },
      data: { status: "ACTIVE", rotatedAt: null },
    });
    for (const { publicKey, algorithm } of given.filter(
      (each) => !known.some((key) => key.publicKey === each.publicKey),
    ))
      await tx.tenantKey.create({
        data: {
          id: newId("tenantKey", await now(tx)),
          tenantId,
          algorithm,
          publicKey,
          fingerprint: fingerprint(publicKey),
          custody: "CUSTOMER",
        },
      });
    const active = await activeKeys(tx, tenantId);
    await audit(tx, actor, {
      tenantId,
      verb: "setTenantRecipients",
      objectId: tenantId,
      before: { active: retired },
      after: { active: active.map((key) => key.fingerprint) },
    });
    // In the order in which they were given.
    return given.flatMap(({ publicKey }) => active.filter((key) => key.publicKey === publicKey));
  });
}

/**
 * Closes a key for good: nothing is sealed to it any more, and the platform restores nothing with it. Disabling it again changes
 * nothing. Throws `LastKeyError` for the only one that new artifacts are sealed to.
 */
export async function disableTenantKey(
  hub: Hub,
  actor: Actor,
  { keyId }: { keyId: string },
): Promise<{ key: TenantKey; snapshotsLost: number }> {
  const found = await findTenantKey(hub, actor, keyId);
  if (!found) throw new NotFoundError();
  const { tenantId } = found;
  authorize(actor, tenantId, "disableTenantKey");
  return transact(hub, async (tx) => {
    await lockTenant(tx, tenantId);
    const key = await tx.tenantKey.findUniqueOrThrow({ where: { id: keyId } });
    const snapshotsLost = (await countOpenedBy(tx, [key])).get(key.id) ?? 0;
    if (key.status === "DISABLED") return { key, snapshotsLost };
    if (key.status === "ACTIVE" && (await activeKeys(tx, tenantId)).length === 1) throw new LastKeyError();
    const disabled = await tx.tenantKey.update({ where: { id: keyId }, data: { status: "DISABLED" } });
    await audit(tx, actor, {
      tenantId,
      verb: "disableTenantKey",
      objectId: keyId,
      before: { status: key.status },
      after: { status: "DISABLED", snapshotsLost },
    });
    return { key: disabled, snapshotsLost };
  });
}

/** One change of a tenant's keys at a time. */
async function lockTenant(tx: Transaction, tenantId: string): Promise<void> {
  await tx.$queryRaw`SELECT id FROM tenants WHERE id = ${tenantId} FOR NO KEY UPDATE`;
  await refuseSuspended(tx, tenantId);
}

/** Seals nothing more to the active keys but to these; answers the fingerprints that were active. */
async function retireKeys(tx: Transaction, tenantId: string, but: readonly string[]): Promise<string[]> {
  const active = await activeKeys(tx, tenantId);
  await tx.tenantKey.updateMany({
    where: { tenantId, status: "ACTIVE", id: { notIn: [...but] } },
    data: { status: "ROTATED", rotatedAt: await now(tx) },
  });
  return active.map((key) => key.fingerprint);
}
