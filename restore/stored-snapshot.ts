// Where the stored snapshot of a job lies, and the keys that the hub hands out for that one job.
import { createHash } from "node:crypto";
import { identityToRecipient } from "age-encryption";
import * as z from "zod";
import { ArtifactError, type ArtifactPlace, localStorage, snapshotDirectory } from "#artifact/node";
import type { ClaimedJob, HubClient } from "../clients/hub/hub-client.ts";
import type { ProcessIdentity } from "../clients/hub/identity.ts";
import { PreparationError } from "./failure.ts";
import type { Stores } from "./stores.ts";

const secretsSchema = z.object({ identities: z.array(z.string()).min(1) });

/** For how long a stumbling hub is asked again; the lease ends it sooner where that is lost. */
export const retryForMs = 120_000;

type StoredSnapshot = NonNullable<ClaimedJob["snapshot"]>;

/** Throws `PreparationError` where the storage is not one of ours. */
export function placeOf(
  stores: Stores,
  { tenantId, snapshot }: { readonly tenantId: string; readonly snapshot: StoredSnapshot },
): ArtifactPlace {
  const base = snapshot.storageWorkerId ? stores.baseOf(snapshot.storageWorkerId) : undefined;
  if (base === undefined)
    throw new PreparationError("STORAGE_UNAVAILABLE", "The storage that holds this snapshot is not attached here.");
  const { sourceId, snapshotId, manifestSha256 } = snapshot;
  return {
    storage: localStorage(base),
    directory: snapshotDirectory({ tenantId, sourceId, snapshotId }),
    manifestSha256,
  };
}

/** The keys of the snapshot, for as long as the job takes. */
export async function claimKeys(
  { hub, identity }: { readonly hub: HubClient; readonly identity: ProcessIdentity },
  { jobId, leaseEpoch }: { readonly jobId: string; readonly leaseEpoch: number },
  signal: AbortSignal,
): Promise<string[]> {
  const { sealed } = await hub.claimSecrets({ jobId, leaseEpoch }, { signal, retryForMs });
  return secretsSchema.parse(await identity.open(sealed)).identities;
}

/** The refusal that names the keys where they were the reason; else what was thrown. */
export async function namingKeys(cause: unknown, identities: readonly string[]): Promise<unknown> {
  if (!(cause instanceof ArtifactError && cause.code === "KEY_UNAVAILABLE")) return cause;
  const keys = await Promise.all(identities.map(fingerprint));
  const message = `This snapshot does not open with the key that is kept for it (${keys.join(", ")}).`;
  return new PreparationError("KEY_UNAVAILABLE", message, { cause });
}

/** As manifests name a recipient. */
async function fingerprint(identity: string): Promise<string> {
  const recipient = await identityToRecipient(identity).catch(() => "");
  return recipient ? `sha256:${createHash("sha256").update(recipient).digest("hex")}` : "not a key";
}
