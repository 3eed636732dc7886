// Opens the secrets of a claimed job and connects to its source.
import * as z from "zod";
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { JobRefusedError } from "./failure.ts";
import { connectSftp } from "./sources/sftp.ts";
import type { ConnectSource, Source } from "./sources/source.ts";
import { SourceError } from "./sources/source-error.ts";
import type { Workshop } from "./workshop.ts";

const secretsSchema = z.object({
  username: z.string().optional(),
  password: z.string().optional(),
  privateKey: z.string().optional(),
  passphrase: z.string().optional(),
});

interface Kind {
  readonly connect: ConnectSource;
  /** Whether its hosts prove who they are with a key that is to be pinned. */
  readonly hasHostKey: boolean;
}

/** Every type of source that is served here. */
const kinds = { SFTP: { connect: connectSftp, hasHostKey: true } } as const satisfies Record<string, Kind>;

export const servedSourceTypes = Object.keys(kinds) as (keyof typeof kinds)[];

export interface Circumstances {
  /** Only a source test may trust a host key that has never been seen before. */
  readonly trustsNewHost: boolean;
  readonly signal: AbortSignal;
}

/** The caller closes the source. Throws `SourceError`, `JobRefusedError`, `HubError`, or the reason of the signal. */
export async function connectSource(
  { hub, identity, allowedNetworks, tempBase }: Workshop,
  { jobId, leaseEpoch, leaseSeconds, source }: ClaimedJob,
  { trustsNewHost, signal }: Circumstances,
): Promise<Source> {
  const kind: Kind | undefined = (kinds as Partial<Record<string, Kind>>)[source?.type ?? ""];
  if (!source || !kind) throw new JobRefusedError(`no way to read a source of type ${source?.type}`);
  if (kind.hasHostKey && source.hostKey === null && !trustsNewHost)
    throw new SourceError(
      "HOST_KEY_CHANGED",
      "The host key of this source is not known yet, so nothing was sent to it: run a source test first.",
    );
  const sealed = source.hasCredential
    ? (await hub.claimSecrets({ jobId, leaseEpoch }, { signal, retryForMs: leaseSeconds * 1000 })).sealed
    : null;
  const secrets = sealed === null ? {} : secretsSchema.parse(await identity.open(sealed));
  const pinned = { hostKey: source.hostKey, jumpHostKey: null };
  return kind.connect({
    config: source.config,
    secrets,
    pinned,
    allowedNetworks,
    tempBase,
    log: () => undefined,
    signal,
  });
}
