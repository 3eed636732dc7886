// Opens the secrets of a claimed job and connects to its source.
import * as z from "zod";
import { faultPoint } from "#fault-point";
import type { ClaimedJob } from "../clients/hub/hub-client.ts";
import { JobRefusedError } from "./failure.ts";
import { type Kind, sourceKinds } from "./sources/kinds.ts";
import type { LogLine, Source } from "./sources/source.ts";
import { SourceError } from "./sources/source-error.ts";
import type { Workshop } from "./workshop.ts";

const signIn = z.object({
  username: z.string().optional(),
  password: z.string().optional(),
  privateKey: z.string().optional(),
  passphrase: z.string().optional(),
});
const secretsSchema = signIn.extend({ ssh: signIn.optional(), jump: signIn.optional() });

export interface Circumstances {
  /** Only a source test may trust a host key that has never been seen before. */
  readonly trustsNewHost: boolean;
  /** Takes lines for the job's log. */
  readonly log: (line: LogLine) => void;
  readonly signal: AbortSignal;
}

/** The caller closes the source. Throws `SourceError`, `JobRefusedError`, `HubError`, or the reason of the signal. */
export async function connectSource(
  { hub, identity, allowedNetworks, tempBase }: Workshop,
  { jobId, leaseEpoch, leaseSeconds, source }: ClaimedJob,
  { trustsNewHost, log, signal }: Circumstances,
): Promise<Source> {
  const kind: Kind | undefined = (sourceKinds as Partial<Record<string, Kind>>)[source?.type ?? ""];
  if (!source || !kind) throw new JobRefusedError(`no way to read a source of type ${source?.type}`);
  if (!trustsNewHost) refuseNewHosts(kind, source);
  const sealed = source.hasCredential
    ? (await hub.claimSecrets({ jobId, leaseEpoch }, { signal, retryForMs: leaseSeconds * 1000 })).sealed
    : null;
  const secrets = sealed === null ? {} : secretsSchema.parse(await identity.open(sealed));
  faultPoint("backup.secrets-opened");
  const { config, hostKey, jumpHostKey } = source;
  const pinned = { hostKey, jumpHostKey };
  return kind.connect({ config, secrets, pinned, allowedNetworks, tempBase, log, signal });
}

const jump = z.unknown().optional();
/** Settings that have another shape are refused by the type of source itself. */
const hops = z.object({ jump, ssh: z.object({ jump }).optional() }).catch({});

/** No secret is sent to a host that nobody has looked at yet. */
function refuseNewHosts({ overSsh }: Kind, { config, hostKey, jumpHostKey }: NonNullable<ClaimedJob["source"]>): void {
  const { ssh, ...itself } = hops.parse(config);
  const server = overSsh ? itself : ssh;
  if ((!server || hostKey !== null) && (server?.jump === undefined || jumpHostKey !== null)) return;
  throw new SourceError(
    "HOST_KEY_CHANGED",
    "The host key of this source is not known yet, so nothing was sent to it: run a source test first.",
  );
}
