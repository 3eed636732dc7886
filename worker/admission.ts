// Makes this worker known to the hub, and keeps it known until it is told to drain.
import type { Logger } from "pino";
import { type HubClient, protocolVersion } from "../clients/hub/hub-client.ts";
import { HubError } from "../clients/hub/hub-error.ts";
import type { ProcessIdentity } from "../clients/hub/identity.ts";
import type { KeepAlive } from "../clients/hub/keep-alive/keep-alive.ts";
import packageJson from "../package.json" with { type: "json" };
import { nativeCryptoAvailable } from "./native-crypto-check.ts";
import { servedJobTypes } from "./perform.ts";
import type { Room } from "./room.ts";
import { servedSourceTypes } from "./sources/kinds.ts";
import { findTools } from "./tools.ts";

/** The half minute of a process that goes down is for its jobs. */
const goodbyeMs = 2_000;

export interface AdmissionTerms {
  readonly hub: HubClient;
  readonly keepAlive: KeepAlive;
  readonly identity: ProcessIdentity;
  readonly workerId: string;
  readonly storageBase: string;
  readonly tempBase: string;
  readonly concurrency: number;
  readonly log: Logger;
  /** Ends the waiting for a hub that is away. */
  readonly signal: AbortSignal;
}

export interface Admission {
  readonly heartbeatSeconds: number;
  /** Snapshots that ought to be in the store. */
  readonly storedSnapshots: number;
  /** For the next beat. */
  tellRoom(room: Room): void;
  /** From now on the hub gives this worker nothing more. */
  drain(): Promise<void>;
}

/** Waits for the hub as long as it takes. Throws `HubError` where the hub refuses the token or the protocol. */
export async function admit(terms: AdmissionTerms): Promise<Admission> {
  const { hub, keepAlive, identity, workerId, storageBase, tempBase, concurrency, log, signal } = terms;
  const patience = { signal, retryForMs: Number.POSITIVE_INFINITY };
  await hub.hello({ signal }).catch((error: unknown) => {
    if (!(error instanceof HubError && error.retryable)) throw error;
    log.warn({ err: error }, "waiting for the hub");
    return hub.hello(patience);
  });
  const nativeCrypto = nativeCryptoAvailable();
  if (!nativeCrypto) log.warn("ssh2 runs without its native crypto: transfers are three to five times slower");
  const admitted = await hub.registerWorker(
    {
      protocol: protocolVersion,
      role: "BACKUP",
      publicKey: identity.publicKey,
      storageBase,
      capabilities: {
        version: packageJson.version,
        jobTypes: [...servedJobTypes],
        sourceTypes: [...servedSourceTypes],
        tools: await findTools({ tempBase, nativeCrypto, signal }),
        readsStoresOf: [workerId],
        concurrency,
      },
    },
    patience,
  );
  if (admitted.workerId !== workerId)
    throw new Error(`WORKER_TOKEN belongs to ${admitted.workerId}, and WORKER_ID says ${workerId}.`);
  log.info({ workerId }, "admitted by the hub");
  const { heartbeatSeconds, storedSnapshots } = admitted;
  keepAlive.beat(heartbeatSeconds, { freeBytes: null });
  return {
    heartbeatSeconds,
    storedSnapshots,
    tellRoom: (room) => keepAlive.beat(heartbeatSeconds, room),
    drain: () =>
      keepAlive
        .drain(AbortSignal.timeout(goodbyeMs))
        .catch((error) => log.warn({ err: error }, "could not say goodbye")),
  };
}
