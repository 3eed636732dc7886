// What every job of this worker is done with.
import type { Storage } from "#artifact/node";
import type { HubClient } from "../clients/hub/hub-client.ts";
import type { ProcessIdentity } from "../clients/hub/identity.ts";
import type { ProgressChannel } from "../clients/hub/progress-channel.ts";
import type { Network } from "./network-policy.ts";

export interface Workshop {
  readonly hub: HubClient;
  readonly identity: ProcessIdentity;
  readonly storage: Storage;
  /** Whether the store is there, and still this worker's. */
  readonly ownsStore: () => Promise<boolean>;
  readonly progress: ProgressChannel;
  readonly workerId: string;
  readonly tempBase: string;
  readonly allowedNetworks: readonly Network[];
}
