// The question at the end of every fault test: does everything that is promised still hold? Asked of `xvault fsck`.
import assert from "node:assert/strict";
import type { Vault } from "../../../domain/vault.ts";
import type { Database } from "../../../prisma/connect.ts";
import { type FsckOptions, fsck } from "../../../server/operator/fsck.ts";

/** As `identitiesOf`, by a hub that is in this process. */
export function keysOf(hub: { readonly db: Database; readonly vault: Vault }): NonNullable<FsckOptions["identityOf"]> {
  return async (tenantId, fingerprint) => {
    const key = await hub.db.tenantKey.findUnique({ where: { tenantId_fingerprint: { tenantId, fingerprint } } });
    if (!key?.sealedPrivateKey) return null;
    return hub.vault.open({ tenantId, rowId: key.id, kind: "tenant-key" }, key.sealedPrivateKey);
  };
}

/** Fails with what does not hold, and with `when`. Nothing may be under way: what is unfinished has no time left. */
export async function assertClean(options: FsckOptions, when = "at the end"): Promise<void> {
  assert.deepEqual(await fsck({ graceSeconds: 0, ...options }), [], when);
}
